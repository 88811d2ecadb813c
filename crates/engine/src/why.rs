//! What a reason means for somebody who asks why there was no trade: the step of the chain it belongs to, the kind of
//! outcome it is, and a sentence.
//!
//! Live decisions and counts over a backtest are told with the same words. Which reason comes first is decided where
//! decisions are made ([`crate::step`]); this file sorts and names what was decided. It knows no bot, key or process:
//! conditions outside of a decision are told by whoever knows them.

use keyhold_domain::ReasonCode;
use serde::Serialize;

/// A step of the chain between a closed candle and an entry, in the order in which the chain is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Whether the bot may act at all: pause, key, session, fresh data.
    Ready,
    /// Enough candles.
    History,
    /// The combined direction.
    Signals,
    /// The directions the template trades.
    Direction,
    /// Filters.
    Filter,
    /// Entry guards.
    EntryGuard,
    /// Risk gates.
    RiskGate,
    /// The bot's limits.
    Limits,
    /// Positions and orders that are there already.
    Position,
    /// The size of the entry.
    Size,
    /// Anything else.
    Other,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::History,
        Self::Signals,
        Self::Direction,
        Self::Filter,
        Self::EntryGuard,
        Self::RiskGate,
        Self::Limits,
        Self::Position,
        Self::Size,
        Self::Other,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::History => "history",
            Self::Signals => "signals",
            Self::Direction => "direction",
            Self::Filter => "filter",
            Self::EntryGuard => "entry_guard",
            Self::RiskGate => "risk_gate",
            Self::Limits => "limits",
            Self::Position => "position",
            Self::Size => "size",
            Self::Other => "other",
        }
    }

    /// Where a reason belongs.
    pub const fn of(reason: ReasonCode) -> Self {
        match reason {
            ReasonCode::BotPaused
            | ReasonCode::KeyInactive
            | ReasonCode::OutsideSession
            | ReasonCode::StaleData => Self::Ready,
            ReasonCode::WarmingUp => Self::History,
            ReasonCode::NoSignal | ReasonCode::ThresholdUnreachable => Self::Signals,
            ReasonCode::DirectionDisabled => Self::Direction,
            // Whichever component lacks its data: the first step at which a component is asked whether the market is fit.
            ReasonCode::FilterBlocked | ReasonCode::DataMissing => Self::Filter,
            ReasonCode::GuardBlocked => Self::EntryGuard,
            ReasonCode::GateBlocked => Self::RiskGate,
            ReasonCode::LimitDailyLoss
            | ReasonCode::LimitWeeklyLoss
            | ReasonCode::LimitDrawdown
            | ReasonCode::LimitConsecutiveLosses
            | ReasonCode::LimitPositionsAsset
            | ReasonCode::LimitPositionsTotal
            | ReasonCode::LimitOrderErrors
            | ReasonCode::LimitDataAge
            | ReasonCode::LimitTradesPerDay
            | ReasonCode::LimitFreeMargin
            | ReasonCode::BalanceUnavailable => Self::Limits,
            ReasonCode::PositionOpen
            | ReasonCode::OrderPending
            | ReasonCode::Reconciling
            | ReasonCode::PositionMismatch
            | ReasonCode::PositionExternal => Self::Position,
            ReasonCode::InsufficientBalance
            | ReasonCode::BelowMinimum
            | ReasonCode::LimitNotional
            | ReasonCode::LimitExposure
            | ReasonCode::LimitLeverage
            | ReasonCode::LimitSlippage => Self::Size,
            _ => Self::Other,
        }
    }
}

/// What kind of outcome a decision's headline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An order was placed.
    Acted,
    /// There was nothing to do, or the bot waits for something that comes by itself.
    Waiting,
    /// The template, its owner or a switch held an entry back.
    Blocked,
    /// A limit or the size held it back.
    Limited,
    /// Something is wrong and should be looked at.
    Trouble,
}

impl Outcome {
    /// The kind of a headline.
    pub const fn of(headline: ReasonCode) -> Self {
        match headline {
            ReasonCode::Entered
            | ReasonCode::ExitHardStop
            | ReasonCode::ExitBreakEven
            | ReasonCode::ExitTrailingStop
            | ReasonCode::ExitChandelier
            | ReasonCode::ExitTakeProfit
            | ReasonCode::ExitVolatility
            | ReasonCode::ExitTimeStop
            | ReasonCode::ExitSignalFlip
            | ReasonCode::ExitSessionEnd
            | ReasonCode::ExitFlatten
            | ReasonCode::ExitExternal => Self::Acted,
            ReasonCode::NoSignal
            | ReasonCode::PositionOpen
            | ReasonCode::OrderPending
            | ReasonCode::WarmingUp
            | ReasonCode::Reconciling
            | ReasonCode::BotDeploying => Self::Waiting,
            ReasonCode::OutsideSession
            | ReasonCode::DirectionDisabled
            | ReasonCode::FilterBlocked
            | ReasonCode::GuardBlocked
            | ReasonCode::GateBlocked
            | ReasonCode::DataMissing
            | ReasonCode::BotPaused
            | ReasonCode::KeyInactive => Self::Blocked,
            ReasonCode::LimitDailyLoss
            | ReasonCode::LimitWeeklyLoss
            | ReasonCode::LimitDrawdown
            | ReasonCode::LimitConsecutiveLosses
            | ReasonCode::LimitPositionsAsset
            | ReasonCode::LimitPositionsTotal
            | ReasonCode::LimitNotional
            | ReasonCode::LimitExposure
            | ReasonCode::LimitLeverage
            | ReasonCode::LimitSlippage
            | ReasonCode::LimitOrderErrors
            | ReasonCode::LimitDataAge
            | ReasonCode::LimitTradesPerDay
            | ReasonCode::LimitFreeMargin
            | ReasonCode::BelowMinimum
            | ReasonCode::InsufficientBalance => Self::Limited,
            _ => Self::Trouble,
        }
    }
}

