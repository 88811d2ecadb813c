//! Series recorded besides candles: which files hold them, and whether they belong to the candles.

use std::path::PathBuf;

use keyhold_engine::input::ClosedCandle;
use keyhold_simulator::backtest::{RecordedFacts, RecordedKind};

use super::markets::Differing;
use super::{CommandError, candles};

/// Files with what components beyond candles work on. CSV or CSV.GZ with a header, oldest first, times in ms UTC.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SeriesOptions {
    /// Open contracts as CSV or CSV.GZ: time (ms UTC), `open_interest`.
    #[arg(long, value_name = "FILE")]
    pub open_interest: Option<PathBuf>,
    /// Mark prices: time, price; or candles: `open_time`, open, high, low, close.
    #[arg(long, value_name = "FILE")]
    pub mark: Option<PathBuf>,
    /// Index prices, in the same forms.
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,
    /// Best prices: time, bid, ask.
    #[arg(long, value_name = "FILE")]
    pub quotes: Option<PathBuf>,
    /// What takers bought and sold: `open_time` of an interval no longer than the template's candles, buy, sell.
    #[arg(long, value_name = "FILE")]
    pub taker_volume: Option<PathBuf>,
}

/// The names of the series in `--instrument`, with the options of the same meaning.
pub(super) const NAMES: [(&str, &str, RecordedKind); 5] = [
    ("open_interest", "open-interest", RecordedKind::OpenInterest),
    ("mark", "mark", RecordedKind::Mark),
    ("index", "index", RecordedKind::Index),
    ("quotes", "quotes", RecordedKind::Quotes),
    ("taker_volume", "taker-volume", RecordedKind::TakerVolume),
];

/// A file of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeriesFile {
    option: &'static str,
    kind: RecordedKind,
    path: PathBuf,
}

impl SeriesOptions {
    fn file(&self, kind: RecordedKind) -> Option<&PathBuf> {
        match kind {
            RecordedKind::OpenInterest => self.open_interest.as_ref(),
            RecordedKind::Mark => self.mark.as_ref(),
            RecordedKind::Index => self.index.as_ref(),
            RecordedKind::Quotes => self.quotes.as_ref(),
            RecordedKind::TakerVolume => self.taker_volume.as_ref(),
        }
    }

    /// The files of one of `instruments` instruments: its own, or those of the options when it is the only one. A series
    /// belongs to one instrument, so with several it must say to which.
    pub(super) fn of(&self, own: &Differing, instruments: usize) -> Result<Vec<SeriesFile>, CommandError> {
        let mut files = Vec::new();
        for (name, option, kind) in NAMES {
            let common = self.file(kind);
            if instruments > 1 && common.is_some() {
                let what = format!("belongs to one instrument; write --instrument SYMBOL:{name}=FILE");
                return Err(CommandError::Option { option, what });
            }
            if let Some(path) = own.get(name).map(PathBuf::from).or_else(|| common.cloned()) {
                files.push(SeriesFile { option, kind, path });
            }
        }
        Ok(files)
    }
}

/// Reads the files. One that has nothing at the time of the candles is refused: its times are in another unit, or it is
/// another year.
pub(super) fn read(files: &[SeriesFile], candles: &[ClosedCandle]) -> Result<RecordedFacts, CommandError> {
    let mut recorded = RecordedFacts::default();
    let span = candles
        .first()
        .zip(candles.last())
        .map(|(first, last)| (first.candle.open_time, last.candle.open_time));
    for SeriesFile { option, kind, path } in files {
        let text = candles::text(path)?;
        recorded.read(*kind, &text).map_err(|error| CommandError::Line {
            path: path.clone(),
            line: u64::try_from(error.line).unwrap_or(u64::MAX),
            what: error.problem.to_string(),
        })?;
        if let Some((from, until)) = span.filter(|(from, until)| !recorded.has_between(*kind, *from, *until))
        {
            let path = path.display();
            let what = format!(
                "names {path}, which has nothing between the first candle ({from}) and the last ({until}); times are \
                 milliseconds since 1970 in UTC"
            );
            return Err(CommandError::Option { option, what });
        }
    }
    Ok(recorded)
}
