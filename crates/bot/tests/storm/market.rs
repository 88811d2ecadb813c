//! The venues of the storm, and candles and documents that make a bot trade often.

use keyhold_domain::{Candle, ContractType, Decimal, Exchange, Timestamp};
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_engine::template::Template;
use keyhold_simulator::random::Random;
use serde_json::json;

/// One exchange of the storm.
#[derive(Debug)]
pub(crate) struct VenueKind {
    /// On the command line.
    pub(crate) name: &'static str,
    pub(crate) exchange: Exchange,
    pub(crate) contract: ContractType,
    /// As `keyhold-fake-venue` lists it.
    pub(crate) listing: &'static str,
    /// What the account holds.
    pub(crate) money: (&'static str, &'static str),
    /// A small order.
    pub(crate) lot: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) passphrase: Option<&'static str>,
}

impl VenueKind {
    /// What a quantity is worth in dollars: coins, or dollars themselves.
    pub(crate) fn worth(&self, quantity: Decimal, price: Decimal) -> Decimal {
        match self.contract {
            ContractType::Linear => quantity.abs() * price,
            ContractType::Inverse => quantity.abs(),
        }
    }

    /// What fills at once in a thin market, a thick one at last. An entry is 0.02 coins or 1,000 dollars.
    pub(crate) const fn depths(&self) -> [&'static str; 3] {
        match self.contract {
            ContractType::Linear => ["0.005", "0.011", "1"],
            ContractType::Inverse => ["200", "500", "100000"],
        }
    }

    /// What the money of one trade may differ by: a venue books every flow in eight places.
    pub(crate) fn slack(&self) -> Decimal {
        match self.contract {
            ContractType::Linear => Decimal::new(1, 6),
            ContractType::Inverse => Decimal::new(2, 7),
        }
    }
}

pub(crate) const VENUES: &[VenueKind] = &[
    VenueKind {
        name: "bybit",
        exchange: Exchange::Bybit,
        contract: ContractType::Linear,
        listing: "BTCUSDT=linear",
        money: ("USDT", "10000"),
        lot: "0.001",
        secret: "made-up-secret-of-a-made-up-venue-5a1e",
        passphrase: None,
    },
    VenueKind {
        name: "kraken",
        exchange: Exchange::KrakenFutures,
        contract: ContractType::Linear,
        listing: "PF_XBTUSD=linear",
        money: ("USD", "10000"),
        lot: "0.001",
        // As Kraken gives them out: base64.
        secret: "bWFkZS11cC1zZWNyZXQtb2YtYS1tYWRlLXVwLXZlbnVl",
        passphrase: None,
    },
    VenueKind {
        name: "okx",
        exchange: Exchange::Okx,
        contract: ContractType::Linear,
        listing: "BTC-USDT-SWAP=linear",
        money: ("USDT", "10000"),
        lot: "0.001",
        secret: "MADEUPSECRETOFAMADEUPVENUE5A1E",
        passphrase: Some("made-up-words"),
    },
    VenueKind {
        name: "bitmex",
        exchange: Exchange::Bitmex,
        contract: ContractType::Linear,
        listing: "XBTUSDT=linear",
        money: ("USDT", "10000"),
        lot: "0.001",
        secret: "made-up-secret-of-a-made-up-venue-5a1e",
        passphrase: None,
    },
    VenueKind {
        name: "binance-usdm",
        exchange: Exchange::Binance,
        contract: ContractType::Linear,
        listing: "BTCUSDT=linear",
        money: ("USDT", "10000"),
        lot: "0.001",
        secret: "made-up-secret-of-a-made-up-venue-5a1e",
        passphrase: None,
    },
    VenueKind {
        name: "binance-coinm",
        exchange: Exchange::Binance,
        contract: ContractType::Inverse,
        listing: "BTCUSD_PERP=inverse",
        money: ("BTC", "1"),
        lot: "100",
        secret: "made-up-secret-of-a-made-up-venue-5a1e",
        passphrase: None,
    },
];

/// The public half of the key.
pub(crate) const API_KEY: &str = "STORMKEY-8d21";
/// Candles that are past when the venue starts.
pub(crate) const HISTORY: usize = 30;
pub(crate) const MINUTE_MS: i64 = 60_000;
/// 20 minutes and the history before funding is paid.
pub(crate) const START_MS: i64 = 1_704_067_200_000 + (8 * 60 - 20 - 30) * MINUTE_MS;
/// About what an entry is worth.
pub(crate) const NOTIONAL: i64 = 1_000;

/// When the venue starts.
pub(crate) fn opening() -> Timestamp {
    Timestamp::from_ms(START_MS + i64::try_from(HISTORY).unwrap() * MINUTE_MS)
}

/// A wave around 50,000 of changing length and height, so that averages cross again and again.
pub(crate) fn wave(random: &mut Random, candles: usize) -> Vec<Candle> {
    let price = |value: i64| Decimal::from(value).to_string().parse().unwrap();
    let (mut level, mut left, mut slope) = (50_000_i64, 0_u64, 100_i64);
    (0..i64::try_from(candles).unwrap())
        .map(|n| {
            if left == 0 {
                left = 3 + random.below(6);
                let size = 40 + i64::try_from(random.below(160)).unwrap();
                // Back towards the middle when far from it.
                let up = if level > 52_000 { false } else { level < 48_000 || slope < 0 };
                slope = if up { size } else { -size };
            }
            left -= 1;
            let (open, close) = (level, level + slope);
            level = close;
            let wick = 5 + i64::try_from(random.below(60)).unwrap();
            Candle {
                open_time: Timestamp::from_ms(START_MS + n * MINUTE_MS),
                open: price(open),
                high: price(open.max(close) + wick),
                low: price(open.min(close) - wick),
                close: price(close),
                volume: Decimal::TEN,
            }
        })
        .collect()
}

/// In the market whenever the fast average is above or below the slow one; a stop rests at the venue, and for some seeds a
/// target, too. For some the entry looks at the order book.
pub(crate) fn template(random: &mut Random) -> Template {
    let stop = ["0.6", "1", "3"][usize::try_from(random.below(3)).unwrap()];
    let mut exits = vec![
        json!({ "kind": "hard_stop", "parameters": { "basis": "percent", "pct": stop } }),
        json!({ "kind": "signal_flip" }),
    ];
    if random.chance(400) {
        exits.push(json!({ "kind": "take_profit", "parameters": { "basis": "percent", "pct": "0.5" } }));
    }
    let mut components = vec![json!({
        "kind": "ema_cross", "role": "signal", "parameters": { "fast": "2", "slow": "5", "trigger": "state" }
    })];
    if random.chance(300) {
        // Entries need a whole book: the bot listens to the order book and repairs it after gaps.
        components.push(json!({
            "kind": "min_depth", "role": "entry_guard", "parameters": { "notional": "1", "within_bps": "100" }
        }));
    }
    serde_json::from_value(json!({
        "format": 1,
        "name": "Wave rider",
        "description": "For tests.",
        "timeframe": "1m",
        "combination": { "mode": "min_signals", "count": 1 },
        "components": components,
        "exits": exits
    }))
    .unwrap()
}

pub(crate) fn settings(random: &mut Random) -> serde_json::Value {
    let sizing = Sizing::FixedNotional { quote: Decimal::from(NOTIONAL) };
    let leverage = [2, 5, 20, 50][usize::try_from(random.below(4)).unwrap()];
    serde_json::to_value(BotSettings::new(sizing, Decimal::from(leverage))).unwrap()
}
