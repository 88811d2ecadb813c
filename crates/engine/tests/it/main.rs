//! Integration tests of the engine, one binary. Each module says what it answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod components;
mod indicators;
mod lookahead;
mod series;
mod templates;
mod variants;
mod warmup;
