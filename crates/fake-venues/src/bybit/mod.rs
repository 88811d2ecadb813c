//! Bybit v5: linear and inverse perpetual contracts, unified account, one-way mode.
//!
//! Start at [`call`] for REST and at [`stream`] for WebSocket topics.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod call;
pub(crate) mod failure;
pub(crate) mod instruments;
pub(crate) mod market;
pub(crate) mod params;
pub(crate) mod shapes;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod trade;
