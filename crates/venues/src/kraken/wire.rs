//! Kraken's messages as they stand on the wire: what is read and under which names, and nothing of what it means.
//!
//! Kraken writes most numbers as JSON numbers, some with exponents and with more digits than they mean; they are read from
//! their digits by [`crate::common::field`]. Next: [`super::convert`].

use std::borrow::Cow;

pub use crate::common::field::{Field, json};
use crate::error::WireError;

/// Yes or no; absent is no.
pub fn flag(field: &Field<'_>, what: &'static str, name: &'static str) -> Result<bool, WireError> {
    match field {
        Field::True => Ok(true),
        Field::False | Field::Absent => Ok(false),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            Err(WireError::Invalid { what, field: name, expected: "true or false" })
        }
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

holder! {
    /// News of the feed `account_log`.
    FeedBooking entry = "new_entry": WireBooking<'a>
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

record! {
    /// The head of a message on a stream: of news (`feed`) or of talk (`event`).
    StreamHead {
        event = "event", feed = "feed", message = "message", symbol = "product_id", at = "timestamp" | "time",
    }
}
