//! Binance: USD-M (`/fapi`) and COIN-M (`/dapi`) perpetual contracts in one-way mode.
//!
//! Start at [`call`] for REST and at [`stream`] for WebSocket news. Conditional orders live in a book of their own on
//! the wire (the Algo Service); inside they are orders like others.

pub(crate) mod account;
pub(crate) mod auth;
mod book;
pub(crate) mod call;
pub(crate) mod failure;
pub(crate) mod instruments;
pub(crate) mod market;
pub(crate) mod shapes;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod stream;
mod told;
pub(crate) mod trade;
