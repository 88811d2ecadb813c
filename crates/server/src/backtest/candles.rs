//! Candle and funding files: CSV with a header line, plain or gzipped. A bad line is an error that names it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use keyhold_domain::{Candle, Decimal, Instrument, Price, Rate, Rounding, Timestamp};

use super::{CommandError, file};

fn open(path: &Path) -> Result<csv::Reader<Box<dyn Read>>, CommandError> {
    let plain = File::open(path).map_err(file(path))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(bytes))
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

/// Candles, oldest first, with prices on the instrument's tick.
pub(super) fn read(path: &Path, instrument: &Instrument) -> Result<Vec<Candle>, CommandError> {
    rows(path, |record| candle(record, instrument))
}

fn candle(record: &csv::StringRecord, instrument: &Instrument) -> Result<Candle, String> {
    let price = |column, name| -> Result<Price, String> {
        let raw = number(record, column, name)?;
        instrument.price(raw, Rounding::Nearest).ok_or_else(|| format!("{name} must be greater than zero"))
    };
    let candle = Candle {
        open_time: instant(record, "open_time")?,
        open: price(1, "open")?,
        high: price(2, "high")?,
        low: price(3, "low")?,
        close: price(4, "close")?,
        volume: match record.get(5).map(str::trim) {
            // Mark price candles have no volume.
            None | Some("") => Decimal::ZERO,
            Some(_) => number(record, 5, "volume")?,
        },
    };
    candle.check().map_err(|error| error.to_string())
}

/// Funding times and rates, oldest first.
pub(super) fn read_funding(path: &Path) -> Result<Vec<(Timestamp, Rate)>, CommandError> {
    rows(path, |record| Ok((instant(record, "time")?, Rate::new(number(record, 1, "rate")?))))
}
