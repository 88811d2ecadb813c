//! A template in plain words, so that its author sees what was understood.
//!
//! Works on any template, also a wrong one: what cannot be understood is named as such.

use super::combination::enabled_signals;
use super::exits::check_one;
use crate::catalog::{self, ExitKind};
use crate::component::{Component, Parameters};
use crate::template::{
    Combination, ComponentSpec, DirectionSetting, Enabled, ExitSpec, Role, SessionEnd, SessionSpec, Template,
    Weekday,
};

/// The template as sentences, one per line.
///
/// ```
/// let template = keyhold_engine::system_templates::all().remove(0).template;
/// let text = keyhold_engine::check::explain(&template);
/// assert!(text.starts_with("Every time a 1h candle closes"), "{text}");
/// ```
pub fn explain(template: &Template) -> String {
    let mut text = format!("Every time a {} candle closes, the signals are asked:\n", template.timeframe);
    let weighted =
        matches!(template.combination, Combination::MinScore { .. } | Combination::WeightedAverage { .. });
    for spec in enabled_signals(template) {
        let weight =
            if weighted { format!(" (weight {})", spec.weight.0.normalize()) } else { String::new() };
        line(&mut text, &format!("{}{weight}: {}.", title(spec), component(spec)));
    }
    push(&mut text, &combination(template.combination));
    push(&mut text, direction(template.direction));
    section(&mut text, template, Role::Filter, "Filters must let the entry pass:");
    section(&mut text, template, Role::EntryGuard, "Entry guards must let the entry pass:");
    section(&mut text, template, Role::RiskGate, "Risk gates must not block it:");
    push(&mut text, &sessions(&template.sessions, template.at_session_end));
    push(&mut text, "The position is closed by whichever of these comes first:");
    for spec in template.exits.iter().filter(|spec| spec.enabled == Enabled::Yes) {
        let title = catalog::exit(&spec.kind).map_or(spec.kind.as_str(), |entry| entry.title);
        line(&mut text, &format!("{title}: {}.", exit(spec)));
    }
    let disabled = template.components.iter().filter(|spec| spec.enabled == Enabled::No).count()
        + template.exits.iter().filter(|spec| spec.enabled == Enabled::No).count();
    if disabled > 0 {
        push(&mut text, &format!("Disabled and without effect: {disabled}."));
    }
    text
}

fn push(text: &mut String, sentence: &str) {
    text.push_str(sentence);
    text.push('\n');
}

fn line(text: &mut String, sentence: &str) {
    text.push_str("- ");
    push(text, sentence);
}

/// What people call a component.
fn title(spec: &ComponentSpec) -> &str {
    catalog::component(&spec.kind).map_or(spec.kind.as_str(), |entry| entry.title)
}

fn component(spec: &ComponentSpec) -> String {
    Component::explain(spec).unwrap_or_else(|| "not understood, see the problems".to_owned())
}

fn section(text: &mut String, template: &Template, role: Role, heading: &str) {
    let mut specs = template
        .components
        .iter()
        .filter(|spec| spec.role == role && spec.enabled == Enabled::Yes)
        .peekable();
    if specs.peek().is_some() {
        push(text, heading);
    }
    for spec in specs {
        line(text, &format!("{}: {}.", title(spec), component(spec)));
    }
}

fn combination(combination: Combination) -> String {
    match combination {
        Combination::MinScore { threshold } => format!(
            "It wants to enter when the weights of the bullish signals minus those of the bearish ones reach {0} (long) or -{0} (short).",
            threshold.0.normalize()
        ),
        Combination::MinSignals { count } => {
            format!("It wants to enter when at least {count} signals agree and more agree than oppose.")
        }
        Combination::WeightedAverage { threshold } => format!(
            "It wants to enter when the weighted average of the signals reaches {0} (long) or -{0} (short), on a scale from -1 to 1.",
            threshold.0.normalize()
        ),
        Combination::Majority => "It wants to enter when more than half of all signals agree.".to_owned(),
        Combination::All => "It wants to enter when all signals agree.".to_owned(),
        Combination::Any => "It wants to enter when at least one signal speaks and none opposes.".to_owned(),
    }
}

