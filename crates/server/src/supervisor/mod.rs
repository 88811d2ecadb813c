//! Makes what runs what is wished, and tests keys. Decisions are `keyhold-provision`'s; here they are carried out.

mod key_test;
mod stopping;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_provision::{BotStatus, Local, LocalError, RestartPolicy};
use tokio::sync::Notify;

use crate::app::Shared;
pub(crate) use key_test::KeyTest;

/// How often wishes and processes are compared when nothing wakes the loop.
const TICK: Duration = Duration::from_millis(500);

/// The hands on this machine, and what they are busy with.
#[derive(Debug)]
pub(crate) struct Supervisor {
    local: Arc<Mutex<Local>>,
    policy: RestartPolicy,
    wake: Notify,
    /// Bots of which a process or folder is left.
    present: Mutex<BTreeSet<BotId>>,
    /// When the stop of a run was first seen, so that it is not waited for without end.
    stopping: Mutex<BTreeMap<DeploymentId, Timestamp>>,
    /// The status last told, so that changes are told once.
    told: Mutex<BTreeMap<BotId, BotStatus>>,
    tests: Mutex<BTreeMap<DeploymentId, Arc<KeyTest>>>,
    /// Leaked keys are looked for from here on.
    sweep_after: Mutex<Timestamp>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    pub(crate) fn new(local: Local) -> Self {
        Self {
            local: Arc::new(Mutex::new(local)),
            policy: RestartPolicy::default(),
            wake: Notify::new(),
            present: Mutex::default(),
            stopping: Mutex::default(),
            told: Mutex::default(),
            tests: Mutex::default(),
            sweep_after: Mutex::new(Timestamp::EPOCH),
        }
    }

    /// Looks again at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether anything of a bot is left on this machine.
    pub(crate) fn is_present(&self, bot: BotId) -> bool {
        locked(&self.present).contains(&bot)
    }

    /// The user a bot's process runs as.
    pub(crate) async fn uid_of(&self, bot: BotId) -> Option<u32> {
        self.with_local(move |local| local.uid_of(bot)).await
    }

    /// Runs something that may block on the hands.
    async fn with_local<T: Send + 'static>(&self, job: impl FnOnce(&mut Local) -> T + Send + 'static) -> T {
        let local = Arc::clone(&self.local);
        let done = tokio::task::spawn_blocking(move || job(&mut locked(&local)));
        match done.await {
            Ok(result) => result,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }

    /// Ends every bot's process and removes what it left: for demonstrations, never for a server that is restarted.
    pub(crate) async fn remove_all(&self, now: Timestamp) -> Result<(), LocalError> {
        self.with_local(move |local| {
            for instance in local.observe(now) {
                local.remove(instance.bot, instance.deployment)?;
            }
            Ok(())
        })
        .await
    }
}

/// Compares and acts until the process ends.
pub(crate) async fn run(app: Shared) {
    loop {
        if let Err(error) = work::round(&app).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "comparing wishes with processes failed"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = app.supervisor.wake.notified() => {}
        }
    }
}
