//! Bybit's messages as they are: every field optional, borrowed from the text, unknown fields ignored.
//!
//! Nothing is trusted and nothing is computed here; how a [`Field`] is read stands in [`crate::common::field`].
//! Next: [`super::convert`].

use std::borrow::Cow;

use serde::de::Deserialize;

use crate::common::field::record;
pub use crate::common::field::{Field, FromField, json};
use crate::error::WireError;

record! {
    /// An order: `/v5/order/realtime`, `/v5/order/history`, topic `order`.
    WireOrder {
        category = "category", symbol = "symbol", order_id = "orderId", link_id = "orderLinkId", side = "side",
        order_type = "orderType", status = "orderStatus", price = "price", qty = "qty", filled = "cumExecQty",
        time_in_force = "timeInForce", reduce_only = "reduceOnly", trigger_price = "triggerPrice",
        trigger_direction = "triggerDirection", trigger_by = "triggerBy", last_price = "lastPriceOnCreated",
        reject_reason = "rejectReason", cancel_type = "cancelType", updated = "updatedTime",
    }
}

record! {
    /// An execution: `/v5/execution/list`, topic `execution`.
    WireExecution {
        category = "category", symbol = "symbol", exec_id = "execId", order_id = "orderId", link_id = "orderLinkId",
        side = "side", price = "execPrice", qty = "execQty", fee = "execFee", fee_currency = "feeCurrency",
        kind = "execType", at = "execTime", is_maker = "isMaker", leaves = "leavesQty",
    }
}

record! {
    /// A position: `/v5/position/list`, topic `position`.
    WirePosition {
        category = "category", symbol = "symbol", index = "positionIdx", side = "side", size = "size",
        avg_price = "avgPrice", entry_price = "entryPrice", mark = "markPrice", liquidation = "liqPrice",
        leverage = "leverage", unrealized = "unrealisedPnl", trade_mode = "tradeMode",
    }
}

record! {
    /// One coin of a wallet.
    WireCoin {
        coin = "coin", wallet = "walletBalance", equity = "equity", order_margin = "totalOrderIM",
        position_margin = "totalPositionIM", locked = "locked",
    }
}

/// A wallet: `/v5/account/wallet-balance`, topic `wallet`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireWallet<'a> {
    /// `accountType`
    #[serde(borrow, rename = "accountType")]
    pub kind: Field<'a>,
    /// `coin`
    #[serde(borrow, rename = "coin")]
    pub coins: Option<Vec<WireCoin<'a>>>,
}

record! {
    /// Prices: `/v5/market/tickers`, topic `tickers`.
    WireTicker {
        symbol = "symbol", last = "lastPrice", mark = "markPrice", index = "indexPrice", bid = "bid1Price",
        ask = "ask1Price", funding_rate = "fundingRate", next_funding = "nextFundingTime",
        open_interest = "openInterest",
    }
}

record! {
    /// A trade of the topic `publicTrade`.
    WireTrade { at = "T", symbol = "s", side = "S", size = "v", price = "p", id = "i" }
}

/// A snapshot or change of the topic `orderbook`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireBook<'a> {
    /// `s`
    #[serde(borrow, rename = "s")]
    pub symbol: Field<'a>,
    /// `b`: prices and sizes, the highest first.
    #[serde(borrow, rename = "b")]
    pub bids: Option<Vec<Vec<Field<'a>>>>,
    /// `a`: prices and sizes, the lowest first.
    #[serde(borrow, rename = "a")]
    pub asks: Option<Vec<Vec<Field<'a>>>>,
    /// `u`: one more than in the message before it; 1 after a restart of the venue.
    #[serde(borrow, rename = "u")]
    pub number: Field<'a>,
}

/// News about an order book.
#[derive(Debug, serde::Deserialize)]
pub struct StreamBook<'a> {
    /// `type`
    #[serde(borrow, default, rename = "type")]
    pub kind: Field<'a>,
    /// `data`
    #[serde(borrow, default)]
    pub data: WireBook<'a>,
}

record! {
    /// A candle of the topic `kline`.
    WireKline {
        start = "start", open = "open", high = "high", low = "low", close = "close", volume = "volume",
        confirm = "confirm",
    }
}

record! {
    /// A funding rate: `/v5/market/funding/history`.
    WireFunding { symbol = "symbol", rate = "fundingRate", at = "fundingRateTimestamp" }
}

record! {
    /// Fees: `/v5/account/fee-rate`.
    WireFees { symbol = "symbol", maker = "makerFeeRate", taker = "takerFeeRate" }
}

record! {
    /// The account: `/v5/account/info`.
    WireAccount { margin_mode = "marginMode" }
}

