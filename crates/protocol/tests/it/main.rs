//! Tests of the frames and of the keeper's messages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends a test")]

mod frames;
mod keeper;
mod pointers;
mod uplink;
