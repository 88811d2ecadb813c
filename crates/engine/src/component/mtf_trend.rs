//! `mtf_trend`: on which side of its average the last closed candle of a longer timeframe closed.
//!
//! Higher candles are built from the template's own ([`HigherCandles`]); one that has not closed is never looked at. The
//! reading's value is the close of the last higher candle, its limit the average. It answers after as many candles as
//! the average needs wherever the history begins, so that the answer does not come earlier on lucky starts.

use keyhold_domain::Timeframe;
use serde::{Deserialize, Serialize};

use super::average::{self, Average};
use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::HigherCandles;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::Reading;
use crate::settings::MOST_WARMUP_CANDLES;
use crate::template::Role;

/// The last closed higher candle against its average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Standing {
    close: f64,
    average: f64,
}

/// Trend of a longer timeframe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MtfTrend {
    role: Role,
    warmup_candles: u32,
    seen: u32,
    higher: HigherCandles,
    average: Average,
    standing: Option<Standing>,
}

impl Behavior for MtfTrend {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "mtf_trend",
        family: Family::Trend,
        title: "Trend of a longer timeframe",
        help: "Whether the last closed candle of a longer timeframe closed above or below that timeframe's moving average.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish while the last closed higher candle closed above the average, bearish while below.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass while the last closed higher candle closed above the average, shorts while below.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "(period + 1) * candles of the template in one higher candle - 1",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::timeframe(
                "timeframe",
                "Longer timeframe",
                "Length of the higher candles: a whole multiple of the template's, aligned to UTC.",
                Timeframe::H4,
            ),
            average::TYPE,
            ParameterEntry::integer(
                "period",
                "Period",
                "Length of the average, in higher candles.",
                candles(50, 2, 500),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let (higher, ratio) = higher_timeframe(parameters, context).map_err(|problem| vec![problem])?;
        let period = parameters.integer("period");
        // At worst the history begins just after a higher candle, whose remaining candles are then not used.
        let warmup_candles = (period + 1).saturating_mul(ratio).saturating_sub(1);
        if warmup_candles > MOST_WARMUP_CANDLES {
            return Err(vec![too_much_history(warmup_candles, context)]);
        }
        Ok(Self {
            role,
            warmup_candles,
            seen: 0,
            higher: HigherCandles::new(higher),
            average: Average::from_parameters(parameters),
            standing: None,
        })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let (average, standing) = (&mut self.average, &mut self.standing);
        self.higher.update(inputs.candle, inputs.closed_at, |higher| {
            *standing = average.update(higher.close).map(|average| Standing { close: higher.close, average });
        });
        if self.seen < self.warmup_candles {
            self.seen += 1;
        }
        let Some(standing) = self.standing.filter(|_| self.seen >= self.warmup_candles) else {
            return Reading::WARMING_UP;
        };
        let direction = sign(standing.close - standing.average);
        match self.role {
            Role::Signal => Reading::signal(direction, standing.close, Some(standing.average)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                only_toward(direction, standing.close, Some(standing.average))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (timeframe, name) = (parameters.choice("timeframe"), average::name(parameters));
        match role {
            Role::Signal => format!(
                "bullish while the last closed {timeframe} candle closed above the {name} of that timeframe, bearish while below"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "lets longs pass while the last closed {timeframe} candle closed above the {name} of that timeframe, shorts while below"
            ),
        }
    }
}

/// The longer timeframe, and how many of the template's candles it holds.
fn higher_timeframe(parameters: &Parameters, context: Context) -> Result<(Timeframe, u32), Problem> {
    let own = context.timeframe;
    let text = parameters.choice("timeframe");
    let higher = text.parse::<Timeframe>().ok().filter(|higher| fits(*higher, own));
    let ratio = higher.and_then(|higher| u32::try_from(higher.ms() / own.ms()).ok());
    higher.zip(ratio).ok_or_else(|| {
        let usable: Vec<_> =
            Timeframe::ALL.iter().filter(|frame| fits(**frame, own)).map(|frame| frame.as_str()).collect();
        let remedy = if usable.is_empty() {
            format!("Nothing is longer than {own}: remove the component, or give the template a shorter timeframe.")
        } else {
            format!("Use one of: {}; or change the template's timeframe.", usable.join(", "))
        };
        Problem::new(
            "parameters.timeframe",
            code::CONTRADICTION,
            format!("{text} candles cannot be built from the template's {own} candles: they must be longer, and a whole number of them."),
            remedy,
        )
    })
}

const fn fits(higher: Timeframe, own: Timeframe) -> bool {
    higher.ms() > own.ms() && higher.ms() % own.ms() == 0
}

fn too_much_history(needed: u32, context: Context) -> Problem {
    Problem::new(
        "parameters.period",
        code::OUT_OF_RANGE,
        format!(
            "The average needs {needed} candles of {} before its first answer; the limit is {MOST_WARMUP_CANDLES}.",
            context.timeframe
        ),
        "Make period smaller, or choose a shorter one of the longer timeframes.",
    )
}
