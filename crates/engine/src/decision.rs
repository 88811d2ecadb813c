//! The record of one closed candle: what every component said, what was wanted, what stood against it.
//!
//! All outputs are recorded even when an earlier step already blocks; the first reason is the headline. Reading it
//! needs neither the template nor the code.

use std::borrow::Cow;

use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{ClientOrderId, Decimal, Price, Quantity, ReasonCode, Side, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use crate::market::MarketFacts;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Why something was or was not done on one closed candle of one instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The instrument.
    pub symbol: Symbol,
    /// Open time of the candle.
    pub candle: Timestamp,
    /// When the candle closed.
    pub closed_at: Timestamp,
    /// When the bot decided.
    pub decided_at: Timestamp,
    /// The candle's close: the price the decision was made at.
    pub close: Price,
    /// What every enabled component said, in the template's order.
    pub readings: Vec<NamedReading>,
    /// The combined score, in the combination mode's unit.
    #[serde(with = "decimal_text")]
    pub score: Decimal,
    /// The score an entry needs.
    #[serde(with = "decimal_text")]
    pub threshold: Decimal,
    /// The direction after combination, before anything could stand against it.
    pub wanted: Direction,
    /// Everything that stood against an entry, in the order of evaluation.
    pub blocks: Vec<Block>,
    /// The reason in one word: `ENTERED`, the exit's reason, or the first block's.
    pub headline: ReasonCode,
    /// What was done.
    pub done: Done,
    /// What was known of the market besides the candle, where a component needs more than candles. With it a decision can
    /// be made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Box<MarketFacts>>,
}

/// A component's output with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedReading {
    /// Place in the template's list of components.
    pub component: u16,
    /// The catalog's name.
    pub kind: Cow<'static, str>,
    /// What it is used as.
    pub role: Role,
    /// What it said.
    pub reading: Reading,
}

/// One reason against an entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Which.
    pub reason: ReasonCode,
    /// The component that spoke, by its place in the template's list.
    pub component: Option<u16>,
    /// The number looked at.
    pub value: Option<f64>,
    /// The limit it was compared with.
    pub limit: Option<f64>,
}

impl Block {
    /// A reason without numbers.
    pub const fn plain(reason: ReasonCode) -> Self {
        Self { reason, component: None, value: None, limit: None }
    }

    /// A number that breaks a limit.
    pub const fn limit(reason: ReasonCode, value: f64, limit: f64) -> Self {
        Self { reason, component: None, value: Some(value), limit: Some(limit) }
    }
}

/// What was done on a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Nothing.
    Nothing,
    /// An entry was ordered.
    Entered {
        /// The order.
        client_id: ClientOrderId,
        /// Bought or sold.
        side: Side,
        /// How much.
        quantity: Quantity,
        /// Where the hard stop will lie if the entry is filled at the close; `None` without one.
        #[serde(with = "optional_decimal_text")]
        expected_stop: Option<Decimal>,
    },
    /// An exit was decided.
    Exited {
        /// Why.
        reason: ReasonCode,
    },
}
