//! Candles from a CSV file, plain or gzipped. A bad line is an error that names it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use keyhold_domain::{Candle, Timestamp};
use rust_decimal::Decimal;

use crate::error::{HistoryError, file};
use crate::read::{NAMES, Take, candle};

/// Numbers below this are no milliseconds of any candle: until March 1973 nobody traded perpetual contracts.
const LEAST_MS: i64 = 100_000_000_000;

/// Reads the candles of a CSV file with a header line, oldest first. Columns are found by their names, as in
/// [`crate::read`](fn@crate::read()); times are milliseconds since 1970 or RFC 3339; a file without a volume has volumes of zero (mark prices).
///
/// # Errors
/// [`HistoryError`] naming the line.
pub fn read_csv(path: &Path) -> Result<Vec<Candle>, HistoryError> {
    let mut candles = Vec::new();
    csv_each(path, &mut |candle| {
        candles.push(candle);
        Ok(())
    })?;
    Ok(candles)
}

pub(crate) fn csv_each(path: &Path, take: Take<'_>) -> Result<(), HistoryError> {
    let plain = File::open(path).map_err(file(path))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| unreadable(path, 1, &error))?.clone();
    let columns = find(path, &header)?;
    let mut newest: Option<Candle> = None;
    for (index, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| unreadable(path, index, &error))?;
        let told = row(&record, columns, newest.as_ref()).and_then(|made| {
            newest = Some(made);
            take(made)
        });
        told.map_err(|problem| HistoryError::Row { path: path.to_path_buf(), row: index, problem })?;
    }
    Ok(())
}

fn unreadable(path: &Path, row: usize, error: &csv::Error) -> HistoryError {
    HistoryError::Row { path: path.to_path_buf(), row, problem: error.to_string() }
}

/// Where each of the six columns is; the volume may be missing.
type Columns = [Option<usize>; 6];

fn find(path: &Path, header: &csv::StringRecord) -> Result<Columns, HistoryError> {
    let mut columns = Columns::default();
    for (slot, names) in columns.iter_mut().zip(NAMES) {
        *slot =
            names.iter().find_map(|name| header.iter().position(|column| column.eq_ignore_ascii_case(name)));
        if slot.is_none() && names[0] != "volume" {
            return Err(HistoryError::Column {
                path: path.to_path_buf(),
                column: names[0].to_owned(),
                problem: format!("is missing in the header line; it may be called {}", names.join(", ")),
            });
        }
    }
    Ok(columns)
}

fn row(record: &csv::StringRecord, columns: Columns, before: Option<&Candle>) -> Result<Candle, String> {
    let cell = |place: usize| columns[place].and_then(|index| record.get(index)).unwrap_or_default();
    let number = |place: usize| {
        let text = cell(place);
        Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map_err(|_| format!("{} is not a decimal number", NAMES[place][0]))
    };
    let prices = [number(1)?, number(2)?, number(3)?, number(4)?];
    let volume = if cell(5).is_empty() { Decimal::ZERO } else { number(5)? };
    candle(time(cell(0))?, prices, volume, before)
}

fn time(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(ms) if ms >= LEAST_MS => Ok(ms),
        Ok(_) => {
            Err("open_time is too small for milliseconds since 1970; seconds must be multiplied by 1000"
                .to_owned())
        }
        Err(_) => text
            .parse::<Timestamp>()
            .map(Timestamp::ms)
            .map_err(|_| "open_time is neither milliseconds since 1970 nor RFC 3339".to_owned()),
    }
}
