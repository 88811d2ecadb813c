//! The pages beside the components: exit rules, combination modes, system templates.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keyhold_domain::Decimal;
use keyhold_engine::catalog::catalog;
use keyhold_engine::check::explain;
use keyhold_engine::system_templates;
use keyhold_engine::template::{Combination, Enabled, ExitSpec, Number, Template};

use super::components::GENERATED;
use super::words;

pub(super) fn pages() -> BTreeMap<String, String> {
    BTreeMap::from([
        (String::from("exit-rules.md"), exit_rules()),
        (String::from("combination.md"), combination()),
        (String::from("system-templates.md"), templates()),
    ])
}

fn any_template() -> Template {
    system_templates::all().remove(0).template
}

const EXIT_RULES: &str = "# Exit rules

What closes a position. A template needs at least one, several may be active, and whichever triggers first closes. When several
trigger on one candle the reason recorded is the first in the order of this page. Nothing that may stand in the way of an entry
(a filter, a guard, a gate, a limit, a pause, a closed session, stale data, a key that may only exit) stands in the way of an exit.
";

fn exit_rules() -> String {
    let mut text = format!("{GENERATED}{EXIT_RULES}");
    for entry in catalog().exits {
        let spec = ExitSpec {
            kind: entry.kind.as_str().to_owned(),
            parameters: BTreeMap::new(),
            enabled: Enabled::Yes,
        };
        let sentence = explain(&Template { exits: vec![spec], ..any_template() })
            .lines()
            .find_map(|line| line.strip_prefix(&format!("- {}: ", entry.title)).map(ToOwned::to_owned))
            .unwrap();
        write!(text, "\n## {}\n\n`{}`\n\n{}\n\n", entry.title, entry.kind.as_str(), entry.help).unwrap();
        write!(text, "With the defaults: {sentence}\n\n").unwrap();
        write!(
            text,
            "Warm-up in closed candles: {}.\n\n{}",
            entry.warmup,
            words::parameters(entry.parameters)
        )
        .unwrap();
    }
    text
}

const COMBINATION: &str = "# How signals become a direction

Each enabled signal says long (1), short (-1) or neither (0) on every closed candle; one that warms up or lacks its data says
neither. The mode makes one direction of them. Reaching a threshold counts. A threshold that the enabled signals can never reach
is refused when the template is saved (`THRESHOLD_UNREACHABLE`). Whether the direction may be traded is asked afterwards.
";

fn combination() -> String {
    let number = |text: &str| Number(Decimal::from_str_exact(text).unwrap());
    let modes = [
        Combination::MinScore { threshold: number("2") },
        Combination::MinSignals { count: 2 },
        Combination::WeightedAverage { threshold: number("0.5") },
        Combination::Majority,
        Combination::All,
        Combination::Any,
    ];
    let mut text = format!("{GENERATED}{COMBINATION}\n| written as | meaning |\n|---|---|\n");
    for mode in modes {
        let explained = explain(&Template { combination: mode, ..any_template() });
        let sentence = explained.lines().find(|line| line.starts_with("It wants to enter")).unwrap();
        writeln!(text, "| `{}` | {sentence} |", serde_json::to_string(&mode).unwrap()).unwrap();
    }
    text
}

const TEMPLATES: &str = "# System templates

The templates that come with the program: read-only, to be duplicated and changed. Each is explained here by the same code as
`keyhold templates explain`.
";

fn templates() -> String {
    let mut text = format!("{GENERATED}{TEMPLATES}");
    for system in system_templates::all() {
        let template = &system.template;
        write!(text, "\n## {}\n\n`{}`\n\n", template.name, system.id).unwrap();
        if !template.description.is_empty() {
            write!(text, "{}\n\n", template.description).unwrap();
        }
        text.push_str(&as_markdown(&explain(template)));
    }
    text
}

/// Sentences as paragraphs, lines that begin with a dash as lists.
fn as_markdown(text: &str) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for line in text.lines() {
        let item = line.starts_with("- ");
        let goes_on = out.is_empty() || (item && in_list);
        if !goes_on {
            out.push('\n');
        }
        writeln!(out, "{line}").unwrap();
        in_list = item;
    }
    out
}
