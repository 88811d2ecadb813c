//! Kraken's messages as they stand on the wire: what is read and under which names, and nothing of what it means.
//!
//! Kraken writes most numbers as JSON numbers, some with exponents. They are kept as the text that stood there, so that
//! none ever passes through binary floating point. Unknown fields are ignored; a missing one is a named error when it is
//! asked for. Next: [`super::convert`].

use std::borrow::Cow;

use keyhold_domain::{Decimal, Price, Quantity, ShortText, Timestamp};
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::WireError;

/// A JSON value of which only plain ones are of use.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Field<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// A number, as it was written.
    Number(&'a str),
    /// True.
    True,
    /// False.
    False,
    /// A list, an object, a text that is none: nothing we take.
    Other,
}

impl Field<'_> {
    /// The text, or nothing.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// Absent or an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.is_empty(),
            Self::Number(_) | Self::True | Self::False | Self::Other => false,
        }
    }

    /// What was written as a text or as a number.
    fn written(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(text) => Some(text),
            Self::Absent | Self::True | Self::False | Self::Other => None,
        }
    }

    /// A value that must be there.
    pub fn get<T: FromField>(&self, what: &'static str, field: &'static str) -> Result<T, WireError> {
        if self.is_empty() {
            return Err(WireError::Missing { what, field });
        }
        T::from_field(self).ok_or(WireError::Invalid { what, field, expected: T::EXPECTED })
    }

    /// A value that may be absent or empty.
    pub fn maybe<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        if self.is_empty() { Ok(None) } else { self.get(what, field).map(Some) }
    }

    /// A value of which Kraken writes zero for "none", such as a price.
    pub fn nonzero<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        let zero = Decimal::from_field(self).is_some_and(|value| value.is_zero());
        if zero { Ok(None) } else { self.maybe(what, field) }
    }

    /// Yes or no; absent is no.
    pub fn flag(&self, what: &'static str, field: &'static str) -> Result<bool, WireError> {
        match self {
            Self::True => Ok(true),
            Self::False | Self::Absent => Ok(false),
            Self::Text(_) | Self::Number(_) | Self::Other => {
                Err(WireError::Invalid { what, field, expected: "true or false" })
            }
        }
    }
}

/// A decimal from plain or scientific notation. Digits beyond the 28th are rounded away: Kraken writes mark prices and
/// funding rates with more digits than they mean.
pub fn decimal(text: &str) -> Option<Decimal> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text.parse().ok() };
    let mantissa: Decimal = mantissa.parse().ok()?;
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    if exponent >= 0 {
        let mut value = mantissa;
        for _ in 0..exponent.min(60) {
            value = value.checked_mul(Decimal::TEN)?;
        }
        return Some(value.normalize());
    }
    let shift = exponent.unsigned_abs();
    let room = 28_u32.saturating_sub(shift);
    let mut value = mantissa.round_dp(room);
    // Rounded away entirely, or small enough to be shifted.
    let scale = value.scale().checked_add(shift)?;
    if scale > 28 {
        return Some(Decimal::ZERO);
    }
    value.set_scale(scale).ok()?;
    Some(value.normalize())
}

/// What a field can be read as.
pub trait FromField: Sized {
    /// For error texts: "is not ...".
    const EXPECTED: &'static str;

    /// The value, if the field holds one.
    fn from_field(field: &Field<'_>) -> Option<Self>;
}

impl FromField for Decimal {
    const EXPECTED: &'static str = "a decimal number";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        decimal(field.written()?)
    }
}

impl FromField for Price {
    const EXPECTED: &'static str = "a price";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        Decimal::from_field(field).and_then(|value| Self::new(value.normalize()).ok())
    }
}

impl FromField for Quantity {
    const EXPECTED: &'static str = "a positive quantity";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        Decimal::from_field(field).and_then(|value| Self::new(value.normalize()).ok())
    }
}

