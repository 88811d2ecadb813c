//! OKX's messages as they are: every field optional, borrowed from the text, unknown fields ignored.
//!
//! Nothing is trusted and nothing is computed here. Every answer and every message on a stream carries its rows in
//! `data`. Sizes are counts of contracts. Next: [`super::convert`].

use serde::de::Deserialize;

use crate::common::field::record;
pub use crate::common::field::{Field, json};
use crate::error::WireError;

record! {
    /// An order: `/trade/order`, `/trade/orders-pending`, channel `orders`.
    WireOrder {
        inst_type = "instType", symbol = "instId", order_id = "ordId", client_id = "clOrdId", algo_id = "algoId",
        algo_client_id = "algoClOrdId", side = "side", pos_side = "posSide", order_type = "ordType", state = "state",
        price = "px", size = "sz", filled = "accFillSz", reduce_only = "reduceOnly", cancel_source = "cancelSource",
        category = "category", updated = "uTime", created = "cTime", fill_size = "fillSz", fill_price = "fillPx",
        fill_time = "fillTime", fill_fee = "fillFee", fill_fee_asset = "fillFeeCcy", fee = "fee", fee_asset = "feeCcy",
        trade_id = "tradeId", liquidity = "execType",
    }
}

record! {
    /// An order that waits for a trigger: `/trade/order-algo`, `/trade/orders-algo-pending`, channel `orders-algo`.
    WireStop {
        inst_type = "instType", symbol = "instId", algo_id = "algoId", algo_client_id = "algoClOrdId",
        order_id = "ordId", side = "side", order_type = "ordType", state = "state", size = "sz",
        reduce_only = "reduceOnly", close_fraction = "closeFraction", trigger = "triggerPx", trigger_by = "triggerPxType",
        loss_trigger = "slTriggerPx", loss_by = "slTriggerPxType", profit_trigger = "tpTriggerPx",
        profit_by = "tpTriggerPxType", last = "last", filled = "actualSz", fail_code = "failCode", updated = "uTime",
        created = "cTime", triggered = "triggerTime",
    }
}

record! {
    /// A fill: `/trade/fills`, `/trade/fills-history`.
    WireFill {
        inst_type = "instType", symbol = "instId", trade_id = "tradeId", order_id = "ordId", client_id = "clOrdId",
        bill_id = "billId", side = "side", price = "fillPx", size = "fillSz", fee = "fee", fee_asset = "feeCcy",
        liquidity = "execType", kind = "subType", at = "ts", filled_at = "fillTime",
    }
}

record! {
    /// A payment of the ledger: `/account/bills-archive`.
    WireBill {
        inst_type = "instType", symbol = "instId", bill_id = "billId", kind = "type", sub_kind = "subType",
        pnl = "pnl", change = "balChg", asset = "ccy", at = "ts",
    }
}

record! {
    /// A position: `/account/positions`, channel `positions`.
    WirePosition {
        inst_type = "instType", symbol = "instId", pos_side = "posSide", size = "pos", entry = "avgPx", mark = "markPx",
        liquidation = "liqPx", leverage = "lever", unrealized = "upl", margin_mode = "mgnMode",
    }
}

record! {
    /// One coin of the balance.
    WireCoin {
        coin = "ccy", cash = "cashBal", equity = "eq", available_equity = "availEq", available_balance = "availBal",
    }
}

/// The balance: `/account/balance`, channel `account`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireBalance<'a> {
    /// `details`
    #[serde(borrow, rename = "details")]
    pub coins: Option<Vec<WireCoin<'a>>>,
}

record! {
    /// Account and key: `/account/config`.
    WireAccount { level = "acctLv", position_mode = "posMode", permissions = "perm", addresses = "ip" }
}

record! {
    /// Fees: `/account/trade-fee`. Negative numbers are paid, positive ones are rebates.
    WireFees {
        maker = "maker", taker = "taker", maker_usdt = "makerU", taker_usdt = "takerU", maker_usdc = "makerUSDC",
        taker_usdc = "takerUSDC",
    }
}

