//! Tests over the running house.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod bench;
mod custody;
mod doctor;
mod exchanges;
mod forensics;
mod keys;
mod outage;
mod rules;
mod trade;
