//! `atr`: whether movements are neither too small to earn their fees nor too wild to hold.
//!
//! The reading's value is the ATR in percent of the close, its limit the bound it broke or is nearer to.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Atr;
use crate::input::{Inputs, Ohlcv};
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// ATR in percent of the price, between two bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtrComponent {
    role: Role,
    period: u32,
    bounds: Bounds,
    atr: Atr,
}

impl Behavior for AtrComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "atr",
        family: Family::Volatility,
        title: "ATR range",
        help: "The average true range in percent of the price, between a smallest and a largest value.",
        roles: &[
            RoleEntry { role: Role::Filter, help: "Lets entries pass while the ATR lies in the range." },
            RoleEntry {
                role: Role::RiskGate,
                help: "Blocks entries while volatility is too low or too high.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of Wilder's average.", candles(14, 2, 200)),
            ParameterEntry::number(
                "min_pct",
                "Smallest",
                "Below it the market is too quiet.",
                decimals(Unit::Percent, ["0.2", "0", "50", "0.05"]),
            ),
            ParameterEntry::number(
                "max_pct",
                "Largest",
                "Above it the market is too wild.",
                decimals(Unit::Percent, ["5", "0.01", "100", "0.1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        let bounds = Bounds::from_parameters(parameters)?;
        Ok(Self { role, period, bounds, atr: Atr::new(period) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        Atr::warmup_candles(self.period)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(atr) = self.atr.update(candle) else { return Reading::WARMING_UP };
        self.bounds.judge(percent_of_close(atr, candle))
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (period, min, max) =
            (parameters.integer("period"), parameters.number("min_pct"), parameters.number("max_pct"));
        match role {
            Role::RiskGate => {
                format!("blocks entries while ATR({period}) is below {min} % or above {max} % of the price")
            }
            Role::Signal | Role::Filter | Role::EntryGuard => {
                format!("lets entries pass while ATR({period}) is between {min} % and {max} % of the price")
            }
        }
    }
}

/// An average true range in percent of the close.
pub(super) fn percent_of_close(atr: f64, candle: &Ohlcv) -> f64 {
    if candle.close > 0.0 { 100.0 * atr / candle.close } else { 0.0 }
}
