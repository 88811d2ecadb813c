//! `keyhold backtest sweep`: one template in many variants, ranked.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use keyhold_simulator::backtest::History;
use keyhold_simulator::sweep::{
    self, Completion, HistoryUse, Job, Space, Sweep, SweepDocument, SweepError, SweepProgress,
};

use super::error::render;
use super::load::{Loaded, document};
use super::options::Assumed;
use super::progress::{Meter, all_processors};
use super::{CommandError, Ending, files, print};

/// Options of a sweep.
///
/// Example: keyhold backtest sweep --sweep sweep.json --template trend-follower --candles btc-1m.csv.gz --out sweep
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The sweep's document (JSON): what varies, which combinations are run, by what they are ranked.
    #[arg(long, value_name = "FILE")]
    pub(super) sweep: PathBuf,
    #[command(flatten)]
    pub(super) assumed: Assumed,
    /// Threads to work on; all processors unless given.
    #[arg(long)]
    pub(super) threads: Option<NonZeroUsize>,
    /// Write sweep.json, sweep.csv and the reports of the best (best-1, best-2 ...) into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the ranking as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, output: &mut impl Write) -> Result<Ending, CommandError> {
    let document: SweepDocument = document(&options.sweep, "sweep document")?;
    let loaded = Loaded::new(&options.assumed)?;
    let space =
        Space::new(&document, &loaded.spec.template, &loaded.spec.settings).map_err(SweepError::Document)?;
    let (spec, histories) = loaded.histories(&space.timeframes())?;
    let job = Job {
        spec: &spec,
        histories: &histories,
        document: &document,
        threads: options.threads.unwrap_or_else(all_processors),
        history: HistoryUse::All,
    };
    let meter = Meter::new("backtests")?;
    let found = sweep::run(&job, &|progress: SweepProgress| meter.tell(progress.done, progress.all))?;
    if let Some(folder) = &options.out {
        write(folder, &found, &histories)?;
    }
    let text = if options.json {
        files::json(&found.report)?
    } else {
        sweep::text(&found.report).map_err(render)?
    };
    print(output, &text)?;
    Ok(match found.report.completion {
        Completion::Canceled => Ending::Canceled,
        // Nothing could be run: the invalid combinations say why.
        Completion::Complete if found.report.ranked.is_empty() => Ending::Found,
        Completion::Complete => Ending::Fine,
    })
}

fn write(folder: &Path, found: &Sweep, histories: &[History]) -> Result<(), CommandError> {
    let csv = sweep::csv(&found.report);
    files::write(folder, &[("sweep.json", files::json(&found.report)?), ("sweep.csv", csv)])?;
    for (rank, report) in (1..).zip(&found.best) {
        files::write_report(&folder.join(format!("best-{rank}")), report, histories)?;
    }
    Ok(())
}
