//! `tsi`: the true strength index crossing its signal line.
//!
//! The reading's value is the index, its limit the signal line.

use serde::{Deserialize, Serialize};

use super::crossing::Crossing;
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{Tsi, TsiPeriods, TsiValue};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// While the market stands still, index and signal line are equal but for rounding: a smaller distance is none.
const ROUNDING: f64 = 1e-9;

/// True strength index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TsiComponent {
    warmup_candles: u32,
    tsi: Tsi,
    crossing: Crossing,
}

impl Behavior for TsiComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "tsi",
        family: Family::Momentum,
        title: "True strength index",
        help: "How one-sided the changes of the close have been, both smoothed twice, -100 to 100; and its average, the \
               signal line.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on the candle on which the index crosses above its signal line, bearish on the one on which it \
                   crosses below.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "long + short + signal",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("long", "Long", "Length of the first smoothing.", candles(25, 2, 200)),
            ParameterEntry::integer("short", "Short", "Length of the second smoothing.", candles(13, 2, 200)),
            ParameterEntry::integer(
                "signal",
                "Signal line",
                "Length of the signal line.",
                candles(7, 2, 200),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let [long, short, signal] = ["long", "short", "signal"].map(|name| parameters.integer(name));
        Ok(Self {
            warmup_candles: long + short + signal,
            tsi: Tsi::new(TsiPeriods { long, short, signal }),
            crossing: Crossing::default(),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(TsiValue { line, signal: Some(signal) }) = self.tsi.update(inputs.candle.floats.close)
        else {
            return Reading::WARMING_UP;
        };
        let distance = line - signal;
        match self.crossing.update(if distance.abs() > ROUNDING { distance } else { 0.0 }) {
            Some(direction) => Reading::signal(direction, line, Some(signal)),
            None => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let [long, short, signal] = ["long", "short", "signal"].map(|name| parameters.integer(name));
        format!(
            "bullish on the candle on which TSI({long}, {short}) crosses above its {signal}-candle average, bearish when it crosses below"
        )
    }
}
