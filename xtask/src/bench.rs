//! `./x bench`: what ran, on what, how often, with spread. It prints what it measured and names what it cannot measure yet.

use std::process::Command;

use crate::{TaskError, paths};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each figure is measured.
    #[arg(long, default_value_t = 5)]
    pub runs: u32,
    /// Candles per backtest.
    #[arg(long, default_value_t = 1_000_000)]
    pub candles: u32,
}

/// Figures that a later version measures.
const MISSING: &[&str] = &[
    "candle to order on loopback (target p99 under 5 ms)",
    "memory of a bot process (target under 15 MB PSS)",
    "deploy to online (target under 1 s)",
    "sealing and opening a key",
];

/// Prints the figures.
pub fn run(options: &Options) -> Result<(), TaskError> {
    println!("machine: {}, {} processors, release profile\n", processor(), processors());
    for template in ["trend-follower", "mean-reversion"] {
        let mut found = Vec::new();
        for _ in 0..options.runs {
            found.push(speed(options.candles, template)?);
        }
        found.sort_by(f64::total_cmp);
        let (low, high) = (found.first().copied().unwrap_or(0.0), found.last().copied().unwrap_or(0.0));
        let median = found.get(found.len() / 2).copied().unwrap_or(0.0);
        println!(
            "backtest, {template}, {} candles, one thread: {median:.2} million candles/s (median of {}, {low:.2} to {high:.2}; target 1)",
            options.candles, options.runs
        );
    }
    println!("\nnot measured yet:");
    for figure in MISSING {
        println!("  {figure}");
    }
    Ok(())
}

/// Million candles a second of one run, as the simulator's example prints it.
fn speed(candles: u32, template: &str) -> Result<f64, TaskError> {
    let output = Command::new("cargo")
        .args([
            "run",
            "--release",
            "--locked",
            "--quiet",
            "-p",
            "keyhold-simulator",
            "--example",
            "speed",
            "--",
        ])
        .args([&candles.to_string(), template])
        .current_dir(paths::root())
        .output()
        .map_err(|source| TaskError::Start { program: "cargo".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.ends_with("million candles a second"));
    line.and_then(|line| line.split(' ').next()?.parse().ok()).ok_or_else(|| {
        TaskError::Failed(format!("the example said nothing: {}", String::from_utf8_lossy(&output.stderr)))
    })
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor").to_owned()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
