//! `price_vs_ma`: the side of its moving average on which the price closes.
//!
//! The reading's value is the close, its limit the edge of the buffer around the average.

use serde::{Deserialize, Serialize};

use super::average::{self, Average};
use super::{Behavior, Context, Parameters, only_toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Close against average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceVsMa {
    role: Role,
    period: u32,
    /// As a fraction.
    buffer: f64,
    average: Average,
}

impl Behavior for PriceVsMa {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "price_vs_ma",
        family: Family::Trend,
        title: "Price against moving average",
        help: "Whether the close lies above or below a moving average.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish above the average, bearish below, neutral in the buffer.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass above the average and shorts below; nothing in the buffer.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period",
        unit: Unit::Price,
        parameters: &[
            average::TYPE,
            ParameterEntry::integer("period", "Period", "Length of the average.", candles(200, 2, 1000)),
            ParameterEntry::number(
                "buffer_pct",
                "Buffer",
                "How far beyond the average the close must lie.",
                decimals(Unit::Percent, ["0", "0", "20", "0.1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            role,
            period: parameters.integer("period"),
            buffer: parameters.float("buffer_pct") / 100.0,
            average: Average::from_parameters(parameters),
        })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let close = inputs.candle.floats.close;
        let Some(average) = self.average.update(close) else { return Reading::WARMING_UP };
        let upper = average * (1.0 + self.buffer);
        let lower = average * (1.0 - self.buffer);
        let (direction, edge) = if close > upper {
            (Direction::Long, upper)
        } else if close < lower {
            (Direction::Short, lower)
        } else {
            (Direction::Neutral, if close >= average { upper } else { lower })
        };
        match self.role {
            Role::Signal => Reading::signal(direction, close, Some(edge)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => only_toward(direction, close, Some(edge)),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = average::name(parameters);
        let buffer = parameters.number("buffer_pct");
        let by = if buffer.is_zero() { String::new() } else { format!(" by more than {buffer} %") };
        match role {
            Role::Signal => {
                format!("bullish while the close is above the {name}{by}, bearish while it is below{by}")
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                format!(
                    "lets longs pass while the close is above the {name}{by}, shorts while it is below{by}"
                )
            }
        }
    }
}
