//! Exchanges and markets that exist only in memory, for backtests, paper trading and tests.
//!
//! Knows no clock, no network and no file: time, candles and orders come in as values. [`exchange`] matches orders
//! and keeps the books; [`backtest`] runs the trading engine against it; [`random`], [`latency`] and [`faults`] say what chance does, from a seed.

pub mod backtest;
pub mod exchange;
pub mod faults;
pub mod latency;
pub mod market;
pub mod random;
