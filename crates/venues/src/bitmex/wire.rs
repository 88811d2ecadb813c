//! BitMEX's messages as they are: every field optional, borrowed from the text, unknown fields ignored.
//!
//! Nothing is trusted and nothing is computed here. REST and streams use the same records. Next: [`super::convert`].

use keyhold_domain::Timestamp;
use serde::de::Deserialize;

pub use crate::common::field::{Field, json};
use crate::common::field::{FromField, record};
use crate::error::WireError;

/// A time as BitMEX writes it: ISO 8601 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IsoTime(pub Timestamp);

impl FromField for IsoTime {
    const EXPECTED: &'static str = "a time in ISO 8601";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.text().parse().ok().filter(|at| *at > Timestamp::EPOCH).map(Self)
    }
}

/// True or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

impl FromField for Flag {
    const EXPECTED: &'static str = "true or false";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        match field {
            Field::True => Some(Self(true)),
            Field::False => Some(Self(false)),
            Field::Absent | Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => None,
        }
    }
}

record! {
    /// A contract with its prices: `/instrument`, table `instrument`.
    WireInstrument {
        symbol = "symbol", state = "state", kind = "typ", underlying = "underlying", quote = "quoteCurrency",
        settle = "settlCurrency", lot = "lotSize", tick = "tickSize", max = "maxOrderQty", multiplier = "multiplier",
        position_multiplier = "underlyingToPositionMultiplier", is_quanto = "isQuanto", is_inverse = "isInverse",
        initial_margin = "initMargin", maintenance_margin = "maintMargin", maker = "makerFee", taker = "takerFee",
        funding_interval = "fundingInterval", funding_rate = "fundingRate", next_funding = "fundingTimestamp",
        last = "lastPrice", bid = "bidPrice", ask = "askPrice", mark = "markPrice", index = "indicativeSettlePrice",
        open_interest = "openInterest", at = "timestamp",
    }
}

record! {
    /// A candle: `/trade/bucketed`, tables `tradeBin1m` and so on. Its stamp is its end.
    WireBucket {
        at = "timestamp", symbol = "symbol", open = "open", high = "high", low = "low", close = "close",
        volume = "volume",
    }
}

record! {
    /// A funding rate: `/funding`.
    WireFunding { at = "timestamp", symbol = "symbol", rate = "fundingRate" }
}

record! {
    /// A trade of the table `trade`.
    WireTrade { at = "timestamp", symbol = "symbol", side = "side", size = "size", id = "trdMatchID" }
}

record! {
    /// A level of the table `orderBookL2_25`. Changes carry only what changed.
    WireLevel { symbol = "symbol", id = "id", side = "side", size = "size", price = "price", at = "timestamp" }
}

record! {
    /// An order: `/order`, table `order`.
    WireOrder {
        symbol = "symbol", order_id = "orderID", client_id = "clOrdID", side = "side", order_type = "ordType",
        status = "ordStatus", qty = "orderQty", filled = "cumQty", price = "price", stop = "stopPx",
        time_in_force = "timeInForce", instructions = "execInst", triggered = "triggered", working = "workingIndicator",
        reject_reason = "ordRejReason", text = "text", transacted = "transactTime", at = "timestamp", error = "error",
    }
}

record! {
    /// An execution: `/execution/tradeHistory`, table `execution`.
    WireExecution {
        symbol = "symbol", exec_id = "execID", order_id = "orderID", client_id = "clOrdID", side = "side",
        kind = "execType", price = "lastPx", qty = "lastQty", leaves = "leavesQty", comm = "execComm",
        settle = "settlCurrency", liquidity = "lastLiquidityInd", text = "text", transacted = "transactTime",
        at = "timestamp",
    }
}

record! {
    /// A position: `/position`, table `position`.
    WirePosition {
        symbol = "symbol", contracts = "currentQty", entry = "avgEntryPrice", mark = "markPrice",
        liquidation = "liquidationPrice", leverage = "leverage", cross = "crossMargin", unrealized = "unrealisedPnl",
    }
}

record! {
    /// The margin of a currency: `/user/margin`, table `margin`.
    WireMargin {
        currency = "currency", wallet = "walletBalance", equity = "marginBalance", available = "availableMargin",
        excess = "excessMargin",
    }
}

record! {
    /// Fees of an instrument: `/user/commission`.
    WireCommission { maker = "makerFee", taker = "takerFee" }
}

/// A key: `/apiKey` lists all keys of the user.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireKey<'a> {
    /// `id`: the key itself.
    #[serde(borrow)]
    pub id: Field<'a>,
    /// `permissions`
    #[serde(borrow)]
    pub permissions: Option<Vec<Field<'a>>>,
    /// `cidr`: older single address range.
    #[serde(borrow)]
    pub cidr: Field<'a>,
    /// `cidrs`
    #[serde(borrow)]
    pub cidrs: Option<Vec<Field<'a>>>,
    /// `enabled`
    #[serde(borrow)]
    pub enabled: Field<'a>,
}

record! {
    /// What went wrong.
    WireFault { message = "message", name = "name" }
}

/// An answer that is an error: `{"error": {...}}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireFailure<'a> {
    /// `error`
    #[serde(borrow)]
    pub error: WireFault<'a>,
}

/// The head of a message on the stream: news of a table or an answer.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamHead<'a> {
    /// `table`: news.
    #[serde(borrow)]
    pub table: Field<'a>,
    /// `action`: partial, insert, update or delete.
    #[serde(borrow)]
    pub action: Field<'a>,
    /// `success`: an answer to a login or a subscription.
    #[serde(borrow)]
    pub success: Field<'a>,
    /// `subscribe`: what was subscribed.
    #[serde(borrow)]
    pub subscribe: Field<'a>,
    /// `error`: a text.
    #[serde(borrow)]
    pub error: Field<'a>,
    /// `status`: HTTP's number of the error.
    #[serde(borrow)]
    pub status: Field<'a>,
    /// `request`: what the answer is to.
    pub request: StreamRequest,
}

/// What an answer on the stream is to.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct StreamRequest {
    /// `op`
    pub op: Option<String>,
}

/// The rows of a table's news.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct StreamRows<T> {
    /// `data`
    #[serde(default = "Option::default")]
    pub data: Option<Vec<T>>,
}

impl<T> StreamRows<T> {
    /// The rows, which must be there even when there are none.
    pub fn rows(self, what: &'static str) -> Result<Vec<T>, WireError> {
        self.data.ok_or(WireError::Missing { what, field: "data" })
    }
}
