//! The second half of the chain: what the newest decision recorded about history, signals, filters, guards, gates,
//! limits, positions and size.
//!
//! The engine's blocks are authoritative: a condition blocks when the record names it, and passes when the record would
//! have named it. A block nobody here knows is shown as `other`, so that none is hidden.

use keyhold_domain::{ReasonCode, Side};
use keyhold_engine::catalog;
use keyhold_engine::decision::{Block, Decision, Done, NamedReading};
use keyhold_engine::reading::{Check, Direction, Verdict};
use keyhold_engine::template::Role;
use keyhold_engine::why::{Step, sentence};
use keyhold_protocol::uplink::DecisionReport;

use super::chain::{Figure, WhyStep};

/// The steps of this half when there is no record to read.
pub(crate) const STEPS: [&str; 9] =
    ["history", "signals", "direction", "filter", "entry_guard", "risk_gate", "limits", "position", "size"];

/// Adds the steps.
pub(crate) fn steps(report: &DecisionReport, decision: &Decision, out: &mut Vec<WhyStep>) {
    out.push(history(decision));
    out.push(signals(report, decision));
    out.push(direction(decision));
    for role in [Role::Filter, Role::EntryGuard, Role::RiskGate] {
        checks(decision, role, out);
    }
    limits(decision, out);
    position(decision, out);
    out.push(size(report, decision));
    others(decision, out);
}

fn on(decision: &Decision, wanted: Step) -> impl Iterator<Item = &Block> {
    decision.blocks.iter().filter(move |block| Step::of(block.reason) == wanted)
}

fn number(value: Option<f64>) -> Option<Figure> {
    value.map(Figure::Number)
}

fn blocked(step: &'static str, block: &Block, text: impl Into<String>) -> WhyStep {
    WhyStep::reason(step, block.reason, text).with(number(block.value), number(block.limit))
}

/// What people call a component.
fn title(reading: &NamedReading) -> &str {
    catalog::component(&reading.kind).map_or(&reading.kind, |entry| entry.title)
}

fn history(decision: &Decision) -> WhyStep {
    let waiting: Vec<&Block> = on(decision, Step::History).collect();
    if waiting.is_empty() {
        return WhyStep::pass("history", "Every component has seen enough candles.");
    }
    let spoken = |block: &Block| decision.readings.iter().find(|one| Some(one.component) == block.component);
    let names: Vec<&str> = waiting.iter().filter_map(|block| spoken(block)).map(title).collect();
    let text = if names.is_empty() {
        "More candles are needed.".to_owned()
    } else {
        format!("More candles are needed by {}.", names.join(", "))
    };
    let counted = waiting.iter().find(|block| block.limit.is_some());
    let (seen, needed) = counted.map_or((None, None), |block| (block.value, block.limit));
    WhyStep::reason("history", ReasonCode::WarmingUp, text).with(number(seen), number(needed))
}

fn signals(report: &DecisionReport, decision: &Decision) -> WhyStep {
    let said: Vec<String> = decision
        .readings
        .iter()
        .filter(|reading| reading.role == Role::Signal)
        .map(|reading| format!("{} {}", title(reading), said(reading)))
        .collect();
    let said = if said.is_empty() { "no signal is enabled".to_owned() } else { said.join(" · ") };
    let step = match (report.wanted, on(decision, Step::Signals).next()) {
        (Some(Side::Buy), _) => WhyStep::pass("signals", format!("Long: {said}.")),
        (Some(Side::Sell), _) => WhyStep::pass("signals", format!("Short: {said}.")),
        (None, Some(block)) => WhyStep::reason("signals", block.reason, format!("Neutral: {said}.")),
        (None, None) => WhyStep::reason("signals", ReasonCode::NoSignal, format!("Neutral: {said}.")),
    };
    step.with(Some(Figure::Text(report.score.clone())), Some(Figure::Text(report.threshold.clone())))
}

