//! One bot: boot, feed, loop, journal, dispatch, uplink. The program that opens one credential.

pub mod clock;
pub mod confine;
pub mod journal;
pub mod launch;
pub mod log;
pub mod program;
pub mod run;
pub mod uplink;
pub mod verify;
