//! Whether candles follow each other, and which are missing.

use keyhold_domain::Timestamp;
use keyhold_engine::Plan;
use keyhold_engine::input::ClosedCandle;

use super::report::{Finding, Gap};
use super::run::BacktestError;

/// Gaps that are listed one by one.
const MOST_GAPS: usize = 1000;

/// The sequence of one instrument's candles, checked piece by piece.
#[derive(Debug)]
pub(super) struct Sequence {
    symbol: keyhold_domain::Symbol,
    interval_ms: i64,
    /// When the newest checked candle opened.
    newest: Option<Timestamp>,
    gaps: Vec<Gap>,
    missing: i64,
}

impl Sequence {
    /// Before the first candle.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            symbol: plan.instrument.symbol,
            interval_ms: plan.interval_ms(),
            newest: None,
            gaps: Vec::new(),
            missing: 0,
        }
    }

    /// Takes the next candles in.
    pub(super) fn check(&mut self, candles: &[ClosedCandle]) -> Result<(), BacktestError> {
        candles.iter().try_for_each(|candle| self.check_one(candle))
    }

    /// Takes the next candle in, just before it is played: a look ahead over many would wait for each of them to come from
    /// memory, while one after the other they come in time behind the work on those before.
    #[inline]
    pub(super) fn check_one(&mut self, candle: &ClosedCandle) -> Result<(), BacktestError> {
        let open = candle.candle.open_time;
        if let Some(newest) = self.newest {
            let expected = newest.plus_ms(self.interval_ms);
            if open != expected {
                self.unexpected(open, newest, expected)?;
            }
        }
        self.newest = Some(open);
        Ok(())
    }

    #[cold]
    fn unexpected(
        &mut self,
        open: Timestamp,
        newest: Timestamp,
        expected: Timestamp,
    ) -> Result<(), BacktestError> {
        if open <= newest {
            return Err(BacktestError::OutOfOrder(open));
        }
        if open > expected {
            self.missing += open.since_ms(expected) / self.interval_ms;
            if self.gaps.len() < MOST_GAPS {
                self.gaps.push(Gap { symbol: self.symbol, from: expected, until: open });
            }
        }
        Ok(())
    }

    /// The gaps, after saying that there are some.
    pub(super) fn listed(self, findings: &mut Vec<Finding>) -> Vec<Gap> {
        if !self.gaps.is_empty() {
            findings.push(Finding {
                code: "BT_DATA_GAPS",
                message: format!("{} candles are missing in {} places.", self.missing, self.gaps.len()),
            });
        }
        self.gaps
    }
}
