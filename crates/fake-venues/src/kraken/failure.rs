//! Kraken's words for what is not done. Sources: the documentation's list of errors and statuses, and
//! `conformance/venues/errors` of the specification. Errors travel with HTTP status 200.

use keyhold_simulator::exchange::Refusal;
use serde_json::json;

use crate::protocol::Answer;

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) word: String,
}

impl Failure {
    pub(crate) fn new(word: impl Into<String>) -> Self {
        Self { status: 200, word: word.into() }
    }

    pub(crate) fn argument(word: &str, name: &str) -> Self {
        Self::new(format!("{word}: {name}"))
    }

    /// One word for every doubt about who asks.
    pub(crate) fn authentication() -> Self {
        Self::new("authenticationError")
    }

    pub(crate) fn permission() -> Self {
        Self::new("insufficientPrivileges")
    }

    pub(crate) fn limit() -> Self {
        Self::new("apiLimitExceeded")
    }

    pub(crate) fn maintenance() -> Self {
        Self::new("Unavailable")
    }

    pub(crate) fn unknown_symbol() -> Self {
        Self::argument("invalidArgument", "symbol")
    }
}

/// Why an order is not taken: a word of its status, or an error of the whole request.
pub(crate) fn status_of(refusal: &Refusal) -> Result<&'static str, Failure> {
    Ok(match refusal {
        Refusal::UnknownSymbol => return Err(Failure::unknown_symbol()),
        Refusal::UnknownAccount => return Err(Failure::authentication()),
        Refusal::Overloaded => return Err(Failure::new("Server Error")),
        Refusal::LeverageOutOfRange(_) | Refusal::PositionsOpen | Refusal::HedgeMode => {
            return Err(Failure::argument("invalidArgument", "maxLeverage"));
        }
        Refusal::Halted => "marketSuspended",
        Refusal::OffTick(_) | Refusal::TriggerReached { .. } => "invalidPrice",
        Refusal::OffLot(_) | Refusal::BelowMinimum | Refusal::NoChange => "invalidSize",
        Refusal::AboveMaximum => "maxPositionViolation",
        Refusal::InsufficientMargin { .. } => "insufficientAvailableFunds",
        Refusal::NothingToReduce => "wouldNotReducePosition",
        Refusal::DuplicateName => "clientOrderIdAlreadyExist",
        Refusal::OrderNotFound => "notFound",
        Refusal::TooManyOrders => "tooManySmallOrders",
    })
}

/// Questions that the exchange itself refuses.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        status_of(&refusal).map_or_else(|failure| failure, Self::new)
    }
}

/// What the gateway says before a request reaches the exchange.
pub(crate) fn gateway(status: u16) -> Answer {
    match status {
        429 => Answer::json(429, &json!({ "result": "error", "error": "apiLimitExceeded" })),
        503 => Answer::text(503, "Service Unavailable"),
        // A forbidden country.
        451 => Answer::text(403, "<html><body>This service is not available in your country.</body></html>"),
        status => Answer::text(status, "<html><body>gateway</body></html>"),
    }
}
