//! Candles from a Parquet file, ours or one that pandas, Polars or DuckDB wrote.

use std::fs::File;
use std::path::Path;

use keyhold_domain::{Candle, Price, Timestamp};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use rust_decimal::Decimal;

use crate::columns::{Group, Named};
use crate::error::{HistoryError, broken, file};

/// The names by which columns are found, in any case; the first is ours.
pub(crate) const NAMES: [&[&str]; 6] = [
    &[
        "open_time",
        "timestamp",
        "time",
        "date",
        "datetime",
        "ts",
        "open_time_ms",
        "timestamp_ms",
        "time_ms",
        "ts_ms",
    ],
    &["open", "o"],
    &["high", "h"],
    &["low", "l"],
    &["close", "c"],
    &["volume", "vol", "v"],
];

/// Reads candles from a Parquet file (`.parquet`) or else from CSV, plain or gzipped.
///
/// # Errors
/// Those of [`read`] and [`crate::read_csv`].
pub fn read_any(path: &Path) -> Result<Vec<Candle>, HistoryError> {
    let mut candles = Vec::new();
    read_each(path, &mut |candle| {
        candles.push(candle);
        Ok(())
    })?;
    Ok(candles)
}

/// The same, candle by candle, for whoever keeps them in another form: years of candles need not be held twice.
///
/// # Errors
/// Those of [`read_any`], and [`HistoryError::Row`] with what `take` says against a candle.
pub fn read_each(path: &Path, take: Take<'_>) -> Result<(), HistoryError> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        parquet_each(path, take)
    } else {
        crate::csv::csv_each(path, take)
    }
}

/// Takes the next candle, or says what is wrong with it.
pub type Take<'a> = &'a mut dyn FnMut(Candle) -> Result<(), String>;

/// Reads the candles of a file, oldest first. Other columns are left alone.
///
/// # Errors
/// [`HistoryError`] naming the column or the row: a number is missing, a price is not positive, high and low do not enclose
/// open and close, or the times do not rise.
pub fn read(path: &Path) -> Result<Vec<Candle>, HistoryError> {
    let mut candles = Vec::new();
    parquet_each(path, &mut |candle| {
        candles.push(candle);
        Ok(())
    })?;
    Ok(candles)
}

fn parquet_each(path: &Path, take: Take<'_>) -> Result<(), HistoryError> {
    let input = File::open(path).map_err(file(path))?;
    let reader = SerializedFileReader::new(input).map_err(broken(path))?;
    let columns = find(path, reader.metadata().file_metadata().schema_descr())?;
    let mut read = Read { newest: None, count: 0 };
    for index in 0..reader.num_row_groups() {
        let rows = reader.get_row_group(index).map_err(broken(path))?;
        read.rows(&Group { path, rows: rows.as_ref() }, columns, take)?;
    }
    Ok(())
}

fn find(path: &Path, schema: &SchemaDescriptor) -> Result<[Named; 6], HistoryError> {
    let mut found = [Named { name: "", index: 0 }; 6];
    for (slot, names) in found.iter_mut().zip(NAMES) {
        let index = names.iter().find_map(|name| {
            schema.columns().iter().position(|column| {
                column.path().parts().len() == 1 && column.name().eq_ignore_ascii_case(name)
            })
        });
        let Some(index) = index else {
            return Err(HistoryError::Column {
                path: path.to_path_buf(),
                column: names[0].to_owned(),
                problem: format!("is missing; it may be called {}", names.join(", ")),
            });
        };
        *slot = Named { name: names[0], index };
    }
    Ok(found)
}

/// How far a file has been read.
struct Read {
    newest: Option<Candle>,
    count: usize,
}

impl Read {
    fn rows(&mut self, group: &Group<'_>, columns: [Named; 6], take: Take<'_>) -> Result<(), HistoryError> {
        let times = group.times(columns[0])?;
        let [open, high, low, close, volume] =
            [columns[1], columns[2], columns[3], columns[4], columns[5]].map(|column| group.decimals(column));
        let (open, high, low, close, volume) = (open?, high?, low?, close?, volume?);
        for (row, time) in times.into_iter().enumerate() {
            let numbers = [open[row], high[row], low[row], close[row]];
            let made = candle(time, numbers, volume[row], self.newest.as_ref());
            self.count += 1;
            let told = made.and_then(|made| {
                self.newest = Some(made);
                take(made)
            });
            told.map_err(|problem| HistoryError::Row {
                path: group.path.to_path_buf(),
                row: self.count,
                problem,
            })?;
        }
        Ok(())
    }
}

pub(crate) fn candle(
    time: i64,
    prices: [Decimal; 4],
    volume: Decimal,
    before: Option<&Candle>,
) -> Result<Candle, String> {
    let price =
        |value: Decimal| Price::new(value).map_err(|_| format!("the price {value} is not greater than zero"));
    let [open, high, low, close] = prices;
    let candle = Candle {
        open_time: Timestamp::from_ms(time),
        open: price(open)?,
        high: price(high)?,
        low: price(low)?,
        close: price(close)?,
        volume,
    };
    if let Some(before) = before
        && before.open_time >= candle.open_time
    {
        return Err(format!("{} does not come after {}", candle.open_time, before.open_time));
    }
    candle.check().map_err(|error| error.to_string())
}
