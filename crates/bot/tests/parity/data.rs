//! What is played: candles, the template at one minute, the settings.

use std::path::{Path, PathBuf};

use keyhold_domain::{Candle, Decimal, Instrument, Timeframe, Timestamp};
use keyhold_engine::settings::{
    BotSettings, ConsecutiveLosses, DailyLoss, Limits, LossAmount, LossCounting, NotionalAmount,
    NotionalLimit, Sizing, WhenHit, WhenLarger,
};
use keyhold_engine::system_templates;
use keyhold_engine::template::Template;
use keyhold_fake_venues::config::read_candles;
use keyhold_fake_venues::parse_instrument;
use keyhold_simulator::market::{Synthetic, SyntheticConfig};

/// One comparison.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) candles: Vec<Candle>,
    /// How many of them are past when the bot starts.
    pub(crate) history: usize,
    pub(crate) instrument: Instrument,
    pub(crate) template: Template,
    pub(crate) settings: BotSettings,
    /// Fewer trades would prove little.
    pub(crate) least_trades: usize,
}

pub(crate) const START_EQUITY: Decimal = Decimal::ONE;
pub(crate) const SLIPPAGE_BPS: Decimal = Decimal::ONE;
/// The fake venue's constant funding rate.
pub(crate) const FUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 4);

const HISTORY: usize = 600;

fn instrument() -> Instrument {
    Instrument { tick: Decimal::new(5, 1), ..parse_instrument("BTCUSD=inverse").unwrap() }
}

fn template(id: &str) -> Template {
    let found = system_templates::all().into_iter().find(|template| template.id == id).unwrap();
    Template { timeframe: Timeframe::M1, ..found.template }
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
        instrument: instrument(),
        template: template(id),
        settings: settings(id),
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

/// A month of real candles, or nothing where they are absent.
pub(crate) fn month(id: &str, least_trades: usize) -> Option<Case> {
    let path = shared().join("data/btcusd-perp-1m-2022-01.csv.gz");
    if !path.exists() {
        eprintln!("SKIPPED: ../shared is absent: the month of real candles was not played");
        return None;
    }
    let candles = read_candles(&path, instrument().tick).unwrap();
    assert_eq!(candles.len(), 45_031);
    Some(case(format!("{id}, January 2022"), id, candles, least_trades))
}

fn shared() -> PathBuf {
    std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}
