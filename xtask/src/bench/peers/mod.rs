//! `./x bench --peers`: other backtesting programs beside ours, on the same candles, one after the other in every round.
//!
//! The strategy, the candles and the peers' scripts are those of `../shared/benchmarks`; [`python`] makes the peers'
//! environments below `target/peers`, [`table`] holds results together, [`own`] measures what only our program has: the
//! memory of ten years and a sweep on two threads. Time is what a program itself says to have computed, without start
//! and reading of files, on one thread. A peer that cannot be had is named with the reason, trades that differ are an
//! error.

mod own;
mod python;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::python::Environment;
use self::table::{Agreement, Row};
use super::machine::Machine;
use crate::dist::{self, said};
use crate::{TaskError, demo, paths};

/// How a peer fills orders, which decides with what its trades are compared.
#[derive(Debug, Clone, Copy)]
struct Peer {
    name: &'static str,
    /// Packages of its environment.
    packages: &'static [&'static str],
    script: &'static str,
    arguments: &'static [&'static str],
    /// Our strategy with the same assumptions about fills.
    ours: &'static str,
    /// How far its trades have to be ours.
    agreement: Agreement,
    /// Passes over the candles of which the last is timed.
    passes: u32,
    /// Slow programs get fewer candles; ours plays as many beside them.
    candles: u32,
}

const PEERS: &[Peer] = &[
    Peer {
        name: "vectorbt",
        packages: &["vectorbt", "TA-Lib"],
        script: "bt_vectorbt.py",
        arguments: &[],
        ours: "reference-next-candle",
        // It lets a stop come before a signal that has been waiting for the open of the same candle, so about one exit in
        // twenty has the stop's price.
        agreement: Agreement::Candles { but: 1 },
        // Its loops are compiled in a first pass, which also leaves its arrays in memory that the system has given out.
        passes: 2,
        candles: 1_000_000,
    },
    Peer {
        name: "backtrader",
        packages: &["backtrader", "numpy", "pandas"],
        script: "bt_backtrader.py",
        arguments: &[],
        ours: "reference",
        agreement: Agreement::Whole,
        passes: 1,
        candles: 100_000,
    },
    Peer {
        name: "nautilus_trader",
        packages: &["nautilus_trader==1.221.0"],
        script: "bt_nautilus.py",
        arguments: &["--mode=exact"],
        ours: "reference-at-level",
        // Versions for Python 3.11 fill an exit by signal at the close before (one trade in ten), and now and then miss or
        // better a level by some ticks (one in a hundred).
        agreement: Agreement::Candles { but: 5 },
        passes: 1,
        candles: 100_000,
    },
    Peer {
        name: "jesse",
        packages: &["jesse", "TA-Lib"],
        script: "bt_jesse.py",
        arguments: &[],
        ours: "reference-at-close",
        agreement: Agreement::Whole,
        passes: 1,
        candles: 100_000,
    },
];

/// Peers that this command does not run, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("freqtrade", "wants an exchange beside it: stub_exchange.py of ../shared/benchmarks, by hand"),
    ("barter, nautilus_trader in Rust", "no packages: built by hand in ../shared/benchmarks"),
];

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// One round of a tenth of the candles, to see that it works.
    Quick,
    Whole,
}

impl Length {
    const fn candles(self, whole: u32) -> u32 {
        match self {
            Self::Quick => whole / 10,
            Self::Whole => whole,
        }
    }
}

/// Measures and prints everything; what failed is said at the end.
pub(super) fn run(length: Length) -> Result<(), TaskError> {
    let scripts = scripts()?;
    let arranged = dist::train()?;
    dist::build(dist::SPEED, &arranged)?;
    let machine = Machine::here()?;
    let home = std::env::var_os("PEERS_HOME").map_or_else(|| paths::target().join("peers"), PathBuf::from);
    let (mut ready, mut absent) = (Vec::new(), Vec::new());
    for peer in PEERS {
        match Environment::at(&home, peer.name, peer.packages) {
            Ok(environment) => ready.push((peer, environment)),
            Err(why) => absent.push(format!("{}: not measured: {why}", peer.name)),
        }
    }
    absent.extend(LEFT_OUT.iter().map(|(name, why)| format!("{name}: not measured: {why}")));
    let maker = Environment::at(&home, "vectorbt", PEERS[0].packages).map_err(TaskError::Failed)?;
    let rounds = match length {
        Length::Quick => 1,
        Length::Whole => 5,
    };
    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=rounds {
        for (peer, environment) in &ready {
            println!("Round {round} of {rounds}: {} ...", peer.name);
            let size = length.candles(peer.candles);
            let candles = maker.candles(&scripts, &home, size)?;
            let ours = ours(peer, size, &home)?;
            let theirs = theirs(peer, environment, &scripts, (&candles, size), &home)?;
            let place = rows.iter().position(|row| row.peer == peer.name).unwrap_or_else(|| {
                rows.push(Row::new(peer.name, &theirs.version, size, peer.agreement));
                rows.len() - 1
            });
            rows[place].take(size, &ours, &theirs);
        }
    }
    println!("\n{}; ours {}\n\n{}", machine.line(), arranged.words(), table::text(&rows));
    println!("{}\n", absent.join("\n"));
    if !paths::root().join("web").join("dist").join("index.html").exists() {
        demo::build_dashboard()?;
    }
    dist::build(&["--package", "keyhold-server", "--bin", "keyhold"], &arranged)?;
    let own = own::measure(length, &maker, &scripts, &home)?;
    let mut wrong: Vec<String> = rows.iter().filter_map(Row::complaint).collect();
    wrong.extend(own);
    if wrong.is_empty() { Ok(()) } else { Err(TaskError::Failed(wrong.join("\n"))) }
}

