//! Instructions per candle: what a backtest costs, counted and not timed, so that a busy machine says the same.
//!
//! Each strategy of the example `speed` is played twice under valgrind, a short and a long run; the difference is the
//! cost of the candles between them, without start, market and warm-up. The counts stand in
//! `crates/simulator/tests/data/instructions.csv`, by the strategy's id. A rise of more than a tenth, a strategy without
//! a count and a count without a strategy are errors. It knows no strategy: the example names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::paths::{self, Profile};
use crate::{TaskError, demo};

/// Candles of the short and of the long run. The short one holds the longest warm-up.
const CANDLES: [u32; 2] = [20_000, 60_000];
/// By how many percent a count may rise: compilers, C libraries and processors differ by less.
const MOST_RISE: u64 = 10;
/// What records the counts.
const RECORD: &str = "./x bench --instructions --record";

/// Instructions per candle by strategy.
type Counts = BTreeMap<String, u64>;

/// Whether the counts are compared with those recorded, or take their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Compare,
    Record,
}

/// Builds, counts, prints, and compares or records.
pub(super) fn run(use_: Use) -> Result<(), TaskError> {
    let build = ["build", "--locked", "--release", "--package", "keyhold-simulator", "--example", "speed"];
    demo::task("cargo", &build, "")?;
    let counts = measure()?;
    for (strategy, count) in &counts {
        println!("{strategy:<24} {count:>8} instructions a candle");
    }
    let path = table_path();
    match use_ {
        Use::Record => {
            std::fs::write(&path, written(&counts)).map_err(|error| TaskError::file(&path, error))?;
            println!("{} has these counts", path.display());
            Ok(())
        }
        Use::Compare => {
            let text = std::fs::read_to_string(&path).map_err(|error| TaskError::file(&path, error))?;
            let complaints = compare(&read(&text)?, &counts);
            if complaints.is_empty() { Ok(()) } else { Err(TaskError::Failed(complaints.join("\n"))) }
        }
    }
}

fn table_path() -> PathBuf {
    paths::root().join("crates").join("simulator").join("tests").join("data").join("instructions.csv")
}

fn program() -> PathBuf {
    paths::example(Profile::Release, "speed")
}

fn measure() -> Result<Counts, TaskError> {
    let mut counts = Counts::new();
    for strategy in said(Command::new(program()).arg("--list"))?.stdout.lines() {
        // Both runs at once: nothing is timed.
        let (short, long) = std::thread::scope(|scope| {
            let short = scope.spawn(|| count(strategy, CANDLES[0]));
            (count(strategy, CANDLES[1]), short.join())
        });
        let long = long.map_err(|_| TaskError::Failed("counting broke off".to_owned()))?;
        let (most, least) = (short?, long?);
        let spent = most.checked_sub(least).filter(|spent| *spent > 0);
        let spent = spent.ok_or_else(|| TaskError::Failed(format!("{strategy}: {most} after {least}")))?;
        counts.insert(strategy.to_owned(), spent / u64::from(CANDLES[1] - CANDLES[0]));
    }
    Ok(counts)
}

/// The instructions of one whole run of the program.
fn count(strategy: &str, candles: u32) -> Result<u64, TaskError> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(program());
    command.args([&CANDLES[1].to_string(), strategy, "--passes", "1", "--run", &candles.to_string()]);
    let text = said(&mut command)?.stderr;
    counted(&text).ok_or_else(|| TaskError::Failed(format!("valgrind said no count:\n{text}")))
}

/// The number in valgrind's line `I refs: 1,234,567`.
fn counted(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("refs:"))?;
    let digits: String = line.split("refs:").nth(1)?.chars().filter(char::is_ascii_digit).collect();
    digits.parse().ok()
}

struct Said {
    stdout: String,
    stderr: String,
}

fn said(command: &mut Command) -> Result<Said, TaskError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| TaskError::Start { program: program.clone(), source })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    if output.status.success() {
        Ok(Said { stdout, stderr })
    } else {
        Err(TaskError::Failed(format!("{program} ended with {}:\n{stderr}", output.status)))
    }
}

const HEAD: &str = "strategy,instructions_per_candle";

fn written(counts: &Counts) -> String {
    let mut text = format!("{HEAD}\n");
    for (strategy, count) in counts {
        let _ = writeln!(text, "{strategy},{count}");
    }
    text
}

fn read(text: &str) -> Result<Counts, TaskError> {
    let wrong =
        || TaskError::Failed(format!("the recorded counts cannot be read; {RECORD} writes them anew"));
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(wrong());
    }
    let pair = |line: &str| {
        let (strategy, count) = line.split_once(',')?;
        Some((strategy.to_owned(), count.parse().ok().filter(|count| *count > 0)?))
    };
    lines.map(|line| pair(line).ok_or_else(wrong)).collect()
}

/// What is wrong with new counts, each with what to do.
fn compare(recorded: &Counts, counts: &Counts) -> Vec<String> {
    let mut complaints = Vec::new();
    for (strategy, count) in counts {
        match recorded.get(strategy) {
            None => complaints.push(format!("{strategy} has no recorded count: {RECORD}")),
            Some(before) => {
                if count * 100 > before * (100 + MOST_RISE) {
                    complaints.push(format!(
                        "{strategy} takes {count} instructions a candle, more than {MOST_RISE} % above the {before} \
                         recorded; when that is wanted, {RECORD}"
                    ));
                }
            }
        }
    }
    for strategy in recorded.keys().filter(|strategy| !counts.contains_key(*strategy)) {
        complaints.push(format!("{strategy} is recorded and does not exist: {RECORD}"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(strategy, count)| ((*strategy).to_owned(), *count)).collect()
    }

    #[test]
    fn a_rise_of_more_than_a_tenth_is_named() {
        let recorded = counts(&[("calm", 1000), ("worse", 1000), ("better", 1000)]);
        let found = compare(&recorded, &counts(&[("calm", 1100), ("worse", 1101), ("better", 1)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("worse takes 1101") && found[0].contains(RECORD), "{found:?}");
    }

    #[test]
    fn strategies_that_come_and_go_are_named_with_what_to_do() {
        let found = compare(&counts(&[("old", 1), ("both", 2)]), &counts(&[("new", 1), ("both", 2)]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("new has no") && found[1].starts_with("old is"), "{found:?}");
        assert!(found.iter().all(|line| line.ends_with(RECORD)), "{found:?}");
    }

    #[test]
    fn what_is_written_is_read() {
        let all = counts(&[("reference", 1234), ("trend-follower", 5)]);
        assert_eq!(read(&written(&all)).unwrap(), all);
        for text in ["", "strategy\n", &format!("{HEAD}\nx\n"), &format!("{HEAD}\nx,0\n")] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_count_of_several_valgrinds_is_understood() {
        assert_eq!(counted("==7== \n==7== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(counted("==77== I refs:        89\n"), Some(89));
        assert_eq!(counted("nothing"), None);
    }
}
