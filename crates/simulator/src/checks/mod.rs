//! Checks of a strategy on its own candles: does it know the future, and does it know enough of the past?
//!
//! [`lookahead()`] cuts the candles off at many places: nothing that was decided before a cut may change.
//! [`warmup()`] begins later: after the stated warm-up the components must say what they say with the whole history.
//! Both run the same backtest that gives the reports. They read no file and no clock.

mod differ;
mod lookahead;
pub mod play;
mod text;
mod warmup;

pub use differ::Difference;
pub use lookahead::{Leak, LookaheadReport, lookahead};
pub use play::Recorded;
pub use text::{lookahead_text, warmup_text};
pub use warmup::{Play, Settling, Start, WarmupReport, warmup};

pub(crate) use differ::differences;

use keyhold_engine::decision::Decision;

use crate::backtest::{BacktestError, Control};

/// Who hears the decisions of a run, in order, and may stop it.
pub type Told<'a> = &'a mut dyn FnMut(Decision) -> Control;

/// Places spread evenly between two ends, the ends left out, each once.
fn spread(from: usize, until: usize, count: usize) -> Vec<usize> {
    let width = until.saturating_sub(from);
    let mut places: Vec<usize> =
        (1..=count).map(|number| from + width * number / (count + 1)).filter(|place| *place > from).collect();
    places.dedup();
    places
}

/// A run that was stopped by its listener has told what was wanted.
fn heard(result: Result<(), BacktestError>) -> Result<(), BacktestError> {
    match result {
        Err(BacktestError::Canceled) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn places_are_spread_evenly() {
        assert_eq!(spread(0, 100, 3), [25, 50, 75]);
        assert_eq!(spread(10, 12, 5), [11]);
        assert_eq!(spread(5, 5, 3), [0; 0]);
    }
}
