//! Binance's error codes. Source: the error-code page of the futures documentation.

use keyhold_simulator::exchange::Refusal;
use serde_json::json;

use crate::protocol::Answer;

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: i64, text: impl Into<String>) -> Self {
        Self { status: 400, code, text: text.into() }
    }

    pub(crate) fn with_status(status: u16, code: i64, text: &str) -> Self {
        Self { status, code, text: text.to_owned() }
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    pub(crate) fn illegal(name: &str) -> Self {
        Self::new(-1100, format!("Illegal characters found in parameter '{name}'."))
    }

    pub(crate) fn bad_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    /// Key, address and permission are refused with one number.
    pub(crate) fn rejected_key() -> Self {
        Self::with_status(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    pub(crate) fn no_key() -> Self {
        Self::with_status(401, -2014, "API-key format invalid.")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::new(-1022, "Signature for this request is not valid.")
    }

    pub(crate) fn clock() -> Self {
        Self::new(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    pub(crate) fn maintenance() -> Self {
        Self::with_status(503, -1016, "This service is no longer available.")
    }

    pub(crate) fn too_many() -> Self {
        Self::with_status(429, -1003, "Too many requests; current limit is 2400 requests per minute.")
    }

    pub(crate) fn too_many_orders() -> Self {
        Self::with_status(429, -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS.")
    }

    pub(crate) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    pub(crate) fn no_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::json(self.status, &json!({ "code": self.code, "msg": self.text }))
    }
}

/// What the gateway says before a request reaches the exchange.
pub(crate) fn gateway(status: u16) -> Answer {
    let failure = match status {
        418 => Failure::with_status(418, -1003, "Way too many requests; IP banned until 1700000000000."),
        429 => Failure::too_many(),
        // The request went on, and nobody waited for what became of it.
        408 => {
            let text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
            return Failure::with_status(408, -1007, text).answer();
        }
        403 => return Answer::text(403, "403 Forbidden"),
        // A forbidden country; the number is no error of the exchange.
        451 => {
            let text =
                "Service unavailable from a restricted location according to 'b. Eligibility' in the terms.";
            return Failure::with_status(451, 0, text).answer();
        }
        503 => {
            return Answer::text(503, "Unknown error, please check your request or try again later.");
        }
        _ => return Answer::text(status, "Service Unavailable."),
    };
    let mut answer = failure.answer();
    answer.headers.push(("retry-after", "10".to_owned()));
    answer
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownSymbol => Self::bad_symbol(),
            Refusal::UnknownAccount => Self::rejected_key(),
            Refusal::Halted => Self::new(-4140, "Invalid symbol status for opening position."),
            Refusal::OffTick(_) => Self::new(-4014, "Price not increased by tick size."),
            Refusal::OffLot(_) => Self::new(-1111, "Precision is over the maximum defined for this asset."),
            Refusal::BelowMinimum => Self::new(
                -4164,
                "Order's notional must be no smaller than 5 (unless you choose reduce only).",
            ),
            Refusal::AboveMaximum => Self::new(-4005, "Quantity greater than max quantity."),
            Refusal::TriggerReached { .. } => Self::new(-2021, "Order would immediately trigger."),
            Refusal::InsufficientMargin { .. } => Self::new(-2019, "Margin is insufficient."),
            Refusal::NothingToReduce => Self::new(-2022, "ReduceOnly Order is rejected."),
            Refusal::DuplicateName => Self::new(-4116, "ClientOrderId is duplicated."),
            Refusal::OrderNotFound => Self::unknown_order(),
            Refusal::NoChange => Self::new(-5027, "No need to modify the order."),
            Refusal::LeverageOutOfRange(_) => Self::new(-4028, "Leverage is not valid"),
            Refusal::PositionsOpen => {
                Self::new(-4048, "Margin type cannot be changed if there exists position.")
            }
            Refusal::HedgeMode => Self::new(-4061, "Order's position side does not match user's setting."),
            Refusal::TooManyOrders => Self::new(-2025, "Reach max open order limit."),
            Refusal::Overloaded => {
                Self::with_status(503, -1008, "Request throttled by system-level protection.")
            }
        }
    }
}
