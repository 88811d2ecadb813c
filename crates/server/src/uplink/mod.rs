//! The line to the bots: one UNIX socket, every connection checked for user, token and version.
//!
//! [`connection`] talks to one bot, [`assignment`] says what a bot is to do, [`reports`] takes in what it says.

mod assignment;
mod connection;
mod reports;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhold_domain::{DeploymentId, WorkspaceId};
use tokio::net::UnixListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::app::Shared;

/// Connections at the same time at most.
const MAX_CONNECTIONS: usize = 1_024;

/// What a connection is woken by.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) workspace: WorkspaceId,
    /// Something the bot is to do has changed, or a command waits.
    pub(crate) wake: Notify,
    /// A newer connection of the same run has taken over, or the run is over.
    pub(crate) close: Notify,
}

/// The bots that are connected.
#[derive(Debug, Default)]
pub(crate) struct Uplinks {
    lines: Mutex<BTreeMap<DeploymentId, Arc<Line>>>,
}

impl Uplinks {
    fn lines(&self) -> MutexGuard<'_, BTreeMap<DeploymentId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something changed in a workspace: every bot of it looks again at what it is to do.
    pub(crate) fn changed(&self, workspace: WorkspaceId) {
        for line in self.lines().values().filter(|line| line.workspace == workspace) {
            line.wake.notify_one();
        }
    }

    /// Whether the bot of a run is connected.
    pub(crate) fn is_connected(&self, run: DeploymentId) -> bool {
        self.lines().contains_key(&run)
    }

    /// Enters a connection, ending an older one of the same run.
    fn enter(&self, run: DeploymentId, workspace: WorkspaceId) -> Arc<Line> {
        let line = Arc::new(Line { workspace, wake: Notify::new(), close: Notify::new() });
        if let Some(older) = self.lines().insert(run, Arc::clone(&line)) {
            older.close.notify_one();
        }
        line
    }

    fn leave(&self, run: DeploymentId, line: &Arc<Line>) {
        let mut lines = self.lines();
        if lines.get(&run).is_some_and(|current| Arc::ptr_eq(current, line)) {
            lines.remove(&run);
        }
    }
}

/// Opens the socket. Everybody may connect; who may talk is decided by user and token.
///
/// # Errors
/// The file system's.
pub(crate) fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Accepts bots until it is aborted, which ends every conversation as well.
pub(crate) async fn serve(app: Shared, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut talks = JoinSet::new();
    loop {
        // Conversations that have ended are forgotten, or the set would grow for ever.
        while talks.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let app = Arc::clone(&app);
                talks.spawn(async move {
                    if let Err(error) = connection::talk(&app, stream).await {
                        tracing::info!(error = &error as &dyn std::error::Error, "a bot's connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "accepting a bot's connection failed"
                );
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}
