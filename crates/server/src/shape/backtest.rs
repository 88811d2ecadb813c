//! The result of a backtest: the simulator's report without its trades, and what the server says beside it.

use utoipa::ToSchema;

use super::key::Instrument;
use super::settings::Settings;
use super::template::Document;
use super::words::{Exchange, Role, Side, Step, Timeframe};

/// What a backtest brought. Amounts are in the settlement asset, percentages are numbers.
#[derive(ToSchema)]
#[schema(as = BacktestResult)]
pub(crate) struct BacktestResult {
    /// Version of the format.
    format: u32,
    /// The result in one sentence.
    verdict: String,
    /// To be shown with every result.
    disclaimer: String,
    /// Reasons to doubt it.
    cautions: Vec<Caution>,
    /// What a reader must know before believing it.
    findings: Vec<Finding>,
    assumptions: Assumptions,
    /// Candles decided on.
    candles: u64,
    /// Candles used as history.
    warmup_candles: u64,
    /// Missing candles, the first 1,000 gaps.
    gaps: Vec<ResultGap>,
    metrics: Metrics,
    execution: Execution,
    /// What each component contributed, when that was asked for.
    #[schema(required)]
    signals: Option<SignalAnalysis>,
    /// Wanted entries that were not made, by the first reason against them; the most frequent first.
    blocked: Vec<Blocked>,
    /// Change of the price in percent; of several markets, the mean.
    #[schema(required)]
    buy_and_hold_pct: Option<f64>,
    /// What holding would have made of the equity at the start.
    buy_and_hold: Vec<HeldPoint>,
    open_at_end: Vec<OpenAtEnd>,
    /// At most 2,049 points.
    equity: Vec<EquityPoint>,
    /// Trades made.
    trades_total: u64,
    /// Trades that can be read; figures are of all.
    trades_kept: u64,
}

/// A reason to doubt a result.
#[derive(ToSchema)]
#[schema(as = BacktestCaution)]
pub(crate) struct Caution {
    code: String,
    text: String,
}

/// What a reader must know before believing a result.
#[derive(ToSchema)]
#[schema(as = BacktestFinding)]
pub(crate) struct Finding {
    code: String,
    message: String,
}

/// What was assumed.
#[derive(ToSchema)]
#[schema(as = BacktestAssumptions)]
pub(crate) struct Assumptions {
    template: String,
    template_version: u32,
    exchange: Exchange,
    /// The first of the instruments.
    symbol: String,
    timeframe: Timeframe,
    asset: String,
    start_equity: String,
    /// Open time of the first candle decided on.
    from: i64,
    /// Close time of the last candle.
    until: i64,
    leverage: String,
    maker_fee: String,
    taker_fee: String,
    fills: Fills,
    /// `off`, `constant` or `history`.
    funding: String,
    /// `on` or `off`.
    limits: String,
    /// `refuse` or `neutral`.
    unsupported: String,
    instruments: Vec<Instrument>,
    template_document: Document,
    settings: Settings,
}

/// How fills happen.
#[derive(ToSchema)]
#[schema(as = BacktestFills)]
pub(crate) struct Fills {
    slippage_bps: String,
    /// `next_open` or `same_close`.
    decision: String,
    /// `entry_candle` or `next_candle`.
    protect_from: String,
    /// `stop_first` or `target_first`.
    intrabar: String,
    /// `at_market` or `at_order`.
    stop_gap: String,
    /// `at_market` or `at_order`.
    target_gap: String,
}

/// Missing candles of a market.
#[derive(ToSchema)]
#[schema(as = BacktestGap)]
pub(crate) struct ResultGap {
    symbol: String,
    from: i64,
    until: i64,
}

/// Figures of trades and of the equity.
#[derive(ToSchema)]
#[schema(as = BacktestMetrics)]
pub(crate) struct Metrics {
    trades: TradeStats,
    equity: CourseSummary,
    #[schema(required)]
    return_pct: Option<f64>,
    /// In quote currency, every trade converted at its exit price.
    #[schema(required)]
    net_quote: Option<String>,
    by_exit_reason: Vec<Group>,
    by_side: Vec<Group>,
    by_symbol: Vec<Group>,
    by_hour: Vec<Group>,
    by_template: Vec<Group>,
    heat_map: Vec<HeatCell>,
}

/// Figures of a set of trades.
#[derive(ToSchema)]
pub(crate) struct TradeStats {
    count: u64,
    wins: u64,
    losses: u64,
    even: u64,
    gross: String,
    fees: String,
    funding: String,
    net: String,
    #[schema(required)]
    win_rate_pct: Option<f64>,
    #[schema(required)]
    profit_factor: Option<f64>,
    #[schema(required)]
    expectancy: Option<String>,
    #[schema(required)]
    expectancy_r: Option<f64>,
    #[schema(required)]
    average_win: Option<String>,
    #[schema(required)]
    average_loss: Option<String>,
    #[schema(required)]
    payoff: Option<f64>,
    #[schema(required)]
    best: Option<String>,
    #[schema(required)]
    worst: Option<String>,
    win_streak: u64,
    loss_streak: u64,
    #[schema(required)]
    average_holding_ms: Option<i64>,
    #[schema(required)]
    average_entry_delay_ms: Option<i64>,
    #[schema(required)]
    slippage_in_bps: Option<f64>,
    #[schema(required)]
    slippage_out_bps: Option<f64>,
    #[schema(required)]
    fees_of_gross_pct: Option<f64>,
}

