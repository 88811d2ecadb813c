//! Years of candles on disk, as Parquet files that other tools open too.
//!
//! [`write`](mod@write) and [`read`](mod@read) are the format, [`library`] is a folder with one file per market, timeframe and month, [`gaps`] finds
//! what is missing, and CSV files are read for import. It knows no venue and no backtest: candles come in and go out as [`keyhold_domain::Candle`].

mod columns;
mod csv;
pub mod error;
pub mod gaps;
pub mod library;
pub mod read;
pub mod write;

pub use csv::read_csv;
pub use error::HistoryError;
pub use gaps::{Gap, missing};
pub use library::{Added, Library, Market, Month, Shelf};
pub use read::{read, read_any, read_each};
pub use write::write;
