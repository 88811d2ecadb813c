//! One column of a Parquet file as times or decimals, whatever tool wrote it.

use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::ColumnDescriptor;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use crate::error::{HistoryError, broken};

/// A column of the file, found by one of the names that tools give it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    /// Our name for it.
    pub(crate) name: &'static str,
    /// Its place among the file's columns.
    pub(crate) index: usize,
}

/// Reads columns of one group of rows.
pub(crate) struct Group<'a> {
    pub(crate) path: &'a Path,
    pub(crate) rows: &'a dyn RowGroupReader,
}

impl Group<'_> {
    fn wrong(&self, column: Named, problem: impl Into<String>) -> HistoryError {
        HistoryError::Column {
            path: self.path.to_path_buf(),
            column: column.name.to_owned(),
            problem: problem.into(),
        }
    }

    fn description(&self, column: Named) -> &ColumnDescriptor {
        self.rows.metadata().column(column.index).column_descr()
    }

    fn count(&self) -> Result<usize, HistoryError> {
        let rows = self.rows.metadata().num_rows();
        usize::try_from(rows).map_err(|_| HistoryError::Parquet {
            path: self.path.to_path_buf(),
            reason: format!("it claims to have {rows} rows"),
        })
    }

    fn all<T: DataType>(
        &self,
        column: Named,
        mut reader: ColumnReaderImpl<T>,
    ) -> Result<Vec<T::T>, HistoryError> {
        let count = self.count()?;
        let mut values = Vec::new();
        let mut levels = Vec::new();
        let (rows, _, _) =
            reader.read_records(count, Some(&mut levels), None, &mut values).map_err(broken(self.path))?;
        if rows != count || values.len() != count {
            return Err(self.wrong(column, "has empty cells; every candle needs all its numbers"));
        }
        Ok(values)
    }

    /// Milliseconds since 1970. Whole numbers without a unit are taken as milliseconds.
    pub(crate) fn times(&self, column: Named) -> Result<Vec<i64>, HistoryError> {
        let described = self.description(column);
        let per_ms = match (described.logical_type_ref(), described.converted_type()) {
            (Some(LogicalType::Timestamp(time)), _) => match time.unit {
                TimeUnit::MILLIS => 1,
                TimeUnit::MICROS => 1_000,
                TimeUnit::NANOS => 1_000_000,
            },
            (_, ConvertedType::TIMESTAMP_MICROS) => 1_000,
            _ => 1,
        };
        let reader = self.rows.get_column_reader(column.index).map_err(broken(self.path))?;
        let ColumnReader::Int64ColumnReader(reader) = reader else {
            return Err(self.wrong(column, "is not a timestamp or a whole number of milliseconds"));
        };
        let mut times = self.all(column, reader)?;
        for time in &mut times {
            if *time % per_ms != 0 {
                return Err(self.wrong(column, "has a time that is no whole millisecond"));
            }
            *time /= per_ms;
        }
        Ok(times)
    }

    /// Exact decimals; floating-point columns are read to their 15 reliable digits.
    pub(crate) fn decimals(&self, column: Named) -> Result<Vec<Decimal>, HistoryError> {
        let scale = self.scale(column)?;
        let reader = self.rows.get_column_reader(column.index).map_err(broken(self.path))?;
        let whole = |value: i128| {
            Decimal::try_from_i128_with_scale(value, scale)
                .map(|number| number.normalize())
                .map_err(|_| self.wrong(column, format!("has a number out of range: {value}")))
        };
        let float = |value: f64| {
            Decimal::from_f64(value)
                .ok_or_else(|| self.wrong(column, format!("has {value}, which is no number")))
        };
        match reader {
            ColumnReader::Int32ColumnReader(reader) => {
                self.all(column, reader)?.into_iter().map(|value| whole(value.into())).collect()
            }
            ColumnReader::Int64ColumnReader(reader) => {
                self.all(column, reader)?.into_iter().map(|value| whole(value.into())).collect()
            }
            ColumnReader::FloatColumnReader(reader) => {
                self.all(column, reader)?.into_iter().map(|value| float(value.into())).collect()
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.all(column, reader)?.into_iter().map(float).collect()
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let values: Vec<FixedLenByteArray> = self.all(column, reader)?;
                values.iter().map(|value| whole(self.big_endian(column, value.data())?)).collect()
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let values: Vec<ByteArray> = self.all(column, reader)?;
                values.iter().map(|value| whole(self.big_endian(column, value.data())?)).collect()
            }
            ColumnReader::BoolColumnReader(_) | ColumnReader::Int96ColumnReader(_) => {
                Err(self.wrong(column, "is not a number"))
            }
        }
    }

    fn scale(&self, column: Named) -> Result<u32, HistoryError> {
        let described = self.description(column);
        let scale = match described.logical_type_ref() {
            Some(LogicalType::Decimal(decimal)) => decimal.scale,
            Some(LogicalType::String) => return Err(self.wrong(column, "is text, not a number")),
            _ if described.converted_type() == ConvertedType::DECIMAL => described.type_scale(),
            _ => 0,
        };
        u32::try_from(scale)
            .ok()
            .filter(|scale| *scale <= Decimal::MAX_SCALE)
            .ok_or_else(|| self.wrong(column, format!("has {scale} decimal places")))
    }

    /// Two's complement, most significant byte first, as the format defines decimals in bytes.
    fn big_endian(&self, column: Named, bytes: &[u8]) -> Result<i128, HistoryError> {
        if bytes.is_empty() || bytes.len() > 16 {
            return Err(self.wrong(column, format!("has a decimal of {} bytes", bytes.len())));
        }
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        Ok(bytes.iter().fold(sign, |number: i128, byte| (number << 8) | i128::from(*byte)))
    }
}
