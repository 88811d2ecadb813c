//! Log lines on standard error, as sentences with fields. No line carries a secret, a token or a whole message.

use tracing_subscriber::EnvFilter;

use crate::launch::{LogForm, Options};

/// The filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the log filter")]
pub struct LogError(#[source] tracing_subscriber::filter::ParseError);

/// Starts logging. Only the first call in a process has an effect.
pub fn start(options: &Options) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&options.log).map_err(LogError)?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = match options.log_form {
        LogForm::Text => lines.try_init(),
        LogForm::Json => lines.json().try_init(),
    };
    // A second start keeps the first: nothing is lost.
    drop(started);
    std::panic::set_hook(Box::new(|panic| {
        // The place only: a panic's text may quote what was being worked on.
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(place, "the program has failed");
    }));
    Ok(())
}
