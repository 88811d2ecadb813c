//! Kraken Futures: recorded requests, answers, errors and messages, and noise.

mod answers;
mod messages;
mod noise;
mod requests;
mod twin;
