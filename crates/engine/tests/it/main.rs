//! Integration tests of the engine, one binary. Each module says what it answers.

mod indicators;
mod series;
