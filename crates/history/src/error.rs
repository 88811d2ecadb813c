//! Why candles could not be read or kept.

use std::path::{Path, PathBuf};

/// Why candles could not be read or kept. Nothing is half written: files are replaced whole.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file system refused.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no Parquet file, or a damaged one.
    #[error("{path} cannot be read as Parquet: {reason}")]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// What the format's library says.
        reason: String,
    },
    /// A column is missing or has a type that holds no candle.
    #[error("{path}: the column {column} {problem}")]
    Column {
        /// Which file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// What is wrong with it and what is expected.
        problem: String,
    },
    /// A row is not a candle.
    #[error("{path}, row {row}: {problem}")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        row: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Another program writes into the same folder.
    #[error("{path} is being written by another program; try again when it has finished")]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// A candle does not begin where the timeframe's intervals begin.
    #[error("the candle at {at} does not begin with an interval of {timeframe}")]
    OffGrid {
        /// When the candle begins.
        at: keyhold_domain::Timestamp,
        /// The timeframe.
        timeframe: keyhold_domain::Timeframe,
    },
    /// A number has more digits than the file keeps: 18 for prices, 28 for volumes, counted to the last decimal place
    /// of any candle in the file.
    #[error("the {what} {value} has too many digits")]
    TooManyDigits {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: rust_decimal::Decimal,
    },
}

/// For `map_err` on operations of the file system.
pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> HistoryError {
    let path = path.to_path_buf();
    move |source| HistoryError::File { path, source }
}

/// For `map_err` on operations of the format's library.
pub(crate) fn broken(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> HistoryError {
    let path = path.to_path_buf();
    move |error| HistoryError::Parquet { path, reason: error.to_string() }
}
