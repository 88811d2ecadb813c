//! Bybit's return codes. Source: the error pages of the v5 documentation; most travel with HTTP status 200.

use keyhold_simulator::exchange::Refusal;

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
        Self { status: 200, code, text: text.into() }
    }

    pub(crate) fn params(what: impl std::fmt::Display) -> Self {
        Self::new(10001, format!("params error: {what}"))
    }

    pub(crate) fn bad_key() -> Self {
        Self::new(10003, "API key is invalid.")
    }

    pub(crate) fn bad_signature() -> Self {
        Self::new(10004, "error sign! please check your signature generation algorithm.")
    }

    pub(crate) fn clock(sent: i64, server: i64, window: i64) -> Self {
        let text = "invalid request, please check your server timestamp or recv_window param.";
        let numbers = format!("req_timestamp[{sent}],server_timestamp[{server}],recv_window[{window}]");
        Self::new(10002, format!("{text} {numbers}"))
    }

    pub(crate) fn address() -> Self {
        Self::new(10010, "Unmatched IP, please check your API key's bound IP addresses.")
    }

    pub(crate) fn expired() -> Self {
        Self::new(33004, "Your api key has expired.")
    }

    pub(crate) fn permission() -> Self {
        Self::new(10005, "Permission denied, please check your API key permissions.")
    }

    pub(crate) fn too_many_visits() -> Self {
        Self::new(10006, "Too many visits!")
    }

    pub(crate) fn maintenance() -> Self {
        Self::new(10016, "Server error.")
    }

    pub(crate) fn order_not_found() -> Self {
        Self::new(110_001, "Order does not exist")
    }
}

/// What the gateway says before a request reaches the exchange.
pub(crate) fn gateway(status: u16) -> Answer {
    let text = match status {
        // A forbidden country is refused before Bybit's own gateway, as a 403 with a page.
        451 => {
            let page = "The Amazon CloudFront distribution is configured to block access from your country.";
            return Answer::text(403, page);
        }
        403 => "403, access too frequent",
        429 => "System level frequency protection",
        _ => "Service Unavailable",
    };
    Answer::text(status, text)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownSymbol => Self::params("symbol invalid"),
            Refusal::UnknownAccount => Self::bad_key(),
            Refusal::Halted => Self::new(110_074, "This contract is not live"),
            Refusal::OffTick(_) => Self::params("Price invalid"),
            Refusal::OffLot(_) => Self::params("Qty invalid"),
            Refusal::BelowMinimum => Self::new(110_094, "Order does not meet minimum order value"),
            Refusal::AboveMaximum => {
                Self::params("The number of contracts exceeds maximum limit allowed: too large")
            }
            Refusal::TriggerReached { current } => {
                Self::new(110_093, format!("trigger price is on the wrong side of current[{current}]"))
            }
            Refusal::InsufficientMargin { .. } => Self::new(110_007, "ab not enough for new order"),
            Refusal::NothingToReduce => {
                Self::new(110_017, "current position is zero, cannot fix reduce-only order qty")
            }
            Refusal::DuplicateName => Self::new(110_072, "OrderLinkedID is duplicate"),
            Refusal::OrderNotFound => Self::order_not_found(),
            Refusal::NoChange => {
                Self::params("The order remains unchanged as the parameters entered match the existing ones.")
            }
            Refusal::LeverageOutOfRange(max) => {
                Self::new(110_013, format!("cannot set leverage gt maxLeverage {max} by risk limit"))
            }
            Refusal::PositionsOpen => Self::new(
                110_024,
                "You have an existing position or open orders, so the mode cannot be switched",
            ),
            Refusal::HedgeMode => Self::params("position idx not match position mode"),
            Refusal::TooManyOrders => {
                Self::new(110_020, "Not allowed to have more than 500 active or 10 conditional orders")
            }
            Refusal::Overloaded => Self::new(10016, "Server error."),
        }
    }
}
