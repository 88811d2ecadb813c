//! Series recorded beside candles: open interest, mark and index prices, best prices, volumes of takers.
//!
//! Each is read from CSV text that the caller brings and holds only what was known at its time. A value counts until the
//! one after the next would have been due, so that one missing row is no gap and a longer silence is. An order book has
//! no such series: components that need one can be backtested on what a bot knew when it decided, and on nothing else.

use std::collections::BTreeMap;

use keyhold_domain::{Candle, Decimal, Price, Timeframe, Timestamp};
use keyhold_engine::catalog::DataNeeds;
use keyhold_engine::decision::Decision;
use keyhold_engine::market::{MarketFacts, Quote, Seen, TakerVolume};
use keyhold_engine::template::Number;

/// The end of the year 9999: what lies later is no time in milliseconds.
const LATEST_MS: i64 = 253_402_300_799_999;

/// Which series a CSV text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedKind {
    /// `time,open_interest`: open contracts as known at `time` (ms UTC).
    OpenInterest,
    /// `time,price`, or candles as `open_time,open,high,low,close` of which each close is known at the candle's end.
    Mark,
    /// The same of the index price.
    Index,
    /// `time,bid,ask`: the best prices at `time`.
    Quotes,
    /// `open_time,buy,sell`: what takers traded in the interval that begins at `open_time`.
    TakerVolume,
}

impl RecordedKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::OpenInterest, Self::Mark, Self::Index, Self::Quotes, Self::TakerVolume];

    /// Its name in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenInterest => "open_interest",
            Self::Mark => "mark",
            Self::Index => "index",
            Self::Quotes => "quotes",
            Self::TakerVolume => "taker_volume",
        }
    }
}

/// A line that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RecordedError {
    /// Counted from 1; the header is line 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: RecordedProblem,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordedProblem {
    /// The text begins with a row.
    #[error("a header is expected, such as {0}")]
    NoHeader(&'static str),
    /// Other columns, a number that is none, or a time that is not later.
    #[error("this is not {0}, or not later than the line before it")]
    Row(&'static str),
    /// A single candle.
    #[error("one candle alone does not tell when it ended")]
    Alone,
}

/// Values with the times from which they are known, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series<T> {
    rows: Vec<(Timestamp, T)>,
    /// The usual distance between two rows, in milliseconds.
    step: i64,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), step: 0 }
    }
}

impl<T: Copy> Series<T> {
    fn new(rows: Vec<(Timestamp, T)>) -> Self {
        let mut apart: Vec<i64> = rows.windows(2).map(|pair| pair[1].0.since_ms(pair[0].0)).collect();
        apart.sort_unstable();
        let step = apart.get(apart.len() / 2).copied().unwrap_or(0);
        Self { rows, step }
    }

    fn known_at(&self, at: Timestamp) -> Self {
        let end = self.rows.partition_point(|(known, _)| *known <= at);
        Self { rows: self.rows[..end].to_vec(), step: self.step }
    }

    fn has_between(&self, from: Timestamp, until: Timestamp) -> bool {
        let first = self.rows.partition_point(|(known, _)| *known < from);
        self.rows.get(first).is_some_and(|(known, _)| *known <= until)
    }

    /// The value in force at a time.
    fn at(&self, time: Timestamp) -> Option<Seen<T>> {
        let after = self.rows.partition_point(|(known, _)| *known <= time);
        let (known, value) = *self.rows.get(after.checked_sub(1)?)?;
        // It still holds at that time, whenever it was written down.
        (time.since_ms(known) <= 2 * self.step).then_some(Seen { value, at: time })
    }
}

/// What was recorded of one instrument besides candles and funding. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedFacts {
    open_interest: Series<Number>,
    mark: Series<Price>,
    index: Series<Price>,
    quotes: Series<Quote>,
    taker: Series<TakerVolume>,
    /// By candle; before any series.
    told: BTreeMap<Timestamp, MarketFacts>,
}

impl RecordedFacts {
    /// What a bot knew when it made these decisions, order books included. It counts as it stands, in the place of any series.
    pub fn of_decisions<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Self {
        let facts = decisions.into_iter().filter_map(|decision| decision.market.as_deref());
        Self { told: facts.map(|facts| (facts.candle, facts.clone())).collect(), ..Self::default() }
    }

    /// Whether it holds what a bot knew.
    pub(super) fn tells(&self) -> bool {
        !self.told.is_empty()
    }

