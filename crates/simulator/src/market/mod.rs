//! Where prices come from: a seeded synthetic market, and candles put together to longer ones.
//!
//! Knows no file and no clock. Reading candle files belongs to the programs.

mod aggregate;
mod synthetic;

pub use aggregate::{Aggregator, aggregate};
pub use synthetic::{Synthetic, SyntheticConfig};
