//! Integration tests of the engine, one binary. Each module says what it answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod components;
mod determinism;
mod exits;
mod guards;
mod indicators;
mod indicators_momentum;
mod indicators_trend;
mod indicators_volatility;
mod limits;
mod lookahead;
mod properties;
mod report;
mod rig;
mod scenarios;
mod series;
mod sizing;
mod templates;
mod variants;
mod warmup;
