//! Where things are in the repository.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder into which cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Which build of the programs is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Quickly built, for tests and the demo.
    Development,
    /// As people run them, for measurements.
    Release,
}

impl Profile {
    /// The folder into which cargo puts it.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Development => "debug",
            Self::Release => "release",
        }
    }
}

/// A built program.
pub fn program(profile: Profile, name: &str) -> PathBuf {
    target().join(profile.folder()).join(name)
}

/// A built example.
pub fn example(profile: Profile, name: &str) -> PathBuf {
    target().join(profile.folder()).join("examples").join(name)
}
