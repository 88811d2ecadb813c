//! `keyhold backtest check`: does the strategy know the future, and does it know enough of the past?

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::Range;

use keyhold_engine::check::check_template;
use keyhold_engine::decision::Decision;
use keyhold_simulator::backtest::{BacktestError, Control, markets};
use keyhold_simulator::checks::play::{first, part};
use keyhold_simulator::checks::{lookahead, lookahead_text, warmup, warmup_text};

use super::error::render;
use super::load::Loaded;
use super::options::Assumed;
use super::progress::{Meter, all_processors};
use super::{CommandError, Ending, files, print};

/// The checks.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Options {
    /// Cut the candles off at many places: decisions before a cut must not change.
    Lookahead(Lookahead),
    /// Begin later at several places: after the warm-up the components must say what they say with the whole history.
    Warmup(Warmup),
}

/// Options of the look-ahead check.
#[derive(Debug, clap::Args)]
pub(super) struct Lookahead {
    #[command(flatten)]
    assumed: Assumed,
    /// How many cuts.
    #[arg(long, default_value = "20")]
    cuts: NonZeroUsize,
    #[command(flatten)]
    how: How,
}

/// Options of the warm-up check.
#[derive(Debug, clap::Args)]
pub(super) struct Warmup {
    #[command(flatten)]
    assumed: Assumed,
    /// At how many places it begins again.
    #[arg(long, default_value = "8")]
    starts: NonZeroUsize,
    #[command(flatten)]
    how: How,
}

/// Options of all checks.
#[derive(Debug, clap::Args)]
struct How {
    /// Threads to work on; all processors unless given.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl How {
    fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(all_processors)
    }
}

pub(super) fn run(options: &Options, output: &mut impl Write) -> Result<Ending, CommandError> {
    match options {
        Options::Lookahead(options) => run_lookahead(options, output),
        Options::Warmup(options) => run_warmup(options, output),
    }
}

fn run_lookahead(options: &Lookahead, output: &mut impl Write) -> Result<Ending, CommandError> {
    let loaded = Loaded::new(&options.assumed)?;
    let recorded = &loaded.recorded;
    let all = recorded.first().map_or(0, |first| first.candles.len());
    let least = least_recorded(&loaded)?;
    let meter = Meter::new("cuts")?;
    let play =
        |count: usize, told: &mut dyn FnMut(Decision) -> Control| first(&loaded.spec, recorded, count, told);
    let report = lookahead((least, all), options.cuts.get(), options.how.threads(), &play, &|done, all| {
        meter.tell(done, all)
    })?;
    let text =
        if options.how.json { files::json(&report)? } else { lookahead_text(&report).map_err(render)? };
    print(output, &text)?;
    Ok(if report.leaks.is_empty() { Ending::Fine } else { Ending::Found })
}

/// Candles of history that the template needs.
fn stated(loaded: &Loaded) -> Result<u32, CommandError> {
    let checked = check_template(&loaded.spec.template).map_err(BacktestError::Plan)?;
    Ok(checked.warmup_candles().max(loaded.spec.settings.warmup_candles.unwrap_or(0)))
}

/// Recorded candles that the first decision needs: its history, and one candle that may not be whole.
fn least_recorded(loaded: &Loaded) -> Result<usize, CommandError> {
    let Some(recorded) = loaded.recorded.first() else { return Ok(0) };
    let Some(start) = recorded.candles.first() else { return Ok(0) };
    let candles = i64::from(stated(loaded)?) + 1;
    let after = start.candle.open_time.plus_ms(candles * loaded.spec.template.timeframe.ms());
    let after = loaded.spec.from.map_or(after, |from| from.max(after));
    Ok(recorded.candles.partition_point(|candle| candle.candle.open_time < after))
}

fn run_warmup(options: &Warmup, output: &mut impl Write) -> Result<Ending, CommandError> {
    let loaded = Loaded::new(&options.assumed)?;
    let stated = stated(&loaded)?;
    let timeframe = loaded.spec.template.timeframe;
    let (spec, histories) = loaded.histories(&[timeframe].into())?;
    let markets = markets(&histories, timeframe);
    let all = markets.first().map_or(0, |market| market.candles.len());
    let meter = Meter::new("runs")?;
    let play = |candles: Range<usize>, told: &mut dyn FnMut(Decision) -> Control| {
        part(&spec, &markets, candles, &mut |decision| match meter.tell(0, 1) {
            Control::Continue => told(decision),
            Control::Cancel => Control::Cancel,
        })
    };
    let report = warmup(stated, all, options.starts.get(), options.how.threads(), &play)?;
    if meter.tell(1, 1) == Control::Cancel {
        return Err(CommandError::Canceled);
    }
    let text = if options.how.json { files::json(&report)? } else { warmup_text(&report).map_err(render)? };
    print(output, &text)?;
    Ok(if report.settles_in_time() { Ending::Fine } else { Ending::Found })
}
