//! A folder of candle files: `exchange/contract/symbol/timeframe/2022-01.parquet`, one per month (UTC).
//!
//! A month is replaced whole: written beside, made durable, renamed. A program that ends in between leaves the old
//! file. One program writes to a shelf at a time; a lock file says so. Reading needs no lock.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keyhold_domain::{Candle, ContractType, Exchange, Symbol, Timeframe, Timestamp};

use crate::error::{HistoryError, file};
use crate::{read, write};

/// Which candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Market {
    /// Where they were traded.
    pub exchange: Exchange,
    /// Linear or inverse.
    pub contract_type: ContractType,
    /// The instrument.
    pub symbol: Symbol,
    /// Their length.
    pub timeframe: Timeframe,
}

/// A month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// For example 2022.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// The month of an instant.
    pub fn of(at: Timestamp) -> Self {
        let (year, month, _) = civil(at.ms().div_euclid(86_400_000));
        Self { year, month }
    }

    fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
        Some(Self { year: year.parse().ok()?, month })
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Works with eras of 400
/// years that begin on March 1, so that the leap day is the last of its year.
fn civil(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |value: i64| u8::try_from(value).expect("months and days fit");
    (i32::try_from(year).expect("milliseconds in 64 bits reach no such year"), small(month), small(day))
}

/// A folder of candle files.
#[derive(Debug, Clone)]
pub struct Library {
    root: PathBuf,
}

/// What came of adding candles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Candles that were not there.
    pub new: usize,
    /// Candles that were there with other numbers and were replaced.
    pub changed: usize,
    /// Candles that were there already.
    pub known: usize,
}

impl Library {
    /// The library in this folder, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The candles of one market.
    pub fn shelf(&self, market: Market) -> Shelf {
        let folder = self
            .root
            .join(market.exchange.as_str())
            .join(market.contract_type.as_str())
            .join(market.symbol.as_str())
            .join(market.timeframe.as_str());
        Shelf { folder, market }
    }

    /// Every market that has at least one file, in order.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn markets(&self) -> Result<Vec<Market>, HistoryError> {
        let mut found = Vec::new();
        for (exchange, path) in named::<Exchange>(&self.root)? {
            for (contract_type, path) in named::<ContractType>(&path)? {
                for (symbol, path) in named::<Symbol>(&path)? {
                    for (timeframe, path) in named::<Timeframe>(&path)? {
                        if !months_in(&path)?.is_empty() {
                            found.push(Market { exchange, contract_type, symbol, timeframe });
                        }
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The folders in a folder whose names mean something.
fn named<T: std::str::FromStr>(folder: &Path) -> Result<Vec<(T, PathBuf)>, HistoryError> {
    let names = names(folder)?;
    let meant = |name: String| name.parse().ok().map(|value| (value, folder.join(name)));
    Ok(names.into_iter().filter_map(meant).collect())
}

/// The names in a folder; none when it does not exist.
fn names(folder: &Path) -> Result<Vec<String>, HistoryError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file(folder)(error)),
    };
    entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()
        .map_err(file(folder))
}

fn months_in(folder: &Path) -> Result<Vec<Month>, HistoryError> {
    let mut months: Vec<Month> =
        names(folder)?.iter().filter_map(|name| Month::parse(name.strip_suffix(".parquet")?)).collect();
    months.sort();
    Ok(months)
}

/// The candles of one market and timeframe.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    market: Market,
}

impl Shelf {
    /// Which candles these are.
    pub const fn market(&self) -> Market {
        self.market
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The months there is a file of, oldest first.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn months(&self) -> Result<Vec<Month>, HistoryError> {
        months_in(&self.folder)
    }

    fn path(&self, month: Month) -> PathBuf {
        self.folder.join(format!("{month}.parquet"))
    }

    /// The candles of one month, oldest first; none when there is no file of it.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn month(&self, month: Month) -> Result<Vec<Candle>, HistoryError> {
        let path = self.path(month);
        if path.exists() { read(&path) } else { Ok(Vec::new()) }
    }

    /// What tells one state of a month's file from another: when it was written, and its length in bytes. For whoever keeps
    /// what was read.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn stamp(&self, month: Month) -> Result<(SystemTime, u64), HistoryError> {
        let path = self.path(month);
        let facts = fs::metadata(&path).map_err(file(&path))?;
        Ok((facts.modified().map_err(file(&path))?, facts.len()))
    }

