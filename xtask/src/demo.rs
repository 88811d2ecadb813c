//! `./x demo`: the real programs on a fake exchange.

use crate::TaskError;

/// How to run it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A candle file (csv or csv.gz) to replay instead of a made-up market.
    #[arg(long)]
    pub candles: Option<std::path::PathBuf>,
    /// Candles per second.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
}

/// Starts everything and waits for Ctrl-C.
pub fn run(_options: &Options) -> Result<(), TaskError> {
    Err(TaskError::Failed("not built yet".to_owned()))
}
