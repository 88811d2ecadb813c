//! What is in the library, what is missing, and candles as CSV.

use std::fs::File;
use std::io::{BufWriter, Write};

use keyhold_domain::{Candle, Timeframe, Timestamp};
use keyhold_history::{Gap, Shelf, missing};

use super::options::{Export, Gaps, List, instant};
use super::{CandlesError, file, say};

/// Gaps that are listed one by one; the rest is counted.
const MOST_LISTED: usize = 20;

/// One line per market.
pub(super) fn list(options: &List, output: &mut impl Write) -> Result<(), CandlesError> {
    let library = options.library.open();
    let markets = library.markets()?;
    if markets.is_empty() {
        let folder = options.library.library.display();
        return say(
            output,
            &format!("{folder} holds no candles; add some with `keyhold candles import` or `fetch`"),
        );
    }
    for market in markets {
        let shelf = library.shelf(market);
        let candles = shelf.all()?;
        let (Some(first), Some(last)) = (candles.first(), candles.last()) else { continue };
        let gaps = missing(&candles, market.timeframe, first.open_time, last.close_time(market.timeframe));
        say(
            output,
            &format!(
                "{} {} {} {}: {} candles, {} to {}, {}",
                market.exchange,
                market.contract_type,
                market.symbol,
                market.timeframe.as_str(),
                candles.len(),
                first.open_time,
                last.open_time,
                summary(&gaps, market.timeframe)
            ),
        )?;
    }
    Ok(())
}

/// Every gap of one market.
pub(super) fn gaps(options: &Gaps, output: &mut impl Write) -> Result<(), CandlesError> {
    report(&options.market.shelf(), output)
}

/// What there is of a market, and its gaps.
pub(super) fn report(shelf: &Shelf, output: &mut impl Write) -> Result<(), CandlesError> {
    let timeframe = shelf.market().timeframe;
    let candles = shelf.all()?;
    let (Some(first), Some(last)) = (candles.first(), candles.last()) else {
        return say(output, &format!("{} holds no candles", shelf.folder().display()));
    };
    let gaps = missing(&candles, timeframe, first.open_time, last.close_time(timeframe));
    let (count, from, until) = (candles.len(), first.open_time, last.open_time);
    say(output, &format!("{count} candles from {from} to {until}, {}", summary(&gaps, timeframe)))?;
    for gap in gaps.iter().take(MOST_LISTED) {
        let last = gap.until.plus_ms(-timeframe.ms());
        say(output, &format!("  missing: {} to {last}, {} candles", gap.from, gap.candles(timeframe)))?;
    }
    match gaps.len().checked_sub(MOST_LISTED) {
        Some(more) if more > 0 => say(output, &format!("  and {more} more")),
        Some(_) | None => Ok(()),
    }
}

fn summary(gaps: &[Gap], timeframe: Timeframe) -> String {
    let lost: i64 = gaps.iter().map(|gap| gap.candles(timeframe)).sum();
    match gaps.len() {
        0 => "no gaps".to_owned(),
        1 => format!("1 gap of {lost} candles"),
        count => format!("{count} gaps with {lost} candles"),
    }
}

/// Candles as CSV, with the columns that `import` and `keyhold backtest` read.
pub(super) fn export(options: &Export, output: &mut impl Write) -> Result<(), CandlesError> {
    let from =
        options.from.as_deref().map_or(Ok(Timestamp::from_ms(i64::MIN)), |text| instant("from", text))?;
    let until =
        options.until.as_deref().map_or(Ok(Timestamp::from_ms(i64::MAX)), |text| instant("until", text))?;
    let candles = options.market.shelf().candles(from, until)?;
    match &options.out {
        None => rows(&candles, output).map_err(CandlesError::Print),
        Some(path) => {
            let created = File::create(path).map_err(file(path))?;
            let mut written = BufWriter::new(created);
            rows(&candles, &mut written).and_then(|()| written.flush()).map_err(file(path))
        }
    }
}

fn rows(candles: &[Candle], output: &mut impl Write) -> std::io::Result<()> {
    writeln!(output, "open_time,open,high,low,close,volume")?;
    for Candle { open_time, open, high, low, close, volume } in candles {
        writeln!(output, "{},{open},{high},{low},{close},{volume}", open_time.ms())?;
    }
    Ok(())
}
