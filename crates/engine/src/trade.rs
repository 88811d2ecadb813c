//! A completed round trip: from flat to a position and back to flat.

use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{
    Asset, Decimal, Money, Price, Quantity, ReasonCode, Side, Symbol, TemplateId, Timestamp, TradeId,
};
use serde::{Deserialize, Serialize};

use crate::decision::Decision;

/// A completed round trip. Amounts are in the settlement asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trade {
    /// Computed from the first order's name, so that a trade reported twice is recognized.
    pub id: TradeId,
    /// The instrument.
    pub symbol: Symbol,
    /// `buy` for a long trade.
    pub side: Side,
    /// The largest size held.
    pub quantity: Quantity,
    /// Average entry price.
    pub entry_price: Price,
    /// Average exit price.
    pub exit_price: Price,
    /// When the entry was decided.
    pub decided_at: Timestamp,
    /// First entry fill.
    pub entered_at: Timestamp,
    /// Last exit fill.
    pub exited_at: Timestamp,
    /// Closed candles the position lived through.
    pub candles: u32,
    /// In which asset profit is counted.
    pub asset: Asset,
    /// Profit before costs.
    #[serde(with = "decimal_text")]
    pub gross: Decimal,
    /// Fees paid in the settlement asset; negative for rebates.
    #[serde(with = "decimal_text")]
    pub fees: Decimal,
    /// Fees paid in other assets; not part of `net`.
    pub other_fees: Vec<Money>,
    /// Funding received; negative when paid.
    #[serde(with = "decimal_text")]
    pub funding: Decimal,
    /// `gross − fees + funding`.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
    /// Why it ended; the last exit's reason when it ended in parts.
    pub exit_reason: ReasonCode,
    /// Where the hard stop lay at entry; `None` without one.
    #[serde(with = "optional_decimal_text")]
    pub initial_stop: Option<Decimal>,
    /// Where the last target lay; `None` without one.
    #[serde(with = "optional_decimal_text")]
    pub target: Option<Decimal>,
    /// Net profit in multiples of what the hard stop would have lost; `None` without one.
    #[serde(with = "optional_decimal_text")]
    pub r_multiple: Option<Decimal>,
    /// Furthest the price went against the trade, in percent of the entry price; zero or more.
    #[serde(with = "decimal_text")]
    pub adverse_pct: Decimal,
    /// Furthest the price went in favor of the trade, in percent of the entry price; zero or more.
    #[serde(with = "decimal_text")]
    pub favorable_pct: Decimal,
    /// Entry price against the decision's price in basis points; positive is worse.
    #[serde(with = "decimal_text")]
    pub slippage_in_bps: Decimal,
    /// Exit price against the decision's or the level's price in basis points; positive is worse.
    #[serde(with = "decimal_text")]
    pub slippage_out_bps: Decimal,
    /// The template that decided the entry.
    pub template: TemplateId,
    /// Its version.
    pub template_version: u32,
    /// The decision that led to the entry; `None` for a position found at the venue.
    pub entry_decision: Option<Box<Decision>>,
}
