//! The document a bot's owner writes beside the template: how large, with which leverage, within which limits.
//!
//! The server stores it, the bot receives it, the backtest takes it. Reading one never fails on its meaning; all
//! problems of meaning are found at once by [`BotSettings::check`], each with the path of its field. Limits are
//! enforced in [`crate::limits`], sizes computed in [`crate::sizing`].

use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{Decimal, TriggerSource};
use serde::{Deserialize, Serialize};

mod check;

pub(crate) use self::check::MOST_WARMUP_CANDLES;

/// The version of the document format.
pub const SETTINGS_FORMAT: u32 = 1;

/// Everything about a bot that is not its strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotSettings {
    /// Format of the document; [`SETTINGS_FORMAT`].
    pub format: u32,
    /// How an entry's size is computed.
    pub sizing: Sizing,
    /// Leverage set at the venue, 1 or more. It decides margin; it enters the size only as an upper bound: a
    /// position is never worth more than equity times leverage.
    #[serde(with = "decimal_text")]
    pub leverage: Decimal,
    /// Guardrails of the whole bot; an absent one does not limit.
    #[serde(default)]
    pub limits: Limits,
    /// Where stops wait.
    #[serde(default)]
    pub protective_stop: Resting,
    /// Where targets wait.
    #[serde(default)]
    pub take_profit: Resting,
    /// Which price starts a resting stop.
    #[serde(default = "last_price")]
    pub stop_trigger: TriggerSource,
    /// Which decisions are reported.
    #[serde(default)]
    pub recording: Recording,
    /// Candles of history to load before the first decision; at least what the components need is always loaded.
    #[serde(default)]
    pub warmup_candles: Option<u32>,
}

const fn last_price() -> TriggerSource {
    TriggerSource::Last
}

/// How an entry's size is computed. Always rounded down to the instrument's lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sizing {
    /// Always this many units of the instrument's quantity.
    FixedQuantity {
        /// In the venue's unit; greater than zero.
        #[serde(with = "decimal_text")]
        quantity: Decimal,
    },
    /// Always worth this much.
    FixedNotional {
        /// In quote currency; greater than zero.
        #[serde(with = "decimal_text")]
        quote: Decimal,
    },
    /// Worth a share of the equity.
    PercentEquity {
        /// Percent of equity; greater than 0, at most 100 times the leverage.
        #[serde(with = "decimal_text")]
        pct: Decimal,
    },
    /// As large as loses a share of the equity when the hard stop is reached, fees apart.
    RiskPerTrade {
        /// Percent of equity; greater than 0, at most 100.
        #[serde(with = "decimal_text")]
        pct: Decimal,
    },
}

/// Whether protective orders rest at the venue or are watched by the engine on each closed candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resting {
    /// A reduce-only order rests at the venue and moves as the level moves. Holds while the bot is away.
    #[default]
    AtVenue,
    /// Evaluated on each closed candle; the exit is a reduce-only market order.
    InEngine,
}

/// Which decisions are reported. What is decided does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// One decision per closed candle.
    #[default]
    Everything,
    /// Actions, and candles whose headline or direction differs from the candle before.
    Changes,
    /// Entries and exits only.
    Actions,
}

/// The bot's hard guardrails. They block entries, never exits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Positions in instruments with the same base asset; at least 1.
    pub max_positions_per_asset: Option<u32>,
    /// Positions of the bot; at least 1.
    pub max_positions_total: Option<u32>,
    /// Loss since 00:00 UTC.
    pub daily_loss: Option<DailyLoss>,
    /// Loss since Monday 00:00 UTC, in percent of the equity then.
    #[serde(with = "optional_decimal_text")]
    pub weekly_loss_pct: Option<Decimal>,
    /// Fall from the highest equity, in percent of it. Pauses the bot until the limits are cleared by hand.
    #[serde(with = "optional_decimal_text")]
    pub max_drawdown_pct: Option<Decimal>,
    /// Losing trades within a number of candles.
    pub consecutive_losses: Option<ConsecutiveLosses>,
    /// Largest value of one position.
    pub max_position_notional: Option<NotionalLimit>,
    /// Largest value of all positions together, in percent of equity.
    #[serde(with = "optional_decimal_text")]
    pub max_total_exposure_pct: Option<Decimal>,
    /// Largest leverage; the instrument's own maximum holds as well.
    #[serde(with = "optional_decimal_text")]
    pub max_leverage: Option<Decimal>,
    /// Basis points that an entry's price may be worse than the decision's. Entries become immediate-or-cancel
    /// orders at that price; exits beyond it are reported, never held back.
    #[serde(with = "optional_decimal_text")]
    pub max_slippage_bps: Option<Decimal>,
    /// Failed orders within a time. Pauses the bot until the limits are cleared by hand.
    pub order_errors: Option<OrderErrors>,
    /// Seconds between a candle's close and its evaluation.
    pub max_data_age_s: Option<u32>,
    /// Entries since 00:00 UTC.
    pub max_trades_per_day: Option<u32>,
    /// Available margin in percent of equity.
    #[serde(with = "optional_decimal_text")]
    pub min_free_margin_pct: Option<Decimal>,
}

/// The daily loss limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyLoss {
    /// How much may be lost.
    pub most: LossAmount,
    /// What counts as lost.
    #[serde(default)]
    pub counting: LossCounting,
    /// What happens beside blocking entries.
    #[serde(default)]
    pub when_hit: WhenHit,
}

/// A loss in percent or in money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossAmount {
    /// Percent of the equity at the start of the day.
    Pct(#[serde(with = "decimal_text")] Decimal),
    /// Units of the settlement asset.
    Amount(#[serde(with = "decimal_text")] Decimal),
}

/// What counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCounting {
    /// Closed and open positions.
    #[default]
    RealizedAndUnrealized,
    /// Closed positions only.
    Realized,
}

/// What a hit loss limit does beside blocking entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenHit {
    /// Open positions stay under their exit rules.
    #[default]
    Block,
    /// Open positions are closed.
    CloseAll,
}

/// Losing trades in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsecutiveLosses {
    /// This many losses in a row; at least 1.
    pub count: u32,
    /// Within this many candles; at least 1.
    pub lookback_candles: u32,
    /// Entries stay blocked this many candles after the last loss; at least 1.
    pub cool_off_candles: u32,
}

/// The largest value of one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotionalLimit {
    /// How much.
    pub most: NotionalAmount,
    /// What happens to a larger entry.
    #[serde(default)]
    pub when_larger: WhenLarger,
}

/// A value in quote currency or in percent of equity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotionalAmount {
    /// Units of the quote currency.
    Quote(#[serde(with = "decimal_text")] Decimal),
    /// Percent of equity.
    PctEquity(#[serde(with = "decimal_text")] Decimal),
}

/// What happens to an entry above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenLarger {
    /// It is made as large as the limit allows.
    #[default]
    Reduce,
    /// It is refused.
    Refuse,
}

/// Failed orders within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderErrors {
    /// This many; 1 to 100.
    pub count: u32,
    /// Within this many seconds; at least 1.
    pub window_s: u32,
}

impl BotSettings {
    /// Settings without limits.
    pub fn new(sizing: Sizing, leverage: Decimal) -> Self {
        Self {
            format: SETTINGS_FORMAT,
            sizing,
            leverage,
            limits: Limits::default(),
            protective_stop: Resting::default(),
            take_profit: Resting::default(),
            stop_trigger: TriggerSource::Last,
            recording: Recording::default(),
            warmup_candles: None,
        }
    }
}
