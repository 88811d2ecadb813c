//! The result of a sweep: every combination with its figures, best first, and those that could not be run.

use std::cmp::Ordering;

use keyhold_domain::Timestamp;
use keyhold_engine::problem::Problem;
use keyhold_engine::report::{Better, Figure, Figures};
use serde::Serialize;

use super::document::SweepDocument;
use super::space::Combination;

/// The version of the document.
pub(super) const SWEEP_REPORT_FORMAT: u32 = 1;

/// The result of a sweep. Equal inputs give equal bytes, whatever the number of threads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepReport {
    /// Format of the document.
    pub format: u32,
    /// The template's name.
    pub template: String,
    /// First instant of the range that was asked for, if one was.
    pub from: Option<Timestamp>,
    /// End of the range that was asked for, if one was.
    pub until: Option<Timestamp>,
    /// What was asked.
    pub sweep: SweepDocument,
    /// Combinations in the grid.
    pub grid: u64,
    /// Combinations that were to be run.
    pub asked: u64,
    /// Whether all of them were.
    pub completion: Completion,
    /// Those that ran, best first.
    pub ranked: Vec<Ranked>,
    /// Those that could not be run, by their number.
    pub invalid: Vec<Invalid>,
}

/// Whether a sweep ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// Every combination was tried.
    Complete,
    /// It was canceled: the ranking is that of the combinations done until then.
    Canceled,
}

/// A combination that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// From 1, the best.
    pub rank: u64,
    /// What was set.
    #[serde(flatten)]
    pub combination: Combination,
    /// What came out.
    pub figures: Figures,
}

/// A combination that could not be run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Invalid {
    /// What was set.
    #[serde(flatten)]
    pub combination: Combination,
    /// A stable code, as of a backtest that is refused.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
    /// What is wrong with the template or the settings; at most three.
    pub problems: Vec<Problem>,
}

/// Best first. Results with too few trades stand below the others, those without the figure below both; equal ones stand
/// in the order of their numbers.
pub(super) fn rank(document: &SweepDocument, mut results: Vec<(Combination, Figures)>) -> Vec<Ranked> {
    results.sort_by(|a, b| order(document, a, b));
    (1_u64..)
        .zip(results)
        .map(|(rank, (combination, figures))| Ranked { rank, combination, figures })
        .collect()
}

fn order(document: &SweepDocument, a: &(Combination, Figures), b: &(Combination, Figures)) -> Ordering {
    let standing = |figures: &Figures| match figures.get(document.rank_by) {
        None => 2,
        Some(_) => u8::from(!has_trades(document, figures)),
    };
    let value = |figures: &Figures| figures.get(document.rank_by).unwrap_or(0.0);
    let by_value = match document.rank_by.better() {
        Better::Higher => value(&b.1).total_cmp(&value(&a.1)),
        Better::Lower => value(&a.1).total_cmp(&value(&b.1)),
    };
    standing(&a.1).cmp(&standing(&b.1)).then(by_value).then(a.0.number.cmp(&b.0.number))
}

#[expect(clippy::cast_precision_loss, reason = "a number of trades; 2^53 of them do not exist")]
fn has_trades(document: &SweepDocument, figures: &Figures) -> bool {
    figures.get(Figure::Trades).is_some_and(|trades| trades >= document.min_trades as f64)
}

impl SweepReport {
    /// The best combination that has the figure and enough trades.
    pub fn best(&self) -> Option<&Ranked> {
        let first = self.ranked.first()?;
        let stands =
            first.figures.get(self.sweep.rank_by).is_some() && has_trades(&self.sweep, &first.figures);
        stands.then_some(first)
    }
}
