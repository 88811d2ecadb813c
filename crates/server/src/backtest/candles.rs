//! Candle and funding files. A bad line is an error that names it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use keyhold_domain::{Candle, Decimal, Instrument, Rate, Rounding, Timestamp};
use keyhold_engine::input::ClosedCandle;

use super::CommandError;
use super::error::file;

fn bytes(path: &Path) -> Result<Box<dyn Read>, CommandError> {
    let plain = File::open(path).map_err(file(path))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if packed { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) })
}

/// A CSV or CSV.GZ file as text.
pub(super) fn text(path: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    bytes(path)?.read_to_string(&mut text).map_err(file(path))?;
    Ok(text)
}

fn open(path: &Path) -> Result<csv::Reader<Box<dyn Read>>, CommandError> {
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(bytes(path)?))
}

/// Reads every row with `understand`, which tells what is wrong with a row it cannot read.
fn rows<T>(
    path: &Path,
    understand: impl Fn(&csv::StringRecord) -> Result<T, String>,
) -> Result<Vec<T>, CommandError> {
    let mut read = Vec::new();
    for (index, record) in (2_u64..).zip(open(path)?.records()) {
        let wrong = |line, what| CommandError::Line { path: path.to_path_buf(), line, what };
        let record = record.map_err(|error| wrong(index, error.to_string()))?;
        let line = record.position().map_or(index, csv::Position::line);
        read.push(understand(&record).map_err(|what| wrong(line, what))?);
    }
    Ok(read)
}

fn number(record: &csv::StringRecord, column: usize, name: &str) -> Result<Decimal, String> {
    let text = record.get(column).ok_or_else(|| format!("the column {name} is missing"))?;
    Decimal::from_str_exact(text.trim())
        .or_else(|_| Decimal::from_scientific(text.trim()))
        .map_err(|_| format!("{name} is not a decimal number"))
}

fn instant(record: &csv::StringRecord, name: &str) -> Result<Timestamp, String> {
    let text = record.get(0).ok_or_else(|| format!("the column {name} is missing"))?;
    let ms = text.trim().parse().map_err(|_| format!("{name} is not a number of milliseconds since 1970"))?;
    Ok(Timestamp::from_ms(ms))
}

/// Candles of a CSV, CSV.GZ or Parquet file, oldest first, with prices on the instrument's tick.
pub(super) fn read(path: &Path, instrument: &Instrument) -> Result<Vec<ClosedCandle>, CommandError> {
    let mut candles = Vec::new();
    keyhold_history::read_each(path, &mut |candle| {
        let rounded = on_tick(candle, instrument);
        let rounded =
            rounded.ok_or_else(|| format!("a price is below half of the tick {}", instrument.tick))?;
        candles.push(ClosedCandle::new(rounded));
        Ok(())
    })?;
    Ok(candles)
}

/// The candle with its prices on the instrument's tick; `None` when one of them would become zero.
pub(crate) fn on_tick(mut candle: Candle, instrument: &Instrument) -> Option<Candle> {
    for price in [&mut candle.open, &mut candle.high, &mut candle.low, &mut candle.close] {
        *price = instrument.price(price.get(), Rounding::Nearest)?;
    }
    Some(candle)
}

/// Funding times and rates, oldest first.
pub(super) fn read_funding(path: &Path) -> Result<Vec<(Timestamp, Rate)>, CommandError> {
    rows(path, |record| Ok((instant(record, "time")?, Rate::new(number(record, 1, "rate")?))))
}
