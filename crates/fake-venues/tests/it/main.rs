//! The fake Bybit as its clients see it: over real HTTP and WebSocket on the loopback device.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test by panicking")]

mod bitmex;
mod ccxt;
mod client;
mod faults;
mod flow;
mod keys;
mod oracle;
mod program;
mod replay;
mod streams;
