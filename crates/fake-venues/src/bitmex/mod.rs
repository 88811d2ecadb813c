//! BitMEX v1: linear and inverse perpetual contracts, one net position, money in whole minor units.
//!
//! Start at [`call`] for REST and at [`stream`] for the tables of the WebSocket. The exchange inside counts base coins
//! and dollars; [`units`] turns them into contracts and satoshis.

pub(crate) mod account;
pub(crate) mod auth;
pub(crate) mod books;
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
pub(crate) mod units;
