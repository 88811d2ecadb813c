//! An order's life as one table: which input leads from which state to which.
//!
//! Rows that cannot happen are named errors, so that a venue that says impossible things is noticed and never
//! obeyed. News arrives in any order; what is late and already known stays where it is. The table knows nothing of
//! sizes: whoever asks it has compared them first.

use serde::{Deserialize, Serialize};

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Given away to be sent; nothing heard yet.
    InFlight,
    /// It did not leave; waits to be sent again under the same name.
    Waiting,
    /// It may or may not have reached the venue.
    Unknown,
    /// It rests or works at the venue, nothing filled.
    Working,
    /// It works at the venue, partly filled.
    PartlyFilled,
    /// A cancel is on its way; fills may still come.
    Canceling,
    /// Wholly filled. Final.
    Filled,
    /// Ended before it was wholly filled. Final.
    Canceled,
    /// The venue did not take it. Final.
    Refused,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::InFlight,
        Self::Waiting,
        Self::Unknown,
        Self::Working,
        Self::PartlyFilled,
        Self::Canceling,
        Self::Filled,
        Self::Canceled,
        Self::Refused,
    ];

    /// Nothing more can happen to the order.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Filled | Self::Canceled | Self::Refused => true,
            Self::InFlight
            | Self::Waiting
            | Self::Unknown
            | Self::Working
            | Self::PartlyFilled
            | Self::Canceling => false,
        }
    }
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderInput {
    /// It is sent again after waiting.
    Resent,
    /// The venue has it.
    Accepted,
    /// A part was filled, the rest lives.
    FilledPart,
    /// The last part was filled.
    FilledWhole,
    /// We asked for its end.
    CancelAsked,
    /// The request for its end did not succeed and the order lives.
    CancelFailed,
    /// It ended before it was wholly filled.
    Ended,
    /// The venue did not take it.
    Refused,
    /// The outcome of sending it is unknown.
    Lost,
    /// It did not leave.
    NotSent,
    /// The venue, asked, does not know it.
    NotFound,
}

impl OrderInput {
    /// Every input.
    pub const ALL: [Self; 11] = [
        Self::Resent,
        Self::Accepted,
        Self::FilledPart,
        Self::FilledWhole,
        Self::CancelAsked,
        Self::CancelFailed,
        Self::Ended,
        Self::Refused,
        Self::Lost,
        Self::NotSent,
        Self::NotFound,
    ];
}

/// A row that cannot happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LifecycleError {
    /// Only an order that waits is sent again.
    #[error("an order that does not wait was sent again")]
    ResentWithoutWaiting,
    /// A final order came back to life.
    #[error("an order that had ended was reported alive")]
    Revived,
    /// Filled after it never reached the venue.
    #[error("an order that was refused was reported filled")]
    FilledAfterRefusal,
    /// Refused although the venue had already taken it.
    #[error("an order that was taken was reported refused")]
    RefusedAfterAcceptance,
    /// The outcome of sending arrived although nothing was being sent.
    #[error("the outcome of sending was reported for an order that was not being sent")]
    NothingSent,
    /// A cancel was asked for an order that has ended.
    #[error("an order that had ended was canceled")]
    CancelAfterEnd,
    /// A cancel failed that nobody had asked for.
    #[error("a cancel failed that was not asked for")]
    NoCancelAsked,
}

