//! Binance's adapter against recorded data, against scripted servers, and against noise.

mod adapter;
mod noise;
mod request_cases;
pub(crate) mod requests;
pub(crate) mod responses;
mod streams;
mod support;
mod twin;
mod twin_market;
mod twin_orders;
mod twin_trouble;
