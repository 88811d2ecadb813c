//! Candles into a Parquet file: exact decimals, times in milliseconds, sorted by time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use keyhold_domain::{Candle, Price};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use rust_decimal::Decimal;

use crate::error::{HistoryError, broken, file};

/// Digits of a decimal column in 64 bits.
const PRECISION: u32 = 18;
/// Digits of a decimal column in [`WIDE_BYTES`] bytes: as many as a [`Decimal`] has at most.
const WIDE_PRECISION: u32 = 28;
/// Bytes of a wide decimal.
const WIDE_BYTES: usize = 12;
/// Rows of one group: about a year of one-minute candles, so that a reader decodes a column in few, large steps.
const ROWS_PER_GROUP: usize = 524_288;

/// Writes candles, oldest first, as one file and makes it durable. `facts` become the file's key-value metadata.
///
/// Columns: `open_time` (timestamp in ms, UTC), `open`, `high`, `low`, `close`, `volume` (decimals). Prices share one number of
/// decimal places, the largest that occurs; the volume has its own, and a wider column where it needs more than 18 digits
/// (sums of floating-point numbers, as some venues tell them).
///
/// # Errors
/// [`HistoryError`]; the file is then incomplete, so write beside the real place and rename.
pub fn write(path: &Path, candles: &[Candle], facts: &[(&str, String)]) -> Result<(), HistoryError> {
    let prices = |candle: &Candle| [candle.open, candle.high, candle.low, candle.close].map(Price::get);
    let price_scale = scale(candles.iter().flat_map(prices));
    let volume_scale = scale(candles.iter().map(|candle| candle.volume));
    let fits = |candle: &Candle| units(candle.volume, volume_scale, PRECISION).is_some();
    let width = if candles.iter().all(fits) { Width::Narrow } else { Width::Wide };
    let output = File::create(path).map_err(file(path))?;
    let schema = parse_message_type(&schema(price_scale, volume_scale, width)).map_err(broken(path))?;
    let mut writer = SerializedFileWriter::new(&output, Arc::new(schema), Arc::new(properties(facts)?))
        .map_err(broken(path))?;
    for group in candles.chunks(ROWS_PER_GROUP) {
        let mut rows = writer.next_row_group().map_err(broken(path))?;
        let times: Vec<i64> = group.iter().map(|candle| candle.open_time.ms()).collect();
        append::<Int64Type>(path, &mut rows, &times)?;
        let price: [fn(&Candle) -> Decimal; 4] =
            [|row| row.open.get(), |row| row.high.get(), |row| row.low.get(), |row| row.close.get()];
        for of in price {
            append::<Int64Type>(path, &mut rows, &narrow("price", group.iter().map(of), price_scale)?)?;
        }
        let volumes = group.iter().map(|candle| candle.volume);
        match width {
            Width::Narrow => append::<Int64Type>(path, &mut rows, &narrow("volume", volumes, volume_scale)?)?,
            Width::Wide => append::<FixedLenByteArrayType>(path, &mut rows, &wide(volumes, volume_scale)?)?,
        }
        rows.close().map_err(broken(path))?;
    }
    writer.close().map_err(broken(path))?;
    output.sync_all().map_err(file(path))
}

/// Room for the volume's digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// 64 bits.
    Narrow,
    /// [`WIDE_BYTES`].
    Wide,
}

fn append<T: DataType>(
    path: &Path,
    rows: &mut SerializedRowGroupWriter<'_, &File>,
    values: &[T::T],
) -> Result<(), HistoryError> {
    // The schema has exactly the columns that are written.
    let Some(mut column) = rows.next_column().map_err(broken(path))? else { return Ok(()) };
    column.typed::<T>().write_batch(values, None, None).map_err(broken(path))?;
    column.close().map_err(broken(path))
}

fn narrow(
    what: &'static str,
    values: impl Iterator<Item = Decimal>,
    scale: u32,
) -> Result<Vec<i64>, HistoryError> {
    let convert = |value| units(value, scale, PRECISION).and_then(|units| i64::try_from(units).ok());
    values.map(|value| convert(value).ok_or(HistoryError::TooManyDigits { what, value })).collect()
}

fn wide(values: impl Iterator<Item = Decimal>, scale: u32) -> Result<Vec<FixedLenByteArray>, HistoryError> {
    let convert = |value| {
        let bytes = units(value, scale, WIDE_PRECISION)?.to_be_bytes();
        Some(FixedLenByteArray::from(ByteArray::from(bytes[16 - WIDE_BYTES..].to_vec())))
    };
    values.map(|value| convert(value).ok_or(HistoryError::TooManyDigits { what: "volume", value })).collect()
}

/// The most decimal places that occur, without trailing zeros.
fn scale(values: impl Iterator<Item = Decimal>) -> u32 {
    values.map(|value| value.normalize().scale()).max().unwrap_or(0)
}

/// The number as a count of its last decimal place; `None` when it has more digits than there is room for.
fn units(value: Decimal, scale: u32, precision: u32) -> Option<i128> {
    let mut scaled = value;
    scaled.rescale(scale);
    let exact = scaled.scale() == scale && scaled == value;
    (exact && scaled.mantissa().unsigned_abs() < 10_u128.pow(precision)).then(|| scaled.mantissa())
}

fn schema(price_scale: u32, volume_scale: u32, width: Width) -> String {
    let prices: String = ["open", "high", "low", "close"]
        .map(|name| format!("REQUIRED INT64 {name} (DECIMAL({PRECISION},{price_scale}));"))
        .concat();
    let (kind, precision) = match width {
        Width::Narrow => ("INT64".to_owned(), PRECISION),
        Width::Wide => (format!("FIXED_LEN_BYTE_ARRAY({WIDE_BYTES})"), WIDE_PRECISION),
    };
    let volume = format!("REQUIRED {kind} volume (DECIMAL({precision},{volume_scale}));");
    format!("message candles {{ REQUIRED INT64 open_time (TIMESTAMP(MILLIS,true)); {prices} {volume} }}")
}

/// Neighbors differ little, so that differences pack well; zstd takes the rest. Measured in docs/decisions.
fn properties(facts: &[(&str, String)]) -> Result<WriterProperties, HistoryError> {
    let level = ZstdLevel::try_new(6).map_err(broken(Path::new("zstd level 6")))?;
    let facts = facts.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone())).collect();
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by("keyhold".to_owned())
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(ColumnPath::from("volume"), Encoding::PLAIN)
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_key_value_metadata(Some(facts))
        .build())
}
