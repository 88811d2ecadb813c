//! What `./x` can do, as a library so that the tests can call the same code.

#![allow(clippy::print_stdout, reason = "a command-line tool talks on standard output")]

pub mod api;
pub mod bench;
pub mod demo;
pub mod dist;
pub mod docs;
pub mod fuzz;
pub mod paths;
pub mod postgres;
pub mod stack;
pub mod stages;
pub mod storm;
pub mod tidy;

/// Why a task ended without success.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// One or more stages failed or did not run.
    #[error("failed: {0}")]
    Failed(String),
}

impl TaskError {
    /// Names the file a failed operation was about.
    pub fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }
}