/// Milliseconds as a number or a text of digits, or RFC 3339.
impl FromField for Timestamp {
    const EXPECTED: &'static str = "a time";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        let text = field.written()?;
        let read = text.parse::<i64>().map(Self::from_ms).ok().or_else(|| text.parse().ok());
        read.filter(|at| *at > Self::EPOCH)
    }
}

impl FromField for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.written()?.parse().ok()
    }
}

impl<const N: usize> FromField for ShortText<N> {
    const EXPECTED: &'static str = "a short text of printable ASCII";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        if let Field::Text(text) = field { Self::new(text).ok() } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        Ok(match raw.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<&'de str>(raw) {
                Ok(text) => Field::Text(Cow::Borrowed(text)),
                Err(_) => serde_json::from_str::<String>(raw)
                    .map_or(Field::Other, |text| Field::Text(Cow::Owned(text))),
            },
            Some(b'-' | b'0'..=b'9') => Field::Number(raw),
            Some(b't') => Field::True,
            Some(b'f') => Field::False,
            Some(b'n') => Field::Absent,
            Some(_) | None => Field::Other,
        })
    }
}

/// Declares a record: field names of ours and of the wire.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $wire:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        pub struct $name<'a> {
            $(
                #[doc = concat!("`", $wire, "`")]
                #[serde(borrow, rename = $wire $(, alias = $alias)*)]
                pub $field: Field<'a>,
            )+
        }
    };
}

pub(super) use record;

/// Declares a record that holds one other thing, under a name or not at all.
macro_rules! holder {
    ($(#[$doc:meta])* $name:ident $field:ident = $wire:literal : $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        pub struct $name<'a> {
            #[doc = concat!("`", $wire, "`")]
            #[serde(borrow, rename = $wire)]
            pub $field: Option<$inner>,
        }
    };
}

pub(super) use holder;

/// A list under its name, which must be there even when it is empty.
pub fn rows<T>(list: Option<Vec<T>>, what: &'static str, field: &'static str) -> Result<Vec<T>, WireError> {
    list.ok_or(WireError::Missing { what, field })
}

record! {
    /// The head of an answer over REST, and of a status in it.
    WireStatus {
        status = "status", order_id = "order_id" | "orderId", received = "receivedTime",
    }
}

/// What an answer says about itself.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireHead<'a> {
    /// `result`: success or error.
    #[serde(borrow)]
    pub result: Field<'a>,
    /// `error`: a word.
    #[serde(borrow)]
    pub error: Field<'a>,
    /// `errors`: records with a number and a text.
    #[serde(borrow)]
    pub errors: Option<Vec<WireFault<'a>>>,
    /// `serverTime`
    #[serde(borrow)]
    pub server_time: Field<'a>,
    /// `sendStatus`
    #[serde(borrow)]
    pub send_status: Option<WireStatus<'a>>,
    /// `editStatus`
    #[serde(borrow)]
    pub edit_status: Option<WireStatus<'a>>,
    /// `cancelStatus`
    #[serde(borrow)]
    pub cancel_status: Option<WireStatus<'a>>,
}

record! {
    /// One of several errors.
    WireFault { code = "code", message = "message" }
}

record! {
    /// An order in an event of `sendorder` and `editorder`, and of `orders/status`.
    WireOrder {
        order_id = "orderId" | "uid", client_id = "cliOrdId" | "clientId" | "clientOrderId", kind = "type" | "orderType",
        symbol = "symbol" | "tradeable", side = "side" | "direction", quantity = "quantity", filled = "filled",
        limit_price = "limitPrice", stop_price = "stopPrice", trigger_price = "triggerPrice",
        trigger_side = "triggerSide", trigger_signal = "triggerSignal", reduce_only = "reduceOnly",
        placed = "timestamp", updated = "lastUpdateTimestamp",
    }
}

/// An order of `orders/status`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireOrderStatus<'a> {
    /// `order`
    #[serde(borrow)]
    pub order: Option<WireOrder<'a>>,
    /// `status`
    #[serde(borrow)]
    pub status: Field<'a>,
    /// `updateReason`
    #[serde(borrow)]
    pub update_reason: Field<'a>,
    /// `error`
    #[serde(borrow)]
    pub error: Field<'a>,
}

