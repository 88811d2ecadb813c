//! What is played: candles, the template at one minute, the settings.

use std::path::{Path, PathBuf};

use keyhold_domain::{Candle, Decimal, Instrument, Rate, Timeframe, Timestamp};
use keyhold_engine::settings::{
    BotSettings, ConsecutiveLosses, DailyLoss, Limits, LossAmount, LossCounting, NotionalAmount,
    NotionalLimit, Sizing, WhenHit, WhenLarger,
};
use keyhold_engine::system_templates;
use keyhold_engine::template::{Role, Template};
use keyhold_fake_venues::config::{read_candles, read_text};
use keyhold_fake_venues::parse_instrument;
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use serde_json::json;

/// One comparison.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Of the template's timeframe.
    pub(crate) candles: Vec<Candle>,
    /// How many of them are past when the bot starts.
    pub(crate) history: usize,
    pub(crate) instrument: Instrument,
    pub(crate) template: Template,
    pub(crate) settings: BotSettings,
    pub(crate) start_equity: Decimal,
    pub(crate) funding: Rates,
    /// Fewer trades would prove little.
    pub(crate) least_trades: usize,
}

/// What is paid for holding a position.
#[derive(Debug, Clone)]
pub(crate) enum Rates {
    /// The fake venue's own rate, at every funding time.
    Constant,
    /// The rates that were paid, at their times; the first is in force from the start.
    Recorded(Vec<(Timestamp, Rate)>),
}

pub(crate) const SLIPPAGE_BPS: Decimal = Decimal::ONE;
/// The fake venue's constant funding rate.
pub(crate) const FUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 4);

/// More than any template's warm-up at one minute: a day for a volume-weighted average that begins anew every day.
const HISTORY: usize = 1_500;

fn bitcoin() -> Instrument {
    Instrument { tick: Decimal::new(5, 1), ..parse_instrument("BTCUSD=inverse").unwrap() }
}

fn ripple() -> Instrument {
    Instrument {
        tick: Decimal::new(1, 4),
        lot: Decimal::ONE,
        min_quantity: "1".parse().unwrap(),
        max_quantity: "1000000".parse().ok(),
        ..parse_instrument("XRPUSDT=linear").unwrap()
    }
}

/// What a template made for longer candles and a real order book needs to trade here at all: component, role, parameter,
/// value.
const SHORTER: [(&str, Role, &str, &str); 9] = [
    ("mtf_trend", Role::Filter, "timeframe", "15m"),
    ("atr", Role::RiskGate, "min_pct", "0.03"),
    ("roc", Role::Signal, "threshold_pct", "0.2"),
    ("min_move", Role::EntryGuard, "min_multiple_of_cost", "0.5"),
    // The rates of these days, and the small book of the fake venue.
    ("funding_rate", Role::Signal, "extreme_pos", "0.01"),
    ("open_interest", Role::Signal, "min_change_pct", "0.5"),
    ("cvd", Role::Signal, "min_pct", "5"),
    ("min_depth", Role::EntryGuard, "notional", "100"),
    ("min_depth", Role::EntryGuard, "within_bps", "50"),
];

/// A system template on the candles that there are.
fn template(id: &str, timeframe: Timeframe) -> Template {
    let found = system_templates::all().into_iter().find(|template| template.id == id).unwrap();
    let mut template = Template { timeframe, ..found.template };
    for component in &mut template.components {
        let (kind, role) = (component.kind.clone(), component.role);
        for (.., name, value) in
            SHORTER.iter().filter(|(one, used, ..)| (*one, *used) == (kind.as_str(), role))
        {
            component.parameters.insert((*name).to_owned(), serde_json::from_value(json!(value)).unwrap());
        }
    }
    template
}

/// Sizes follow the equity, so that a wrong amount anywhere changes every later one. One of the two runs has limits.
fn settings(id: &str) -> BotSettings {
    let mut settings = BotSettings::new(Sizing::RiskPerTrade { pct: Decimal::new(2, 1) }, Decimal::from(3));
    if id == "mean-reversion" {
        settings.limits = Limits {
            daily_loss: Some(DailyLoss {
                most: LossAmount::Pct(Decimal::from(4)),
                counting: LossCounting::RealizedAndUnrealized,
                when_hit: WhenHit::CloseAll,
            }),
            consecutive_losses: Some(ConsecutiveLosses {
                count: 3,
                lookback_candles: 240,
                cool_off_candles: 30,
            }),
            max_position_notional: Some(NotionalLimit {
                most: NotionalAmount::PctEquity(Decimal::from(60)),
                when_larger: WhenLarger::Reduce,
            }),
            max_trades_per_day: Some(40),
            ..Limits::default()
        };
    }
    settings
}

