//! What every command of `keyhold backtest` assumes: template, candles, instrument, costs, size.

use std::path::PathBuf;

use keyhold_domain::{Asset, ContractType, Decimal, Symbol, Timestamp};
use keyhold_engine::settings::Sizing;
use keyhold_simulator::backtest::Unsupported;

use super::{CommandError, instant};

/// What is run, on which candles, at which costs.
#[derive(Debug, clap::Args)]
pub struct Assumed {
    /// A template file, or the name of a built-in template.
    #[arg(long)]
    pub template: String,
    /// Candles as CSV, CSV.GZ or Parquet: open_time (ms UTC), open, high, low, close, volume. Shorter candles than the
    /// template's are put together. Given several times as SYMBOL=FILE, one bot trades all of them.
    #[arg(long, required = true, value_name = "[SYMBOL=]FILE")]
    pub candles: Vec<String>,
    /// What differs for one instrument: SYMBOL:tick=0.01,lot=0.01,base=ETH,multiplier=1,maker_fee=0.0002,
    /// taker_fee=0.0005,funding=FILE. May be given several times.
    #[arg(long, value_name = "SYMBOL:NAME=VALUE,...")]
    pub instrument: Vec<String>,
    /// linear (settled in a stable coin) or inverse (settled in the coin).
    #[arg(long, default_value = "linear")]
    pub contract: ContractType,
    /// The instrument's name in the report, where --candles names none.
    #[arg(long, default_value = "BTCUSDT")]
    pub symbol: Symbol,
    /// What is priced; it settles inverse contracts. The beginning of the symbol unless given.
    #[arg(long)]
    pub base: Option<Asset>,
    /// In what it is priced; it settles linear contracts.
    #[arg(long, default_value = "USDT")]
    pub quote: Asset,
    /// Prices are multiples of this.
    #[arg(long, default_value = "0.1")]
    pub tick: Decimal,
    /// Quantities are multiples of this; 0.001 for linear and 1 for inverse contracts unless given.
    #[arg(long)]
    pub lot: Option<Decimal>,
    /// Base (linear) or quote (inverse) units per unit of quantity.
    #[arg(long, default_value = "1")]
    pub multiplier: Decimal,
    /// Fee of resting orders, as a fraction.
    #[arg(long, default_value = "0.0002", allow_negative_numbers = true)]
    pub maker_fee: Decimal,
    /// Fee of taking orders, as a fraction.
    #[arg(long, default_value = "0.00055", allow_negative_numbers = true)]
    pub taker_fee: Decimal,
    /// Basis points by which market orders and stops fill worse.
    #[arg(long, default_value = "1")]
    pub slippage_bps: Decimal,
    /// off, a constant rate per interval (0.0001), or a CSV or CSV.GZ file with time (ms UTC) and rate.
    #[arg(long)]
    pub funding: Option<String>,
    /// Equity at the start, in the settlement asset: 10000 unless given, for inverse contracts 1.
    #[arg(long)]
    pub equity: Option<Decimal>,
    /// Worth of each position in quote currency.
    #[arg(long, default_value = "1000", group = "size")]
    pub notional: Decimal,
    /// Worth of each position in percent of equity.
    #[arg(long, group = "size")]
    pub percent_equity: Option<Decimal>,
    /// Percent of equity lost when the hard stop is reached.
    #[arg(long, group = "size")]
    pub risk_per_trade: Option<Decimal>,
    /// Leverage; a position is never worth more than equity times leverage.
    #[arg(long, default_value = "1")]
    pub leverage: Decimal,
    /// A settings document (JSON) instead of the sizing options: sizing, leverage, limits.
    #[arg(long, conflicts_with_all = ["size", "leverage"])]
    pub settings: Option<PathBuf>,
    /// First candle to decide on: 2022-01-31, RFC 3339, or ms. Earlier candles warm up.
    #[arg(long)]
    pub from: Option<String>,
    /// Candles from here on are left out.
    #[arg(long)]
    pub until: Option<String>,
    /// What to do with components that need more than candles.
    #[arg(long, value_enum, default_value_t = UnsupportedOption::Refuse)]
    pub unsupported: UnsupportedOption,
}

/// See [`Unsupported`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UnsupportedOption {
    /// Refuse the run and name them.
    Refuse,
    /// Signals count as neutral; filters, guards and gates are left out.
    Neutral,
}

impl From<UnsupportedOption> for Unsupported {
    fn from(option: UnsupportedOption) -> Self {
        match option {
            UnsupportedOption::Refuse => Self::Refuse,
            UnsupportedOption::Neutral => Self::Neutral,
        }
    }
}

impl Assumed {
    /// How positions are sized.
    pub fn sizing(&self) -> Sizing {
        match (self.percent_equity, self.risk_per_trade) {
            (Some(pct), _) => Sizing::PercentEquity { pct },
            (None, Some(pct)) => Sizing::RiskPerTrade { pct },
            (None, None) => Sizing::FixedNotional { quote: self.notional },
        }
    }

    /// The first instant to decide on.
    ///
    /// # Errors
    /// [`CommandError::Option`].
    pub fn from(&self) -> Result<Option<Timestamp>, CommandError> {
        self.from.as_deref().map(|text| instant("from", text)).transpose()
    }

    /// The end of the run.
    ///
    /// # Errors
    /// [`CommandError::Option`].
    pub fn until(&self) -> Result<Option<Timestamp>, CommandError> {
        self.until.as_deref().map(|text| instant("until", text)).transpose()
    }
}
