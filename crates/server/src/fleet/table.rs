//! Who is connected, as which user, and which connection tests are under way.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use keyhold_domain::{BotId, DeploymentId, KeyId};
use keyhold_protocol::uplink::{KeyVerdict, ServerMessage};
use keyhold_store::WorkspaceStore;
use tokio::sync::{mpsc, oneshot};

/// A bot's line.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub(super) bot: BotId,
    pub(super) to_bot: mpsc::Sender<ServerMessage>,
    /// Tells one connection of a run from the next.
    pub(super) serial: u64,
    /// The newest assignment sent over this line.
    pub(super) generation: i64,
}

/// A connection test under way.
pub(super) struct Test {
    pub(super) bot: BotId,
    pub(super) store: WorkspaceStore,
    pub(super) key: KeyId,
    pub(super) token_hash: String,
    pub(super) verdict: oneshot::Sender<KeyVerdict>,
}

#[derive(Default)]
struct Inner {
    serial: u64,
    users: BTreeMap<BotId, u32>,
    lines: BTreeMap<DeploymentId, Connected>,
    tests: BTreeMap<DeploymentId, Test>,
}

/// Shared between the manager and the lines. Never locked across an await.
#[derive(Default)]
pub(super) struct Table {
    inner: Mutex<Inner>,
}

impl Table {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic elsewhere leaves the maps whole: each change is one call.
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_user(&self, bot: BotId, uid: u32) {
        self.with(|inner| inner.users.insert(bot, uid));
    }

    pub(super) fn user(&self, bot: BotId) -> Option<u32> {
        self.with(|inner| inner.users.get(&bot).copied())
    }

    pub(super) fn forget_user(&self, bot: BotId) {
        self.with(|inner| inner.users.remove(&bot));
    }

    /// Registers a line. The one before it, if any, ends because its sender is dropped.
    pub(super) fn connect(&self, run: DeploymentId, bot: BotId, to_bot: mpsc::Sender<ServerMessage>) -> u64 {
        self.with(|inner| {
            inner.serial += 1;
            let serial = inner.serial;
            inner.lines.insert(run, Connected { bot, to_bot, serial, generation: 0 });
            serial
        })
    }

    pub(super) fn disconnect(&self, run: DeploymentId, serial: u64) {
        self.with(|inner| {
            if inner.lines.get(&run).is_some_and(|line| line.serial == serial) {
                inner.lines.remove(&run);
            }
        });
    }

    pub(super) fn line(&self, run: DeploymentId) -> Option<Connected> {
        self.with(|inner| inner.lines.get(&run).cloned())
    }

    pub(super) fn is_connected(&self, bot: BotId) -> bool {
        self.with(|inner| inner.lines.values().any(|line| line.bot == bot))
    }

    pub(super) fn sent(&self, run: DeploymentId, serial: u64, generation: i64) {
        self.with(|inner| {
            if let Some(line) = inner.lines.get_mut(&run).filter(|line| line.serial == serial) {
                line.generation = generation;
            }
        });
    }

    pub(super) fn add_test(&self, run: DeploymentId, test: Test) {
        self.with(|inner| inner.tests.insert(run, test));
    }

    pub(super) fn test<T>(&self, run: DeploymentId, look: impl FnOnce(&Test) -> T) -> Option<T> {
        self.with(|inner| inner.tests.get(&run).map(look))
    }

    pub(super) fn take_test(&self, run: DeploymentId) -> Option<Test> {
        self.with(|inner| inner.tests.remove(&run))
    }

    /// Whether a test of this key is under way.
    pub(super) fn is_testing(&self, key: KeyId) -> bool {
        self.with(|inner| inner.tests.values().any(|test| test.key == key))
    }
}
