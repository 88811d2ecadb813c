//! The server: API, sessions, fleet, the dashboard's files. It cannot open an exchange secret.

pub mod backtest;
pub mod fleet;
