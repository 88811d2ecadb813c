//! What a fake venue is made of: markets, accounts, pace.
//!
//! Reads account files (TOML) and candle files (CSV, plain or gzipped). Knows no network.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use keyhold_domain::{
    Candle, Decimal, Exchange, Instrument, MarginMode, Money, Price, Rounding, Timeframe, Timestamp,
};
use keyhold_simulator::exchange::{AccountId, ExchangeConfig, PositionMode};
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::clock::Clock;

/// How fast the replay goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Only when the control interface says `step`.
    Lockstep,
    /// This many base candles per second.
    CandlesPerSecond(f64),
    /// This many times faster than real time.
    TimesRealTime(f64),
}

impl std::str::FromStr for Pace {
    type Err = ConfigError;
    /// `10` candles per second, `60x` times real time, `0` lockstep.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (number, times) = match text.strip_suffix('x') {
            Some(number) => (number, true),
            None => (text, false),
        };
        let speed: f64 = number.parse().map_err(|_| ConfigError::Pace)?;
        if !speed.is_finite() || !(0.0..=100_000.0).contains(&speed) {
            return Err(ConfigError::Pace);
        }
        Ok(match (speed > 0.0, times) {
            (false, _) => Self::Lockstep,
            (true, true) => Self::TimesRealTime(speed),
            (true, false) => Self::CandlesPerSecond(speed),
        })
    }
}

/// Where a market's candles come from.
#[derive(Debug, Clone, PartialEq)]
pub enum CandleSource {
    /// Recorded candles, oldest first. The replay ends after the last.
    Recorded(Vec<Candle>),
    /// A seeded market without end.
    Synthetic {
        /// First price.
        start_price: Price,
        /// Typical move within one base candle, in millionths.
        volatility_ppm: u32,
    },
}

/// One traded instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketConfig {
    /// Its grids and fees.
    pub instrument: Instrument,
    /// Its prices.
    pub source: CandleSource,
}

/// Whether rate limits are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimits {
    /// As documented by the venue.
    #[default]
    Enforced,
    /// None; a generous one is announced and never used up.
    Off,
}

/// Everything a fake venue needs.
#[derive(Clone)]
pub struct VenueConfig {
    /// Whose protocol it speaks.
    pub venue: Exchange,
    /// Where the venue listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the control interface listens.
    pub control: Option<ControlAddress>,
    /// The markets; at least one.
    pub markets: Vec<MarketConfig>,
    /// The accounts with their keys.
    pub accounts: Vec<AccountConfig>,
    /// Source of all chance.
    pub seed: u64,
    /// How fast the replay goes.
    pub pace: Pace,
    /// Length of the base candles.
    pub base: Timeframe,
    /// Base candles that lie in the past when the venue starts.
    pub history: usize,
    /// Open time of the first synthetic candle that is not history; the wall clock's candle when `None`.
    pub start: Option<Timestamp>,
    /// Fill rules, slippage, latency.
    pub exchange: ExchangeConfig,
    /// Rate limits.
    pub rate_limits: RateLimits,
    /// The wall clock.
    pub clock: Clock,
}

impl std::fmt::Debug for VenueConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VenueConfig")
            .field("listen", &self.listen)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

/// Where the control interface listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlAddress {
    /// A loopback address; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

impl std::str::FromStr for ControlAddress {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Unix(PathBuf::from(text)), Self::Tcp))
    }
}

/// One account of the accounts file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Number by which the control interface names it; also its user id.
    pub id: u32,
    /// Money at the start, asset to amount.
    pub balances: BTreeMap<String, String>,
    /// `isolated` or `cross`.
    #[serde(default = "isolated")]
    pub margin_mode: MarginMode,
    /// `one_way` or `hedge`.
    #[serde(default)]
    pub position_mode: PositionModeWord,
    /// The keys that open it.
    #[serde(rename = "key")]
    pub keys: Vec<KeyConfig>,
}

const fn isolated() -> MarginMode {
    MarginMode::Isolated
}

/// The position mode in an accounts file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionModeWord {
    /// One net position per instrument.
    #[default]
    OneWay,
    /// One position per side; orders are refused.
    Hedge,
}

impl From<PositionModeWord> for PositionMode {
    fn from(word: PositionModeWord) -> Self {
        match word {
            PositionModeWord::OneWay => Self::OneWay,
            PositionModeWord::Hedge => Self::Hedge,
        }
    }
}

/// One API key of an account. These are made-up secrets of a made-up venue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// The public part.
    pub key: String,
    /// The made-up secret.
    pub secret: String,
    /// The made-up passphrase, at venues that have one.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// May only read.
    #[serde(default)]
    pub read_only: bool,
    /// Permission words by group, in the words of Bybit's key query. Other venues say them in their own: [`Right`]. The
    /// word `NoAccess` of the group `General` keeps a key from reading, at venues whose keys can be so.
    #[serde(default = "trading")]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// Addresses from which it may be used; empty or `*` means any.
    #[serde(default)]
    pub ips: Vec<String>,
    /// When it stops working, in milliseconds since the epoch; 0 means never.
    #[serde(default)]
    pub expires_at_ms: i64,
}

/// Other rights for a key that is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its public part.
    pub key: String,
    /// All it may do from now on, as in [`KeyConfig::permissions`].
    pub permissions: BTreeMap<String, Vec<String>>,
    /// From where; empty means from anywhere.
    #[serde(default)]
    pub ips: Vec<String>,
}

