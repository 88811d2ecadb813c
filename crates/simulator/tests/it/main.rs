//! Tests of the simulated exchange through its public interface. Scenarios are text files a trader can read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test by panicking")]

mod backtests;
mod checks;
mod comparisons;
mod conservation;
mod pages;
mod reference_backtests;
mod reference_market;
mod reference_strategy;
mod scenario;
mod several;
mod sweeps;
mod walks;
