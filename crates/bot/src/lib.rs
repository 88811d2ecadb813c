//! One bot: boot, feed, loop, journal, dispatch, uplink. The program that opens one credential.

pub mod journal;
