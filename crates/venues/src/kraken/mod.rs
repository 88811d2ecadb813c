//! Kraken Futures: linear (`PF_`, multi-collateral) and inverse (`PI_`, single-collateral) perpetual contracts.
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod refusals;
pub mod render;
pub mod wire;
pub mod wire_market;