    /// What a bot knew beside a candle.
    pub(super) fn told(&self, candle: &Candle) -> Option<&MarketFacts> {
        self.told.get(&candle.open_time)
    }

    /// Reads a series from CSV text with a header line and puts it in the place of what was there.
    pub fn read(&mut self, kind: RecordedKind, text: &str) -> Result<(), RecordedError> {
        match kind {
            RecordedKind::OpenInterest => {
                self.open_interest = series(text, "time,open_interest", |row| Some(Number(row.decimal(1)?)))?;
            }
            RecordedKind::Mark => self.mark = prices(text)?,
            RecordedKind::Index => self.index = prices(text)?,
            RecordedKind::Quotes => {
                let quote = |row: &Row<'_>| Some(Quote { bid: row.price(1)?, ask: row.price(2)? });
                self.quotes =
                    series(text, "time,bid,ask", |row| quote(row).filter(|quote| quote.bid <= quote.ask))?;
            }
            RecordedKind::TakerVolume => {
                self.taker = series(text, "open_time,buy,sell", |row| {
                    let volume = |column| row.decimal(column).filter(|value| *value >= Decimal::ZERO);
                    Some(TakerVolume { buy: Number(volume(1)?), sell: Number(volume(2)?) })
                })?;
            }
        }
        Ok(())
    }

    /// Whether something that components need is not among the series. Funding is another matter.
    pub fn lacks(&self, needs: DataNeeds) -> bool {
        if !self.told.is_empty() {
            return false;
        }
        needs.book
            || (needs.quote && self.quotes.rows.is_empty())
            || (needs.trades && self.taker.rows.is_empty())
            || (needs.open_interest && self.open_interest.rows.is_empty())
            || (needs.premium && (self.mark.rows.is_empty() || self.index.rows.is_empty()))
    }

    /// Whether a series has anything to say from one instant to another, both included.
    pub fn has_between(&self, kind: RecordedKind, from: Timestamp, until: Timestamp) -> bool {
        match kind {
            RecordedKind::OpenInterest => self.open_interest.has_between(from, until),
            RecordedKind::Mark => self.mark.has_between(from, until),
            RecordedKind::Index => self.index.has_between(from, until),
            RecordedKind::Quotes => self.quotes.has_between(from, until),
            RecordedKind::TakerVolume => self.taker.has_between(from, until),
        }
    }

    /// Which series there are.
    pub fn kinds(&self) -> impl Iterator<Item = RecordedKind> + '_ {
        let whole = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        RecordedKind::ALL.into_iter().filter(move |kind| self.has_between(*kind, whole.0, whole.1))
    }

    /// What was known when a candle closed. Later rows are not in it.
    pub fn facts(&self, needs: DataNeeds, candle: &Candle, timeframe: Timeframe) -> MarketFacts {
        let close = candle.close_time(timeframe);
        MarketFacts {
            quote: self.quotes.at(close).filter(|_| needs.quote),
            taker: self.taker_volume(candle.open_time, close).filter(|_| needs.trades),
            open_interest: self.open_interest.at(close).filter(|_| needs.open_interest),
            mark: self.mark.at(close).filter(|_| needs.premium),
            index: self.index.at(close).filter(|_| needs.premium),
            ..MarketFacts::none(candle.open_time, close)
        }
    }

    /// Only what was known at an instant: for checks that nothing later is used.
    #[must_use]
    pub fn known_at(&self, at: Timestamp) -> Self {
        Self {
            open_interest: self.open_interest.known_at(at),
            mark: self.mark.known_at(at),
            index: self.index.known_at(at),
            quotes: self.quotes.known_at(at),
            // An interval's volume is known when it ends.
            taker: self.taker.known_at(at.plus_ms(-self.taker.step)),
            told: self
                .told
                .iter()
                .filter(|(_, facts)| facts.at <= at)
                .map(|(k, v)| (*k, v.clone()))
                .collect(),
        }
    }

    /// The sum over the recorded intervals that make up a candle; none when one of them is missing.
    fn taker_volume(&self, open: Timestamp, close: Timestamp) -> Option<TakerVolume> {
        let rows = &self.taker.rows;
        let first = rows.partition_point(|(time, _)| *time < open);
        let end = rows.partition_point(|(time, _)| *time < close);
        let (inside, step) = (&rows[first..end], self.taker.step);
        // Intervals that begin elsewhere would reach beyond the candle.
        let begins = (0..).map(|place: i64| open.plus_ms(place * step));
        let aligned = inside.iter().zip(begins).all(|((time, _), begin)| *time == begin);
        if !aligned || i64::try_from(inside.len()).ok()? * step != close.since_ms(open) {
            return None;
        }
        let mut sum = TakerVolume { buy: Number(Decimal::ZERO), sell: Number(Decimal::ZERO) };
        for (_, volume) in inside {
            sum.buy.0 = sum.buy.0.checked_add(volume.buy.0)?;
            sum.sell.0 = sum.sell.0.checked_add(volume.sell.0)?;
        }
        Some(sum)
    }
}

