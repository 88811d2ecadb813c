//! BitMEX's refusals: an HTTP status and a text. Sources: its API documentation and the texts its clients know.

use keyhold_simulator::exchange::Refusal;
use serde_json::json;

use crate::protocol::Answer;

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, name: "HTTPError", text: text.into() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self { status: 400, name: "ValidationError", text: text.into() }
    }

    pub(crate) fn bad_key() -> Self {
        Self::new(401, "Invalid API Key.")
    }

    pub(crate) fn missing_key() -> Self {
        Self::new(401, "Authorization Required")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::new(401, "Signature not valid.")
    }

    pub(crate) fn expired(seconds: i64) -> Self {
        let text = "This request has expired - `expires` is in the past. Current time:";
        Self::new(401, format!("{text} {seconds}"))
    }

    pub(crate) fn address() -> Self {
        Self::new(403, "This IP address is not allowed to use this key.")
    }

    pub(crate) fn disabled() -> Self {
        Self::new(403, "This key is disabled.")
    }

    pub(crate) fn permission() -> Self {
        Self::new(403, "Access Denied")
    }

    pub(crate) fn too_many(seconds: i64) -> Self {
        let text = format!("Rate limit exceeded, retry in {seconds} seconds.");
        Self { status: 429, name: "RateLimitError", text }
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(503, "The system is currently overloaded. Please try again later.")
    }

    pub(crate) fn maintenance() -> Self {
        Self::new(503, "BitMEX is currently undergoing scheduled maintenance.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// What the client sees.
    pub(crate) fn answer(&self) -> Answer {
        Answer::json(self.status, &json!({ "error": { "message": self.text, "name": self.name } }))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownSymbol => Self::invalid("symbol is invalid"),
            Refusal::UnknownAccount => Self::bad_key(),
            Refusal::Halted => Self::new(400, "Instrument is closed"),
            Refusal::OffTick(tick) => Self::new(400, format!("Invalid price tickSize: a multiple of {tick}")),
            Refusal::OffLot(_) => Self::new(400, "Order quantity must be a multiple of lot size"),
            Refusal::BelowMinimum => Self::new(400, "Invalid orderQty"),
            Refusal::AboveMaximum => Self::new(400, "Invalid orderQty: above maxOrderQty"),
            Refusal::TriggerReached { current } => {
                Self::new(400, format!("Order stopPx is on the wrong side of the price {current}"))
            }
            Refusal::InsufficientMargin { .. } => Self {
                status: 400,
                name: "ValidationError",
                text: "Account has insufficient Available Balance".to_owned(),
            },
            Refusal::NothingToReduce => {
                Self::new(400, "Order had execInst of Close or ReduceOnly but current position is 0")
            }
            Refusal::DuplicateName => Self::new(400, "Duplicate clOrdID"),
            Refusal::OrderNotFound => Self::new(400, "Invalid ordStatus"),
            Refusal::NoChange => {
                Self::new(400, "Invalid amend: orderQty, leavesQty, price, stopPx unchanged")
            }
            Refusal::LeverageOutOfRange(max) => Self::new(400, format!("leverage must be from 0 to {max}")),
            Refusal::PositionsOpen => Self::new(400, "Cannot switch margin with an open position or order"),
            Refusal::HedgeMode => Self::new(400, "The account has two positions per instrument"),
            Refusal::TooManyOrders => Self::new(400, "Too many open orders"),
            Refusal::Overloaded => Self::overloaded(),
        }
    }
}

/// What stands before the venue.
pub(crate) fn gateway(status: u16) -> Answer {
    match status {
        503 => Failure::overloaded().answer(),
        429 => Failure::too_many(1).answer(),
        // A forbidden country.
        451 => Answer::text(403, "This service is not available in your jurisdiction."),
        _ => Answer::text(status, "<html><head><title>Error</title></head></html>"),
    }
}
