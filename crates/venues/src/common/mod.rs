//! What all venues share: the way of a call, connections of streams, order among candles, the loops of sessions.
//!
//! A venue hands in its dialect ([`rest::Dialect`]) and how its streams talk ([`market_feed::PublicStream`],
//! [`account_feed::PrivateStream`]); nothing here knows a path, a number or a word of any venue.

pub mod account_feed;
pub mod endpoint;
pub mod field;
pub mod fills;
pub mod flow;
pub mod forming;
pub mod link;
pub mod market_feed;
pub mod resolve;
pub mod rest;
pub mod series;
