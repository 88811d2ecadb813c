//! Whether a position can be left: parameters of the exit rules, and the rules among them.

use super::CheckedExit;
use crate::catalog::ExitKind;
use crate::component::Parameters;
use crate::problem::{Problem, code};
use crate::template::{Enabled, ExitSpec, MissingHardStop, Template};

pub(super) fn check(template: &Template, problems: &mut Vec<Problem>) -> Vec<CheckedExit> {
    let mut enabled: Vec<CheckedExit> = Vec::new();
    for (index, spec) in template.exits.iter().enumerate() {
        let path = format!("exits[{index}]");
        match check_one(spec) {
            Ok((kind, parameters)) if spec.enabled == Enabled::Yes => {
                if enabled.iter().any(|other| other.kind == kind) {
                    problems.push(twice(&path, kind));
                }
                enabled.push(CheckedExit { index, kind, parameters });
            }
            Ok(_) => {}
            Err(more) => problems.extend(more.into_iter().map(|problem| problem.under(&path))),
        }
    }
    check_set(template, &enabled, problems);
    enabled
}

/// The parameters of one rule, without knowledge of the others.
pub(super) fn check_one(spec: &ExitSpec) -> Result<(ExitKind, Parameters), Vec<Problem>> {
    let kind = ExitKind::from_name(&spec.kind).ok_or_else(|| vec![unknown(&spec.kind)])?;
    let parameters = Parameters::check(kind.entry().parameters, &spec.parameters)?;
    let problems = contradictions(kind, &parameters);
    if problems.is_empty() { Ok((kind, parameters)) } else { Err(problems) }
}

fn unknown(kind: &str) -> Problem {
    let known: Vec<_> = ExitKind::ALL.iter().map(|known| known.as_str()).collect();
    Problem::new(
        "kind",
        code::UNKNOWN_KIND,
        format!("There is no exit rule `{kind}`."),
        format!("Use one of: {}.", known.join(", ")),
    )
}

fn twice(path: &str, kind: ExitKind) -> Problem {
    Problem::new(
        path,
        code::DUPLICATE_EXIT,
        format!("The exit rule `{}` is enabled twice.", kind.as_str()),
        "Keep one of them; a ladder in take_profit gives several targets.",
    )
}

fn contradictions(kind: ExitKind, parameters: &Parameters) -> Vec<Problem> {
    match kind {
        ExitKind::BreakEven => {
            let (activation, offset) = (parameters.number("activation_pct"), parameters.number("offset_pct"));
            if offset < activation {
                return Vec::new();
            }
            vec![Problem::new(
                "parameters.offset_pct",
                code::CONTRADICTION,
                format!(
                    "The offset ({offset} %) is not smaller than the activation ({activation} %), so the stop would be hit at once."
                ),
                "Make offset_pct smaller than activation_pct.",
            )]
        }
        ExitKind::TakeProfit => {
            let laddered = parameters.choice("basis") == "ladder";
            let steps = parameters.ladder("ladder").len();
            match (laddered, steps) {
                (true, 0) => vec![Problem::new(
                    "parameters.ladder",
                    code::LADDER_INVALID,
                    "The basis is a ladder, but it has no steps.",
                    "Add steps {pct, share}, or choose another basis.",
                )],
                (false, 1..) => vec![Problem::new(
                    "parameters.ladder",
                    code::CONTRADICTION,
                    "There is a ladder, but another basis is chosen, so it would be ignored.",
                    "Choose the basis `ladder`, or remove the steps.",
                )],
                (true, 1..) | (false, 0) => Vec::new(),
            }
        }
        ExitKind::HardStop
        | ExitKind::TrailingStop
        | ExitKind::Chandelier
        | ExitKind::VolatilityExit
        | ExitKind::TimeStop
        | ExitKind::SignalFlip => Vec::new(),
    }
}

fn check_set(template: &Template, enabled: &[CheckedExit], problems: &mut Vec<Problem>) {
    let any_written = template.exits.iter().any(|spec| spec.enabled == Enabled::Yes);
    if !any_written {
        problems.push(Problem::new(
            "exits",
            code::NO_EXIT_RULE,
            "No exit rule is enabled, so a position could only be closed by hand.",
            "Add a hard stop and a way to take profits.",
        ));
    }
    // A hard stop with wrong parameters is reported for its parameters, not as missing.
    let stop_written = template
        .exits
        .iter()
        .any(|spec| spec.enabled == Enabled::Yes && spec.kind == ExitKind::HardStop.as_str());
    if !stop_written && template.missing_hard_stop == MissingHardStop::Refuse {
        problems.push(Problem::new(
            "exits",
            code::NO_HARD_STOP,
            "No hard stop limits the loss of a position.",
            "Add a hard_stop, or confirm with missing_hard_stop: confirmed that you want to trade without one.",
        ));
    }
    for exit in enabled {
        let in_risks = exit.kind == ExitKind::TakeProfit && exit.parameters.choice("basis") == "r_multiple";
        if in_risks && !stop_written {
            problems.push(Problem::new(
                format!("exits[{}].parameters.basis", exit.index),
                code::NEEDS_HARD_STOP,
                "A take profit in multiples of the risk needs a hard stop: its distance is the risk.",
                "Add a hard_stop, or choose another basis.",
            ));
        }
    }
}
