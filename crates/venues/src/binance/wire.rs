//! Binance's messages as they are: every field optional, borrowed from the text, unknown fields ignored.
//!
//! Nothing is trusted and nothing is computed here; how a [`Field`] is read stands in [`crate::common::field`]. REST
//! writes whole names, streams write single letters. Next: [`super::convert`].

use crate::common::field::record;
pub use crate::common::field::{Field, json};

record! {
    /// Code and message of a refusal, and of some confirmations.
    WireStatus { code = "code", message = "msg" }
}

record! {
    /// The venue's clock.
    WireTime { at = "serverTime" }
}

record! {
    /// `/sapi/v1/system/status`: 0 for normal, 1 for maintenance.
    WireSystem { status = "status" }
}

/// `/exchangeInfo`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct WireExchange<'a> {
    /// `symbols`
    #[serde(borrow, default)]
    pub symbols: Option<Vec<WireInstrument<'a>>>,
}

/// A contract. USD-M says `status`, COIN-M `contractStatus`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireInstrument<'a> {
    /// `symbol`
    #[serde(borrow)]
    pub symbol: Field<'a>,
    /// `contractType`
    #[serde(borrow, rename = "contractType")]
    pub contract_type: Field<'a>,
    /// `status`
    #[serde(borrow)]
    pub status: Field<'a>,
    /// `contractStatus`
    #[serde(borrow, rename = "contractStatus")]
    pub contract_status: Field<'a>,
    /// `contractSize`
    #[serde(borrow, rename = "contractSize")]
    pub contract_size: Field<'a>,
    /// `baseAsset`
    #[serde(borrow, rename = "baseAsset")]
    pub base: Field<'a>,
    /// `quoteAsset`
    #[serde(borrow, rename = "quoteAsset")]
    pub quote: Field<'a>,
    /// `marginAsset`
    #[serde(borrow, rename = "marginAsset")]
    pub margin: Field<'a>,
    /// `maintMarginPercent`
    #[serde(borrow, rename = "maintMarginPercent")]
    pub maintenance: Field<'a>,
    /// `requiredMarginPercent`
    #[serde(borrow, rename = "requiredMarginPercent")]
    pub required: Field<'a>,
    /// `filters`
    #[serde(borrow)]
    pub filters: Option<Vec<WireFilter<'a>>>,
}

record! {
    /// One rule of a contract.
    WireFilter {
        kind = "filterType", tick = "tickSize", step = "stepSize", min = "minQty", max = "maxQty", notional = "notional",
    }
}

record! {
    /// `/fundingInfo`.
    WireFundingInfo { symbol = "symbol", hours = "fundingIntervalHours" }
}

record! {
    /// `/fundingRate`.
    WireFunding { symbol = "symbol", rate = "fundingRate", at = "fundingTime" }
}

record! {
    /// `/premiumIndex`.
    WirePremium {
        symbol = "symbol", mark = "markPrice", index = "indexPrice", rate = "lastFundingRate",
        next = "nextFundingTime", at = "time",
    }
}

record! {
    /// `/ticker/24hr` and `/ticker/bookTicker`.
    WireTicker { symbol = "symbol", last = "lastPrice", bid = "bidPrice", ask = "askPrice" }
}

record! {
    /// `/openInterest`.
    WireOpenInterest { symbol = "symbol", amount = "openInterest", at = "time" }
}

/// `/depth`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireDepth<'a> {
    /// `lastUpdateId`
    #[serde(borrow, rename = "lastUpdateId")]
    pub number: Field<'a>,
    /// `E`
    #[serde(borrow, rename = "E")]
    pub at: Field<'a>,
    /// `bids`
    #[serde(borrow)]
    pub bids: Option<Vec<Vec<Field<'a>>>>,
    /// `asks`
    #[serde(borrow)]
    pub asks: Option<Vec<Vec<Field<'a>>>>,
}

record! {
    /// An order.
    WireOrder {
        symbol = "symbol", order_id = "orderId", client_id = "clientOrderId", side = "side", kind = "type",
        status = "status", price = "price", quantity = "origQty", filled = "executedQty",
        time_in_force = "timeInForce", reduce_only = "reduceOnly", position_side = "positionSide",
        original_kind = "origType", updated = "updateTime", at = "time",
    }
}

record! {
    /// A conditional order. Its kind is `orderType` in most answers and `type` in some.
    WireAlgo {
        symbol = "symbol", algo_id = "algoId", client_id = "clientAlgoId", side = "side", order_type = "orderType",
        kind = "type", status = "algoStatus", quantity = "quantity", trigger = "triggerPrice",
        working_type = "workingType", reduce_only = "reduceOnly", position_side = "positionSide",
        close_position = "closePosition", actual_order = "actualOrderId", filled = "executedQty",
        actual_quantity = "actualQty", created = "createTime", updated = "updateTime",
    }
}

record! {
    /// A fill: `/userTrades`.
    WireTrade {
        symbol = "symbol", id = "id", order_id = "orderId", side = "side", price = "price", quantity = "qty",
        commission = "commission", commission_asset = "commissionAsset", at = "time", maker = "maker", buyer = "buyer",
    }
}

