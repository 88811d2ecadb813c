//! Candles and documents that make a bot trade predictably.

use std::sync::Arc;

use keyhold_domain::{Candle, Decimal, Timeframe, Timestamp};
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_engine::template::Template;
use keyhold_fake_venues::clock::system_clock;
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::parse_instrument;
use keyhold_simulator::exchange::ExchangeConfig;
use serde_json::json;

/// Made-up keys of a made-up venue. Each secret is long and odd enough to be found in memory.
pub(crate) const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USDT = "10000" }
    [[account.key]]
    key = "TRADEKEY-3f9c1b7a"
    secret = "MARKER-SECRET-c41d7be09a2f5581-trade"
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY-0b6f21"
    secret = "MARKER-SECRET-c41d7be09a2f5581-read"
    read_only = true
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "OPENKEY-77aa01"
    secret = "MARKER-SECRET-c41d7be09a2f5581-open"
    [[account.key]]
    key = "NOORDERKEY-51d0"
    secret = "MARKER-SECRET-c41d7be09a2f5581-noorder"
    permissions = { ContractTrade = ["Position"] }
    [[account.key]]
    key = "WITHDRAWKEY-90ee"
    secret = "MARKER-SECRET-c41d7be09a2f5581-withdraw"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["AccountTransfer", "Withdraw"] }
    [[account.key]]
    key = "TRANSFERKEY-1c3d"
    secret = "MARKER-SECRET-c41d7be09a2f5581-transfer"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["AccountTransfer"] }
    [[account.key]]
    key = "ODDKEY-7e7e"
    secret = "MARKER-SECRET-c41d7be09a2f5581-odd"
    permissions = { ContractTrade = ["Order", "Position"], Teleport = ["Everything"] }
    [[account.key]]
    key = "FOREIGNKEY-2b2b"
    secret = "MARKER-SECRET-c41d7be09a2f5581-foreign"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "EXPIREDKEY-9d9d"
    secret = "MARKER-SECRET-c41d7be09a2f5581-expired"
    expires_at_ms = 1
"#;

/// What is common to all secrets above.
pub(crate) const MARKER: &str = "MARKER-SECRET-c41d7be09a2f5581";

/// The key that trades, with its secret.
pub(crate) const TRADER: (&str, &str) = ("TRADEKEY-3f9c1b7a", "MARKER-SECRET-c41d7be09a2f5581-trade");

/// Candles that are past when the venue starts.
pub(crate) const HISTORY: usize = 30;
const START_MS: i64 = 1_704_067_200_000;
const MINUTE_MS: i64 = 60_000;

/// The opening time of the n-th candle after the history.
pub(crate) fn opening(n: usize) -> Timestamp {
    let index = i64::try_from(HISTORY + n).unwrap();
    Timestamp::from_ms(START_MS + index * MINUTE_MS)
}

/// A wave around 50,000: ten candles up, ten down, so that averages cross again and again.
fn wave(candles: usize) -> Vec<Candle> {
    let price = |value: i64| Decimal::from(value).to_string().parse().unwrap();
    let level = |n: i64| {
        let phase = n.rem_euclid(20);
        50_000 + 100 * if phase < 10 { phase } else { 20 - phase }
    };
    (0..i64::try_from(candles).unwrap())
        .map(|n| {
            let (open, close) = (level(n), level(n + 1));
            Candle {
                open_time: Timestamp::from_ms(START_MS + n * MINUTE_MS),
                open: price(open),
                high: price(open.max(close) + 10),
                low: price(open.min(close) - 10),
                close: price(close),
                volume: Decimal::TEN,
            }
        })
        .collect()
}

pub(crate) fn venue(seed: u64) -> VenueConfig {
    let market = MarketConfig {
        instrument: parse_instrument("BTCUSDT=linear").unwrap(),
        source: CandleSource::Recorded(wave(600)),
    };
    VenueConfig {
        venue: keyhold_domain::Exchange::Bybit,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![market],
        accounts: parse_accounts(ACCOUNTS).unwrap(),
        seed,
        pace: Pace::Lockstep,
        base: Timeframe::M1,
        history: HISTORY,
        start: Some(Timestamp::from_ms(START_MS)),
        exchange: ExchangeConfig::default(),
        rate_limits: RateLimits::Off,
        clock: Arc::clone(&system_clock()),
    }
}

/// In the market whenever the fast average is above or below the slow one; a stop rests three percent away.
pub(crate) fn template() -> Template {
    serde_json::from_value(json!({
        "format": 1,
        "name": "Wave rider",
        "description": "For tests.",
        "timeframe": "1m",
        "combination": { "mode": "min_signals", "count": 1 },
        "components": [
            { "kind": "ema_cross", "role": "signal",
              "parameters": { "fast": "2", "slow": "5", "trigger": "state" } }
        ],
        "exits": [
            { "kind": "hard_stop", "parameters": { "basis": "percent", "pct": "3" } },
            { "kind": "signal_flip" }
        ]
    }))
    .unwrap()
}

pub(crate) fn settings() -> serde_json::Value {
    let sizing = Sizing::FixedNotional { quote: Decimal::from(1_000) };
    serde_json::to_value(BotSettings::new(sizing, Decimal::TWO)).unwrap()
}