/// What a reason says, as a sentence without the values of one candle.
pub const fn sentence(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::BotPaused => "The bot was paused.",
        ReasonCode::KeyInactive => "The key was switched off.",
        ReasonCode::OutsideSession => "The candle closed outside the template's trading sessions.",
        ReasonCode::StaleData => "The newest candle was too old, or candles before it were missing.",
        ReasonCode::WarmingUp => "A component had not seen enough candles yet.",
        ReasonCode::NoSignal => "The signals together pointed in no direction.",
        ReasonCode::ThresholdUnreachable => {
            "The threshold is above what all enabled signals together can give."
        }
        ReasonCode::DirectionDisabled => "The signals wanted a direction that the template does not trade.",
        ReasonCode::FilterBlocked => "A filter judged the market unfit.",
        ReasonCode::DataMissing => "What a component needs to know of the market was missing or too old.",
        ReasonCode::GuardBlocked => "An entry guard judged the entry unfit.",
        ReasonCode::GateBlocked => "A risk gate blocked the entry.",
        ReasonCode::LimitDailyLoss => "The daily loss limit is reached, until 00:00 UTC.",
        ReasonCode::LimitWeeklyLoss => "The weekly loss limit is reached, until Monday 00:00 UTC.",
        ReasonCode::LimitDrawdown => "The drawdown limit is reached; it is cleared by hand.",
        ReasonCode::LimitConsecutiveLosses => "Too many losses in a row; the bot cools off.",
        ReasonCode::LimitPositionsAsset => "The asset has its maximum of positions.",
        ReasonCode::LimitPositionsTotal => "The bot has its maximum of positions.",
        ReasonCode::LimitOrderErrors => "Too many orders failed; the limit is cleared by hand.",
        ReasonCode::LimitDataAge => "The candle was decided on later than the limit allows (seconds).",
        ReasonCode::LimitTradesPerDay => "The day's number of entries is used up, until 00:00 UTC.",
        ReasonCode::LimitFreeMargin => "Less margin is free than the limit demands (percent of equity).",
        ReasonCode::BalanceUnavailable => "The balance is not known, so limits in percent cannot be kept.",
        ReasonCode::PositionOpen => "A position is open in this market.",
        ReasonCode::OrderPending => "An order of this market is still on its way.",
        ReasonCode::Reconciling => "The bot was comparing its books with the exchange.",
        ReasonCode::PositionMismatch => "Bot and exchange show different positions.",
        ReasonCode::PositionExternal => "The exchange shows a position that is not the bot's.",
        ReasonCode::InsufficientBalance => "The balance does not suffice.",
        ReasonCode::BelowMinimum => "The size falls below the smallest order of this market.",
        ReasonCode::LimitNotional => "The position would be worth too much.",
        ReasonCode::LimitExposure => "All positions together would be worth too much (percent of equity).",
        ReasonCode::LimitLeverage => "The leverage would be too high.",
        ReasonCode::LimitSlippage => "The price could move too far.",
        _ => "Something else stood against it; the code says what.",
    }
}

/// Wanted entries that were not made for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The first reason against them.
    pub code: ReasonCode,
    /// Its step of the chain.
    pub step: Step,
    /// How many.
    pub count: u64,
    /// The reason as a sentence.
    pub text: &'static str,
}

/// Counts by reason, the most frequent first; of equal ones the one that is looked at first.
pub fn blocked<'a>(counts: impl IntoIterator<Item = (&'a ReasonCode, &'a u64)>) -> Vec<Blocked> {
    let one = |(code, count): (&ReasonCode, &u64)| Blocked {
        code: *code,
        step: Step::of(*code),
        count: *count,
        text: sentence(*code),
    };
    let mut all: Vec<Blocked> = counts.into_iter().map(one).collect();
    all.sort_by_key(|blocked| (std::cmp::Reverse(blocked.count), blocked.step, blocked.code));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_reason_that_blocks_an_entry_has_a_step_a_kind_and_words() {
        for reason in ReasonCode::ALL.iter().copied() {
            let told = sentence(reason) != sentence(ReasonCode::Entered);
            assert_eq!(
                told,
                Step::of(reason) != Step::Other,
                "{reason} has a step and no words, or the reverse"
            );
            if reason.as_str().starts_with("EXIT_") {
                assert_eq!(Outcome::of(reason), Outcome::Acted, "{reason}");
            }
            if reason.as_str().starts_with("LIMIT_") {
                assert_eq!(Outcome::of(reason), Outcome::Limited, "{reason}");
            }
        }
        assert_eq!(Outcome::of(ReasonCode::KeyInvalid), Outcome::Trouble);
    }

    #[test]
    fn steps_are_in_their_order_and_have_their_words() {
        assert!(Step::ALL.is_sorted());
        for step in Step::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
    }

    #[test]
    fn the_most_frequent_reason_comes_first() {
        let counts = BTreeMap::from([
            (ReasonCode::BelowMinimum, 3),
            (ReasonCode::FilterBlocked, 9),
            (ReasonCode::WarmingUp, 3),
        ]);
        let found: Vec<_> = blocked(&counts).iter().map(|one| (one.code, one.count)).collect();
        let expected =
            [(ReasonCode::FilterBlocked, 9), (ReasonCode::WarmingUp, 3), (ReasonCode::BelowMinimum, 3)];
        assert_eq!(found, expected);
    }
}
