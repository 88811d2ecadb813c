//! BitMEX's messages as they are: every field optional, borrowed from the text, unknown fields ignored.
//!
//! Nothing is trusted and nothing is computed here. REST and streams use the same records. Next: [`super::convert`].

use serde::de::Deserialize;

use super::field::Field;
use crate::error::WireError;

/// Declares a record: field names of ours and of the wire.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        pub struct $name<'a> {
            $(#[doc = concat!("`", $wire, "`")] #[serde(borrow, rename = $wire)] pub $field: Field<'a>,)+
        }
    };
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
    WireLevel { symbol = "symbol", id = "id", side = "side", size = "size", price = "price" }
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

/// Any JSON of ours to read.
pub fn json<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<T, WireError> {
    // The parser's own text may repeat what the message said; only the place is kept.
    serde_json::from_slice(text).map_err(|error| WireError::Malformed {
        what,
        line: error.line(),
        column: error.column(),
    })
}