record! {
    /// A contract: `/public/instruments`.
    WireInstrument {
        inst_type = "instType", symbol = "instId", family = "instFamily", underlying = "uly", settle = "settleCcy",
        contract_value = "ctVal", contract_multiplier = "ctMult", contract_asset = "ctValCcy", contract_type = "ctType",
        tick = "tickSz", lot = "lotSz", min = "minSz", max_limit = "maxLmtSz", max_market = "maxMktSz",
        max_stop = "maxStopSz", leverage = "lever", state = "state", rule = "ruleType",
    }
}

record! {
    /// Prices: `/market/ticker`, channel `tickers`.
    WireTicker { symbol = "instId", last = "last", bid = "bidPx", ask = "askPx", at = "ts" }
}

record! {
    /// Mark price: `/public/mark-price`, channel `mark-price`.
    WireMark { symbol = "instId", mark = "markPx", at = "ts" }
}

record! {
    /// Index price: `/market/index-tickers`, channel `index-tickers`. The symbol is the index.
    WireIndex { index = "instId", price = "idxPx", at = "ts" }
}

record! {
    /// Funding rate to come: `/public/funding-rate`, channel `funding-rate`.
    WireFundingRate { symbol = "instId", rate = "fundingRate", next = "fundingTime", at = "ts" }
}

record! {
    /// A funding rate that was applied: `/public/funding-rate-history`.
    WireFunding { symbol = "instId", rate = "fundingRate", realized = "realizedRate", at = "fundingTime" }
}

record! {
    /// Open contracts: `/public/open-interest`, channel `open-interest`.
    WireInterest { symbol = "instId", contracts = "oi", at = "ts" }
}

record! {
    /// A trade of the channel `trades`. The side is the taker's.
    WireTrade { symbol = "instId", id = "tradeId", side = "side", price = "px", size = "sz", at = "ts" }
}

/// A book or a change of it, channel `books`: rows of price, size, nothing, number of orders.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireBook<'a> {
    /// `bids`
    #[serde(borrow)]
    pub bids: Option<Vec<Vec<Field<'a>>>>,
    /// `asks`
    #[serde(borrow)]
    pub asks: Option<Vec<Vec<Field<'a>>>>,
    /// `ts`
    #[serde(borrow)]
    pub ts: Field<'a>,
    /// `seqId`
    #[serde(borrow, rename = "seqId")]
    pub number: Field<'a>,
    /// `prevSeqId`
    #[serde(borrow, rename = "prevSeqId")]
    pub previous: Field<'a>,
}

record! {
    /// The clock: `/public/time`.
    WireTime { at = "ts" }
}

record! {
    /// Maintenance: `/system/status`.
    WireMaintenance { state = "state", service = "serviceType", end = "end", env = "env" }
}

record! {
    /// An accepted order of either book.
    WireAccepted { order_id = "ordId", algo_id = "algoId", code = "sCode" }
}

record! {
    /// What a message on a stream is about.
    WireArg { channel = "channel", symbol = "instId" }
}

/// The head of a message on a stream: of news (`arg`) or of an answer (`event`).
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamHead<'a> {
    /// `event`
    #[serde(borrow)]
    pub event: Field<'a>,
    /// `code`
    #[serde(borrow)]
    pub code: Field<'a>,
    /// `msg`
    #[serde(borrow)]
    pub msg: Field<'a>,
    /// `action`: `snapshot` or `update` of a book.
    #[serde(borrow)]
    pub action: Field<'a>,
    /// `arg`
    #[serde(borrow)]
    pub arg: Option<WireArg<'a>>,
}

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Rows<T> {
    #[serde(default = "Option::default")]
    data: Option<Vec<T>>,
}

/// The rows of an answer or of a message on a stream; they must be there even when there are none.
pub fn rows<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<Vec<T>, WireError> {
    json::<Rows<T>>(what, text)?.data.ok_or(WireError::Missing { what, field: "data" })
}

/// The first row of an answer that has one.
pub fn first<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<T, WireError> {
    rows(what, text)?.into_iter().next().ok_or(WireError::Missing { what, field: "data[0]" })
}
