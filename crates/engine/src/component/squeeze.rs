//! `squeeze`: Bollinger bands that were inside the Keltner channel come out again.
//!
//! A market that has become quiet gathers for a move; the release names the moment, momentum the side. The reading's
//! value is, in the signal role, the momentum and its limit 0; in the filter role the height of the bands as a multiple of
//! the channel's, with the limit 1 that both centers being equal would give.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::{Coil, Squeeze, SqueezeMomentum};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// Quiet before the move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqueezeComponent {
    warmup: u32,
    squeeze: Squeeze,
    /// Only the signal asks for a direction.
    release: Option<Release>,
}

/// Waits for the end of a squeeze.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Release {
    momentum: SqueezeMomentum,
    min_candles: u32,
    hold: u32,
    /// Candles of the squeeze so far; 0 outside.
    squeezed: u32,
    /// Candles for which the last release still counts.
    left: u32,
}

impl Release {
    fn update(&mut self, coil: Coil) {
        self.left = self.left.saturating_sub(1);
        match coil {
            Coil::Squeezed => {
                self.squeezed = self.squeezed.saturating_add(1);
                self.left = 0;
            }
            Coil::Free => {
                if self.squeezed >= self.min_candles {
                    self.left = self.hold;
                }
                self.squeezed = 0;
            }
        }
    }
}

impl Behavior for SqueezeComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "squeeze",
        family: Family::Volatility,
        title: "Squeeze",
        help: "Bollinger bands inside the Keltner channel: the market is coiled; coming out again it is released.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "On the candle that releases a squeeze, the direction of momentum: the end of the regression line \
                       through the closes' distance from the middle of their range.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets entries pass only while the market is not squeezed.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "the larger of bb_period and kc_period + 1; as signal at least 2 * kc_period - 1 as well",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::integer(
                "bb_period",
                "Bollinger period",
                "Closes of the bands.",
                candles(20, 2, 500),
            ),
            ParameterEntry::number(
                "bb_mult",
                "Bollinger width",
                "Distance of the bands from the mean.",
                decimals(Unit::Deviations, ["2", "0.1", "10", "0.1"]),
            ),
            ParameterEntry::integer(
                "kc_period",
                "Keltner period",
                "Candles of the channel's average and ATR, and of momentum.",
                candles(20, 3, 200),
            ),
            ParameterEntry::number(
                "kc_mult",
                "Keltner width",
                "Distance of the channel from its average, in ATRs.",
                decimals(Unit::Multiple, ["1.5", "0.1", "20", "0.1"]),
            ),
            ParameterEntry::integer(
                "min_candles",
                "Shortest squeeze",
                "A squeeze of fewer candles does not count.",
                candles(1, 1, 500),
            )
            .only_in(&[Role::Signal]),
            ParameterEntry::integer(
                "hold",
                "Counts for",
                "Candles for which the release counts, the releasing one included; a new squeeze ends it.",
                candles(1, 1, 100),
            )
            .only_in(&[Role::Signal]),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let [bands, channel] = ["bb_period", "kc_period"].map(|name| parameters.integer(name));
        let squeeze =
            Squeeze::new((bands, parameters.float("bb_mult")), (channel, parameters.float("kc_mult")));
        let own = Squeeze::warmup_candles(bands, channel);
        if role != Role::Signal {
            return Ok(Self { warmup: own, squeeze, release: None });
        }
        let release = Release {
            momentum: SqueezeMomentum::new(channel),
            min_candles: parameters.integer("min_candles"),
            hold: parameters.integer("hold"),
            squeezed: 0,
            left: 0,
        };
        let warmup = own.max(SqueezeMomentum::warmup_candles(channel));
        Ok(Self { warmup, squeeze, release: Some(release) })
    }

    fn role(&self) -> Role {
        if self.release.is_some() { Role::Signal } else { Role::Filter }
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let squeeze = self.squeeze.update(candle);
        let Some(release) = &mut self.release else {
            let Some(squeeze) = squeeze else { return Reading::WARMING_UP };
            let check = if squeeze.coil == Coil::Free { Check::Pass } else { Check::Block };
            return both_ways(check, squeeze.ratio, Some(1.0));
        };
        let momentum = release.momentum.update(candle);
        if let Some(squeeze) = squeeze {
            release.update(squeeze.coil);
        }
        let (Some(momentum), Some(_)) = (momentum, squeeze) else { return Reading::WARMING_UP };
        let direction = if release.left > 0 { sign(momentum) } else { Direction::Neutral };
        Reading::signal(direction, momentum, Some(0.0))
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = format!(
            "Bollinger bands ({}, {}) inside Keltner bands ({}, {})",
            parameters.integer("bb_period"),
            parameters.number("bb_mult"),
            parameters.integer("kc_period"),
            parameters.number("kc_mult")
        );
        if role != Role::Signal {
            return format!("blocks entries during a squeeze: {name}");
        }
        let hold = match parameters.integer("hold") {
            1 => String::from("on the candle that ends it"),
            hold => format!("for {hold} candles from the one that ends it"),
        };
        match parameters.integer("min_candles") {
            1 => format!("after a squeeze ({name}) takes the direction of momentum {hold}"),
            least => {
                format!(
                    "after a squeeze of {least} candles or more ({name}) takes the direction of momentum {hold}"
                )
            }
        }
    }
}
