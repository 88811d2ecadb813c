//! One bot: boot, feed, loop, journal, dispatch, uplink. The program that opens one credential.
//!
//! Start reading at [`program`] (the order of a start), then [`run`] (the loop) and [`mind`] (the pure half).

pub mod check;
pub mod clock;
pub mod confine;
pub mod findings;
pub mod journal;
pub mod keeper;
pub mod lanes;
pub mod launch;
pub mod log;
pub mod market_time;
pub mod mind;
pub mod outside;
pub mod program;
pub mod run;
pub mod session;
pub mod signer;
pub mod truth;
pub mod uplink;
pub mod verify;
