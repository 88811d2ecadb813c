//! OKX v5: linear and inverse perpetual contracts, net positions, orders that wait for a trigger in a book of their own.
//!
//! Start at [`call`] for REST and at [`stream`] for WebSocket channels. OKX counts contracts; the exchange inside counts
//! coins and dollars: [`instruments::contract_size`]. The margin mode, which OKX is told with each order, is the
//! account's here and follows the orders as long as nothing is open.

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
