//! The fake BitMEX as independent clients see it.

mod ccxt;
mod rules;
