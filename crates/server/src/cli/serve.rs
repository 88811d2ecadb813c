//! `keyhold serve`: runs until it is told to end. Bots go on by default, also when the server is killed.

use tokio::signal::unix::{SignalKind, signal};

use super::options::Options;
use super::{CliError, print};
use crate::clock::Clock;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    options: Options,
    /// End every bot's process with the server. For demonstrations only: positions stay open.
    #[arg(long)]
    stop_bots_on_exit: bool,
    /// What is logged, in the notation of tracing's filters.
    #[arg(long, default_value = "info")]
    log: String,
    /// In which form.
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    log_form: LogForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogForm {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

fn begin_logging(filter: &str, form: LogForm) {
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let to_stderr = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match form {
        LogForm::Text => to_stderr.init(),
        LogForm::Json => to_stderr.json().init(),
    }
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), CliError> {
        begin_logging(&self.log, self.log_form);
        let mut config = self.options.config()?;
        if config.egress_addresses.is_empty() {
            config.egress_addresses = crate::egress::of_this_machine();
        }
        let origin = config.public_origin.clone();
        let running = crate::start(config, Clock::System).await?;
        print(&format!("Keyhold listens on http://{} and is reached at {origin}", running.address))?;
        if let Some(code) = &running.claim_code {
            print(&format!("Nobody owns this installation yet. Claim it once at {origin}/claim#{code}"))?;
        }
        wait_for_end().await?;
        if self.stop_bots_on_exit {
            running.stop_with_bots().await?;
        } else {
            running.stop().await;
        }
        Ok(())
    }
}

async fn wait_for_end() -> Result<(), CliError> {
    let listen = |kind| signal(kind).map_err(|error| CliError::Io("listening for signals", error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
