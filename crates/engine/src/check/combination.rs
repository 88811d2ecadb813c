//! Whether the enabled signals can ever reach the threshold.
//!
//! The meaning of the modes is in the engine's combination; here is only what they can attain.

use keyhold_domain::Decimal;

use crate::problem::{Problem, code};
use crate::template::{Combination, ComponentSpec, Enabled, Role, Template};

/// The enabled components in the signal role.
pub(super) fn enabled_signals(template: &Template) -> impl Iterator<Item = &ComponentSpec> {
    template.components.iter().filter(|spec| spec.role == Role::Signal && spec.enabled == Enabled::Yes)
}

pub(super) fn check(template: &Template, problems: &mut Vec<Problem>) {
    let signals = enabled_signals(template).count();
    if signals == 0 {
        problems.push(Problem::new(
            "components",
            code::NO_SIGNAL_COMPONENT,
            "No enabled component is used as a signal, so nothing could ever be entered.",
            "Add or enable a component in the signal role.",
        ));
        return;
    }
    match template.combination {
        Combination::MinScore { threshold } => {
            let positive =
                enabled_signals(template).map(|spec| spec.weight.0).filter(|weight| *weight > Decimal::ZERO);
            // Weights are limited, but not yet checked here: a sum that does not fit reaches everything.
            let attainable =
                positive.fold(Decimal::ZERO, |sum, weight| sum.checked_add(weight).unwrap_or(Decimal::MAX));
            compare(
                "combination.threshold",
                threshold.0,
                attainable,
                "the sum of the signals' weights",
                problems,
            );
        }
        Combination::WeightedAverage { threshold } => {
            compare(
                "combination.threshold",
                threshold.0,
                Decimal::ONE,
                "the largest mean of scores",
                problems,
            );
        }
        Combination::MinSignals { count } => {
            let attainable = Decimal::from(signals);
            compare(
                "combination.count",
                Decimal::from(count),
                attainable,
                "the number of enabled signals",
                problems,
            );
        }
        Combination::Majority | Combination::All | Combination::Any => {}
    }
}

fn compare(path: &str, threshold: Decimal, attainable: Decimal, what: &str, problems: &mut Vec<Problem>) {
    let (threshold, attainable) = (threshold.normalize(), attainable.normalize());
    if threshold <= Decimal::ZERO {
        problems.push(Problem::new(
            path,
            code::THRESHOLD_NOT_POSITIVE,
            format!("The threshold {threshold} is not greater than zero."),
            format!("Write a number above 0 and at most {attainable}."),
        ));
    } else if threshold > attainable {
        problems.push(Problem::new(
            path,
            code::THRESHOLD_UNREACHABLE,
            format!("The threshold {threshold} can never be reached: {what} is {attainable}."),
            format!("Lower it to {attainable} or less, or enable more signals."),
        ));
    }
}
