//! `keltner`: the close against bands of average true ranges around its moving average.
//!
//! The reading's value is the close, its limit the band on its side.

use serde::{Deserialize, Serialize};

use super::bands::{self, Mode};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Keltner;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// Keltner channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeltnerComponent {
    warmup: u32,
    mode: Mode,
    channel: Keltner,
}

impl Behavior for KeltnerComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "keltner",
        family: Family::Volatility,
        title: "Keltner channel",
        help: "The close against bands a number of average true ranges around its exponential average.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "reversion: bullish with a close below the lower band, bearish above the upper band; breakout: the \
                   other way round.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "the larger of period and atr_period + 1",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Closes averaged.", candles(20, 2, 500)),
            ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", candles(10, 2, 200)),
            ParameterEntry::number(
                "mult",
                "Width",
                "Distance of the bands from the average, in ATRs.",
                decimals(Unit::Multiple, ["1.5", "0.1", "20", "0.1"]),
            ),
            bands::MODE,
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (period, atr_period) = (parameters.integer("period"), parameters.integer("atr_period"));
        Ok(Self {
            warmup: Keltner::warmup_candles(period, atr_period),
            mode: Mode::from_parameters(parameters),
            channel: Keltner::new(period, atr_period, parameters.float("mult")),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(bands) = self.channel.update(candle) else { return Reading::WARMING_UP };
        self.mode.judge(candle.close, &bands)
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let [period, atr_period] = ["period", "atr_period"].map(|name| parameters.integer(name));
        let mult = parameters.number("mult");
        Mode::from_parameters(parameters)
            .sentence(&format!("Keltner bands ({period}, {mult} × ATR {atr_period})"))
    }
}
