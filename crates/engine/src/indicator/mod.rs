//! Streaming statistics over closed candles: one number in, one number out, constant memory.
//!
//! An indicator answers `None` until it has seen enough and from then on always `Some`. It knows nothing of
//! roles, directions or orders; [`crate::component`] draws the conclusions. Only `+ − × ÷ √` are used, so
//! every machine gives the same bits. Definitions are checked against TA-Lib, pandas-ta and plain reference code in
//! `tests/it/indicators.rs`.

mod adx;
mod aroon;
mod atr;
mod awesome;
mod bollinger;
mod cci;
mod choppiness;
mod cmf;
mod cumulative;
mod deviation;
mod donchian;
mod ema;
mod heikin_ashi;
mod higher;
mod ichimoku;
mod line_fit;
mod macd;
mod measured;
mod mfi;
mod obv;
mod pivot;
mod roc;
mod rolling;
mod rolling_sum;
mod rsi;
mod sar;
mod sma;
mod stoch_rsi;
mod stochastic;
mod supertrend;
mod swing;
mod tsi;
mod vortex;
mod vwap;
mod williams_r;
mod window;
mod wma;

pub use adx::{Adx, AdxValue};
pub use aroon::{Aroon, AroonValue};
pub use atr::{Atr, TrueRange};
pub use awesome::Awesome;
pub use bollinger::{Bands, Bollinger};
pub use cci::Cci;
pub use choppiness::Choppiness;
pub use cmf::Cmf;
pub use cumulative::CumulativeSlope;
pub use deviation::{Deviation, Spread};
pub use donchian::{Channel, Donchian};
pub use ema::{Ema, Rma};
pub use heikin_ashi::HeikinAshi;
pub use higher::HigherCandles;
pub use ichimoku::{Ichimoku, IchimokuPeriods, IchimokuValue};
pub use line_fit::{Line, LineFit};
pub use macd::{Macd, MacdPeriods, MacdValue};
pub use measured::{Market, Measured};
pub use mfi::Mfi;
pub use obv::ObvDistance;
pub use pivot::{PivotHigh, PivotLow};
pub use roc::Roc;
pub use rolling::{RollingHigh, RollingLow};
pub use rolling_sum::RollingSum;
pub use rsi::Rsi;
pub use sar::ParabolicSar;
pub use sma::Sma;
pub use stoch_rsi::StochRsi;
pub use stochastic::{RangePosition, Stochastic, StochasticPeriods, StochasticValue};
pub use supertrend::{Supertrend, SupertrendValue, TrendSide};
pub use swing::{SwingPoints, Swings};
pub use tsi::{Tsi, TsiPeriods, TsiValue};
pub use vortex::{Vortex, VortexValue};
pub use vwap::{Vwap, VwapValue};
pub use williams_r::WilliamsR;
pub use window::Window;
pub use wma::{Hull, Wma};
