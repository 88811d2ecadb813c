//! Testing a key's connection: a process of the bot program that leases the key, asks the venue and ends.
//!
//! A key that a running bot holds is tested by that bot: two processes cannot hold one key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, KeyId, Known, ReasonCode};
use keyhold_protocol::uplink::{Command, KeyCheck, KeyCheckResult, KeyVerdict};
use keyhold_provision::local::{Launch, Mode};
use keyhold_store::{KeySwitch, NewCommand, StoreError, Verification, VerificationState, WorkspaceStore};
use tokio::sync::{Notify, watch};

use super::{Supervisor, locked};
use crate::api::keys;
use crate::app::{App, Shared};
use crate::custody::drift;
use crate::http::problem::Problem;
use crate::random;

/// The whole test, from start of the process to verdict.
const TEST_LIMIT: Duration = Duration::from_secs(20);
/// How long a caller waits at most for a test that is under way.
const WAIT_LIMIT: Duration = Duration::from_secs(25);
/// Tests at the same time at most.
const MAX_TESTS: usize = 16;

/// A test under way.
#[derive(Debug)]
pub(crate) struct KeyTest {
    pub(crate) bot: BotId,
    pub(crate) uid: u32,
    pub(crate) token_hash: String,
    pub(crate) key: KeyId,
    pub(crate) store: WorkspaceStore,
    state: Mutex<State>,
    decided: Notify,
    done: watch::Sender<Done>,
}

#[derive(Debug, Default)]
struct State {
    was_heard: bool,
    verdict: Option<KeyVerdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    No,
    Yes,
}

impl KeyTest {
    /// The process has connected.
    pub(crate) fn heard(&self) {
        locked(&self.state).was_heard = true;
    }

    /// The process has come to its end.
    pub(crate) fn decide(&self, verdict: KeyVerdict) {
        locked(&self.state).verdict = Some(verdict);
        self.decided.notify_one();
    }
}

/// A test that somebody may wait for.
#[derive(Debug)]
pub(crate) struct RunningTest(Option<watch::Receiver<Done>>);

impl RunningTest {
    /// Waits until it has ended, at most 25 seconds.
    pub(crate) async fn wait(mut self) {
        if let Some(done) = &mut self.0 {
            // Late or gone: the key's state tells how far it came.
            let _outcome = tokio::time::timeout(WAIT_LIMIT, done.wait_for(|done| *done == Done::Yes)).await;
        }
    }
}

impl Supervisor {
    /// The test with this run id.
    pub(crate) fn test(&self, run: DeploymentId) -> Option<Arc<KeyTest>> {
        locked(&self.tests).get(&run).cloned()
    }

    /// Begins testing a key, or joins the test that is under way.
    pub(crate) async fn begin_test(
        &self,
        app: &Shared,
        store: &WorkspaceStore,
        key: KeyId,
    ) -> Result<RunningTest, Problem> {
        let running = locked(&self.tests)
            .values()
            .find(|test| test.key == key && test.store.id() == store.id())
            .map(|test| test.done.subscribe());
        if running.is_some() {
            return Ok(RunningTest(running));
        }
        let found = store.key(key).await?;
        if let Some((bot, _)) = found.bot
            && let Some(run) = store.bot(bot).await?.deployment
            && app.uplinks.is_connected(run)
        {
            return ask_bot(app, store, bot, run).await;
        }
        let before = found.verification.state;
        self.start_process(app, store, key, before).await
    }

    async fn start_process(
        &self,
        app: &Shared,
        store: &WorkspaceStore,
        key: KeyId,
        before: VerificationState,
    ) -> Result<RunningTest, Problem> {
        if locked(&self.tests).len() >= MAX_TESTS {
            return Err(Problem::unavailable("BUSY", "Too many connection tests are under way."));
        }
        let now = app.clock.now();
        let testing = Verification {
            state: VerificationState::Testing,
            checked_at: Some(now),
            ..store.key(key).await?.verification
        };
        store.set_verification(key, &testing, KeySwitch::Leave).await?;
        let (bot, run): (BotId, DeploymentId) = (random::id(), random::id());
        let uid = self.with_local(move |local| local.choose_uid(bot)).await;
        let uid = uid.map_err(|_no_user| Problem::unavailable("BUSY", "No user is free for a test."))?;
        let token = random::hex_token();
        let (done, waiting) = watch::channel(Done::No);
        let test = Arc::new(KeyTest {
            bot,
            uid,
            token_hash: random::hash(&token),
            key,
            store: store.clone(),
            state: Mutex::default(),
            decided: Notify::new(),
            done,
        });
        // Entered before the process starts: it may be quicker than we are.
        locked(&self.tests).insert(run, Arc::clone(&test));
        let app = Arc::clone(app);
        tokio::spawn(async move { run_test(&app, &test, run, token, before).await });
        Ok(RunningTest(Some(waiting)))
    }
}

