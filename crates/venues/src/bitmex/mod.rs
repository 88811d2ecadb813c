//! BitMEX, v1 API: linear and inverse perpetual contracts with one net position. The venue closed on 2026-09-23; it is
//! spoken to in the simulated environment only ([`crate::hosts`] has no address of it).
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`refusals`] says what the answer means,
//! [`wire`] reads it, [`convert`] makes it ours. BitMEX counts in contracts and minor units: [`contracts`]. Its streams
//! are tables: [`image`]. Its candles: [`bins`].

pub mod bins;
pub mod bodies;
pub mod contracts;
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod image;
pub mod refusals;
pub mod render;
pub mod wire;