/// The state after an input. The whole life of an order is in this one table.
#[expect(
    clippy::match_same_arms,
    reason = "rows stand with their input, so that a person can check the table"
)]
pub const fn next(state: OrderState, input: OrderInput) -> Result<OrderState, LifecycleError> {
    use LifecycleError as E;
    use OrderInput as I;
    use OrderState as S;
    Ok(match (state, input) {
        // Sending again.
        (S::Waiting, I::Resent) => S::InFlight,
        (_, I::Resent) => return Err(E::ResentWithoutWaiting),

        // The venue has it. News that is older than what we know changes nothing.
        (S::InFlight | S::Waiting | S::Unknown | S::Working, I::Accepted) => S::Working,
        (S::PartlyFilled, I::Accepted) => S::PartlyFilled,
        (S::Canceling, I::Accepted) => S::Canceling,
        (S::Filled, I::Accepted) => S::Filled,
        (S::Canceled, I::Accepted) => S::Canceled,
        (S::Refused, I::Accepted) => return Err(E::Revived),

        // Fills count whenever they come: a fill may overtake the answer to the order or the news of its end.
        (S::InFlight | S::Waiting | S::Unknown | S::Working | S::PartlyFilled, I::FilledPart) => {
            S::PartlyFilled
        }
        (S::Canceling, I::FilledPart) => S::Canceling,
        (S::Canceled, I::FilledPart) => S::Canceled,
        (S::Filled, I::FilledPart) => return Err(E::Revived),
        (S::Refused, I::FilledPart | I::FilledWhole) => return Err(E::FilledAfterRefusal),
        (_, I::FilledWhole) => S::Filled,

        // Asking for the end. An order that waits has never left and ends here.
        (S::Waiting, I::CancelAsked) => S::Canceled,
        (S::InFlight | S::Unknown | S::Working | S::PartlyFilled | S::Canceling, I::CancelAsked) => {
            S::Canceling
        }
        (S::Filled | S::Canceled | S::Refused, I::CancelAsked) => return Err(E::CancelAfterEnd),
        (S::Canceling, I::CancelFailed) => S::Working,
        (S::Filled, I::CancelFailed) => S::Filled,
        (S::Canceled, I::CancelFailed) => S::Canceled,
        (
            S::InFlight | S::Waiting | S::Unknown | S::Working | S::PartlyFilled | S::Refused,
            I::CancelFailed,
        ) => return Err(E::NoCancelAsked),

        // The end.
        (
            S::InFlight | S::Waiting | S::Unknown | S::Working | S::PartlyFilled | S::Canceling | S::Canceled,
            I::Ended,
        ) => S::Canceled,
        (S::Filled, I::Ended) => S::Filled,
        (S::Refused, I::Ended) => S::Refused,

        // Refused. Venues report some refusals twice, by answer and by stream, and some as the end of an order
        // that they had acknowledged.
        (S::InFlight | S::Waiting | S::Unknown | S::Refused, I::Refused) => S::Refused,
        (S::Working | S::Canceling | S::Canceled, I::Refused) => S::Canceled,
        (S::PartlyFilled | S::Filled, I::Refused) => return Err(E::RefusedAfterAcceptance),

        // Outcomes of sending.
        (S::InFlight | S::Unknown, I::Lost) => S::Unknown,
        (S::Canceling, I::Lost) => S::Canceling,
        (S::Working, I::Lost) => S::Working,
        (S::PartlyFilled, I::Lost) => S::PartlyFilled,
        (S::Filled, I::Lost) => S::Filled,
        (S::Canceled, I::Lost) => S::Canceled,
        (S::Waiting | S::Refused, I::Lost) => return Err(E::NothingSent),
        (S::InFlight | S::Waiting, I::NotSent) => S::Waiting,
        (S::Canceling, I::NotSent) => S::Canceled,
        (S::Unknown | S::Working | S::PartlyFilled | S::Filled | S::Canceled | S::Refused, I::NotSent) => {
            return Err(E::NothingSent);
        }

        // Asked by reconciliation. An order the venue had taken and no longer knows has ended.
        (S::InFlight | S::Unknown | S::Waiting | S::Refused, I::NotFound) => S::Refused,
        (S::Working | S::PartlyFilled | S::Canceling | S::Canceled, I::NotFound) => S::Canceled,
        (S::Filled, I::NotFound) => S::Filled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line per state, one column per input, in the order of `ALL`; `!` marks an impossible row.
    const TABLE: [[&str; 11]; 9] = [
        // Resent Accepted FilledPart FilledWhole CancelAsked CancelFailed Ended Refused Lost NotSent NotFound
        ["!", "Wo", "Pa", "Fi", "Cg", "!", "Ca", "Re", "Un", "Wa", "Re"], // InFlight
        ["In", "Wo", "Pa", "Fi", "Ca", "!", "Ca", "Re", "!", "Wa", "Re"], // Waiting
        ["!", "Wo", "Pa", "Fi", "Cg", "!", "Ca", "Re", "Un", "!", "Re"],  // Unknown
        ["!", "Wo", "Pa", "Fi", "Cg", "!", "Ca", "Ca", "Wo", "!", "Ca"],  // Working
        ["!", "Pa", "Pa", "Fi", "Cg", "!", "Ca", "!", "Pa", "!", "Ca"],   // PartlyFilled
        ["!", "Cg", "Cg", "Fi", "Cg", "Wo", "Ca", "Ca", "Cg", "Ca", "Ca"], // Canceling
        ["!", "Fi", "!", "Fi", "!", "Fi", "Fi", "!", "Fi", "!", "Fi"],    // Filled
        ["!", "Ca", "Ca", "Fi", "!", "Ca", "Ca", "Ca", "Ca", "!", "Ca"],  // Canceled
        ["!", "!", "!", "!", "!", "!", "Re", "Re", "!", "!", "Re"],       // Refused
    ];

    fn short(result: Result<OrderState, LifecycleError>) -> &'static str {
        match result {
            Ok(OrderState::InFlight) => "In",
            Ok(OrderState::Waiting) => "Wa",
            Ok(OrderState::Unknown) => "Un",
            Ok(OrderState::Working) => "Wo",
            Ok(OrderState::PartlyFilled) => "Pa",
            Ok(OrderState::Canceling) => "Cg",
            Ok(OrderState::Filled) => "Fi",
            Ok(OrderState::Canceled) => "Ca",
            Ok(OrderState::Refused) => "Re",
            Err(_) => "!",
        }
    }

    #[test]
    fn every_row_is_as_written() {
        for (state, row) in OrderState::ALL.into_iter().zip(TABLE) {
            for (input, expected) in OrderInput::ALL.into_iter().zip(row) {
                assert_eq!(short(next(state, input)), expected, "{state:?} {input:?}");
            }
        }
    }

    #[test]
    fn impossible_rows_have_names() {
        let cases = [
            (OrderState::Working, OrderInput::Resent, LifecycleError::ResentWithoutWaiting),
            (OrderState::Refused, OrderInput::Accepted, LifecycleError::Revived),
            (OrderState::Filled, OrderInput::FilledPart, LifecycleError::Revived),
            (OrderState::Refused, OrderInput::FilledWhole, LifecycleError::FilledAfterRefusal),
            (OrderState::PartlyFilled, OrderInput::Refused, LifecycleError::RefusedAfterAcceptance),
            (OrderState::Filled, OrderInput::CancelAsked, LifecycleError::CancelAfterEnd),
            (OrderState::Working, OrderInput::CancelFailed, LifecycleError::NoCancelAsked),
            (OrderState::Refused, OrderInput::Lost, LifecycleError::NothingSent),
            (OrderState::Working, OrderInput::NotSent, LifecycleError::NothingSent),
        ];
        for (state, input, error) in cases {
            assert_eq!(next(state, input), Err(error), "{state:?} {input:?}");
        }
    }

    #[test]
    fn a_final_order_stays_final() {
        for state in OrderState::ALL.into_iter().filter(|state| state.is_final()) {
            for input in OrderInput::ALL {
                if let Ok(after) = next(state, input) {
                    assert!(after.is_final(), "{state:?} {input:?} {after:?}");
                }
            }
        }
    }
}
