//! Walk-forward: choose the parameters on one window, trade them on the next, and join what the next windows brought.
//!
//! The joined result is the only part of a sweep that was not chosen with hindsight. Every window's run begins with the
//! equity that the one before it ended with, and without a position: one that is open at a window's end is valued at its
//! last close, without the costs of leaving it.

mod report;
mod run;
mod text;
mod windows;

pub use report::{WalkForwardReport, Window};
pub use run::{Walk, WalkError, run};
pub use text::{csv, text};
pub use windows::{Anchor, Plan, Span, WindowError, windows};
