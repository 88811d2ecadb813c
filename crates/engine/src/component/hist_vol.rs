//! `hist_vol`: whether realized volatility, brought to a year, lies in a range.
//!
//! The reading's value is the volatility in percent per year, its limit the bound it broke or is nearer to.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::HistVol;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// Realized volatility between two bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistVolComponent {
    role: Role,
    period: u32,
    bounds: Bounds,
    volatility: HistVol,
}

impl Behavior for HistVolComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "hist_vol",
        family: Family::Volatility,
        title: "Historical volatility",
        help: "The standard deviation of logarithmic returns, brought to a year of 365 days, between a smallest and a \
               largest value.",
        roles: &[
            RoleEntry { role: Role::Filter, help: "Lets entries pass while volatility lies in the range." },
            RoleEntry {
                role: Role::RiskGate,
                help: "Blocks entries while volatility is too low or too high.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Returns counted.", candles(30, 2, 500)),
            ParameterEntry::number(
                "min_pct",
                "Smallest",
                "Percent per year below which the market is too quiet.",
                decimals(Unit::Percent, ["10", "0", "1000", "1"]),
            ),
            ParameterEntry::number(
                "max_pct",
                "Largest",
                "Percent per year above which the market is too wild.",
                decimals(Unit::Percent, ["150", "0.1", "10000", "1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        let bounds = Bounds::from_parameters(parameters)?;
        Ok(Self { role, period, bounds, volatility: HistVol::new(period, context.timeframe) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let volatility = self.volatility.update(inputs.candle.floats.close);
        volatility.map_or(Reading::WARMING_UP, |percent| self.bounds.judge(percent))
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (period, min, max) =
            (parameters.integer("period"), parameters.number("min_pct"), parameters.number("max_pct"));
        let name = format!("the volatility of the last {period} returns");
        if role == Role::RiskGate {
            format!("blocks entries while {name} is below {min} % or above {max} % per year")
        } else {
            format!("lets entries pass while {name} is between {min} % and {max} % per year")
        }
    }
}
