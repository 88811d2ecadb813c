//! Kraken Futures: recorded requests, answers, errors and messages, and noise.

pub(crate) mod answers;
pub(crate) mod messages;
mod noise;
pub(crate) mod requests;
mod twin;
