//! Results as files in a folder.

use std::fs;
use std::path::Path;

use keyhold_simulator::backtest::{self, History, Report};
use keyhold_simulator::html::{PriceLine, page};

use super::CommandError;
use super::error::{file, render};

/// Writes files into a folder, which is made when it is not there.
pub(super) fn write(folder: &Path, files: &[(&str, String)]) -> Result<(), CommandError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(file(&path))?;
    }
    Ok(())
}

/// A report as JSON, HTML and CSV.
pub(super) fn write_report(
    folder: &Path,
    report: &Report,
    histories: &[History],
) -> Result<(), CommandError> {
    let assumed = &report.assumptions;
    let line = |history: &History| {
        let market = history.market(assumed.timeframe);
        PriceLine::new(market.instrument.symbol, market.candles, assumed.from, assumed.until)
    };
    let lines: Vec<PriceLine> = histories.iter().map(line).collect();
    write(
        folder,
        &[
            ("report.json", backtest::json(report).map_err(render)?),
            ("report.html", page(report, &lines)),
            ("trades.csv", backtest::trades_csv(report)),
            ("equity.csv", backtest::equity_csv(report)),
        ],
    )
}

/// A document as JSON, ending with a line break.
pub(super) fn json(document: &impl serde::Serialize) -> Result<String, CommandError> {
    let mut text = serde_json::to_string_pretty(document).map_err(render)?;
    text.push('\n');
    Ok(text)
}
