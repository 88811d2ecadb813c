//! Runs the programs that measure, one after the other, so that none disturbs another.

use std::process::{Command, Stdio};

use super::Options;
use super::figure::{FIGURES, Figure};
use crate::TaskError;
use crate::paths::{self, Profile};

/// The measuring programs, as `(package, example)`.
pub(super) const EXAMPLES: &[(&str, &str)] =
    &[("keyhold-simulator", "speed"), ("keyhold-unseal", "bench_seal"), ("keyhold-e2e", "bench_house")];

/// Measures everything.
pub(super) fn measure(options: Options) -> Result<Vec<Figure>, TaskError> {
    let mut found = Vec::new();
    for (id, template) in
        [("backtest_trend_follower", "trend-follower"), ("backtest_mean_reversion", "mean-reversion")]
    {
        println!("Measuring backtests, {template} ...");
        found.push(backtests(options, id, template)?);
    }
    println!("Measuring sealing and opening ...");
    let repetitions = if options.quick { "100" } else { "5000" };
    found.extend(lines(&said(options.profile, "bench_seal", &[repetitions])?)?);
    println!("Measuring the house ...");
    let (orders, deploys) = if options.quick { ("6", "2") } else { ("300", "12") };
    let profile = options.profile.folder();
    let arguments = ["--profile", profile, "--orders", orders, "--deploys", deploys, "--bots", "4"];
    found.extend(lines(&said(options.profile, "bench_house", &arguments)?)?);
    Ok(found)
}

/// Each start of the program makes its market anew and plays it three times.
fn backtests(options: Options, id: &str, template: &str) -> Result<Figure, TaskError> {
    let (candles, starts) = if options.quick { (50_000_u32, 1) } else { (1_000_000, 5) };
    let what = FIGURES.iter().find(|what| what.id == id).expect("the list has it");
    let mut values = Vec::new();
    for _ in 0..starts {
        let text = said(options.profile, "speed", &[&candles.to_string(), template])?;
        let before = values.len();
        values.extend(text.lines().filter_map(|line| rate(line, candles)));
        if values.len() == before {
            return Err(TaskError::Failed(format!("no time in what the example said:\n{text}")));
        }
    }
    let ran = format!("{candles} synthetic candles, one thread, candles in memory, {starts} starts");
    Figure::new(what, ran, values)
}

/// Million candles a second, from a line `some-template: 50000 candles, 12 trades, net 1.5: 0.050 CPU seconds`.
fn rate(line: &str, candles: u32) -> Option<f64> {
    let seconds: f64 = line.strip_suffix(" CPU seconds")?.rsplit(": ").next()?.parse().ok()?;
    line.contains(&format!(": {candles} candles, ")).then(|| f64::from(candles) / seconds / 1e6)
}

fn lines(text: &str) -> Result<Vec<Figure>, TaskError> {
    text.lines().map(Figure::parse).collect()
}

/// What a measuring program prints; what it says on standard error is for people and passes through.
fn said(profile: Profile, example: &str, arguments: &[&str]) -> Result<String, TaskError> {
    let program = paths::example(profile, example);
    let failed = |source| TaskError::Start { program: program.display().to_string(), source };
    let output = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(TaskError::Failed(format!("{example} ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| TaskError::Failed(format!("{example} printed no text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backtest_example_is_understood() {
        let line = "trend-follower: 1000000 candles, 4711 trades, net -12.34: 0.500000 CPU seconds";
        assert!(rate(line, 1_000_000).is_some_and(|rate| (rate - 2.0).abs() < 1e-9));
        assert_eq!(rate(line, 50_000), None);
        assert_eq!(rate("2.00 million candles a second", 1_000_000), None);
    }
}
