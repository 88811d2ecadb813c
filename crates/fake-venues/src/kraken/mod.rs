//! Kraken Futures: linear (`PF_`) and inverse (`PI_`) perpetual contracts over `/derivatives/api/v3` and `/ws/v1`.
//!
//! Start at [`call`] for REST and at [`socket`] and [`stream`] for WebSocket feeds. Peculiar to this venue: numbers are
//! JSON numbers, refused orders are answered `success` with a word in their status, parameters of writes may stand in
//! the query or in the body, candles are not streamed.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod call;
pub(crate) mod failure;
pub(crate) mod history;
pub(crate) mod instruments;
pub(crate) mod market;
pub(crate) mod params;
pub(crate) mod shapes;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod trade;