    /// Candles from `from` (included) to `until` (excluded), oldest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn candles(&self, from: Timestamp, until: Timestamp) -> Result<Vec<Candle>, HistoryError> {
        let mut found = Vec::new();
        for month in self.months()? {
            if month < Month::of(from) || month > Month::of(until) {
                continue;
            }
            let stored = self.month(month)?;
            found.extend(
                stored.into_iter().filter(|candle| candle.open_time >= from && candle.open_time < until),
            );
        }
        Ok(found)
    }

    /// Everything there is, oldest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn all(&self) -> Result<Vec<Candle>, HistoryError> {
        self.candles(Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX))
    }

    /// Adds candles in any order. Where there is one of the same time already, the new one counts: venues correct
    /// candles, they do not un-correct them.
    ///
    /// # Errors
    /// [`HistoryError::Busy`] when another program writes here; [`HistoryError::OffGrid`]; months that were written before an error
    /// stay written.
    pub fn add(&self, candles: &[Candle]) -> Result<Added, HistoryError> {
        let timeframe = self.market.timeframe;
        if let Some(off) =
            candles.iter().find(|candle| timeframe.open_of(candle.open_time) != candle.open_time)
        {
            return Err(HistoryError::OffGrid { at: off.open_time, timeframe });
        }
        fs::create_dir_all(&self.folder).map_err(file(&self.folder))?;
        let _held = self.lock()?;
        let mut sorted = candles.to_vec();
        // Stable: of two candles of one time the later given comes later, and counts.
        sorted.sort_by_key(|candle| candle.open_time);
        let mut added = Added::default();
        for part in sorted.chunk_by(|a, b| Month::of(a.open_time) == Month::of(b.open_time)) {
            self.add_to_month(part, &mut added)?;
        }
        Ok(added)
    }

    fn add_to_month(&self, part: &[Candle], added: &mut Added) -> Result<(), HistoryError> {
        let month = Month::of(part[0].open_time);
        let path = self.path(month);
        let stored = if path.exists() { read(&path)? } else { Vec::new() };
        let before = *added;
        let merged = merge(stored, part, added);
        if added.new == before.new && added.changed == before.changed {
            return Ok(());
        }
        let beside = self.folder.join(format!(".{month}.parquet.new"));
        write(&beside, &merged, &self.facts())?;
        fs::rename(&beside, &path).map_err(file(&path))?;
        let folder = File::open(&self.folder).map_err(file(&self.folder))?;
        folder.sync_all().map_err(file(&self.folder))
    }

    fn facts(&self) -> [(&'static str, String); 4] {
        let Market { exchange, contract_type, symbol, timeframe } = self.market;
        [
            ("exchange", exchange.to_string()),
            ("contract", contract_type.to_string()),
            ("symbol", symbol.to_string()),
            ("timeframe", timeframe.as_str().to_owned()),
        ]
    }

    /// Held until dropped; the kernel frees it with the process.
    fn lock(&self) -> Result<File, HistoryError> {
        let path = self.folder.join(".lock");
        let lock = File::create(&path).map_err(file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(HistoryError::Busy { path: self.folder.clone() }),
            Err(TryLockError::Error(error)) => Err(file(&path)(error)),
        }
    }
}

/// Both sorted; the new candle counts where there are two, the last given where there are several.
fn merge(stored: Vec<Candle>, new: &[Candle], added: &mut Added) -> Vec<Candle> {
    let mut merged = Vec::with_capacity(stored.len() + new.len());
    let mut stored = stored.into_iter().peekable();
    for same in new.chunk_by(|a, b| a.open_time == b.open_time) {
        let candle = same[same.len() - 1];
        while let Some(earlier) = stored.next_if(|old| old.open_time < candle.open_time) {
            merged.push(earlier);
        }
        match stored.next_if(|old| old.open_time == candle.open_time) {
            None => added.new += 1,
            Some(old) if old == candle => added.known += 1,
            Some(_) => added.changed += 1,
        }
        merged.push(candle);
    }
    merged.extend(stored);
    merged
}