fn case(name: String, id: &str, candles: Vec<Candle>, least_trades: usize) -> Case {
    Case {
        name,
        candles,
        history: HISTORY,
        instrument: bitcoin(),
        template: template(id, Timeframe::M1),
        settings: settings(id),
        start_equity: Decimal::ONE,
        funding: Rates::Constant,
        least_trades,
    }
}

/// Three thousand candles that exist on every machine.
pub(crate) fn made_up(id: &str, volatility_ppm: u32, least_trades: usize) -> Case {
    let candles = Synthetic::new(SyntheticConfig {
        seed: 22,
        stream: 0,
        start_price: "46000".parse().unwrap(),
        tick: Decimal::new(5, 1),
        start: Timestamp::from_ms(1_640_991_660_000),
        timeframe: Timeframe::M1,
        volatility_ppm,
    });
    case(format!("{id}, made-up market"), id, candles.take(3_000 + HISTORY).collect(), least_trades)
}

/// How much of the month is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// All of it.
    Whole,
    /// All of it only when `KEYHOLD_PARITY=whole` says so, because it takes minutes; else its first part.
    Part,
}

/// Two weeks after the history.
const PART: usize = HISTORY + 14 * 1_440;

/// A month of real one-minute candles of an inverse contract. Nothing where they are absent.
pub(crate) fn month(id: &str, least_trades: usize, span: Span) -> Option<Case> {
    let mut candles = recording("btcusd-perp-1m-2022-01.csv.gz", bitcoin().tick)?;
    assert_eq!(candles.len(), 45_031);
    let all = span == Span::Whole || std::env::var_os("KEYHOLD_PARITY").is_some_and(|asked| asked == "whole");
    if !all {
        candles.truncate(PART);
        return Some(case(format!("{id}, the first weeks of January 2022"), id, candles, least_trades / 3));
    }
    Some(case(format!("{id}, January 2022"), id, candles, least_trades))
}

/// Four days of real five-minute candles of a linear contract with the funding that was paid. Nothing where they are absent.
pub(crate) fn days(id: &str, least_trades: usize) -> Option<Case> {
    let instrument = ripple();
    let candles = recording("xrpusdt-5m.csv.gz", instrument.tick)?;
    let funding = recorded_funding(&shared().join("data/xrpusdt-funding-8h.csv.gz"));
    // The first rate that was recorded is the one in force when the bot starts.
    let history = candles.iter().position(|candle| candle.open_time >= funding[0].0).unwrap();
    assert_eq!(history, 864, "three days, more than any warm-up at five minutes");
    Some(Case {
        name: format!("{id}, XRP in November 2021"),
        candles,
        history,
        instrument,
        template: template(id, Timeframe::M5),
        settings: settings(id),
        start_equity: Decimal::from(10_000),
        funding: Rates::Recorded(funding),
        least_trades,
    })
}

fn recording(name: &str, tick: Decimal) -> Option<Vec<Candle>> {
    let path = shared().join("data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: ../shared is absent: the real candles of {name} were not played");
        return None;
    }
    Some(read_candles(&path, tick).unwrap())
}

/// The venue wrote down when it had booked a payment, some milliseconds after the full hour at which it was due.
fn recorded_funding(path: &Path) -> Vec<(Timestamp, Rate)> {
    const HOUR_MS: i64 = 3_600_000;
    let text = read_text(path).unwrap();
    let row = |line: &str| {
        let (at, rate) = line.split_once(',').unwrap();
        let at: i64 = at.parse().unwrap();
        assert!(at % HOUR_MS < 1_000, "{at} is not near a full hour");
        (Timestamp::from_ms(at - at % HOUR_MS), Rate::new(rate.parse().unwrap()))
    };
    text.lines().skip(1).map(row).collect()
}

fn shared() -> PathBuf {
    std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}
