//! `opening_range`: the price leaves the range of a session's first minutes.
//!
//! The session starts every day at the same time in UTC. The range is that of the candles that open in its first minutes;
//! the break counts on later candles, until the session has lasted its hours. A candle belongs where it opens. The
//! reading's value is the close, its limit the edge broken or nearer; none while there is no range.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::bucket::{Buckets, Place};
use crate::catalog::{ComponentEntry, DataNeeds, Family, Integers, ParameterEntry, RoleEntry, Unit};
use crate::indicator::Channel;
use crate::input::{Inputs, Ohlcv};
use crate::problem::{Problem, code};
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Times of a session in milliseconds; the start is counted from 00:00 UTC, the rest from the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Times {
    start: i64,
    range: i64,
    end: i64,
}

/// Whether a break counts while the close is outside or only on the candle on which it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trigger {
    State,
    Event,
}

/// Break of a session's first minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpeningRange {
    times: Times,
    trigger: Trigger,
    warmup: u32,
    seen: u32,
    sessions: Buckets,
    /// Of the session at hand; `None` without candles in its first minutes and after its hours.
    range: Option<Channel>,
    /// On which side of the range the candle before closed.
    side: Direction,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

impl Times {
    fn from_parameters(parameters: &Parameters) -> Self {
        let [hour, minute, minutes, hours] = ["start_hour", "start_minute", "minutes", "hours"]
            .map(|name| i64::from(parameters.integer(name)));
        Self { start: hour * HOUR_MS + minute * MINUTE_MS, range: minutes * MINUTE_MS, end: hours * HOUR_MS }
    }

    /// Whether candles of this length open in the range and after it.
    fn fits(self, timeframe: Timeframe) -> bool {
        // Candles lie on a grid from 00:00, and every timeframe divides the day.
        let length = timeframe.ms();
        let first = (-self.start).rem_euclid(length);
        let after = first + (self.range - first).div_euclid(length).max(0) * length;
        let after = if after < self.range { after + length } else { after };
        first < self.range && after < self.end
    }
}

const fn whole(unit: Unit, [default, min, max]: [u32; 3]) -> Integers {
    Integers { unit, default, min, max, step: 1 }
}

impl Behavior for OpeningRange {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "opening_range",
        family: Family::Volatility,
        title: "Opening range",
        help: "The price leaves the range of a session's first minutes.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish with a close above the range, bearish with one below, from its end to the end of the session.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "the candles of a day",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer(
                "start_hour",
                "Starts at, hour",
                "Hour in UTC at which the session starts.",
                whole(Unit::None, [0, 0, 23]),
            ),
            ParameterEntry::integer(
                "start_minute",
                "Starts at, minute",
                "Minute of that hour.",
                whole(Unit::None, [0, 0, 59]),
            ),
            ParameterEntry::integer(
                "minutes",
                "Range",
                "First minutes of the session that make the range.",
                whole(Unit::Minutes, [30, 1, 720]),
            ),
            ParameterEntry::integer(
                "hours",
                "Session",
                "Hours from its start in which a break counts.",
                whole(Unit::Hours, [24, 1, 24]),
            ),
            ParameterEntry::choice(
                "trigger",
                "Trigger",
                "state: as long as the close is outside the range; event: only on the candle on which it gets there.",
                &["state", "event"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let times = Times::from_parameters(parameters);
        if !times.fits(context.timeframe) {
            return Err(vec![Problem::new(
                "parameters.minutes",
                code::CONTRADICTION,
                format!(
                    "Candles of {} do not fit: one must open in the first {} minutes after {}, and another one after them within {} hours.",
                    context.timeframe,
                    parameters.integer("minutes"),
                    start_text(parameters),
                    parameters.integer("hours"),
                ),
                "Choose a longer range or session, another start, or a shorter timeframe.",
            )]);
        }
        let trigger = if parameters.choice("trigger") == "event" { Trigger::Event } else { Trigger::State };
        // Whatever the time of the first candle, a day of them holds the start of the session at hand.
        let warmup = u32::try_from(DAY_MS / context.timeframe.ms()).unwrap_or(1).max(1);
        let minute = u32::try_from(times.start / MINUTE_MS).unwrap_or(0);
        let sessions = Buckets::days_from(minute);
        Ok(Self { times, trigger, warmup, seen: 0, sessions, range: None, side: Direction::Neutral })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let direction = self.take(inputs.candle.candle.open_time, candle);
        self.seen = self.seen.saturating_add(1).min(self.warmup);
        if self.seen < self.warmup {
            return Reading::WARMING_UP;
        }
        let nearer = |range: Channel| if candle.close >= range.middle() { range.upper } else { range.lower };
        let edge = self.range.map(nearer);
        Reading::signal(direction, candle.close, edge)
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (minutes, hours) = (parameters.integer("minutes"), parameters.integer("hours"));
        let when =
            if parameters.choice("trigger") == "event" { "on the first close" } else { "while the close is" };
        format!(
            "bullish {when} above the range of the first {minutes} minutes after {}, bearish {when} below it, for {hours} hours from then",
            start_text(parameters)
        )
    }
}

impl OpeningRange {
    fn take(&mut self, open_time: Timestamp, candle: &Ohlcv) -> Direction {
        if self.sessions.enter(open_time) != Place::Continues {
            self.range = None;
            self.side = Direction::Neutral;
        }
        let age = self.sessions.start().map_or(0, |start| open_time.since_ms(start));
        if age < self.times.range {
            let wider = |range: Channel| Channel {
                upper: range.upper.max(candle.high),
                lower: range.lower.min(candle.low),
            };
            let own = Channel { upper: candle.high, lower: candle.low };
            self.range = Some(self.range.map_or(own, wider));
            return Direction::Neutral;
        }
        if age >= self.times.end {
            self.range = None;
        }
        let side = match self.range {
            Some(range) if candle.close > range.upper => Direction::Long,
            Some(range) if candle.close < range.lower => Direction::Short,
            Some(_) | None => Direction::Neutral,
        };
        let before = std::mem::replace(&mut self.side, side);
        match self.trigger {
            Trigger::Event if side == before => Direction::Neutral,
            Trigger::State | Trigger::Event => side,
        }
    }
}

fn start_text(parameters: &Parameters) -> String {
    format!("{:02}:{:02} UTC", parameters.integer("start_hour"), parameters.integer("start_minute"))
}