fn trading() -> BTreeMap<String, Vec<String>> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    BTreeMap::from([("ContractTrade".to_owned(), words(&["Order", "Position"]))])
}

/// What a key may do, in words of no venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See balances, positions and orders.
    Read,
    /// Place, change and cancel orders.
    Order,
    /// Change positions: leverage, margin.
    Position,
    /// Send money out.
    Withdraw,
    /// Move money between own accounts.
    Transfer,
}

impl KeyConfig {
    /// Whether the key has a right.
    pub fn has(&self, right: Right) -> bool {
        let granted = match right {
            Right::Read => return !self.may("General", "NoAccess"),
            Right::Order => self.may("ContractTrade", "Order"),
            Right::Position => self.may("ContractTrade", "Position"),
            Right::Withdraw => self.may("Wallet", "Withdraw"),
            Right::Transfer => {
                self.may("Wallet", "AccountTransfer") || self.may("Wallet", "SubMemberTransfer")
            }
        };
        granted && !self.read_only
    }

    /// Words of groups that stand for no [`Right`]: permissions as nobody has seen them before.
    pub fn strange(&self) -> impl Iterator<Item = &str> {
        let known = ["General", "ContractTrade", "Wallet"];
        let groups = self.permissions.iter().filter(move |(group, _)| !known.contains(&group.as_str()));
        groups.flat_map(|(_, words)| words).map(String::as_str)
    }

    /// Whether a permission word of a group is granted.
    pub fn may(&self, group: &str, word: &str) -> bool {
        self.permissions.get(group).is_some_and(|words| words.iter().any(|granted| granted == word))
    }

    /// Whether the key may be used from this address.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical().to_string();
        self.ips.is_empty() || self.ips.iter().any(|allowed| allowed == "*" || *allowed == peer)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsFile {
    #[serde(rename = "account")]
    accounts: Vec<AccountConfig>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The speed is not a number.
    #[error(
        "a speed is a number of candles per second (`10`), a multiple of real time (`60x`) or 0 for lockstep"
    )]
    Pace,
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The accounts file is not valid.
    #[error("the accounts file is not valid: {0}")]
    Accounts(String),
    /// A line of a candle file is not a candle.
    #[error("line {line} of {path} is not a candle (open_time,open,high,low,close,volume)")]
    Candle {
        /// Which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
    /// The instrument's name or kind is not understood.
    #[error("an instrument is given as NAME=linear or NAME=inverse, not {0:?}")]
    Instrument(String),
    /// Nothing to trade.
    #[error("at least one instrument is needed")]
    NoMarket,
    /// A balance or leverage the exchange refuses.
    #[error("account {account}: {what}")]
    Account {
        /// Which account.
        account: u32,
        /// What is wrong.
        what: String,
    },
}

/// The key of this name and whose it is.
pub(crate) fn find_key<'a>(accounts: &'a [AccountConfig], key: &str) -> Option<(AccountId, &'a KeyConfig)> {
    accounts.iter().find_map(|account| {
        let found = account.keys.iter().find(|candidate| candidate.key == key)?;
        Some((AccountId(account.id), found))
    })
}

/// Reads an accounts file.
pub fn parse_accounts(text: &str) -> Result<Vec<AccountConfig>, ConfigError> {
    let file: AccountsFile =
        toml::from_str(text).map_err(|error| ConfigError::Accounts(error.message().to_owned()))?;
    Ok(file.accounts)
}

/// The money an account starts with.
pub fn parse_balances(account: &AccountConfig) -> Result<Vec<Money>, ConfigError> {
    account
        .balances
        .iter()
        .map(|(asset, amount)| {
            let wrong = |what: &str| ConfigError::Account { account: account.id, what: what.to_owned() };
            let amount = Decimal::from_str_exact(amount).map_err(|_| wrong("a balance is not a number"))?;
            Ok(Money::new(amount, asset.parse().map_err(|_| wrong("an asset has no valid name"))?))
        })
        .collect()
}

/// Reads candles from a CSV file with a header line; `.gz` files are unpacked. Prices are put on the tick.
pub fn read_candles(path: &Path, tick: Decimal) -> Result<Vec<Candle>, ConfigError> {
    let text = read_text(path)?;
    let mut candles = Vec::new();
    for (index, record) in csv::Reader::from_reader(text.as_bytes()).records().enumerate() {
        let candle = record.ok().and_then(|record| candle_of(&record, tick));
        candles.push(candle.ok_or(ConfigError::Candle { path: path.to_owned(), line: index + 2 })?);
    }
    Ok(candles)
}

/// A text file; `.gz` files are unpacked.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(read)?;
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).map_err(read)?;
    }
    Ok(text)
}

fn candle_of(record: &csv::StringRecord, tick: Decimal) -> Option<Candle> {
    let number = |column: usize| Decimal::from_str_exact(record.get(column)?).ok();
    let price = |column: usize| {
        number(column)
            .and_then(|raw| Rounding::Nearest.to_step(raw, tick))
            .and_then(|raw| Price::new(raw).ok())
    };
    let candle = Candle {
        open_time: Timestamp::from_ms(record.get(0)?.parse().ok()?),
        open: price(1)?,
        high: price(2)?,
        low: price(3)?,
        close: price(4)?,
        volume: number(5)?,
    };
    // The exchange computes with prices up to a billion.
    candle.check().ok().filter(|candle| candle.high.get() <= Decimal::from(1_000_000_000))
}
