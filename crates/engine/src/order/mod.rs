//! The orders of one instrument: their life as one table, and the book of those that still live.

pub mod book;
mod fills;
pub mod lifecycle;

pub use book::{Book, Tracked};
pub use lifecycle::{LifecycleError, OrderInput, OrderState};