/// Has the bot that holds the key look at it again; what it finds comes as a report.
async fn ask_bot(
    app: &App,
    store: &WorkspaceStore,
    bot: BotId,
    run: DeploymentId,
) -> Result<RunningTest, Problem> {
    let command = NewCommand {
        id: random::id(),
        bot,
        deployment: Some(run),
        kind: "inspect_key",
        body: Some(Command::InspectKey),
        now: app.clock.now(),
    };
    let id = store.add_command(&command).await?.id;
    app.uplinks.changed(store.id());
    let deadline = tokio::time::Instant::now() + TEST_LIMIT;
    while tokio::time::Instant::now() < deadline {
        if store.command(id).await?.finished_at.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(RunningTest(None))
}

async fn run_test(
    app: &Shared,
    test: &Arc<KeyTest>,
    run: DeploymentId,
    token: String,
    before: VerificationState,
) {
    let (bot, uid) = (test.bot, test.uid);
    let now = app.clock.now();
    let launched = app
        .supervisor
        .with_local(move |local| {
            let launch = Launch { bot, deployment: run, mode: Mode::Verify, uid, token: &token, restarts: 0 };
            local.launch(&launch, now)
        })
        .await;
    match launched {
        Ok(_pid) => {
            // What follows looks at the verdict, whether or not it came in time.
            let _in_time = tokio::time::timeout(TEST_LIMIT, test.decided.notified()).await;
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a connection test could not be started"
            );
        }
    }
    let removed = app.supervisor.with_local(move |local| local.remove(bot, run)).await;
    if let Err(error) = removed {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the rest of a connection test could not be removed"
        );
    }
    let (verdict, was_heard) = {
        let mut state = locked(&test.state);
        (state.verdict.take(), state.was_heard)
    };
    if let Err(error) = conclude(app, test, verdict, was_heard.then_some(()), before).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the result of a test could not be stored");
    }
    locked(&app.supervisor.tests).remove(&run);
    test.done.send_replace(Done::Yes);
}

/// Stores what the test found and tells those who watch.
async fn conclude(
    app: &App,
    test: &KeyTest,
    verdict: Option<KeyVerdict>,
    heard: Option<()>,
    before: VerificationState,
) -> Result<(), StoreError> {
    let now = app.clock.now();
    let found = match verdict {
        Some(verdict) => {
            let key = test.store.key(test.key).await?;
            app.store.system().put_instruments(key.environment, &verdict.instruments, now).await?;
            judge(verdict)
        }
        None => Verification {
            state: VerificationState::Failed,
            code: Some(
                if heard.is_some() { ReasonCode::ExchangeDown } else { ReasonCode::BotFailed }.to_string(),
            ),
            ..Verification::UNVERIFIED
        },
    };
    let found = Verification { checked_at: Some(now), ..found };
    let known = test.store.key(test.key).await?;
    let grown = match (&known.verification.facts, &found.facts) {
        (Some(before), Some(after)) => drift::drift(before, after),
        (None, _) | (_, None) => Vec::new(),
    };
    let switch = if found.state == VerificationState::Ok && before != VerificationState::Ok {
        // A key that has just proved itself is ready to be assigned; its owner may switch it off.
        KeySwitch::On
    } else if found.facts.as_ref().is_some_and(|facts| facts.withdraw == Known::Yes) {
        KeySwitch::Off
    } else {
        KeySwitch::Leave
    };
    test.store.set_verification(test.key, &found, switch).await?;
    drift::act(app, &test.store, &known, &grown, now).await?;
    app.uplinks.changed(test.store.id());
    let key = test.store.key(test.key).await?;
    app.live.publish(test.store.id(), "key", &keys::view(app, key));
    Ok(())
}

/// A key is good when no check failed and it is not known to be able to withdraw.
fn judge(verdict: KeyVerdict) -> Verification {
    let failed = |check: &KeyCheck| match check.result {
        KeyCheckResult::Failed(code) => Some(code),
        KeyCheckResult::Passed | KeyCheckResult::Warning(_) | KeyCheckResult::NotReached => None,
    };
    let withdraws = verdict.facts.as_ref().is_some_and(|facts| facts.withdraw == Known::Yes);
    let code = verdict
        .checks
        .iter()
        .find_map(failed)
        .or(withdraws.then_some(ReasonCode::KeyWithdrawalEnabled))
        .or(verdict.checks.is_empty().then_some(ReasonCode::BotFailed));
    Verification {
        state: if code.is_none() { VerificationState::Ok } else { VerificationState::Failed },
        checked_at: None,
        code: code.map(|code| code.to_string()),
        checks: verdict.checks,
        facts: verdict.facts,
        balances: verdict.account.map(|account| account.balances).unwrap_or_default(),
    }
}
