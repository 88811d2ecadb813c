//! Which candles are recorded, without gaps from when to when. A month is read once and remembered until its file changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use keyhold_domain::{Environment, Timeframe, Timestamp};
use keyhold_history::{HistoryError, Library, Market, Month, Shelf};

/// Months remembered at most; then all are forgotten and read again.
const MOST_MONTHS: usize = 20_000;

/// Candles without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Open time of the first.
    pub(crate) from: Timestamp,
    /// Close time of the last.
    pub(crate) until: Timestamp,
}

impl Span {
    /// How many candles of a timeframe it holds.
    pub(crate) const fn candles(self, timeframe: Timeframe) -> i64 {
        self.until.since_ms(self.from) / timeframe.ms()
    }
}

type Key = (Environment, Market, Month);
type Stamp = (SystemTime, u64);
/// What is known of months, each as its file was when it was read.
type Known = BTreeMap<Key, (Stamp, Arc<[Span]>)>;

/// The folders of candles, one per environment, and what is known about them.
#[derive(Debug)]
pub(crate) struct Recorded {
    folder: PathBuf,
    known: Mutex<Known>,
}

impl Recorded {
    /// Candles below this folder, which need not exist.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// The library of an environment. They are kept apart: a simulated venue plays the same symbols.
    pub(crate) fn library(&self, environment: Environment) -> Library {
        Library::new(self.folder.join(environment.as_str()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is of a market, oldest first. Reads files: not for a thread that must not wait.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub(crate) fn spans(&self, environment: Environment, market: Market) -> Result<Vec<Span>, HistoryError> {
        let files = self.library(environment).shelf(market);
        let mut all: Vec<Span> = Vec::new();
        for month in files.months()? {
            for span in self.month(environment, &files, month)?.iter() {
                match all.last_mut() {
                    Some(last) if last.until == span.from => last.until = span.until,
                    Some(_) | None => all.push(*span),
                }
            }
        }
        Ok(all)
    }

    fn month(
        &self,
        environment: Environment,
        files: &Shelf,
        month: Month,
    ) -> Result<Arc<[Span]>, HistoryError> {
        let key = (environment, files.market(), month);
        let stamp = files.stamp(month)?;
        if let Some((_, spans)) = self.known().get(&key).filter(|(known, _)| *known == stamp) {
            return Ok(Arc::clone(spans));
        }
        let timeframe = files.market().timeframe;
        let mut spans: Vec<Span> = Vec::new();
        for candle in files.month(month)? {
            let until = candle.close_time(timeframe);
            match spans.last_mut() {
                Some(last) if last.until == candle.open_time => last.until = until,
                Some(_) | None => spans.push(Span { from: candle.open_time, until }),
            }
        }
        let spans: Arc<[Span]> = spans.into();
        let mut known = self.known();
        if known.len() >= MOST_MONTHS {
            known.clear();
        }
        known.insert(key, (stamp, Arc::clone(&spans)));
        Ok(spans)
    }
}

/// The parts of the spans between two instants.
pub(crate) fn within(spans: &[Span], from: Timestamp, until: Timestamp) -> Vec<Span> {
    let cut = |span: &Span| Span { from: span.from.max(from), until: span.until.min(until) };
    spans.iter().map(cut).filter(|span| span.from < span.until).collect()
}

/// What lies between the spans, and before and after them.
pub(crate) fn between(spans: &[Span], from: Timestamp, until: Timestamp) -> Vec<Span> {
    let mut gaps = Vec::new();
    let mut expected = from;
    for span in within(spans, from, until) {
        if span.from > expected {
            gaps.push(Span { from: expected, until: span.from });
        }
        expected = span.until;
    }
    if expected < until {
        gaps.push(Span { from: expected, until });
    }
    gaps
}

/// How many candles the spans hold together.
pub(crate) fn count(spans: &[Span], timeframe: Timeframe) -> i64 {
    spans.iter().map(|span| span.candles(timeframe)).sum()
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{Candle, ContractType, Decimal, Exchange};

    use super::*;

    fn candles(minutes: impl Iterator<Item = i64>) -> Vec<Candle> {
        let one = "1".parse().unwrap();
        let candle = |minute: i64| Candle {
            open_time: Timestamp::from_ms(minute * 60_000),
            open: one,
            high: one,
            low: one,
            close: one,
            volume: Decimal::ONE,
        };
        minutes.map(candle).collect()
    }

    #[test]
    fn gaps_are_found_across_months_and_a_changed_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let recorded = Recorded::new(folder.path().to_owned());
        let market = Market {
            exchange: Exchange::Bybit,
            contract_type: ContractType::Linear,
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: Timeframe::M1,
        };
        let shelf = recorded.library(Environment::Live).shelf(market);
        // January 1970 has 44,640 minutes.
        shelf.add(&candles((44_600..44_700).filter(|minute| !(44_620..44_625).contains(minute)))).unwrap();
        let minutes = |spans: &[Span]| -> Vec<(i64, i64)> {
            spans.iter().map(|span| (span.from.ms() / 60_000, span.until.ms() / 60_000)).collect()
        };
        let spans = recorded.spans(Environment::Live, market).unwrap();
        assert_eq!(minutes(&spans), [(44_600, 44_620), (44_625, 44_700)], "the month's end is no gap");
        assert_eq!(count(&spans, Timeframe::M1), 95);
        let at = |minute: i64| Timestamp::from_ms(minute * 60_000);
        assert_eq!(minutes(&between(&spans, at(44_590), at(44_640))), [(44_590, 44_600), (44_620, 44_625)]);
        assert_eq!(minutes(&within(&spans, at(44_610), at(44_630))), [(44_610, 44_620), (44_625, 44_630)]);
        assert_eq!(minutes(&between(&[], at(1), at(2))), [(1, 2)]);
        shelf.add(&candles(44_620..44_625)).unwrap();
        let spans = recorded.spans(Environment::Live, market).unwrap();
        assert_eq!(minutes(&spans), [(44_600, 44_700)], "the file has changed");
        assert!(recorded.spans(Environment::Simulated, market).unwrap().is_empty(), "worlds are apart");
    }
}
