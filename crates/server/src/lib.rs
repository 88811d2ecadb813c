//! The server behind the `keyhold` program: accounts, sealed keys, templates, bots, and everything bots report.
//!
//! It keeps ciphertext and cannot open it: no crate that could is among its dependencies. Start at [`start`], which
//! puts the parts together, then [`api`] for routes, `supervisor` for processes and `uplink` for what bots say.

mod account;
pub mod api;
mod app;
pub mod backtest;
pub mod candles;
pub mod cli;
pub mod clock;
pub mod config;
mod doctor;
mod egress;
mod guide;
mod http;
mod jobs;
mod keeper;
mod live;
pub mod random;
mod shape;
mod start;
mod supervisor;
mod uplink;
mod venues;
mod watch;

pub use account::claim::new_code;
pub use start::{Running, StartError, open_store, start};
