//! The store through its public face, on a real file, and on PostgreSQL when one is named.

mod assignment;
mod deletion;
mod reports;
mod separation;
mod world;