struct Row<'a>(Vec<&'a str>);

impl Row<'_> {
    fn time(&self) -> Option<Timestamp> {
        let ms = self.0.first()?.parse().ok();
        ms.filter(|ms| (0..=LATEST_MS).contains(ms)).map(Timestamp::from_ms)
    }
    fn decimal(&self, column: usize) -> Option<Decimal> {
        let text = self.0.get(column)?;
        // Programs that write floats write small and large ones with an exponent.
        Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()
    }
    fn price(&self, column: usize) -> Option<Price> {
        Price::new(self.decimal(column)?).ok()
    }
}

fn series<T: Copy>(
    text: &str,
    expected: &'static str,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> Result<Series<T>, RecordedError> {
    let mut rows: Vec<(Timestamp, T)> = Vec::new();
    let header = Row(text.lines().next().unwrap_or_default().split(',').map(str::trim).collect());
    if header.0.first().is_none_or(|cell| cell.is_empty() || cell.parse::<f64>().is_ok()) {
        return Err(RecordedError { line: 1, problem: RecordedProblem::NoHeader(expected) });
    }
    for (index, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let row = Row(line.split(',').map(str::trim).collect());
        let found = row.time().zip(read(&row));
        match found.filter(|(time, _)| rows.last().is_none_or(|(before, _)| before < time)) {
            Some(found) => rows.push(found),
            None => return Err(RecordedError { line: index + 1, problem: RecordedProblem::Row(expected) }),
        }
    }
    Ok(Series::new(rows))
}