holder! {
    /// The answer of `orders/status`.
    WireOrderStatuses list = "orders": Vec<WireOrderStatus<'a>>
}

/// An event of `sendorder`: what the order met.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireOrderEvent<'a> {
    /// `type`: PLACE, EXECUTION, REJECT, CANCEL, EDIT.
    #[serde(borrow, rename = "type")]
    pub kind: Field<'a>,
    /// `amount` of an execution.
    #[serde(borrow)]
    pub amount: Field<'a>,
    /// `order` of a placement, rejection or end.
    #[serde(borrow)]
    pub order: Option<WireOrder<'a>>,
    /// `orderTrigger` of a placed stop.
    #[serde(borrow)]
    pub order_trigger: Option<WireOrder<'a>>,
    /// `orderPriorExecution` of an execution.
    #[serde(borrow)]
    pub order_prior_execution: Option<WireOrder<'a>>,
    /// `new` of a change.
    #[serde(borrow)]
    pub new: Option<WireOrder<'a>>,
}

/// What `sendorder` says about an order.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireSendStatus<'a> {
    /// `status`
    #[serde(borrow)]
    pub status: Field<'a>,
    /// `order_id`
    #[serde(borrow, rename = "order_id", alias = "orderId")]
    pub order_id: Field<'a>,
    /// `receivedTime`
    #[serde(borrow)]
    pub received_time: Field<'a>,
    /// `orderEvents`
    #[serde(borrow)]
    pub order_events: Option<Vec<WireOrderEvent<'a>>>,
}

holder! {
    /// The answer of `sendorder`.
    WireSent send_status = "sendStatus": WireSendStatus<'a>
}

record! {
    /// An order of `openorders`. `unfilledSize` is what is left.
    WireOpenOrder {
        order_id = "order_id", client_id = "cliOrdId", symbol = "symbol", side = "side", kind = "orderType",
        limit_price = "limitPrice", stop_price = "stopPrice", unfilled = "unfilledSize", filled = "filledSize",
        received = "receivedTime", status = "status", reduce_only = "reduceOnly",
        trigger_signal = "triggerSignal", updated = "lastUpdateTime",
    }
}

holder! {
    /// The answer of `openorders`.
    WireOpenOrders list = "openOrders": Vec<WireOpenOrder<'a>>
}

record! {
    /// An order of the feed `open_orders`. `qty` is what is left; `direction` is 0 for buy and 1 for sell.
    FeedOrder {
        symbol = "instrument", order_id = "order_id", client_id = "cli_ord_id", left = "qty", filled = "filled",
        limit_price = "limit_price", stop_price = "stop_price", kind = "type", direction = "direction",
        reduce_only = "reduce_only", trigger_signal = "triggerSignal" | "trigger_signal", placed = "time",
        updated = "last_update_time",
    }
}

/// News or the whole of the feeds `open_orders` and `open_orders_verbose`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct FeedOrders<'a> {
    /// `orders` of a snapshot.
    #[serde(borrow)]
    pub orders: Option<Vec<FeedOrder<'a>>>,
    /// `order` of news.
    #[serde(borrow)]
    pub order: Option<FeedOrder<'a>>,
    /// `order_id` of an end.
    #[serde(borrow)]
    pub order_id: Field<'a>,
    /// `cli_ord_id` of an end.
    #[serde(borrow)]
    pub cli_ord_id: Field<'a>,
    /// `is_cancel`: the order is gone, also when it was filled.
    #[serde(borrow)]
    pub is_cancel: Field<'a>,
    /// `reason`
    #[serde(borrow)]
    pub reason: Field<'a>,
    /// `timestamp`
    #[serde(borrow)]
    pub timestamp: Field<'a>,
}

record! {
    /// A fill of `fills`. Older answers carry no fee; it is in the account's log then.
    WireFill {
        fill_id = "fill_id", order_id = "order_id", client_id = "cliOrdId" | "cli_ord_id", symbol = "symbol",
        side = "side", size = "size", price = "price", kind = "fillType", at = "fillTime", fee = "fee_paid",
        fee_currency = "fee_currency",
    }
}

