//! One bot: boot, feed, loop, journal, dispatch, uplink. The program that opens one credential.

pub mod clock;
pub mod journal;
pub mod launch;
pub mod uplink;
