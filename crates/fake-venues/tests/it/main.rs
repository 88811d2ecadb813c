//! The fake venues as their clients see them: over real HTTP and WebSocket on the loopback device.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test by panicking")]

mod binance;
mod bitmex;
mod ccxt;
mod client;
mod faults;
mod flow;
mod keys;
mod kraken;
mod okx;
mod oracle;
mod program;
mod replay;
mod streams;