record! {
    /// `/income`.
    WireIncome {
        symbol = "symbol", kind = "incomeType", amount = "income", asset = "asset", at = "time", id = "tranId",
    }
}

/// `/account`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct WireAccount<'a> {
    /// `assets`
    #[serde(borrow, default)]
    pub assets: Option<Vec<WireAsset<'a>>>,
}

record! {
    /// One asset of the account.
    WireAsset {
        asset = "asset", wallet = "walletBalance", equity = "marginBalance", available = "availableBalance",
    }
}

record! {
    /// `/positionRisk`. Leverage and margin type are told by COIN-M only.
    WirePosition {
        symbol = "symbol", side = "positionSide", size = "positionAmt", entry = "entryPrice", mark = "markPrice",
        unrealized = "unRealizedProfit", liquidation = "liquidationPrice", leverage = "leverage",
        margin_type = "marginType", isolated_wallet = "isolatedWallet",
    }
}

record! {
    /// `/positionSide/dual`.
    WirePositionMode { dual = "dualSidePosition" }
}

record! {
    /// `/commissionRate`.
    WireFees { symbol = "symbol", maker = "makerCommissionRate", taker = "takerCommissionRate" }
}

record! {
    /// `/listenKey`.
    WireListenKey { key = "listenKey" }
}

record! {
    /// The head of a message on a stream: of news (`e`) or of an answer (`id`).
    StreamHead { event = "e", at = "E", symbol = "s", request = "id" }
}

/// An answer on a stream.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamAnswer<'a> {
    /// `error`
    #[serde(borrow)]
    pub error: Option<WireStatus<'a>>,
}

/// Event `kline`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct StreamKline<'a> {
    /// `k`
    #[serde(borrow, default)]
    pub k: WireKline<'a>,
}

record! {
    /// A candle of the stream.
    WireKline {
        start = "t", interval = "i", open = "o", high = "h", low = "l", close = "c", volume = "v", closed = "x",
    }
}

record! {
    /// Event `markPriceUpdate`.
    StreamMark { symbol = "s", mark = "p", index = "i", rate = "r", next = "T" }
}

record! {
    /// Events `24hrMiniTicker` and `24hrTicker`.
    StreamTicker { symbol = "s", last = "c" }
}

record! {
    /// Event `bookTicker`.
    StreamQuote { symbol = "s", bid = "b", ask = "a" }
}

record! {
    /// Event `aggTrade`. `m`: the buyer was the maker, so the taker sold.
    StreamTrade { symbol = "s", id = "a", price = "p", quantity = "q", at = "T", buyer_is_maker = "m" }
}

/// Event `depthUpdate`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamDepth<'a> {
    /// `U`
    #[serde(borrow, rename = "U")]
    pub first: Field<'a>,
    /// `u`
    #[serde(borrow, rename = "u")]
    pub last: Field<'a>,
    /// `pu`
    #[serde(borrow, rename = "pu")]
    pub previous: Field<'a>,
    /// `b`
    #[serde(borrow, rename = "b")]
    pub bids: Option<Vec<Vec<Field<'a>>>>,
    /// `a`
    #[serde(borrow, rename = "a")]
    pub asks: Option<Vec<Vec<Field<'a>>>>,
}

/// Events `ORDER_TRADE_UPDATE` and `ALGO_UPDATE`: the record is in `o`.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>"))]
pub struct StreamOrder<T> {
    /// `o`
    #[serde(default = "Option::default")]
    pub o: Option<T>,
}

record! {
    /// An order on the stream.
    StreamOrderRow {
        symbol = "s", client_id = "c", side = "S", kind = "o", time_in_force = "f", quantity = "q", price = "p",
        execution = "x", status = "X", order_id = "i", last_quantity = "l", filled = "z", last_price = "L",
        commission_asset = "N", commission = "n", at = "T", trade_id = "t", maker = "m", reduce_only = "R",
        position_side = "ps", original_kind = "ot",
    }
}

record! {
    /// A conditional order on the stream.
    StreamAlgoRow {
        client_id = "caid", algo_id = "aid", symbol = "s", status = "X", actual_order = "ai", filled = "aq",
        quantity = "q", reason = "rm",
    }
}

/// Event `ACCOUNT_UPDATE`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct StreamAccount<'a> {
    /// `a`
    #[serde(borrow, default)]
    pub a: StreamAccountRow<'a>,
}

/// What has changed in the account.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamAccountRow<'a> {
    /// `m`: why.
    #[serde(borrow, rename = "m")]
    pub reason: Field<'a>,
    /// `B`
    #[serde(borrow, rename = "B")]
    pub balances: Option<Vec<StreamBalance<'a>>>,
    /// `P`
    #[serde(borrow, rename = "P")]
    pub positions: Option<Vec<StreamPosition<'a>>>,
}

record! {
    /// A balance on the stream.
    StreamBalance { asset = "a", wallet = "wb", cross = "cw" }
}

record! {
    /// A position on the stream.
    StreamPosition {
        symbol = "s", size = "pa", entry = "ep", unrealized = "up", margin_type = "mt", side = "ps",
    }
}
