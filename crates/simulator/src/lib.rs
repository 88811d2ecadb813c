//! Exchanges and markets that exist only in memory, for backtests, paper trading and tests.
//!
//! Knows no clock, no network and no file: time, candles and orders come in as values. [`exchange`] matches orders
//! and keeps the books; [`backtest`] runs the trading engine against it; [`sweep`], [`walk_forward`], [`checks`] and
//! [`compare`] ask what a result is worth; [`random`], [`latency`] and [`faults`] say what chance does, from a seed.

pub mod backtest;
pub mod checks;
pub mod compare;
pub mod exchange;
pub mod faults;
pub mod html;
pub mod latency;
pub mod market;
pub mod pool;
pub mod random;
pub mod sweep;
pub mod walk_forward;
