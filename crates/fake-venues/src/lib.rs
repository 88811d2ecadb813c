//! Exchanges that run on this machine with made-up money, speaking the protocol of a real one.
//!
//! For development, demos and tests; no part of the product's server links it. [`FakeVenue`] starts one inside a
//! program, the binary `keyhold-fake-venue` on its own. Matching is [`keyhold_simulator::exchange`]; this crate adds
//! the wire (one folder per exchange behind `protocol`), keys, faults and a control interface ([`control`] describes
//! its calls).
//!
//! Two times: candles, orders, fills and stream messages carry replay time. The wall clock judges signatures and rate
//! limits and is what the venue tells when it is asked for the time. They agree only when a synthetic
//! market runs at `1x` from now. `accounts.example.toml` shows the accounts file.

// The order object has some fifty names; `json!` recurses once per name.
#![recursion_limit = "512"]

mod binance;
mod bitmex;
mod book;
mod bybit;
pub mod clock;
pub mod config;
pub mod control;
mod core;
mod feed;
mod hub;
mod instruments;
mod kraken;
mod latency;
mod okx;
mod protocol;
mod replay;
mod server;
mod trouble;
mod venue;
mod world;

pub use instruments::{
    parse as parse_instrument, parse_at as parse_instrument_at, start_price, usual as usual_instruments,
};
pub use venue::{FakeBybit, FakeVenue, StartError};
pub use world::Part;
