//! The settings document of [`keyhold_engine::settings`].

use utoipa::ToSchema;

use super::words::{LossCounting, Recording, Resting, TriggerSource, WhenHit, WhenLarger};

/// Everything about a bot that is not its strategy. Answers have every field.
#[derive(ToSchema)]
#[schema(as = BotSettings)]
pub(crate) struct Settings {
    /// Version of the format: 1.
    format: u32,
    sizing: Sizing,
    /// 1 or more.
    leverage: String,
    #[schema(required = false)]
    limits: Limits,
    /// Where stops wait.
    #[schema(required = false)]
    protective_stop: Resting,
    /// Where targets wait.
    #[schema(required = false)]
    take_profit: Resting,
    /// Which price starts a resting stop.
    #[schema(required = false)]
    stop_trigger: TriggerSource,
    #[schema(required = false)]
    recording: Recording,
    /// Candles of history to load before the first decision; at least what the components need is always loaded.
    warmup_candles: Option<u32>,
}

/// How an entry's size is computed.
#[derive(ToSchema)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub(crate) enum Sizing {
    /// Always this many units of the instrument's quantity.
    FixedQuantity { quantity: String },
    /// Always worth this much quote currency.
    FixedNotional { quote: String },
    /// Worth this percentage of the equity.
    PercentEquity { pct: String },
    /// As large as loses this percentage of the equity when the hard stop is reached.
    RiskPerTrade { pct: String },
}

/// The bot's hard guardrails. They block entries, never exits. An absent one does not limit.
#[derive(ToSchema)]
pub(crate) struct Limits {
    /// Positions in instruments with the same base asset.
    max_positions_per_asset: Option<u32>,
    /// Positions of the bot.
    max_positions_total: Option<u32>,
    /// Loss since 00:00 UTC.
    daily_loss: Option<DailyLoss>,
    /// Loss since Monday 00:00 UTC, in percent of the equity then.
    weekly_loss_pct: Option<String>,
    /// Fall from the highest equity, in percent of it.
    max_drawdown_pct: Option<String>,
    /// Losing trades within a number of candles.
    consecutive_losses: Option<ConsecutiveLosses>,
    /// Largest value of one position.
    max_position_notional: Option<NotionalLimit>,
    /// Largest value of all positions together, in percent of equity.
    max_total_exposure_pct: Option<String>,
    /// Largest leverage.
    max_leverage: Option<String>,
    /// Basis points that an entry's price may be worse than the decision's.
    max_slippage_bps: Option<String>,
    /// Failed orders within a time.
    order_errors: Option<OrderErrors>,
    /// Seconds between a candle's close and its evaluation.
    max_data_age_s: Option<u32>,
    /// Entries since 00:00 UTC.
    max_trades_per_day: Option<u32>,
    /// Available margin in percent of equity.
    min_free_margin_pct: Option<String>,
}

/// The daily loss limit.
#[derive(ToSchema)]
pub(crate) struct DailyLoss {
    most: LossAmount,
    #[schema(required = false)]
    counting: LossCounting,
    #[schema(required = false)]
    when_hit: WhenHit,
}

/// A loss in percent of the equity at the start of the day, or in units of the settlement asset.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LossAmount {
    Pct(String),
    Amount(String),
}

/// Losing trades in a row.
#[derive(ToSchema)]
pub(crate) struct ConsecutiveLosses {
    count: u32,
    /// Within this many candles.
    lookback_candles: u32,
    /// Entries stay blocked this many candles after the last loss.
    cool_off_candles: u32,
}

/// The largest value of one position.
#[derive(ToSchema)]
pub(crate) struct NotionalLimit {
    most: NotionalAmount,
    #[schema(required = false)]
    when_larger: WhenLarger,
}

/// A value in quote currency or in percent of equity.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotionalAmount {
    Quote(String),
    PctEquity(String),
}

/// Failed orders within a time.
#[derive(ToSchema)]
pub(crate) struct OrderErrors {
    count: u32,
    /// Within this many seconds.
    window_s: u32,
}
