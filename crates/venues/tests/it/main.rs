//! The venues' adapters against recorded data, against servers that misbehave, and against noise.
//!
//! Nothing here leaves the loopback interface.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise"
)]

mod adapter;
mod binance;
mod bitmex;
mod conformance_messages;
mod conformance_requests;
mod conformance_responses;
mod counts;
mod kit;
mod kraken;
mod noise;
mod okx;
mod request_cases;
mod servers;
mod streams;
mod support;
mod transport;
mod walls;
