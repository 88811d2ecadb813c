//! Files as other tools write them: other names, floats, bytes, microseconds, empty cells.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyhold_history::{HistoryError, read};
use parquet::data_type::{ByteArray, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

/// Writes one group of rows with this schema.
fn made(folder: &Path, schema: &str, fill: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>)) -> PathBuf {
    let path = folder.join("made.parquet");
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    fill(&mut rows);
    rows.close().unwrap();
    writer.close().unwrap();
    path
}

fn longs(rows: &mut SerializedRowGroupWriter<'_, File>, values: &[i64], levels: Option<&[i16]>) {
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

fn doubles(rows: &mut SerializedRowGroupWriter<'_, File>, values: &[f64], levels: Option<&[i16]>) {
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

const PANDAS: &str = "message schema {
    OPTIONAL INT64 Timestamp (TIMESTAMP(MICROS,false));
    OPTIONAL DOUBLE Open; OPTIONAL DOUBLE High; OPTIONAL DOUBLE Low; OPTIONAL DOUBLE Close;
    OPTIONAL DOUBLE Volume; OPTIONAL INT64 trades; }";

#[test]
fn floats_and_microseconds_as_pandas_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path(), PANDAS, |rows| {
        let there = Some(&[1_i16, 1][..]);
        longs(rows, &[60_000_000, 120_000_000], there);
        for values in [[0.1, 0.3], [0.7, 46_216.93], [0.1, 0.3], [0.7, 0.3], [1.5, 0.0]] {
            doubles(rows, &values, there);
        }
        longs(rows, &[3, 4], there);
    });
    let candles = read(&path).unwrap();
    assert_eq!(candles[0].open_time.ms(), 60_000);
    assert_eq!([candles[0].open, candles[0].close].map(|price| price.to_string()), ["0.1", "0.7"]);
    assert_eq!(candles[1].high.to_string(), "46216.93");
    assert_eq!(candles[1].volume.to_string(), "0");
}

#[test]
fn an_empty_cell_is_an_error_that_names_the_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path(), PANDAS, |rows| {
        longs(rows, &[60_000_000, 120_000_000], Some(&[1, 1]));
        doubles(rows, &[1.0, 1.0], Some(&[1, 1]));
        doubles(rows, &[1.0], Some(&[1, 0]));
        for _ in 0..3 {
            doubles(rows, &[1.0, 1.0], Some(&[1, 1]));
        }
        longs(rows, &[3, 4], Some(&[1, 1]));
    });
    let refused = read(&path).unwrap_err();
    assert!(matches!(&refused, HistoryError::Column { column, .. } if column == "high"), "{refused}");
}

#[test]
fn decimals_in_bytes_as_arrow_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let decimal = "FIXED_LEN_BYTE_ARRAY(16)";
    let columns: String = ["open", "high", "low", "close", "volume"]
        .map(|name| format!("REQUIRED {decimal} {name} (DECIMAL(38,4));"))
        .concat();
    let schema = format!("message schema {{ REQUIRED INT64 time; {columns} }}");
    let path = made(folder.path(), &schema, |rows| {
        longs(rows, &[60_000], None);
        for units in [10_000_i128, 25_000, 9_999, 12_345, 0] {
            let bytes = FixedLenByteArray::from(ByteArray::from(units.to_be_bytes().to_vec()));
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<FixedLenByteArrayType>().write_batch(&[bytes], None, None).unwrap();
            column.close().unwrap();
        }
    });
    let candle = read(&path).unwrap()[0];
    let prices = [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_string());
    assert_eq!(prices, ["1", "2.5", "0.9999", "1.2345"]);
}

#[test]
fn what_is_missing_is_named_with_the_names_it_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path(), "message schema { REQUIRED INT64 time; REQUIRED DOUBLE open; }", |rows| {
        longs(rows, &[60_000], None);
        doubles(rows, &[1.0], None);
    });
    let text = read(&path).unwrap_err().to_string();
    assert!(text.contains("the column high is missing; it may be called high, h"), "{text}");
}

#[test]
fn rows_that_are_no_candles_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let columns: String =
        ["open", "high", "low", "close", "volume"].map(|name| format!("REQUIRED DOUBLE {name};")).concat();
    let schema = format!("message schema {{ REQUIRED INT64 time; {columns} }}");
    let with = |times: [i64; 2], high: [f64; 2]| {
        let path = made(folder.path(), &schema, |rows| {
            longs(rows, &times, None);
            for values in [[2.0, 2.0], high, [1.0, 1.0], [2.0, 2.0], [1.0, 1.0]] {
                doubles(rows, &values, None);
            }
        });
        read(&path).unwrap_err().to_string()
    };
    let text = with([60_000, 120_000], [3.0, 1.5]);
    assert!(text.ends_with("row 2: the high is below another price of the candle"), "{text}");
    let text = with([60_000, 60_000], [3.0, 3.0]);
    assert!(text.contains("row 2: ") && text.contains("does not come after"), "{text}");
    let text = with([60_000, 120_000], [f64::NAN, 3.0]);
    assert!(text.contains("the column high has NaN"), "{text}");
}
