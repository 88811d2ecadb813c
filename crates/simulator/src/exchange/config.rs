//! How a simulated exchange behaves: fill rules, slippage, limits, latency.
//!
//! Fees, grids and margin rates are not here; they belong to each [`keyhold_domain::Instrument`].

use keyhold_domain::{Decimal, Quantity};

use crate::latency::LatencyModel;

/// What happens first inside a candle that could hit both a stop and a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntrabarRule {
    /// The price visits the extreme that hurts the position first: the stop counts.
    #[default]
    StopFirst,
    /// The price visits the extreme that helps the position first: the target counts.
    TargetFirst,
}

/// At which price an order fills that the market has jumped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapFill {
    /// At the first price beyond it.
    AtMarket,
    /// At the order's own price.
    AtOrder,
}

/// What happens to a reduce-only order that is larger than the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReduceOnlyExcess {
    /// It is cut to the position when it executes.
    #[default]
    Trim,
    /// It is refused.
    Refuse,
}

/// How fills happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillRules {
    /// Stop or target first.
    pub intrabar: IntrabarRule,
    /// Stops that the market jumped over. A real stop fills at the market.
    pub stop_gap: GapFill,
    /// Resting limit orders that the market jumped over. A real one fills at its own price.
    pub limit_gap: GapFill,
    /// Reduce-only orders larger than the position.
    pub reduce_only: ReduceOnlyExcess,
    /// The most that fills at once; `None` means that everything fills wholly.
    pub depth: Option<Quantity>,
}

impl Default for FillRules {
    fn default() -> Self {
        Self {
            intrabar: IntrabarRule::StopFirst,
            stop_gap: GapFill::AtMarket,
            limit_gap: GapFill::AtOrder,
            reduce_only: ReduceOnlyExcess::Trim,
            depth: None,
        }
    }
}

/// How much worse than the market an order fills, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slippage {
    /// Market orders and limit orders that take.
    pub market_bps: Decimal,
    /// Market orders that a stop started.
    pub stop_bps: Decimal,
}

impl Slippage {
    /// The same for market orders and for stops.
    pub const fn uniform(bps: Decimal) -> Self {
        Self { market_bps: bps, stop_bps: bps }
    }
}

/// Whether changes of orders, positions and balances are told as events. Whoever asks when it needs to know saves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountNews {
    /// After every change.
    #[default]
    Told,
    /// Only fills, funding, liquidations, and orders that end without being filled.
    Silent,
}

/// How long the name of an order cannot be given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameRule {
    /// For ever, as on Bybit.
    #[default]
    UsedOnce,
    /// As long as the order is open, as on Binance. Nothing is remembered.
    FreeAfterwards,
}

/// How many orders of one instrument an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLimits {
    /// Working limit orders. Bybit: 500.
    pub active: usize,
    /// Waiting stop orders. Bybit: 10.
    pub conditional: usize,
}

impl Default for OrderLimits {
    fn default() -> Self {
        Self { active: 500, conditional: 10 }
    }
}

/// Everything that two equal runs must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// Source of ids, latencies and injected refusals.
    pub seed: u64,
    /// How fills happen.
    pub fills: FillRules,
    /// How much worse than the market.
    pub slippage: Slippage,
    /// Decimal places to which every flow of money is rounded, at most 12. Venues book 8.
    pub settle_decimals: u32,
    /// The time from an order's arrival to its effect.
    pub latency: LatencyModel,
    /// How many orders an account may have.
    pub limits: OrderLimits,
    /// Orders that are refused as overloaded, per thousand.
    pub refuse_per_mille: u16,
    /// Whether changes of positions and balances are told.
    pub account_news: AccountNews,
    /// Whether an order's name can be given again.
    pub names: NameRule,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            fills: FillRules::default(),
            slippage: Slippage::default(),
            settle_decimals: 8,
            latency: LatencyModel::None,
            limits: OrderLimits::default(),
            refuse_per_mille: 0,
            account_news: AccountNews::Told,
            names: NameRule::UsedOnce,
        }
    }
}
