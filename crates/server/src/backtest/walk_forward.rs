//! `keyhold backtest walk-forward`: what a choice of parameters is worth on candles it has not seen.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use keyhold_simulator::backtest::{equity_lines, trade_lines};
use keyhold_simulator::sweep::{Space, SweepDocument, SweepError, SweepProgress};
use keyhold_simulator::walk_forward::{self, Anchor, Plan, Walk};

use super::error::render;
use super::load::{Loaded, document};
use super::options::Assumed;
use super::progress::{Meter, all_processors};
use super::{CommandError, Ending, files, print};

/// Options of a walk-forward.
///
/// Example: keyhold backtest walk-forward --sweep sweep.json --in-sample-days 90 --out-of-sample-days 30
/// --template trend-follower --candles btc-1m.csv.gz
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The sweep's document (JSON): what is chosen from, and by what.
    #[arg(long, value_name = "FILE")]
    sweep: PathBuf,
    /// Days to choose on.
    #[arg(long)]
    in_sample_days: u32,
    /// Days to trade after them, which is also the step.
    #[arg(long)]
    out_of_sample_days: u32,
    /// rolling forgets old days, anchored chooses on all days since the start.
    #[arg(long, value_enum, default_value_t = AnchorOption::Rolling)]
    anchor: AnchorOption,
    #[command(flatten)]
    assumed: Assumed,
    /// Threads to work on; all processors unless given.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Write walk-forward.json, walk-forward.csv, trades.csv and equity.csv into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// See [`Anchor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AnchorOption {
    /// Each window begins one step later.
    Rolling,
    /// All windows begin at the start.
    Anchored,
}

impl From<AnchorOption> for Anchor {
    fn from(option: AnchorOption) -> Self {
        match option {
            AnchorOption::Rolling => Self::Rolling,
            AnchorOption::Anchored => Self::Anchored,
        }
    }
}

pub(super) fn run(options: &Options, output: &mut impl Write) -> Result<Ending, CommandError> {
    let document: SweepDocument = document(&options.sweep, "sweep document")?;
    let loaded = Loaded::new(&options.assumed)?;
    let space =
        Space::new(&document, &loaded.spec.template, &loaded.spec.settings).map_err(SweepError::Document)?;
    let (spec, histories) = loaded.histories(&space.timeframes())?;
    let walk = Walk {
        spec: &spec,
        histories: &histories,
        document: &document,
        plan: Plan {
            in_sample_days: options.in_sample_days,
            out_of_sample_days: options.out_of_sample_days,
            anchor: options.anchor.into(),
        },
        threads: options.threads.unwrap_or_else(all_processors),
    };
    let meter = Meter::new("backtests")?;
    let tell = |progress: SweepProgress| meter.tell(progress.done, progress.all);
    let report = walk_forward::run(&walk, &tell)?;
    if let Some(folder) = &options.out {
        files::write(
            folder,
            &[
                ("walk-forward.json", files::json(&report)?),
                ("walk-forward.csv", walk_forward::csv(&report)),
                ("trades.csv", trade_lines(&report.trades)),
                ("equity.csv", equity_lines(&report.equity)),
            ],
        )?;
    }
    let text =
        if options.json { files::json(&report)? } else { walk_forward::text(&report).map_err(render)? };
    print(output, &text)?;
    Ok(Ending::Fine)
}