/// Points in time as they are; candles by their closes, which are known when the candle ends.
fn prices(text: &str) -> Result<Series<Price>, RecordedError> {
    let columns = text.lines().next().map_or(0, |header| header.split(',').count());
    if columns < 5 {
        return series(text, "time,price", |row| row.price(1));
    }
    let mut closes = series(text, "open_time,open,high,low,close", |row| row.price(4))?;
    if closes.rows.len() == 1 {
        // When it ended, and its close was known, cannot be told.
        return Err(RecordedError { line: 2, problem: RecordedProblem::Alone });
    }
    for (time, _) in &mut closes.rows {
        *time = time.plus_ms(closes.step);
    }
    Ok(closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle(minute: i64) -> Candle {
        let one = "1".parse().unwrap();
        let open_time = Timestamp::from_ms(minute * 60_000);
        Candle { open_time, open: one, high: one, low: one, close: one, volume: Decimal::ONE }
    }

    fn facts(recorded: &RecordedFacts, minute: i64, timeframe: Timeframe) -> MarketFacts {
        let needs =
            DataNeeds::QUOTE.or(DataNeeds::TRADES).or(DataNeeds::OPEN_INTEREST).or(DataNeeds::PREMIUM);
        recorded.facts(needs, &candle(minute), timeframe)
    }

    #[test]
    fn a_value_counts_from_its_time_until_two_steps_later() {
        let mut recorded = RecordedFacts::default();
        let text = "time,open_interest\n300000,100\n600000,1.1e2\n900000,120\n2100000,130\n";
        recorded.read(RecordedKind::OpenInterest, text).unwrap();
        let known = |minute| facts(&recorded, minute, Timeframe::M1).open_interest().map(f64::round);
        // A candle of minute n closes at minute n + 1.
        assert_eq!(known(3), None, "nothing is known before the first row");
        assert_eq!(known(4), Some(100.0), "known at the close itself");
        assert_eq!(known(8), Some(100.0), "the second row is a minute away");
        assert_eq!(known(9), Some(110.0));
        assert_eq!(known(24), Some(120.0), "two steps of five minutes");
        assert_eq!(known(25), None, "a longer silence is a gap");
        assert_eq!(known(34), Some(130.0));
    }

    #[test]
    fn the_close_of_a_candle_is_known_when_it_ends() {
        let mut recorded = RecordedFacts::default();
        let candles = "open_time,open,high,low,close,volume\n0,10,12,9,11,5\n60000,11,13,10,12,5\n";
        recorded.read(RecordedKind::Mark, candles).unwrap();
        recorded.read(RecordedKind::Index, "time,price\n0,10\n60000,10\n120000,10\n").unwrap();
        let premium = |minute| facts(&recorded, minute, Timeframe::M1).premium_pct();
        assert_eq!(premium(0), Some(10.0), "11 above 10, and not the 12 that comes");
        assert_eq!(premium(1), Some(20.0));
    }

    #[test]
    fn volumes_of_takers_are_put_together_only_when_all_are_there() {
        let mut recorded = RecordedFacts::default();
        let text = "open_time,buy,sell\n0,1,2\n60000,3,4\n180000,5,6\n240000,7,8\n300000,1,1\n";
        recorded.read(RecordedKind::TakerVolume, text).unwrap();
        let minute = |minute| facts(&recorded, minute, Timeframe::M1).taker_volume();
        assert_eq!((minute(1), minute(2)), (Some((3.0, 4.0)), None));
        let five = |minute| facts(&recorded, minute, Timeframe::M5).taker_volume();
        assert_eq!(five(0), None, "its third minute is missing");
        let text = "open_time,buy,sell\n0,1,2\n60000,3,4\n120000,1,0\n180000,5,6\n240000,7,8\n300000,1,1\n";
        recorded.read(RecordedKind::TakerVolume, text).unwrap();
        assert_eq!(facts(&recorded, 0, Timeframe::M5).taker_volume(), Some((17.0, 20.0)));
        let text = "open_time,buy,sell\n30000,1,2\n90000,3,4\n150000,1,0\n";
        recorded.read(RecordedKind::TakerVolume, text).unwrap();
        assert_eq!(
            facts(&recorded, 0, Timeframe::M1).taker_volume(),
            None,
            "half of it is of the next candle"
        );
        recorded.read(RecordedKind::TakerVolume, "open_time,buy,sell\n0,1,2\n").unwrap();
        assert_eq!(facts(&recorded, 0, Timeframe::M1).taker_volume(), None, "how long is one row alone?");
    }

    #[test]
    fn what_comes_later_can_be_left_out() {
        let mut recorded = RecordedFacts::default();
        recorded.read(RecordedKind::OpenInterest, "time,open_interest\n0,1\n60000,2\n120000,3\n").unwrap();
        recorded
            .read(RecordedKind::TakerVolume, "open_time,buy,sell\n0,1,1\n60000,2,2\n120000,3,3\n")
            .unwrap();
        let known = recorded.known_at(Timestamp::from_ms(120_000));
        for minute in [0, 1] {
            let (all, part) = (facts(&recorded, minute, Timeframe::M1), facts(&known, minute, Timeframe::M1));
            assert_eq!(all, part);
            assert!(part.taker.is_some() && part.open_interest.is_some());
        }
        assert_eq!(facts(&known, 2, Timeframe::M1).taker, None, "that minute has not ended");
    }

    #[test]
    fn wrong_lines_are_named() {
        let mut recorded = RecordedFacts::default();
        let cases = [
            (RecordedKind::Quotes, "time,bid,ask\n1,9,10\n2,11,10\n", 3),
            (RecordedKind::Quotes, "time,bid,ask\n1,9\n", 2),
            (RecordedKind::Quotes, "time,bid,ask\n9223372036854775807,9,10\n", 2),
            (RecordedKind::Quotes, "1,9,10\n2,9,10\n", 1),
            (RecordedKind::Quotes, "", 1),
            (RecordedKind::Mark, "open_time,open,high,low,close\n0,10,12,9,11\n", 2),
            (RecordedKind::OpenInterest, "time,open_interest\n2,1\n2,1\n", 3),
            (RecordedKind::TakerVolume, "open_time,buy,sell\n\n1,-1,2\n", 3),
        ];
        for (kind, text, line) in cases {
            assert_eq!(recorded.read(kind, text).unwrap_err().line, line, "{text}");
        }
        assert_eq!(recorded.kinds().next(), None);
        assert!(recorded.lacks(DataNeeds::QUOTE), "nothing was taken in");
        assert!(recorded.lacks(DataNeeds::BOOK));
        assert!(!recorded.lacks(DataNeeds::FUNDING));
    }
}
