//! Parameter sweeps: one template in many variants over the same candles, ranked by a figure.
//!
//! [`document`] is what a user writes, [`space`] turns it into combinations, [`run`](run()) plays them on all threads.
//! Only the figures of a combination are kept; the reports of the best are computed again. The result does not depend on
//! the number of threads. A good result of a sweep is the best of many tries: [`crate::walk_forward`] says what it is
//! worth on candles that it has not seen.

pub mod document;
mod place;
mod rank;
mod run;
pub mod space;
mod text;

pub use document::{Axis, Search, SweepDocument};
pub use rank::{Completion, Invalid, Ranked, SweepReport};
pub(crate) use run::specify;
pub use run::{HistoryUse, Job, Sweep, SweepError, SweepProgress, run};
pub use space::{Combination, Setting, Space};
pub(crate) use text::bare;
pub use text::{csv, text};
