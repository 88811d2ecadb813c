//! `rsi`: Wilder's relative strength index of the closes.
//!
//! The reading's value is the index, its limit the level it was compared with.

use serde::{Deserialize, Serialize};

use super::zone::{Leaving, Zones};
use super::{Behavior, Context, Parameters, both_ways, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Rsi;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Check, Reading};
use crate::template::Role;

/// The middle of the scale.
const MIDDLE: f64 = 50.0;

/// What is done with the index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Signal on leaving a zone.
    LeavingZone(Leaving),
    /// Signal by the side of 50.
    Side,
    /// Filter: no long in the high zone, no short in the low zone.
    OutsideZone,
    /// Filter: longs above 50, shorts below.
    OnSide,
    /// Filter: both directions between the zones.
    Between,
}

/// Relative strength index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RsiComponent {
    period: u32,
    zones: Zones,
    mode: Mode,
    rsi: Rsi,
}

impl Behavior for RsiComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "rsi",
        family: Family::Momentum,
        title: "RSI",
        help: "Wilder's relative strength index: how one-sided the last changes were, 0 to 100.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "reversal: bullish on the candle that leaves the low zone upward, bearish on the one that leaves the \
                       high zone downward; trend: bullish above 50, bearish below.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "reversal: blocks longs in the high zone and shorts in the low zone; trend: lets longs pass above 50 \
                       and shorts below; between: lets both pass from low to high, the levels included.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1, one more as a signal with mode reversal",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Changes averaged.", candles(14, 2, 200)),
            ParameterEntry::number(
                "low",
                "Low zone",
                "At or below it the market counts as oversold; not looked at by trend.",
                decimals(Unit::Points, ["30", "1", "50", "1"]),
            ),
            ParameterEntry::number(
                "high",
                "High zone",
                "At or above it the market counts as overbought; not looked at by trend.",
                decimals(Unit::Points, ["70", "50", "99", "1"]),
            ),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "reversal trades against an exhausted move, trend with the stronger side; between is for filters.",
                &["reversal", "trend", "between"],
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let zones = Zones::from_parameters(parameters)?;
        let mode = match (role, parameters.choice("mode")) {
            (Role::Filter, "trend") => Mode::OnSide,
            (Role::Filter, "between") => Mode::Between,
            (Role::Filter, _) => Mode::OutsideZone,
            (_, "trend") => Mode::Side,
            (_, "between") => return Err(vec![between_is_for_filters()]),
            (_, _) => Mode::LeavingZone(Leaving::default()),
        };
        let period = parameters.integer("period");
        Ok(Self { period, zones, mode, rsi: Rsi::new(period) })
    }

    fn role(&self) -> Role {
        match self.mode {
            Mode::LeavingZone(_) | Mode::Side => Role::Signal,
            Mode::OutsideZone | Mode::OnSide | Mode::Between => Role::Filter,
        }
    }

    fn warmup_candles(&self) -> u32 {
        match self.mode {
            Mode::LeavingZone(_) => self.period + 2,
            Mode::Side | Mode::OutsideZone | Mode::OnSide | Mode::Between => self.period + 1,
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(rsi) = self.rsi.update(inputs.candle.floats.close) else { return Reading::WARMING_UP };
        let zone = self.zones.nearer(rsi, MIDDLE);
        match &mut self.mode {
            Mode::LeavingZone(leaving) => match leaving.update(rsi, self.zones) {
                Some(direction) => Reading::signal(direction, rsi, Some(zone)),
                None => Reading::WARMING_UP,
            },
            Mode::Side => Reading::signal(sign(rsi - MIDDLE), rsi, Some(MIDDLE)),
            Mode::OutsideZone => {
                let long = if rsi >= self.zones.high { Check::Block } else { Check::Pass };
                let short = if rsi <= self.zones.low { Check::Block } else { Check::Pass };
                Reading::check(long, short, rsi, Some(zone))
            }
            Mode::OnSide => only_toward(sign(rsi - MIDDLE), rsi, Some(MIDDLE)),
            Mode::Between => {
                let inside = (self.zones.low..=self.zones.high).contains(&rsi);
                both_ways(if inside { Check::Pass } else { Check::Block }, rsi, Some(zone))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = format!("RSI({})", parameters.integer("period"));
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        if parameters.choice("mode") == "between" {
            return format!("lets entries pass while {name} lies from {low} to {high}");
        }
        match (parameters.choice("mode") == "trend", role == Role::Filter) {
            (true, true) => format!("lets longs pass while {name} is above 50 and shorts while it is below"),
            (true, false) => format!("bullish while {name} is above 50, bearish while it is below"),
            (false, true) => format!(
                "blocks longs while {name} is at {high} or higher and shorts while it is at {low} or lower"
            ),
            (false, false) => format!(
                "bullish on the candle on which {name} rises back above {low}, bearish on the one on which it falls back below {high}"
            ),
        }
    }
}

fn between_is_for_filters() -> Problem {
    Problem::new(
        "parameters.mode",
        code::CONTRADICTION,
        "Lying between two levels points in no direction.",
        "Use it as filter, or choose reversal or trend.",
    )
}
