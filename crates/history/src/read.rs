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
    &["open_time", "timestamp", "time", "date", "datetime", "ts"],
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
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        read(path)
    } else {
        crate::csv::read_csv(path)
    }
}

/// Reads the candles of a file, oldest first. Other columns are left alone.
///
/// # Errors
/// [`HistoryError`] naming the column or the row: a number is missing, a price is not positive, high and low do not enclose
/// open and close, or the times do not rise.
pub fn read(path: &Path) -> Result<Vec<Candle>, HistoryError> {
    let input = File::open(path).map_err(file(path))?;
    let reader = SerializedFileReader::new(input).map_err(broken(path))?;
    let columns = find(path, reader.metadata().file_metadata().schema_descr())?;
    let mut candles = Vec::new();
    for index in 0..reader.num_row_groups() {
        let rows = reader.get_row_group(index).map_err(broken(path))?;
        append(&Group { path, rows: rows.as_ref() }, columns, &mut candles)?;
    }
    Ok(candles)
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

fn append(group: &Group<'_>, columns: [Named; 6], candles: &mut Vec<Candle>) -> Result<(), HistoryError> {
    let times = group.times(columns[0])?;
    let [open, high, low, close, volume] =
        [columns[1], columns[2], columns[3], columns[4], columns[5]].map(|column| group.decimals(column));
    let (open, high, low, close, volume) = (open?, high?, low?, close?, volume?);
    candles.reserve(times.len());
    for (row, time) in times.into_iter().enumerate() {
        let numbers = [open[row], high[row], low[row], close[row]];
        let candle = candle(time, numbers, volume[row], candles.last()).map_err(|problem| {
            HistoryError::Row { path: group.path.to_path_buf(), row: candles.len() + 1, problem }
        })?;
        candles.push(candle);
    }
    Ok(())
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
