//! OKX's numbers for what is not done. Source: the error-code page of the v5 documentation.

use keyhold_simulator::exchange::Refusal;
use serde_json::{Value, json};

use crate::protocol::Answer;

/// A request, or one order of it, that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: i64, text: impl Into<String>) -> Self {
        Self { status: 200, code, text: text.into() }
    }

    fn refused(status: u16, code: i64, text: &str) -> Self {
        Self { status, code, text: text.to_owned() }
    }

    pub(crate) fn params(what: &str) -> Self {
        Self { status: 400, ..Self::new(51_000, format!("Parameter {what} error")) }
    }

    pub(crate) fn bad_key() -> Self {
        Self::refused(401, 50_111, "Invalid OK-ACCESS-KEY")
    }

    pub(crate) fn no_key() -> Self {
        Self::refused(401, 50_103, "Request header OK-ACCESS-KEY can not be empty.")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::refused(401, 50_113, "Invalid Sign")
    }

    pub(crate) fn bad_passphrase() -> Self {
        Self::refused(401, 50_105, "Request header OK-ACCESS-PASSPHRASE incorrect.")
    }

    pub(crate) fn bad_time() -> Self {
        Self::refused(401, 50_112, "Invalid OK-ACCESS-TIMESTAMP")
    }

    pub(crate) fn clock() -> Self {
        Self::refused(401, 50_102, "Timestamp request expired")
    }

    pub(crate) fn late() -> Self {
        Self::new(51_149, "Order timed out. Please try again later.")
    }

    pub(crate) fn address(peer: std::net::IpAddr) -> Self {
        let text = format!("Your IP {peer} is not included in your API key's IP whitelist.");
        Self { status: 401, ..Self::new(50_110, text) }
    }

    pub(crate) fn expired() -> Self {
        Self::refused(401, 50_119, "API key doesn't exist")
    }

    pub(crate) fn permission() -> Self {
        Self::refused(401, 50_120, "This API key doesn't have permission to use this function")
    }

    pub(crate) fn too_many() -> Self {
        Self::refused(429, 50_011, "Too Many Requests")
    }

    pub(crate) fn maintenance() -> Self {
        Self::refused(503, 50_001, "Service temporarily unavailable. Try again later.")
    }

    pub(crate) fn order_not_found() -> Self {
        Self::new(51_603, "Order does not exist")
    }

    pub(crate) fn ended() -> Self {
        Self::new(51_400, "Cancellation failed as the order has been filled, canceled or does not exist.")
    }

    pub(crate) fn mode() -> Self {
        Self::new(51_010, "You can't complete this request under your current account mode.")
    }

    /// The whole answer.
    pub(crate) fn answer(&self) -> Answer {
        let body = json!({ "code": self.code.to_string(), "msg": self.text, "data": [] });
        Answer::json(self.status, &body)
    }

    /// One order's part of an answer.
    pub(crate) fn row(&self, name: &str) -> Value {
        json!({
            "clOrdId": name, "algoClOrdId": name, "ordId": "", "algoId": "", "tag": "",
            "sCode": self.code.to_string(), "sMsg": self.text,
        })
    }
}

/// What the gateway says before a request reaches the exchange.
pub(crate) fn gateway(status: u16) -> Answer {
    match status {
        429 => Failure::too_many().answer(),
        503 => Failure::maintenance().answer(),
        // A forbidden country.
        451 => Answer::text(403, "This service is not available in your country or region."),
        _ => Answer::text(status, "Service Unavailable"),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, text) = match refusal {
            Refusal::UnknownSymbol => (51_001, "Instrument ID does not exist"),
            Refusal::UnknownAccount => return Self::bad_key(),
            Refusal::Halted => (51_028, "Contract under delivery"),
            Refusal::OffTick(_) => (51_006, "Order price is not within the price limit"),
            Refusal::OffLot(_) => (51_121, "Order quantity must be a multiple of the lot size."),
            Refusal::BelowMinimum => (51_020, "Your order should meet or exceed the minimum order amount."),
            Refusal::AboveMaximum => (51_005, "Your order amount exceeds the max order amount."),
            Refusal::TriggerReached { .. } => {
                (51_280, "SL trigger price is on the wrong side of the last price")
            }
            Refusal::InsufficientMargin { .. } => (51_008, "Order failed. Insufficient margin in account"),
            Refusal::NothingToReduce => {
                (51_169, "Order failed because you don't have any positions in this direction to close.")
            }
            Refusal::DuplicateName => (51_016, "Client order ID already exists."),
            Refusal::OrderNotFound => return Self::order_not_found(),
            Refusal::NoChange => (51_512, "Failed to amend. The parameters are the same."),
            Refusal::LeverageOutOfRange(_) => (59_102, "Leverage exceeds the maximum limit."),
            Refusal::PositionsOpen => (59_000, "Setting failed. Cancel orders and close positions first."),
            Refusal::HedgeMode => (51_000, "Parameter posSide error"),
            Refusal::TooManyOrders => (51_056, "Too many open orders"),
            Refusal::Overloaded => (50_013, "Systems are busy. Please try again later."),
        };
        Self::new(code, text)
    }
}
