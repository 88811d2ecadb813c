//! Exchanges that run on this machine with made-up money, speaking the protocol of a real one.
//!
//! For development, demos and tests; no part of the product's server links it. [`FakeBybit`] starts one inside a
//! program, the binary `keyhold-fake-venue` on its own. Matching is [`keyhold_simulator::exchange`]; this crate adds
//! the wire (`bybit`), keys, faults and a control interface ([`control`] describes its calls).
//!
//! Two times: candles, orders, fills and stream messages carry replay time. The wall clock judges signatures and rate
//! limits and is what `/v5/market/time` and the `time` of every REST answer tell. They agree only when a synthetic
//! market runs at `1x` from now. `accounts.example.toml` shows the accounts file.

// The order object has some fifty names; `json!` recurses once per name.
#![recursion_limit = "512"]

mod bybit;
pub mod clock;
pub mod config;
pub mod control;
mod feed;
mod hub;
mod latency;
mod replay;
mod server;
mod trouble;
mod venue;
mod world;

pub use bybit::instruments::{parse as parse_instrument, start_price};
pub use venue::{FakeBybit, StartError};
pub use world::Part;
