//! Streaming statistics over closed candles: one number in, one number out, constant memory.
//!
//! An indicator answers `None` until it has seen enough and from then on always `Some`. It knows nothing of
//! roles, directions or orders; [`crate::component`] draws the conclusions. Only `+ − × ÷ √` are used, so
//! every machine gives the same bits. Definitions are checked against TA-Lib, pandas-ta and plain reference code in
//! `tests/it/indicators.rs`.

mod adx;
mod aroon;
mod atr;
mod bollinger;
mod choppiness;
mod deviation;
mod donchian;
mod ema;
mod heikin_ashi;
mod higher;
mod ichimoku;
mod line_fit;
mod macd;
mod rolling;
mod rsi;
mod sar;
mod sma;
mod supertrend;
mod swing;
mod vortex;
mod window;
mod wma;

pub use adx::{Adx, AdxValue};
pub use aroon::{Aroon, AroonValue};
pub use atr::{Atr, TrueRange};
pub use bollinger::{Bands, Bollinger};
pub use choppiness::Choppiness;
pub use deviation::{Deviation, Spread};
pub use donchian::{Channel, Donchian};
pub use ema::{Ema, Rma};
pub use heikin_ashi::HeikinAshi;
pub use higher::HigherCandles;
pub use ichimoku::{Ichimoku, IchimokuPeriods, IchimokuValue};
pub use line_fit::{Line, LineFit};
pub use macd::{Macd, MacdPeriods, MacdValue};
pub use rolling::{RollingHigh, RollingLow};
pub use rsi::Rsi;
pub use sar::ParabolicSar;
pub use sma::Sma;
pub use supertrend::{Supertrend, SupertrendValue, TrendSide};
pub use swing::{SwingPoints, Swings};
pub use vortex::{Vortex, VortexValue};
pub use window::Window;
pub use wma::{Hull, Wma};
