//! The server through its HTTP API: a real database file, real processes, a loopback port of its own.
//!
//! In place of `keyhold-bot` the server launches the example `parrot`. Tests that need the keeper run it when its
//! program stands beside the tests (or is named by `KEYHOLD_TEST_KEEPER`) and say loudly when it does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing helper of a test is a failing test")]

mod accounts;
mod authorization;
mod backtests;
mod bots;
mod candle_fetches;
mod candles;
mod conform;
mod custody;
mod edge;
mod exchanges;
mod keys;
mod laboratory;
mod laboratory_world;
mod openapi;
mod passkeys;
mod stream;
mod watch;
mod world;
