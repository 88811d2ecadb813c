//! A number in percent that must lie between `min_pct` and `max_pct`. Used by `atr` and `hist_vol`.

use serde::{Deserialize, Serialize};

use super::{Parameters, both_ways};
use crate::problem::{Problem, code};
use crate::reading::{Check, Reading};

/// The smallest and the largest value that pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounds {
    min_pct: f64,
    max_pct: f64,
}

impl Bounds {
    /// From the parameters `min_pct` and `max_pct`.
    pub(super) fn from_parameters(parameters: &Parameters) -> Result<Self, Vec<Problem>> {
        let (min, max) = (parameters.number("min_pct"), parameters.number("max_pct"));
        if min >= max {
            return Err(vec![Problem::new(
                "parameters.min_pct",
                code::CONTRADICTION,
                format!("The smallest value ({min}) is not below the largest ({max})."),
                "Make min_pct smaller than max_pct.",
            )]);
        }
        Ok(Self { min_pct: parameters.float("min_pct"), max_pct: parameters.float("max_pct") })
    }

    /// Both bounds pass. The limit shown is the bound broken or nearer.
    pub(super) fn judge(self, percent: f64) -> Reading {
        let inside = percent >= self.min_pct && percent <= self.max_pct;
        let nearer_min = percent < f64::midpoint(self.min_pct, self.max_pct);
        let limit = if nearer_min { self.min_pct } else { self.max_pct };
        both_ways(if inside { Check::Pass } else { Check::Block }, percent, Some(limit))
    }
}
