//! Binance's adapter against recorded data, against scripted servers, and against noise.

mod adapter;
mod noise;
mod request_cases;
mod requests;
mod responses;
mod streams;
mod support;