fn scripts() -> Result<PathBuf, TaskError> {
    let shared = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| paths::root().join("..").join("shared"), PathBuf::from);
    let folder = shared.join("benchmarks");
    if folder.join("gen_data.py").exists() {
        return Ok(folder);
    }
    Err(TaskError::Failed(format!("{} is absent: the peers' scripts are there", folder.display())))
}

/// One program's run.
#[derive(Debug)]
struct Ran {
    version: String,
    /// CPU seconds on one thread.
    seconds: f64,
    /// Candle and price in hundredths of every entry and exit.
    trades: Vec<[i64; 4]>,
}

fn ours(peer: &Peer, candles: u32, home: &Path) -> Result<Ran, TaskError> {
    let file = home.join("own-trades.csv");
    let mut command = Command::new(dist::folder()?.join("examples").join("speed"));
    let passes = peer.passes.to_string();
    command.args([&candles.to_string(), peer.ours, "--passes", &passes, "--trades"]).arg(&file);
    let said = said(&mut command)?;
    let seconds = said
        .lines()
        .rev()
        .find_map(|line| line.strip_suffix(" CPU seconds")?.rsplit(": ").next()?.parse().ok());
    let seconds = seconds.ok_or_else(|| TaskError::Failed(format!("our example said no time:\n{said}")))?;
    let text = std::fs::read_to_string(&file).map_err(|error| TaskError::file(&file, error))?;
    let row = |line: &str| {
        let numbers: Option<Vec<i64>> = line.split(',').map(|number| number.parse().ok()).collect();
        numbers.and_then(|numbers| <[i64; 4]>::try_from(numbers).ok())
    };
    let trades: Option<Vec<_>> = text.lines().map(row).collect();
    let trades = trades.ok_or_else(|| TaskError::Failed("our own trades cannot be read".to_owned()))?;
    Ok(Ran { version: env!("CARGO_PKG_VERSION").to_owned(), seconds, trades })
}

fn theirs(
    peer: &Peer,
    environment: &Environment,
    scripts: &Path,
    (candles, count): (&Path, u32),
    home: &Path,
) -> Result<Ran, TaskError> {
    let file = home.join("peer-trades.json");
    let mut command = Command::new(environment.python());
    command
        .args(["-W", "ignore"])
        .arg(scripts.join(peer.script))
        .arg(candles)
        .arg(&file)
        .args(peer.arguments);
    let said = said(&mut command)?;
    let wrong = |what: &str| TaskError::Failed(format!("{}: {what} in what it said:\n{said}", peer.name));
    let line = said.lines().rev().find(|line| line.starts_with('{')).ok_or_else(|| wrong("no result"))?;
    let result: Value = serde_json::from_str(line).map_err(|_| wrong("no JSON"))?;
    if result["bars"].as_u64() != Some(u64::from(count)) {
        return Err(wrong("another number of candles"));
    }
    let seconds = result["engine_cpu_s"].as_f64().filter(|seconds| *seconds > 0.0);
    let text = std::fs::read_to_string(&file).map_err(|error| TaskError::file(&file, error))?;
    let rows: Vec<Vec<Value>> = serde_json::from_str(&text).map_err(|_| wrong("no trades"))?;
    let row = |row: &Vec<Value>| {
        let numbers: Option<Vec<i64>> = row.iter().take(4).map(Value::as_i64).collect();
        numbers.and_then(|numbers| <[i64; 4]>::try_from(numbers).ok())
    };
    let trades: Option<Vec<_>> = rows.iter().map(row).collect();
    Ok(Ran {
        version: result["version"].as_str().unwrap_or("unknown").to_owned(),
        seconds: seconds.ok_or_else(|| wrong("no time"))?,
        trades: trades.ok_or_else(|| wrong("strange trades"))?,
    })
}
