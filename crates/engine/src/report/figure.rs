//! The figures by which results are ranked and compared, each with its name and with which way is better.

use serde::{Deserialize, Serialize};

use super::Metrics;
use super::trades::count;
use crate::input::decimal_to_f64;

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

macro_rules! figures {
    ($($variant:ident $name:literal $title:literal $better:ident |$metrics:ident| $value:expr;)+) => {
        /// One figure of a result.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Figure { $(#[doc = $title] $variant),+ }

        impl Figure {
            /// Every figure, in the order shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in documents.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Its label.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// Which way it is better.
            pub const fn better(self) -> Better {
                match self { $(Self::$variant => Better::$better),+ }
            }

            /// Its value; `None` where it is not defined.
            pub fn of(self, metrics: &Metrics) -> Option<f64> {
                let value = match self { $(Self::$variant => { let $metrics = metrics; $value }),+ };
                value.filter(|value| value.is_finite())
            }
        }
    };
}

figures! {
    NetProfit "net_profit" "Net profit" Higher |m| Some(decimal_to_f64(m.trades.net));
    ReturnPct "return_pct" "Return, %" Higher |m| m.return_pct;
    Trades "trades" "Trades" Higher |m| Some(count(m.trades.count));
    WinRatePct "win_rate_pct" "Win rate, %" Higher |m| m.trades.win_rate_pct;
    ProfitFactor "profit_factor" "Profit factor" Higher |m| m.trades.profit_factor;
    Expectancy "expectancy" "Expectancy" Higher |m| m.trades.expectancy.map(decimal_to_f64);
    ExpectancyR "expectancy_r" "Expectancy, R" Higher |m| m.trades.expectancy_r;
    Payoff "payoff" "Payoff" Higher |m| m.trades.payoff;
    MaxDrawdownPct "max_drawdown_pct" "Greatest drawdown, %" Lower |m| Some(m.equity.max_drawdown_pct.unwrap_or(0.0));
    Sharpe "sharpe" "Sharpe" Higher |m| m.equity.sharpe;
    Sortino "sortino" "Sortino" Higher |m| m.equity.sortino;
    CagrPct "cagr_pct" "Annual growth, %" Higher |m| m.equity.cagr_pct;
    Calmar "calmar" "Calmar" Higher |m| m.equity.calmar;
    ExposurePct "exposure_pct" "Time in positions, %" Lower |m| m.equity.exposure_pct;
    LossStreak "loss_streak" "Losses in a row" Lower |m| Some(count(m.trades.loss_streak));
    Fees "fees" "Fees" Lower |m| Some(decimal_to_f64(m.trades.fees));
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no figure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a figure: one of {} is expected", Figure::ALL.iter().map(|figure| figure.name()).collect::<Vec<_>>().join(", "))]
pub struct FigureError;

impl std::str::FromStr for Figure {
    type Err = FigureError;
    fn from_str(text: &str) -> Result<Self, FigureError> {
        Self::ALL.iter().copied().find(|figure| figure.name() == text).ok_or(FigureError)
    }
}

/// All figures of one result, without the result: small enough to keep one per combination of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures([Option<f64>; Figure::ALL.len()]);

impl Figures {
    /// The figures of a result.
    pub fn of(metrics: &Metrics) -> Self {
        let mut figures = [None; Figure::ALL.len()];
        for (place, figure) in figures.iter_mut().zip(Figure::ALL) {
            *place = figure.of(metrics);
        }
        Self(figures)
    }

    /// One of them.
    pub fn get(&self, figure: Figure) -> Option<f64> {
        let place = Figure::ALL.iter().position(|other| *other == figure);
        place.and_then(|place| self.0[place])
    }

    /// All of them with their names.
    pub fn iter(&self) -> impl Iterator<Item = (Figure, Option<f64>)> + '_ {
        Figure::ALL.iter().copied().zip(self.0)
    }
}

impl Serialize for Figures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(figure, value)| (figure.name(), value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_documents() {
        for figure in Figure::ALL {
            assert_eq!(serde_json::to_value(figure).unwrap(), figure.name());
            assert_eq!(figure.name().parse(), Ok(*figure));
        }
        assert!("luck".parse::<Figure>().is_err());
    }
}
