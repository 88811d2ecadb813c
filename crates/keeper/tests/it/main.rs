//! Tests of the keeper: its rules with a hand-set clock, its files through crashes, and the real program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends a test")]

mod anchors;
mod audit;
mod cores;
mod crashes;
mod files;
mod fixture;
mod full_disk;
mod keys;
mod memory;
mod operating;
mod process;
mod providers;
mod rules;
mod tpm;
mod transit;
mod verbs;
