//! Backtests: the engine that trades live, fed with candles of the past and filled by the simulated exchange.
//!
//! A decision on the close of a candle fills at the open of the next, made worse by slippage; stops and targets rest
//! from the entry's candle on, and the stop counts when one candle could have hit both. It reads no file and no clock:
//! the caller brings the candles and takes the [`Report`]. Equal inputs give equal bytes. Start at [`run()`]; a bot on
//! several instruments is run by [`run_markets`].

mod export;
mod facts;
mod history;
mod many;
mod recorded;
mod report;
mod run;
mod sequence;
mod spec;
mod support;
mod text;
mod venue;

pub use export::{equity_csv, equity_lines, json, trade_lines, trades_csv};
pub use history::{History, TooCoarse, markets};
pub(crate) use history::{closed, recent};
pub(crate) use many::run_joined;
pub use many::{Market, run_interleaved, run_markets};
pub use recorded::{RecordedError, RecordedFacts, RecordedKind, RecordedProblem};
pub use report::{Assumptions, Finding, Gap, OpenAtEnd, Report};
pub use run::{BacktestError, Control, Progress, run, run_recorded};
pub use spec::{DecisionFill, Fills, Funding, LimitUse, ProtectFrom, Spec, Unsupported};
pub use support::unsupported;
pub use text::text;
