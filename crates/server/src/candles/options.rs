//! The command line of `keyhold candles`.

use std::path::PathBuf;

use keyhold_domain::{ContractType, Environment, Exchange, Symbol, Timeframe, Timestamp};
use keyhold_history::{Library, Market, Shelf};

use super::CandlesError;

/// Keep candles on disk as Parquet files, one per market, timeframe and month.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add the candles of a CSV, CSV.GZ or Parquet file.
    Import(Import),
    /// Add what is missing from a venue's public history. Stopped or failed, it goes on where it was when run again.
    Fetch(Fetch),
    /// List what there is.
    List(List),
    /// List what is missing.
    Gaps(Gaps),
    /// Write candles as CSV.
    Export(Export),
}

/// Where the files are.
#[derive(Debug, clap::Args)]
pub struct LibraryOption {
    /// Folder with the candle files.
    #[arg(long, value_name = "FOLDER", default_value = "candles")]
    pub library: PathBuf,
}

impl LibraryOption {
    pub(super) fn open(&self) -> Library {
        Library::new(&self.library)
    }
}

/// Which candles.
#[derive(Debug, clap::Args)]
pub struct MarketOptions {
    /// Where they were traded.
    #[arg(long, default_value = "bybit")]
    pub exchange: Exchange,
    /// linear or inverse.
    #[arg(long, default_value = "linear")]
    pub contract: ContractType,
    /// The instrument, as the exchange writes it.
    #[arg(long)]
    pub symbol: Symbol,
    /// Length of a candle: 1m, 5m, 1h ...
    #[arg(long, default_value = "1m")]
    pub timeframe: Timeframe,
    #[command(flatten)]
    pub library: LibraryOption,
}

impl MarketOptions {
    pub(super) fn shelf(&self) -> Shelf {
        let Self { exchange, contract, symbol, timeframe, .. } = self;
        let market =
            Market { exchange: *exchange, contract_type: *contract, symbol: *symbol, timeframe: *timeframe };
        self.library.open().shelf(market)
    }
}

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// CSV or CSV.GZ with a header line (open_time in ms UTC or RFC 3339, open, high, low, close, volume), or Parquet with
    /// such columns.
    pub file: PathBuf,
    #[command(flatten)]
    pub market: MarketOptions,
}

/// Options of `fetch`.
#[derive(Debug, clap::Args)]
pub struct Fetch {
    #[command(flatten)]
    pub market: MarketOptions,
    /// First candle: 2022-01-31, RFC 3339 or ms.
    #[arg(long)]
    pub from: String,
    /// Up to, and without, this instant; now when absent.
    #[arg(long)]
    pub until: Option<String>,
    /// live, testnet, or simulated with --venue.
    #[arg(long, default_value = "live")]
    pub environment: Environment,
    /// Address of a simulated venue, for example http://127.0.0.1:7001.
    #[arg(long)]
    pub venue: Option<String>,
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    pub library: LibraryOption,
}

/// Options of `gaps`.
#[derive(Debug, clap::Args)]
pub struct Gaps {
    #[command(flatten)]
    pub market: MarketOptions,
}

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    pub market: MarketOptions,
    /// First candle; everything when absent.
    #[arg(long)]
    pub from: Option<String>,
    /// Up to, and without, this instant.
    #[arg(long)]
    pub until: Option<String>,
    /// The file to write; standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// An instant given as `2022-01-31`, as RFC 3339, or as milliseconds since the epoch.
pub(super) fn instant(option: &'static str, text: &str) -> Result<Timestamp, CandlesError> {
    crate::backtest::parse_instant(text).ok_or_else(|| CandlesError::Option {
        option,
        what: "is an instant: 2022-01-31, 2022-01-31T13:00:00Z or milliseconds since the epoch".to_owned(),
    })
}
