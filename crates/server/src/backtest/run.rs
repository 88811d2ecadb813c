//! `keyhold backtest`: one run.

use std::io::Write;
use std::path::PathBuf;

use keyhold_engine::report::SignalAnalyst;
use keyhold_simulator::backtest::{self, Report, markets, run_markets};

use super::error::render;
use super::load::Loaded;
use super::options::Assumed;
use super::progress::Meter;
use super::{CommandError, Ending, files, print};

/// Options of one run.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    assumed: Assumed,
    /// Analyze what every component said, on every candle; slower.
    #[arg(long)]
    signals: bool,
    /// Write report.json, report.html, trades.csv and equity.csv into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, output: &mut impl Write) -> Result<Ending, CommandError> {
    let loaded = Loaded::new(&options.assumed)?;
    let timeframe = loaded.spec.template.timeframe;
    let (spec, histories) = loaded.histories(&[timeframe].into())?;
    let markets = markets(&histories, timeframe);
    let meter = Meter::new("candles")?;
    let mut watch = |progress: backtest::Progress| meter.tell(progress.done, progress.all);
    let result = if options.signals {
        let mut analyst = SignalAnalyst::default();
        let told = run_markets(&spec, &markets, &mut watch, Some(&mut |decision| analyst.take(&decision)));
        told.map(|report| Report { signals: Some(analyst.finish(&report.trades)), ..report })
    } else {
        run_markets(&spec, &markets, &mut watch, None)
    };
    let report = result?;
    if let Some(folder) = &options.out {
        files::write_report(folder, &report, &histories)?;
    }
    let text = if options.json {
        backtest::json(&report).map_err(render)?
    } else {
        backtest::text(&report).map_err(render)?
    };
    print(output, &text)?;
    Ok(Ending::Fine)
}
