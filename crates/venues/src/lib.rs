//! Exchanges behind one port: market data, orders, account, streams.
//!
//! Start reading at [`port`], which is what a program sees; then [`signer`], which is how a program lends its key
//! without giving it away; then [`common`], the ways that all venues share, and [`bybit`], the first of them. This crate
//! holds no secret, knows no strategy and no database, and has no call that moves money out or manages keys. It reads no
//! clock: the program hands one in.

pub mod any;
pub mod backoff;
pub mod binance;
pub mod bitmex;
pub mod book;
pub mod bybit;
pub mod clock;
pub mod common;
pub mod error;
pub mod event;
pub mod hosts;
pub mod kraken;
pub mod okx;
pub mod port;
pub mod rate_limit;
pub mod settings;
pub mod signer;
pub mod tape;
pub mod transport;

pub use any::{AnyMarket, AnyVenue};
pub use clock::Clock;
pub use error::{NotSentCause, UnknownCause, VenueError, WireError};
pub use event::{AccountEvent, EventStream, MarketEvent};
pub use hosts::Endpoints;
pub use port::{MarketData, TradingVenue};
pub use settings::{Settings, VenueConfig};
pub use signer::{Intent, MacKey, SignedRequest, Signer, SignerRefusal, sign_with};
pub use transport::{Dialer, TokioDialer};
