//! The moving averages a parameter `type` may choose. Used by the components that compare a price with its average.

use serde::{Deserialize, Serialize};

use super::Parameters;
use crate::catalog::ParameterEntry;
use crate::indicator::{Ema, Sma};

/// The parameter that chooses.
pub(super) const TYPE: ParameterEntry = ParameterEntry::choice(
    "type",
    "Kind of average",
    "Exponential (ema) averages follow faster, simple (sma) ones weigh all candles alike.",
    &["ema", "sma"],
);

/// A moving average of the chosen kind. Both kinds have their first value with number `period`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Average {
    Ema(Ema),
    Sma(Sma),
}

impl Average {
    /// Reads `type` and `period`.
    pub(super) fn from_parameters(parameters: &Parameters) -> Self {
        let period = parameters.integer("period");
        if parameters.choice(TYPE.name) == "sma" {
            Self::Sma(Sma::new(period))
        } else {
            Self::Ema(Ema::new(period))
        }
    }

    pub(super) fn update(&mut self, value: f64) -> Option<f64> {
        match self {
            Self::Ema(average) => average.update(value),
            Self::Sma(average) => average.update(value),
        }
    }
}

/// "50-candle EMA".
pub(super) fn name(parameters: &Parameters) -> String {
    format!("{}-candle {}", parameters.integer("period"), parameters.choice(TYPE.name).to_uppercase())
}
