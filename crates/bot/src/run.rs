//! The bot's life.

use std::time::Duration;

use keyhold_protocol::uplink::{BotMessage, Phase};

use crate::clock::{Clock, SystemClock};
use crate::launch::Options;
use crate::uplink;

/// Why the bot ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Signals cannot be received.
    #[error("listening for signals")]
    Signals(#[source] std::io::Error),
}

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs until told to stop.
pub async fn run(options: Options, hello: BotMessage) -> Result<(), RunError> {
    let mut line = uplink::start(options.uplink, hello);
    let kind = tokio::signal::unix::SignalKind::terminate();
    let mut end = tokio::signal::unix::signal(kind).map_err(RunError::Signals)?;
    let mut beat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            _ = end.recv() => return Ok(()),
            _ = beat.tick() => {}
            incoming = line.incoming.recv() => tracing::info!(?incoming, "heard"),
        }
        let beat = BotMessage::Heartbeat {
            at: SystemClock.now(),
            phase: Phase::Idle,
            progress: Vec::new(),
            in_flight: 0,
            backlog: 0,
        };
        if line.outgoing.try_send(beat).is_err() {
            tracing::debug!("the heartbeat found no room");
        }
    }
}
