//! The real program against a real keeper, a venue with made-up money and a server's end of the line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests fail the test by panicking"
)]

mod flow;
mod keeper;
mod market;
mod recovery;
mod rig;
mod secrets;
mod server;
mod trading;
mod verify;