const fn direction(setting: DirectionSetting) -> &'static str {
    match setting {
        DirectionSetting::Both => "It may go long and short.",
        DirectionSetting::LongOnly => "It goes long only.",
        DirectionSetting::ShortOnly => "It goes short only.",
    }
}

fn sessions(sessions: &[SessionSpec], end: SessionEnd) -> String {
    if sessions.is_empty() {
        return "It enters around the clock.".to_owned();
    }
    let windows: Vec<_> = sessions.iter().map(window).collect();
    let after = match end {
        SessionEnd::Keep => "an open position stays, managed by its exit rules",
        SessionEnd::Close => "an open position is closed",
    };
    format!("It enters only in these windows (UTC): {}; at their end {after}.", windows.join("; "))
}

fn window(session: &SessionSpec) -> String {
    let days: Vec<_> = session.weekdays.iter().map(|day| weekday(*day)).collect();
    let on = if days.is_empty() { String::new() } else { format!(" on {}", days.join(", ")) };
    format!("{} to {}{on}", session.start, session.end)
}

const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Mon",
        Weekday::Tue => "Tue",
        Weekday::Wed => "Wed",
        Weekday::Thu => "Thu",
        Weekday::Fri => "Fri",
        Weekday::Sat => "Sat",
        Weekday::Sun => "Sun",
    }
}

fn exit(spec: &ExitSpec) -> String {
    match check_one(spec) {
        Ok((kind, parameters)) => exit_sentence(kind, &parameters),
        Err(_) => "not understood, see the problems".to_owned(),
    }
}

fn exit_sentence(kind: ExitKind, parameters: &Parameters) -> String {
    let number = |name: &str| parameters.number(name).normalize();
    let distance = || {
        if parameters.choice("basis") == "atr" {
            format!("{} ATR({})", number("atr_mult"), parameters.integer("atr_period"))
        } else {
            format!("{} %", number("pct"))
        }
    };
    match kind {
        ExitKind::HardStop => format!("a loss of {} from the entry", distance()),
        ExitKind::BreakEven => format!(
            "once the profit has reached {} %, a return to {} % beyond the entry",
            number("activation_pct"),
            number("offset_pct")
        ),
        ExitKind::TrailingStop => format!(
            "once the profit has reached {} %, a retreat of {} % from the best price",
            number("activation_pct"),
            number("distance_pct")
        ),
        ExitKind::Chandelier => format!(
            "a close {} ATR({1}) away from the best price of the last {1} candles",
            number("atr_mult"),
            parameters.integer("period")
        ),
        ExitKind::TakeProfit => match parameters.choice("basis") {
            "r_multiple" => {
                format!("a profit of {} times the distance of the hard stop", number("r_multiple"))
            }
            "ladder" => {
                let steps: Vec<_> = parameters
                    .ladder("ladder")
                    .iter()
                    .map(|step| {
                        format!(
                            "{} of the position at {} %",
                            step.share.0.normalize(),
                            step.pct.0.normalize()
                        )
                    })
                    .collect();
                format!("profits taken in steps: {}", steps.join(", "))
            }
            _ => format!("a profit of {}", distance()),
        },
        ExitKind::VolatilityExit => {
            let (period, factor) = (parameters.integer("atr_period"), number("expansion_mult"));
            if parameters.choice("mode") == "contraction" {
                format!("ATR({period}) fallen to its value at the entry divided by {factor}")
            } else {
                format!(
                    "ATR({period}) at {factor} times its value at the entry, or one candle {factor} ATRs against the position"
                )
            }
        }
        ExitKind::TimeStop => {
            let candles = parameters.integer("max_candles");
            match parameters.optional_number("only_if_profit_below") {
                Some(profit) => {
                    format!("{candles} candles have closed and the profit is below {} %", profit.normalize())
                }
                None => format!("{candles} candles have closed"),
            }
        }
        ExitKind::SignalFlip => "the signals together turn to the opposite direction".to_owned(),
    }
}
