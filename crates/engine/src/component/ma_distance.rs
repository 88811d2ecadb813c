//! `ma_distance`: do not enter when the price has run too far from its average, on either side.
//!
//! The reading's value is the distance in the unit of the basis (percent of the average, or ATRs), its limit the largest
//! allowed.

use serde::{Deserialize, Serialize};

use super::average::{self, Average};
use super::{Behavior, Context, Parameters, both_ways};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Atr;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Reading};
use crate::template::Role;

/// What the distance is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Basis {
    Percent,
    Atr { period: u32, atr: Atr },
}

/// Distance of the close from its average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaDistance {
    period: u32,
    limit: f64,
    basis: Basis,
    average: Average,
}

impl Behavior for MaDistance {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "ma_distance",
        family: Family::EntryGuard,
        title: "Distance from moving average",
        help: "Refuses to chase a price that has run far from its moving average.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries while the close is farther from the average than allowed.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period; with basis atr the larger of period and atr_period + 1",
        unit: Unit::None,
        parameters: &[
            average::TYPE,
            ParameterEntry::integer("period", "Period", "Length of the average.", candles(50, 2, 1000)),
            ParameterEntry::choice(
                "basis",
                "Measured in",
                "Percent of the average, or multiples of the ATR.",
                &["percent", "atr"],
            ),
            ParameterEntry::number(
                "max_pct",
                "Largest distance",
                "Largest distance from the average.",
                decimals(Unit::Percent, ["2", "0.05", "100", "0.1"]),
            )
            .only_if("basis", "percent"),
            ParameterEntry::number(
                "max_atr",
                "Largest distance in ATRs",
                "Largest distance from the average, in ATRs.",
                decimals(Unit::Multiple, ["2", "0.1", "50", "0.1"]),
            )
            .only_if("basis", "atr"),
            ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", candles(14, 2, 200))
                .only_if("basis", "atr"),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (basis, limit) = if parameters.choice("basis") == "atr" {
            let period = parameters.integer("atr_period");
            (Basis::Atr { period, atr: Atr::new(period) }, parameters.float("max_atr"))
        } else {
            (Basis::Percent, parameters.float("max_pct"))
        };
        let period = parameters.integer("period");
        Ok(Self { period, limit, basis, average: Average::from_parameters(parameters) })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        match self.basis {
            Basis::Percent => self.period,
            Basis::Atr { period, .. } => self.period.max(Atr::warmup_candles(period)),
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let average = self.average.update(candle.close);
        let unit = match &mut self.basis {
            Basis::Percent => average.map(|average| average / 100.0),
            Basis::Atr { atr, .. } => atr.update(candle),
        };
        let (Some(average), Some(unit)) = (average, unit) else { return Reading::WARMING_UP };
        let distance = (candle.close - average).abs();
        // A market without any movement is at its average: nothing was chased.
        let value = if unit > 0.0 { distance / unit } else { 0.0 };
        let near = distance <= self.limit * unit;
        both_ways(if near { Check::Pass } else { Check::Block }, value, Some(self.limit))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let name = average::name(parameters);
        if parameters.choice("basis") == "atr" {
            let (limit, period) = (parameters.number("max_atr"), parameters.integer("atr_period"));
            format!("blocks entries while the close is more than {limit} ATR({period}) from the {name}")
        } else {
            let limit = parameters.number("max_pct");
            format!("blocks entries while the close is more than {limit} % from the {name}")
        }
    }
}