holder! {
    /// The answer of `fills`.
    WireFills list = "fills": Vec<WireFill<'a>>
}

record! {
    /// A fill of the feed `fills`.
    FeedFill {
        fill_id = "fill_id", order_id = "order_id", client_id = "cli_ord_id", symbol = "instrument", buy = "buy",
        size = "qty", left = "remaining_order_qty", price = "price", kind = "fill_type", at = "time",
        fee = "fee_paid", fee_currency = "fee_currency", order_kind = "order_type",
    }
}

holder! {
    /// News or the whole of the feed `fills`.
    FeedFills list = "fills": Vec<FeedFill<'a>>
}

record! {
    /// A booking of `account-log`.
    WireBooking {
        id = "id", uid = "booking_uid", at = "date", info = "info", contract = "contract", asset = "asset",
        execution = "execution", fee = "fee", funding = "realized_funding",
    }
}

holder! {
    /// The answer of `account-log`.
    WireLog list = "logs": Vec<WireBooking<'a>>
}

record! {
    /// A position of `openpositions`; `maxFixedLeverage` stands there when margin is isolated.
    WirePosition {
        symbol = "symbol", side = "side", size = "size", entry = "price", unrealized = "unrealizedPnl",
        leverage = "maxFixedLeverage",
    }
}

holder! {
    /// The answer of `openpositions`.
    WirePositions list = "openPositions": Vec<WirePosition<'a>>
}

record! {
    /// A position of the feed `open_positions`; `balance` has a sign.
    FeedPosition {
        symbol = "instrument", balance = "balance", entry = "entry_price", mark = "mark_price",
        liquidation = "liquidation_threshold", unrealized = "pnl", leverage = "max_fixed_leverage",
    }
}

holder! {
    /// The feed `open_positions`: always all of them.
    FeedPositions list = "positions": Vec<FeedPosition<'a>>
}

record! {
    /// A leverage preference: the instrument's margin is isolated.
    WireLeverage { symbol = "symbol", leverage = "maxLeverage" }
}

holder! {
    /// The answer of `leveragepreferences`.
    WireLeverages list = "leveragePreferences": Vec<WireLeverage<'a>>
}

/// A key: `/api/auth/v1/api-keys/v3/check`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireKey<'a> {
    /// `permissions`: area to level.
    #[serde(borrow)]
    pub permissions: Option<std::collections::BTreeMap<Cow<'a, str>, Field<'a>>>,
    /// `allowedCidrBlock`
    #[serde(borrow)]
    pub allowed_cidr_block: Field<'a>,
    /// `allowedCidrBlocks`
    #[serde(borrow)]
    pub allowed_cidr_blocks: Option<Vec<Field<'a>>>,
    /// `expiresAt`; not documented, read when it is there.
    #[serde(borrow)]
    pub expires_at: Field<'a>,
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

record! {
    /// The head of a message on a stream: of news (`feed`) or of talk (`event`).
    StreamHead {
        event = "event", feed = "feed", message = "message", symbol = "product_id", at = "timestamp" | "time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let cases = [
            ("0.1", "0.1"),
            ("-6.2604214e-11", "-0.000000000062604214"),
            ("1E3", "1000"),
            ("1.5e+2", "150"),
            ("27937.5", "27937.5"),
            ("1e-40", "0"),
            ("0.123456789012345678901234567891", "0.1234567890123456789012345679"),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal(text).map(|value| value.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "e5", "1e", "1e99", "x", "1e-99999999999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn fields_are_what_stands_there() {
        let text = br#"{"status":"pla\u0063ed","orderId":12.50,"receivedTime":null,"new":[1,{"a":"b"}]}"#;
        let row: WireStatus<'_> = json("status", text).unwrap();
        assert_eq!(row.status.text(), "placed");
        assert_eq!(row.order_id, Field::Number("12.50"));
        assert_eq!(row.received, Field::Absent);
    }
}
