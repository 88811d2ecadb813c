//! `bollinger`: the close against bands of standard deviations around its mean.
//!
//! The reading's value is the close; its limit is the band compared with, in the filter role the middle line.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Bollinger;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Against the move or with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Reversion,
    Breakout,
}

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
            ParameterEntry::choice(
                "mode",
                "Mode",
                "reversion expects a return to the mean, breakout a move that goes on.",
                &["reversion", "breakout"],
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let mode = if parameters.choice("mode") == "breakout" { Mode::Breakout } else { Mode::Reversion };
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
        let with_the_move = |distance: f64| match self.mode {
            Mode::Reversion => sign(-distance),
            Mode::Breakout => sign(distance),
        };
        if self.role == Role::Filter {
            return only_toward(with_the_move(close - bands.middle), close, Some(bands.middle));
        }
        let band = if close >= bands.middle { bands.upper } else { bands.lower };
        let outside = close > bands.upper || close < bands.lower;
        let direction = if outside { with_the_move(close - bands.middle) } else { Direction::Neutral };
        Reading::signal(direction, close, Some(band))
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let bands =
            format!("Bollinger bands ({}, {})", parameters.integer("period"), parameters.number("mult"));
        let middle = format!("{}-candle mean", parameters.integer("period"));
        match (parameters.choice("mode") == "breakout", role == Role::Filter) {
            (false, false) => format!(
                "bullish with a close below the lower of the {bands}, bearish with one above the upper"
            ),
            (true, false) => format!(
                "bullish with a close above the upper of the {bands}, bearish with one below the lower"
            ),
            (false, true) => format!("lets longs pass below the {middle} and shorts above it"),
            (true, true) => format!("lets longs pass above the {middle} and shorts below it"),
        }
    }
}
