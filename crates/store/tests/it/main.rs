//! The store through its public face, on a real file, and on PostgreSQL when one is named.

#![allow(clippy::unwrap_used, reason = "a failing helper of a test is a failing test")]

mod assignment;
mod closing;
mod custody;
mod deletion;
mod figures;
mod jobs;
mod reports;
mod separation;
mod world;
