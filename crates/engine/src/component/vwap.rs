//! `vwap`: the close against the volume-weighted average price of the day or of a daily session.
//!
//! A day begins at 00:00 UTC, a session every day at a time that the user writes; trading sessions of the template have no
//! part in it, and a candle belongs where it opens. The reading's value is the close; its limit is the average, for a
//! signal in mode reversion the band on the close's side. As long as nothing has been traded since the anchor there is no
//! average: no limit, no direction.

use keyhold_domain::Timeframe;
use keyhold_domain::time::DAY_MS;
use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::bucket::{Buckets, Place};
use crate::catalog::{
    ComponentEntry, DataNeeds, Family, Integers, ParameterEntry, RoleEntry, Unit, decimals,
};
use crate::indicator::{Vwap, VwapValue};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// With the move or against it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Trend,
    Reversion,
}

/// Volume-weighted average price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VwapComponent {
    role: Role,
    mode: Mode,
    band: f64,
    days: Buckets,
    warmup_candles: u32,
    seen: u32,
    vwap: Vwap,
}

const MINUTE_MS: i64 = 60_000;

/// A number on the clock's face; starts at 0.
const fn clock(max: u32) -> Integers {
    Integers { unit: Unit::None, default: 0, min: 0, max, step: 1 }
}

impl Behavior for VwapComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "vwap",
        family: Family::Volume,
        title: "VWAP",
        help: "The close against the average price of the day, weighted by volume.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "trend: bullish above the average, bearish below; reversion: bullish below the lower band, bearish \
                       above the upper one.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "trend: lets longs pass above the average and shorts below it; reversion: the other way round.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "the candles of 24 hours",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::choice(
                "anchor",
                "Begins anew",
                "day: at 00:00 UTC; session: every day at the time below. Not the template's trading sessions.",
                &["day", "session"],
            ),
            ParameterEntry::integer(
                "start_hour",
                "Session starts, hour",
                "Hour in UTC at which the session starts.",
                clock(23),
            )
            .only_if("anchor", "session"),
            ParameterEntry::integer(
                "start_minute",
                "Session starts, minute",
                "Minute of that hour.",
                clock(59),
            )
            .only_if("anchor", "session"),
            ParameterEntry::number(
                "band",
                "Band",
                "Distance of the bands from the average in volume-weighted deviations.",
                decimals(Unit::Deviations, ["2", "0.1", "10", "0.1"]),
            )
            .only_in(&[Role::Signal])
            .only_if("mode", "reversion"),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "trend goes with the side of the average, reversion expects a return to it.",
                &["trend", "reversion"],
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let start = start_minute(parameters);
        check(start, context.timeframe)?;
        Ok(Self {
            role,
            mode: if parameters.choice("mode") == "reversion" { Mode::Reversion } else { Mode::Trend },
            band: parameters.float("band"),
            days: Buckets::days_from(start),
            // Whenever the history begins, so many candles hold a beginning.
            warmup_candles: u32::try_from(DAY_MS / context.timeframe.ms()).unwrap_or(1),
            seen: 0,
            vwap: Vwap::default(),
        })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        match self.days.enter(inputs.candle.candle.open_time) {
            Place::Begins | Place::BeginsLate => self.vwap = Vwap::default(),
            Place::Continues => {}
        }
        let value = self.vwap.update(&inputs.candle.floats);
        if self.seen < self.warmup_candles {
            self.seen += 1;
        }
        if self.seen < self.warmup_candles {
            return Reading::WARMING_UP;
        }
        self.judge(inputs.candle.floats.close, value)
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = match start_minute(parameters) {
            0 => "VWAP of the UTC day".to_owned(),
            start => format!("VWAP since {:02}:{:02} UTC", start / 60, start % 60),
        };
        let band = parameters.number("band");
        match (parameters.choice("mode") == "reversion", role == Role::Signal) {
            (false, true) => {
                format!("bullish while the close is above the {name}, bearish while it is below")
            }
            (false, false) => {
                format!("lets longs pass while the close is above the {name} and shorts while it is below")
            }
            (true, true) => format!(
                "bullish while the close is more than {band} deviations below the {name}, bearish while it is as far above"
            ),
            (true, false) => {
                format!("lets longs pass while the close is below the {name} and shorts while it is above")
            }
        }
    }
}

impl VwapComponent {
    fn judge(&self, close: f64, value: Option<VwapValue>) -> Reading {
        let (direction, limit) = match value {
            None => (Direction::Neutral, None),
            Some(VwapValue { average, deviation }) => match (self.mode, self.role) {
                (Mode::Trend, _) => (sign(close - average), Some(average)),
                (Mode::Reversion, Role::Signal) => {
                    let width = self.band * deviation;
                    // The first candle of a day has no deviation yet: bands of no width say nothing.
                    let outside = width > 0.0 && (close - average).abs() > width;
                    let direction = if outside { sign(average - close) } else { Direction::Neutral };
                    (direction, Some(if close < average { average - width } else { average + width }))
                }
                (Mode::Reversion, Role::Filter | Role::EntryGuard | Role::RiskGate) => {
                    (sign(average - close), Some(average))
                }
            },
        };
        match self.role {
            Role::Signal => Reading::signal(direction, close, limit),
            Role::Filter | Role::EntryGuard | Role::RiskGate => only_toward(direction, close, limit),
        }
    }
}

/// When the average begins anew, in minutes after 00:00 UTC.
fn start_minute(parameters: &Parameters) -> u32 {
    match parameters.choice("anchor") {
        "session" => 60 * parameters.integer("start_hour") + parameters.integer("start_minute"),
        _ => 0,
    }
}

fn check(start_minute: u32, timeframe: Timeframe) -> Result<(), Vec<Problem>> {
    let length = timeframe.ms();
    let problem = if length >= DAY_MS {
        Problem::new(
            "parameters.anchor",
            code::CONTRADICTION,
            format!(
                "The average begins anew every day, and a candle of {timeframe} is no shorter than that."
            ),
            "Use a shorter timeframe.",
        )
    } else if (i64::from(start_minute) * MINUTE_MS) % length != 0 {
        Problem::new(
            "parameters.start_minute",
            code::CONTRADICTION,
            format!("The session starts in the midst of a candle of {timeframe}."),
            "Choose a start at which a candle opens, or a shorter timeframe.",
        )
    } else {
        return Ok(());
    };
    Err(vec![problem])
}
