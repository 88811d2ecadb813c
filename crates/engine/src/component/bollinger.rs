//! `bollinger`: the close against bands of standard deviations around its mean.
//!
//! The reading's value is the close; its limit is the band compared with, in the filter role the middle line.

use serde::{Deserialize, Serialize};

use super::bands::{self, Mode};
use super::{Behavior, Context, Parameters, only_toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Bollinger;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// Bollinger bands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BollingerComponent {
    role: Role,
    period: u32,
    mode: Mode,
    bands: Bollinger,
}

impl Behavior for BollingerComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "bollinger",
        family: Family::Volatility,
        title: "Bollinger bands",
        help: "The close against bands a number of standard deviations around its moving mean.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "reversion: bullish with a close below the lower band, bearish above the upper band; breakout: the \
                       other way round.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "reversion: lets longs pass below the middle line and shorts above it; breakout: the other way round.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Closes averaged.", candles(20, 2, 500)),
            ParameterEntry::number(
                "mult",
                "Width",
                "Distance of the bands from the middle line.",
                decimals(Unit::Deviations, ["2", "0.1", "10", "0.1"]),
            )
            .only_in(&[Role::Signal]),
            bands::MODE,
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let mode = Mode::from_parameters(parameters);
        let period = parameters.integer("period");
        Ok(Self { role, period, mode, bands: Bollinger::new(period, parameters.float("mult")) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let close = inputs.candle.floats.close;
        let Some(bands) = self.bands.update(close) else { return Reading::WARMING_UP };
        if self.role == Role::Filter {
            let direction = self.mode.direction(close - bands.middle);
            return only_toward(direction, close, Some(bands.middle));
        }
        self.mode.judge(close, &bands)
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let mode = Mode::from_parameters(parameters);
        let (period, mult) = (parameters.integer("period"), parameters.number("mult"));
        match (role, mode) {
            (Role::Filter, Mode::Reversion) => {
                format!("lets longs pass below the {period}-candle mean and shorts above it")
            }
            (Role::Filter, Mode::Breakout) => {
                format!("lets longs pass above the {period}-candle mean and shorts below it")
            }
            (Role::Signal | Role::EntryGuard | Role::RiskGate, _) => {
                mode.sentence(&format!("Bollinger bands ({period}, {mult})"))
            }
        }
    }
}
