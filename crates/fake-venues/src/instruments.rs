//! Instruments as the venues list them, from names on the command line: `BTCUSDT=linear`.
//!
//! Each protocol reads its own names; coins and their usual prices are shared.

use keyhold_domain::{Asset, ContractType, Decimal, Exchange, Instrument, Price, Symbol};

use crate::config::ConfigError;
use crate::{binance, bitmex, bybit, kraken, okx};

/// A coin as markets are made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coin {
    name: &'static str,
    /// Tick of its contracts.
    pub(crate) tick: Decimal,
    /// Lot of linear contracts, in coins.
    pub(crate) lot: Decimal,
    price: i64,
}

const fn row(name: &'static str, tick_places: u32, lot_places: u32, price: i64) -> Coin {
    let tick = Decimal::from_parts(1, 0, 0, false, tick_places);
    Coin { name, tick, lot: Decimal::from_parts(1, 0, 0, false, lot_places), price }
}

const COINS: [Coin; 4] =
    [row("BTC", 1, 3, 60_000), row("ETH", 2, 2, 3_000), row("XRP", 4, 1, 1), row("SOL", 2, 1, 150)];
const OTHER: Coin = row("", 2, 1, 100);

/// The coin of a contract; a sensible one for those that are not known.
pub(crate) fn coin(base: Asset) -> Coin {
    COINS.into_iter().find(|coin| coin.name == base.as_str()).unwrap_or(OTHER)
}

/// A name and a kind, for example `BTCUSDT=linear`.
pub(crate) fn name_and_kind(text: &str) -> Option<(Symbol, ContractType)> {
    let (name, kind) = text.split_once('=')?;
    Some((name.parse().ok()?, kind.parse().ok()?))
}

/// Reads a Bybit instrument: `BTCUSDT=linear` or `BTCUSD=inverse`.
pub fn parse(text: &str) -> Result<Instrument, ConfigError> {
    parse_at(Exchange::Bybit, text)
}

/// Reads an instrument by the name an exchange gives it, followed by `=linear` or `=inverse`.
pub fn parse_at(exchange: Exchange, text: &str) -> Result<Instrument, ConfigError> {
    let found = match exchange {
        Exchange::Bybit => bybit::instruments::parse(text),
        Exchange::Okx => okx::instruments::parse(text),
        Exchange::KrakenFutures => kraken::instruments::parse(text),
        Exchange::Binance => binance::instruments::parse(text),
        Exchange::Bitmex => bitmex::instruments::parse(text),
    };
    found.ok_or_else(|| ConfigError::Instrument(text.to_owned()))
}

/// What a venue lists when it is not told: one linear and one inverse instrument.
pub const fn usual(exchange: Exchange) -> [&'static str; 2] {
    match exchange {
        Exchange::Bybit => ["BTCUSDT=linear", "BTCUSD=inverse"],
        Exchange::Binance => ["BTCUSDT=linear", "BTCUSD_PERP=inverse"],
        Exchange::KrakenFutures => ["PF_XBTUSD=linear", "PI_XBTUSD=inverse"],
        Exchange::Okx => ["BTC-USDT-SWAP=linear", "BTC-USD-SWAP=inverse"],
        Exchange::Bitmex => ["XBTUSDT=linear", "XBTUSD=inverse"],
    }
}

/// A usual price of the instrument, where a synthetic market starts.
pub fn start_price(instrument: &Instrument) -> Price {
    Price::new(Decimal::from(coin(instrument.base).price)).expect("the listed prices are positive")
}
