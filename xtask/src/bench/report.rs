//! The results as a table for people, as JSON in `target/bench`, and in docs/benchmarks.md.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Options;
use super::figure::{Figure, Verdict};
use super::machine::{Machine, Moment};
use crate::{TaskError, paths};

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    /// How it was asked for.
    pub(super) options: Options,
    /// The machine it ran on.
    pub(super) machine: Machine,
    /// Before building.
    pub(super) before: Moment,
    /// When measuring began; building has made the machine busy by then.
    pub(super) start: Moment,
    /// When it ended.
    pub(super) end: Moment,
    /// Every figure, in the order of the list.
    pub(super) figures: Vec<Figure>,
}

const COLUMNS: [&str; 9] = ["figure", "unit", "runs", "median", "p99", "least", "most", "target", "verdict"];

/// Fewer values have no 99th percentile that differs from the largest.
const LEAST_FOR_P99: usize = 100;

fn row(figure: &Figure) -> [String; 9] {
    let digits = figure.what.digits;
    let number = |value: f64| format!("{value:.digits$}");
    let p99 =
        if figure.values.len() < LEAST_FOR_P99 { "-".to_owned() } else { number(figure.percentile(99)) };
    [
        figure.what.title.to_owned(),
        figure.what.unit.to_owned(),
        figure.values.len().to_string(),
        number(figure.median()),
        p99,
        number(figure.least()),
        number(figure.most()),
        figure.what.target.map_or_else(|| "-".to_owned(), |target| target.to_string()),
        figure.verdict().map_or("-", Verdict::as_str).to_owned(),
    ]
}

/// Columns of equal width, with what ran below.
pub(super) fn table(run: &Run) -> String {
    let rows: Vec<[String; 9]> =
        std::iter::once(COLUMNS.map(str::to_owned)).chain(run.figures.iter().map(row)).collect();
    let mut text = format!("{}\n{}\n\n", run.machine.line(), circumstances(run));
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let room = " ".repeat(width - cell.chars().count());
            let is_number = (2..=6).contains(&column);
            let cell = if is_number { format!("{room}{cell}") } else { format!("{cell}{room}") };
            let end = if column + 1 == row.len() { "" } else { "  " };
            text.push_str(&cell);
            text.push_str(end);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text.push('\n');
    for figure in &run.figures {
        let _ = writeln!(text, "{}: {}", figure.what.title, figure.ran);
    }
    text
}

fn circumstances(run: &Run) -> String {
    let build = match run.options.profile {
        paths::Profile::Development => "development build: says nothing about speed",
        paths::Profile::Release => "release build",
    };
    let length = if run.options.quick { ", quick run: too few repetitions to quote" } else { "" };
    format!(
        "{build}{length}, {} to {}, load average {} before building, {} before and {} after measuring",
        run.start.time, run.end.time, run.before.load, run.start.load, run.end.load
    )
}

/// Writes `target/bench/TIME.json` and `target/bench/latest.json`; answers the first.
pub(super) fn keep(run: &Run) -> Result<PathBuf, TaskError> {
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| TaskError::file(&folder, error))?;
    let text = format!("{:#}\n", in_json(run));
    let kept = folder.join(format!("{}.json", run.start.time.replace(':', "")));
    for path in [&kept, &folder.join("latest.json")] {
        std::fs::write(path, &text).map_err(|error| TaskError::file(path, error))?;
    }
    Ok(kept)
}

fn in_json(run: &Run) -> Value {
    let machine = &run.machine;
    let figures: Vec<Value> = run
        .figures
        .iter()
        .map(|figure| {
            json!({
                "figure": figure.what.id, "title": figure.what.title, "unit": figure.what.unit,
                "ran": figure.ran, "runs": figure.values.len(), "median": figure.median(),
                "p25": figure.percentile(25), "p75": figure.percentile(75), "p99": figure.percentile(99),
                "least": figure.least(), "most": figure.most(),
                "target": figure.what.target.map(|target| target.to_string()),
                "verdict": figure.verdict().map(Verdict::as_str), "values": figure.values,
            })
        })
        .collect();
    json!({
        "profile": run.options.profile.folder(), "quick": run.options.quick,
        "machine": {
            "processor": machine.processor, "processors": machine.processors,
            "memory_gib": machine.memory_gib, "kernel": machine.kernel, "compiler": machine.compiler,
        },
        "commit": machine.commit,
        "started": run.start.time, "ended": run.end.time,
        "load": { "before_building": run.before.load, "start": run.start.load, "end": run.end.load },
        "figures": figures,
    })
}

const BEGIN: &str = "<!-- written by ./x bench --record; do not edit -->";
const END: &str = "<!-- end of what is written -->";

/// Replaces the results in the documentation, and nothing else there.
pub(super) fn record(run: &Run) -> Result<(), TaskError> {
    let path = paths::root().join("docs").join("benchmarks.md");
    let text = std::fs::read_to_string(&path).map_err(|error| TaskError::file(&path, error))?;
    let text = replace(&text, &markdown(run))
        .ok_or_else(|| TaskError::Failed(format!("{} has no place for results", path.display())))?;
    std::fs::write(&path, text).map_err(|error| TaskError::file(&path, error))
}

fn replace(text: &str, results: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{results}\n{END}{after}"))
}

fn markdown(run: &Run) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("{}.\n\n{}.\n\n", run.machine.line(), circumstances(run));
    text.push_str(&line(&COLUMNS.map(str::to_owned)));
    text.push_str("|---|---|--:|--:|--:|--:|--:|---|---|\n");
    for figure in &run.figures {
        text.push_str(&line(&row(figure)));
    }
    text.push_str("\nWhat ran:\n\n");
    for figure in &run.figures {
        let _ = writeln!(text, "* {}: {}", figure.what.title, figure.ran);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Profile;

    fn run() -> Run {
        let moment = || Moment { time: "2026-01-31T12:00:00Z".to_owned(), load: "0.01".to_owned() };
        let machine = Machine {
            processor: "Abacus".to_owned(),
            processors: 2,
            memory_gib: 4,
            kernel: "6.1".to_owned(),
            compiler: "rustc 1.95".to_owned(),
            commit: "abc".to_owned(),
        };
        let line = r#"{"figure":"deploy_to_online","ran":"two deploys","values":[0.25,1.5]}"#;
        let instead = super::super::Instead { instructions: false, peers: false };
        let options = Options { quick: false, profile: Profile::Release, record: true, instead };
        let figures = vec![Figure::parse(line).unwrap()];
        Run { options, machine, before: moment(), start: moment(), end: moment(), figures }
    }

    #[test]
    fn a_table_says_what_ran_where_and_how_it_stands() {
        let text = table(&run());
        let row = "deploy to online  s        2   0.250    -  0.250  1.500  most < 1  MISSED\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("Abacus, 2 processors, 4 GiB") && text.contains("two deploys"), "{text}");
    }

    #[test]
    fn results_in_the_documentation_are_replaced_and_nothing_else() {
        let before = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nWords.\n");
        let after = replace(&before, &markdown(&run())).unwrap();
        assert!(after.starts_with("# Title\n\n") && after.ends_with("\n\nWords.\n"), "{after}");
        assert!(after.contains("| deploy to online | s | 2 |") && !after.contains("old"), "{after}");
        assert_eq!(replace(&after, &markdown(&run())).unwrap(), after, "writing twice changes nothing");
        assert_eq!(replace("# Title", "x"), None);
    }
}
