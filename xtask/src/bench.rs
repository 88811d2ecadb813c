//! `./x bench`: what ran, on what, how often, with spread.

use crate::TaskError;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each figure is measured.
    #[arg(long, default_value_t = 5)]
    pub runs: u32,
}

/// Prints the figures.
pub fn run(_options: &Options) -> Result<(), TaskError> {
    Err(TaskError::Failed("nothing can be measured yet".to_owned()))
}
