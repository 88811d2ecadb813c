//! `candle_extension`: do not chase a candle that is far larger than usual.
//!
//! Its true range is compared with the average true range of the candles before it. The reading's value is that ratio, its
//! limit the largest allowed.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::{Rma, TrueRange};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Reading};
use crate::template::Role;

/// Which entries an oversized candle blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Blocks {
    /// Those in the direction of its body; without a body, all.
    Chasing,
    All,
}

/// Size of a candle against those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandleExtension {
    period: u32,
    max: f64,
    blocks: Blocks,
    range: TrueRange,
    average: Rma,
    prior: Option<f64>,
}

impl Behavior for CandleExtension {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "candle_extension",
        family: Family::EntryGuard,
        title: "Candle extension",
        help: "Refuses to chase a candle that is far larger than those before it.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries on a candle whose true range is more than allowed, in ATRs of the candles before it.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 2",
        unit: Unit::Multiple,
        parameters: &[
            ParameterEntry::integer("period", "ATR period", "Candles of the ATR.", candles(14, 2, 200)),
            ParameterEntry::number(
                "max",
                "Largest",
                "Largest true range of the candle, in ATRs.",
                decimals(Unit::Multiple, ["2", "0.1", "50", "0.1"]),
            ),
            ParameterEntry::choice(
                "block",
                "Blocks",
                "chasing: entries in the direction of the candle's body, both when it has none; all: both directions.",
                &["chasing", "all"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self {
            period,
            max: parameters.float("max"),
            blocks: if parameters.choice("block") == "all" { Blocks::All } else { Blocks::Chasing },
            range: TrueRange::default(),
            average: Rma::new(period),
            prior: None,
        })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 2
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(range) = self.range.update(candle) else { return Reading::WARMING_UP };
        let average = self.average.update(range);
        let Some(prior) = std::mem::replace(&mut self.prior, average) else { return Reading::WARMING_UP };
        let limit = Some(self.max);
        let reading = match self.blocks {
            _ if range <= self.max * prior => both_ways(Check::Pass, 0.0, limit),
            Blocks::All => both_ways(Check::Block, 0.0, limit),
            Blocks::Chasing => only_toward(sign(candle.open - candle.close), 0.0, limit),
        };
        // After a market without any movement every range is too large; there is no ratio to show.
        Reading { value: (prior > 0.0).then(|| range / prior), ..reading }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, max) = (parameters.integer("period"), parameters.number("max"));
        let entries = match parameters.choice("block") {
            "all" => "entries",
            _ => "entries in the direction of the candle",
        };
        format!("blocks {entries} when its true range is more than {max} times the ATR({period}) before it")
    }
}