const fn said(reading: &NamedReading) -> &'static str {
    match reading.reading.verdict {
        Verdict::WarmingUp => "warming up",
        Verdict::NoData => "without data",
        Verdict::Signal { direction: Direction::Long } => "long",
        Verdict::Signal { direction: Direction::Short } => "short",
        Verdict::Signal { direction: Direction::Neutral } => "neutral",
        Verdict::Check { long: Check::Pass, short: Check::Pass } => "passes",
        Verdict::Check { long: Check::Pass, short: Check::Block } => "passes long entries only",
        Verdict::Check { long: Check::Block, short: Check::Pass } => "passes short entries only",
        Verdict::Check { long: Check::Block, short: Check::Block } => "blocks",
    }
}

fn direction(decision: &Decision) -> WhyStep {
    match on(decision, Step::Direction).next() {
        Some(block) => blocked("direction", block, "The template does not trade in this direction."),
        None if decision.wanted == Direction::Neutral => {
            WhyStep::unknown("direction", "The signals want no direction.")
        }
        None => WhyStep::pass("direction", "The template trades in this direction."),
    }
}

/// One step per component of a role, or one that says that there is none.
fn checks(decision: &Decision, role: Role, out: &mut Vec<WhyStep>) {
    let (place, none) = match role {
        Role::Signal => return,
        Role::Filter => (Step::Filter, "The template has no filter."),
        Role::EntryGuard => (Step::EntryGuard, "The template has no entry guard."),
        Role::RiskGate => (Step::RiskGate, "The template has no risk gate."),
    };
    let step = place.as_str();
    let before = out.len();
    for reading in decision.readings.iter().filter(|reading| reading.role == role) {
        let text = format!("{} {}.", title(reading), said(reading));
        // Missing data stand at the component that misses them, whatever its role.
        let missing = decision.blocks.iter().filter(|block| block.reason == ReasonCode::DataMissing);
        let block =
            on(decision, place).chain(missing).find(|block| block.component == Some(reading.component));
        let said = match (block, reading.reading.verdict) {
            (Some(block), _) => WhyStep::reason(step, block.reason, text),
            (None, Verdict::WarmingUp | Verdict::NoData) => WhyStep::unknown(step, text),
            (None, Verdict::Signal { .. } | Verdict::Check { .. }) => WhyStep::pass(step, text),
        };
        out.push(said.with(number(reading.reading.value), number(reading.reading.limit)));
    }
    if out.len() == before {
        out.push(WhyStep::pass(step, none));
    }
}

fn limits(decision: &Decision, out: &mut Vec<WhyStep>) {
    let before = out.len();
    out.extend(on(decision, Step::Limits).map(|block| blocked("limits", block, sentence(block.reason))));
    if out.len() == before {
        out.push(WhyStep::pass("limits", "No limit is reached."));
    }
}

fn position(decision: &Decision, out: &mut Vec<WhyStep>) {
    let before = out.len();
    for block in on(decision, Step::Position) {
        out.push(blocked("position", block, sentence(block.reason)));
    }
    if out.len() == before {
        out.push(WhyStep::pass(
            "position",
            "No position is open in this market, and no order is on its way.",
        ));
    }
}

fn size(report: &DecisionReport, decision: &Decision) -> WhyStep {
    if let Some(block) = on(decision, Step::Size).next() {
        return blocked("size", block, sentence(block.reason));
    }
    match decision.done {
        Done::Entered { quantity, side, .. } => {
            let text = format!("An order to {side} {quantity} {} was sent.", report.symbol);
            WhyStep::pass("size", text).with(Some(Figure::Text(quantity.to_string())), None)
        }
        Done::Nothing | Done::Exited { .. } => {
            WhyStep::unknown("size", "The size is computed when nothing else stands against an entry.")
        }
    }
}

fn others(decision: &Decision, out: &mut Vec<WhyStep>) {
    out.extend(on(decision, Step::Other).map(|block| {
        blocked("other", block, format!("The record of the newest candle names {}.", block.reason))
    }));
}