/// Figures of trades that have something in common.
#[derive(ToSchema)]
#[schema(as = TradeGroup)]
pub(crate) struct Group {
    key: String,
    stats: TradeStats,
}

/// Trades entered in one hour of one weekday.
#[derive(ToSchema)]
pub(crate) struct HeatCell {
    /// Monday = 0 to Sunday = 6.
    weekday: u8,
    /// 0 to 23, UTC.
    hour: u8,
    trades: u64,
    net: String,
}

/// Figures of the course of the equity.
#[derive(ToSchema)]
pub(crate) struct CourseSummary {
    start: String,
    end: String,
    from: i64,
    until: i64,
    #[schema(required)]
    max_drawdown: Option<Drawdown>,
    #[schema(required)]
    max_drawdown_pct: Option<f64>,
    #[schema(required)]
    sharpe: Option<f64>,
    #[schema(required)]
    sortino: Option<f64>,
    #[schema(required)]
    cagr_pct: Option<f64>,
    #[schema(required)]
    calmar: Option<f64>,
    #[schema(required)]
    exposure_pct: Option<f64>,
    months: Vec<OneMonth>,
}

/// The greatest fall from a highest equity.
#[derive(ToSchema)]
pub(crate) struct Drawdown {
    amount: String,
    peak: String,
    from: i64,
    trough: i64,
    #[schema(required)]
    recovered: Option<i64>,
}

/// The course of one calendar month, UTC.
#[derive(ToSchema)]
#[schema(as = ResultMonth)]
pub(crate) struct OneMonth {
    /// `2022-01`.
    month: String,
    change: String,
    #[schema(required)]
    change_pct: Option<f64>,
    start: String,
}

/// How orders were executed.
#[derive(ToSchema)]
pub(crate) struct Execution {
    orders: u64,
    refused: u64,
    fills: u64,
    #[schema(required)]
    fill_ratio_pct: Option<f64>,
    #[schema(required)]
    maker_share_pct: Option<f64>,
}

/// What a run's decisions say about its components.
#[derive(ToSchema)]
pub(crate) struct SignalAnalysis {
    decisions: u64,
    horizon_candles: u64,
    components: Vec<ComponentAnalysis>,
}

/// What one component contributed.
#[derive(ToSchema)]
pub(crate) struct ComponentAnalysis {
    /// Place in the template's list.
    component: u16,
    kind: String,
    role: Role,
    verdicts: u64,
    long: u64,
    short: u64,
    agreed: SignalOutcome,
    neutral: SignalOutcome,
    opposed: SignalOutcome,
    blocked: u64,
    blocked_alone: u64,
    missed: u64,
    avoided: u64,
    #[schema(required)]
    later_move_pct: Option<f64>,
}

/// What a set of trades brought.
#[derive(ToSchema)]
pub(crate) struct SignalOutcome {
    trades: u64,
    #[schema(required)]
    win_rate_pct: Option<f64>,
    net: String,
}

/// Entries that were not made for one reason.
#[derive(ToSchema)]
#[schema(as = BlockedEntries)]
pub(crate) struct Blocked {
    /// Documented in `docs/reference/reason-codes.md`.
    code: String,
    step: Step,
    count: u64,
    text: String,
}

/// The worth of a position that was only held.
#[derive(ToSchema)]
pub(crate) struct HeldPoint {
    at: i64,
    equity: String,
}

/// A position still open at the end.
#[derive(ToSchema)]
pub(crate) struct OpenAtEnd {
    symbol: String,
    /// Signed: negative for short.
    size: String,
    entry: String,
    since: i64,
    #[schema(required)]
    unrealized: Option<String>,
}

/// The equity at one instant.
#[derive(ToSchema)]
#[schema(as = BacktestEquityPoint)]
pub(crate) struct EquityPoint {
    at: i64,
    equity: String,
    /// Fall from the highest equity so far; zero or more.
    drawdown: String,
}

/// A completed round trip of a backtest.
#[derive(ToSchema)]
#[schema(as = BacktestTrade)]
pub(crate) struct BacktestTrade {
    id: String,
    /// From 1 in the order in which they ended.
    number: u64,
    symbol: String,
    side: Side,
    quantity: String,
    entry_price: String,
    exit_price: String,
    decided_at: i64,
    entered_at: i64,
    exited_at: i64,
    candles: u32,
    asset: String,
    gross: String,
    fees: String,
    other_fees: Vec<Amount>,
    funding: String,
    net: String,
    exit_reason: String,
    #[schema(required)]
    initial_stop: Option<String>,
    #[schema(required)]
    target: Option<String>,
    #[schema(required)]
    r_multiple: Option<String>,
    adverse_pct: String,
    favorable_pct: String,
    slippage_in_bps: String,
    slippage_out_bps: String,
    template: String,
    template_version: u32,
}

/// An amount of an asset.
#[derive(ToSchema)]
#[schema(as = FeeAmount)]
pub(crate) struct Amount {
    asset: String,
    amount: String,
}
