//! What is measured of our program alone: the memory of a backtest over ten years of minutes from Parquet, and how much
//! faster a sweep of a thousand combinations is on two threads than on one.
//!
//! Both use the `keyhold` program as people do. Memory is the largest resident size that the kernel tells. The sweep is
//! the one thing here that is timed by the clock on the wall: on a busy machine its ratio says nothing, so the load
//! stands beside it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Length;
use super::python::Environment;
use crate::TaskError;
use crate::bench::machine::Moment;
use crate::dist::{self, said};

/// Ten years of minutes, two leap days among them.
const TEN_YEARS: u32 = 5_259_456;
const MOST_MIB: f64 = 1e9 / 1_048_576.0;
const LEAST_RATIO: f64 = 1.8;
/// Few enough for a thousand backtests in some minutes, many enough that starting threads is nothing.
const SWEEP_CANDLES: u32 = 100_000;

/// Measures both and prints them; what misses its target.
pub(super) fn measure(
    length: Length,
    maker: &Environment,
    scripts: &Path,
    home: &Path,
) -> Result<Vec<String>, TaskError> {
    let template = template(home)?;
    let mut missed = Vec::new();
    let (years, sweep) = (length.candles(TEN_YEARS), length.candles(SWEEP_CANDLES));
    match parquet(maker, scripts, home, years)? {
        Ok(candles) => {
            let mib = memory(&template, &candles)?;
            println!(
                "memory: {mib:.0} MiB at most, a backtest of {years} minutes from Parquet (target: {MOST_MIB:.0} MiB)"
            );
            if mib >= MOST_MIB {
                missed.push(format!("a backtest of {years} minutes takes {mib:.0} MiB"));
            }
        }
        Err(why) => println!("memory: not measured: {why}"),
    }
    let candles = maker.candles(scripts, home, sweep)?;
    let document = home.join("sweep.json");
    std::fs::write(&document, SWEEP).map_err(|error| TaskError::file(&document, error))?;
    let before = Moment::now()?;
    let [one, two] = [1, 2].map(|threads| timed(&template, &candles, &document, threads));
    let (one, two) = (one?, two?);
    let ratio = one / two;
    let (before, after) = (before.load, Moment::now()?.load);
    println!(
        "sweep: 1000 combinations of {sweep} candles, {one:.1} s on one thread, {two:.1} s on two: {ratio:.2} times as \
         fast (target: {LEAST_RATIO}), load {before} before and {after} after"
    );
    if ratio < LEAST_RATIO && length == Length::Whole {
        missed.push(format!(
            "two threads are {ratio:.2} times as fast as one, at a load of {before} to {after}"
        ));
    }
    Ok(missed)
}

/// Ten by ten by ten.
const SWEEP: &str = r#"{"format": 1, "rank_by": "net_profit", "keep": 0, "vary": [
    {"path": "components[0].parameters.fast", "from": 5, "to": 14},
    {"path": "components[0].parameters.slow", "from": 20, "to": 38, "step": 2},
    {"path": "components[1].parameters.period", "from": 7, "to": 25, "step": 2}]}"#;

/// The reference strategy as a file.
fn template(home: &Path) -> Result<PathBuf, TaskError> {
    let text = said(Command::new(dist::folder()?.join("examples").join("speed")).arg("--template"))?;
    let file = home.join("reference.json");
    std::fs::write(&file, text).map_err(|error| TaskError::file(&file, error))?;
    Ok(file)
}

/// The candles in one Parquet file; why not, when its writer cannot be had.
fn parquet(
    maker: &Environment,
    scripts: &Path,
    home: &Path,
    count: u32,
) -> Result<Result<PathBuf, String>, TaskError> {
    let file = home.join("data").join(format!("ohlcv_{count}.parquet"));
    if file.exists() {
        return Ok(Ok(file));
    }
    let writer = match Environment::at(home, "parquet", &["pandas", "pyarrow"]) {
        Ok(writer) => writer,
        Err(why) => return Ok(Err(why)),
    };
    let candles = maker.candles(scripts, home, count)?;
    let program = "import sys, pandas; t = pandas.read_csv(sys.argv[1]).rename(columns={'ts_ms': 'open_time'}); \
                   t.to_parquet(sys.argv[2], index=False)";
    said(Command::new(writer.python()).args(["-c", program]).arg(&candles).arg(&file))?;
    Ok(Ok(file))
}

fn keyhold(template: &Path, candles: &Path, sweep: &[&str]) -> Result<Command, TaskError> {
    let mut command = Command::new(dist::folder()?.join("keyhold"));
    command.arg("backtest").args(sweep).arg("--template").arg(template).arg("--candles").arg(candles);
    command.args(["--tick", "0.01", "--slippage-bps", "0", "--equity", "1000000", "--notional", "3000"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// The largest resident size of a backtest, in MiB: asked again and again, because it only grows.
fn memory(template: &Path, candles: &Path) -> Result<f64, TaskError> {
    let mut child = start(keyhold(template, candles, &[])?)?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0_u32;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            most = most.max(kib.unwrap_or(0));
        }
        let ended = child.try_wait().map_err(|error| TaskError::Failed(error.to_string()))?;
        match ended {
            None => std::thread::sleep(Duration::from_millis(10)),
            Some(status) if status.success() && most > 0 => return Ok(f64::from(most) / 1024.0),
            Some(status) => return Err(TaskError::Failed(format!("keyhold backtest ended with {status}"))),
        }
    }
}

/// Seconds of a sweep on so many threads.
#[allow(clippy::disallowed_methods, reason = "what is measured is the time on the wall")]
fn timed(template: &Path, candles: &Path, sweep: &Path, threads: u32) -> Result<f64, TaskError> {
    let (sweep, threads) = (sweep.display().to_string(), threads.to_string());
    let started = Instant::now();
    let mut child = start(keyhold(template, candles, &["sweep", "--sweep", &sweep, "--threads", &threads])?)?;
    let status = child.wait().map_err(|error| TaskError::Failed(error.to_string()))?;
    if status.success() {
        Ok(started.elapsed().as_secs_f64())
    } else {
        Err(TaskError::Failed(format!("keyhold backtest sweep ended with {status}")))
    }
}

fn start(mut command: Command) -> Result<Child, TaskError> {
    command.spawn().map_err(|source| TaskError::Start { program: "keyhold".to_owned(), source })
}