record! {
    /// The clock: `/v5/market/time`.
    WireTime { nanos = "timeNano", seconds = "timeSecond" }
}

record! {
    /// An accepted order.
    WireAccepted { order_id = "orderId", link_id = "orderLinkId" }
}

record! {
    /// Bounds of leverage.
    WireLeverage { max = "maxLeverage" }
}

record! {
    /// Grid of prices.
    WirePriceGrid { tick = "tickSize" }
}

record! {
    /// Grid and bounds of quantities.
    WireLotGrid {
        step = "qtyStep", min = "minOrderQty", max = "maxOrderQty", max_market = "maxMktOrderQty",
        min_notional = "minNotionalValue",
    }
}

/// An instrument: `/v5/market/instruments-info`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireInstrument<'a> {
    /// `symbol`
    #[serde(borrow)]
    pub symbol: Field<'a>,
    /// `contractType`
    #[serde(borrow)]
    pub contract_type: Field<'a>,
    /// `status`
    #[serde(borrow)]
    pub status: Field<'a>,
    /// `baseCoin`
    #[serde(borrow)]
    pub base_coin: Field<'a>,
    /// `quoteCoin`
    #[serde(borrow)]
    pub quote_coin: Field<'a>,
    /// `settleCoin`
    #[serde(borrow)]
    pub settle_coin: Field<'a>,
    /// `fundingInterval`, in minutes.
    #[serde(borrow)]
    pub funding_interval: Field<'a>,
    /// `leverageFilter`
    #[serde(borrow)]
    pub leverage_filter: WireLeverage<'a>,
    /// `priceFilter`
    #[serde(borrow)]
    pub price_filter: WirePriceGrid<'a>,
    /// `lotSizeFilter`
    #[serde(borrow)]
    pub lot_size_filter: WireLotGrid<'a>,
}

/// Maintenance: `/v5/system/status`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireMaintenance<'a> {
    /// `state`
    #[serde(borrow)]
    pub state: Field<'a>,
    /// `end`
    #[serde(borrow)]
    pub end: Field<'a>,
    /// `product`: 1 stands for futures.
    #[serde(borrow)]
    pub product: Option<Vec<Field<'a>>>,
    /// `env`: 1 stands for the live system.
    #[serde(borrow)]
    pub env: Field<'a>,
}

/// A key: `/v5/user/query-api`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireKey<'a> {
    /// `readOnly`: 1 for a key that may only read.
    #[serde(borrow)]
    pub read_only: Field<'a>,
    /// `permissions`: group to words.
    #[serde(borrow)]
    pub permissions: Option<std::collections::BTreeMap<Cow<'a, str>, Option<Vec<Field<'a>>>>>,
    /// `ips`
    #[serde(borrow)]
    pub ips: Option<Vec<Field<'a>>>,
    /// `deadlineDay`: days left; negative when bound to addresses.
    #[serde(borrow)]
    pub deadline_day: Field<'a>,
    /// `expiredAt`
    #[serde(borrow)]
    pub expired_at: Field<'a>,
    /// `uta`: 1 for a unified account.
    #[serde(borrow)]
    pub uta: Field<'a>,
}

/// A list with the place where the next page begins.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Page<'a, T> {
    /// The rows.
    #[serde(default = "Option::default")]
    pub list: Option<Vec<T>>,
    /// Where the next page begins; empty on the last.
    #[serde(borrow, default, rename = "nextPageCursor")]
    pub cursor: Field<'a>,
}

impl<T> Page<'_, T> {
    /// The rows, which must be there even when there are none.
    pub fn rows(self, what: &'static str) -> Result<Vec<T>, WireError> {
        self.list.ok_or(WireError::Missing { what, field: "list" })
    }
}

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Answer<T> {
    #[serde(default = "Option::default")]
    result: Option<T>,
}

/// The result of an answer over HTTP.
pub fn result<'a, T: Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<T, WireError> {
    json::<Answer<T>>(what, body)?.result.ok_or(WireError::Missing { what, field: "result" })
}

record! {
    /// The head of a message on a stream: of news (`topic`) or of an answer (`op`).
    StreamHead {
        topic = "topic", op = "op", success = "success", ret_code = "retCode", ret_msg = "ret_msg",
        other_ret_msg = "retMsg", ts = "ts", request = "req_id",
    }
}

/// The rows of news.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct StreamRows<T> {
    /// `data`
    #[serde(default = "Option::default")]
    pub data: Option<Vec<T>>,
}

/// The one record of news.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct StreamRecord<T> {
    /// `data`
    #[serde(default = "Option::default")]
    pub data: Option<T>,
}
