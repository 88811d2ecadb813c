//! Streaming statistics over closed candles: one number in, one number out, constant memory.
//!
//! An indicator answers `None` until it has seen enough and from then on always `Some`. It knows nothing of
//! roles, directions or orders; [`crate::component`] draws the conclusions. Only `+ − × ÷ √` are used, so
//! every machine gives the same bits. Definitions are checked against TA-Lib, pandas-ta and plain reference code in
//! `tests/it/indicators.rs`.

mod adx;
mod atr;
mod bollinger;
mod choppiness;
mod cumulative;
mod deviation;
mod donchian;
mod ema;
mod macd;
mod rolling;
mod rsi;
mod sma;
mod supertrend;
mod window;

pub use adx::{Adx, AdxValue};
pub use atr::{Atr, TrueRange};
pub use bollinger::{Bands, Bollinger};
pub use choppiness::Choppiness;
pub use cumulative::CumulativeSlope;
pub use deviation::{Deviation, Spread};
pub use donchian::{Channel, Donchian};
pub use ema::{Ema, Rma};
pub use macd::{Macd, MacdPeriods, MacdValue};
pub use rolling::{RollingHigh, RollingLow};
pub use rsi::Rsi;
pub use sma::Sma;
pub use supertrend::{Supertrend, SupertrendValue, TrendSide};
pub use window::Window;
