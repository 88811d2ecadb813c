//! `rsi`: Wilder's relative strength index of the closes.
//!
//! The reading's value is the index, its limit the level it was compared with.

use keyhold_domain::Decimal;
use serde::{Deserialize, Serialize};

use super::zone::{Leaving, Zones};
use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Rsi;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
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
    /// Signal by the band the index lies in.
    InBand,
    /// Filter: longs inside the band, shorts inside its mirror image.
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
                       high zone downward; trend: bullish above 50, bearish below; between: bullish from low to high, bearish \
                       in the mirror image of that at 50, neither where both overlap.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "reversal: blocks longs in the high zone and shorts in the low zone; trend: lets longs pass above 50 \
                       and shorts below; between: lets longs pass from low to high, levels included, and shorts in the mirror \
                       image of that at 50.",
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
                "reversal trades against an exhausted move, trend with the stronger side, between with a side that is not yet \
                 exhausted.",
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
            (_, "between") => Mode::InBand,
            (_, _) => Mode::LeavingZone(Leaving::default()),
        };
        let period = parameters.integer("period");
        Ok(Self { period, zones, mode, rsi: Rsi::new(period) })
    }

    fn role(&self) -> Role {
        match self.mode {
            Mode::LeavingZone(_) | Mode::Side | Mode::InBand => Role::Signal,
            Mode::OutsideZone | Mode::OnSide | Mode::Between => Role::Filter,
        }
    }

    fn warmup_candles(&self) -> u32 {
        match self.mode {
            Mode::LeavingZone(_) => self.period + 2,
            Mode::Side | Mode::InBand | Mode::OutsideZone | Mode::OnSide | Mode::Between => self.period + 1,
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
            Mode::InBand => {
                let direction = match self.in_bands(rsi) {
                    (true, false) => Direction::Long,
                    (false, true) => Direction::Short,
                    (true, true) | (false, false) => Direction::Neutral,
                };
                Reading::signal(direction, rsi, Some(zone))
            }
            Mode::Between => {
                let check = |inside| if inside { Check::Pass } else { Check::Block };
                let (long, short) = self.in_bands(rsi);
                Reading::check(check(long), check(short), rsi, Some(zone))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = format!("RSI({})", parameters.integer("period"));
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        if parameters.choice("mode") == "between" {
            let (from, to) = (Decimal::ONE_HUNDRED - high, Decimal::ONE_HUNDRED - low);
            return if role == Role::Filter {
                format!(
                    "lets longs pass while {name} lies from {low} to {high} and shorts while it lies from {from} to {to}"
                )
            } else {
                format!(
                    "bullish while {name} lies from {low} to {high}, bearish while it lies from {from} to {to}"
                )
            };
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

impl RsiComponent {
    /// Whether the index lies in the band of longs and in that of shorts, which mirrors it at 50.
    fn in_bands(&self, rsi: f64) -> (bool, bool) {
        let band = self.zones.low..=self.zones.high;
        (band.contains(&rsi), band.contains(&(2.0 * MIDDLE - rsi)))
    }
}
