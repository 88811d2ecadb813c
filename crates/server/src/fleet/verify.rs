//! Testing a key: a short-lived process of the same kind as a bot opens it, asks the venue and reports.

use std::sync::Arc;

use keyhold_domain::{BotId, DeploymentId, KeyId, ReasonCode};
use keyhold_protocol::frame::Deadline;
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, BotMessage, Entries, KeyCheck, KeyCheckResult, KeyVerdict, ServerMessage,
};
use keyhold_provision::local::{Launch, Mode};
use keyhold_store::{StoreError, Verification, VerificationState, WorkspaceStore};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::manager::{Manager, Shared, chain};
use super::table::Test;
use super::uplink::{self, LineError};
use super::{News, Notice, VERIFY_LIMIT, assignment};

/// Why a key was not tested. What the test found is in the key's verification, not here.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store failed, or there is no such key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A test of this key is under way.
    #[error("a test of this key is under way")]
    Running,
    /// A running bot holds the key.
    #[error("the key is in use by its bot, which tests it itself")]
    InUse,
    /// The process could not be started.
    #[error("the test's process could not be started")]
    Start,
    /// The process did not answer in time.
    #[error("the test did not end in time")]
    TimedOut,
    /// The server is ending.
    #[error("the server is ending")]
    Ending,
}

/// Starts a test and leaves it to a task.
pub(super) async fn begin(
    manager: &mut Manager,
    store: WorkspaceStore,
    key: KeyId,
    done: oneshot::Sender<Result<(), VerifyError>>,
) {
    match start(manager, store.clone(), key).await {
        Ok(test) => {
            let shared = Arc::clone(&manager.shared);
            tokio::spawn(async move {
                let found = finish(&shared, &store, key, test).await;
                // Whoever asked may have gone; what was found is stored.
                let _ = done.send(found);
                shared.wake();
            });
        }
        Err(error) => {
            let _ = done.send(Err(error));
        }
    }
}

struct Started {
    run: DeploymentId,
    verdict: oneshot::Receiver<KeyVerdict>,
}

async fn start(manager: &mut Manager, store: WorkspaceStore, key: KeyId) -> Result<Started, VerifyError> {
    let shared = Arc::clone(&manager.shared);
    let found = store.key(key).await?;
    if shared.table.is_testing(key) {
        return Err(VerifyError::Running);
    }
    if found.bot.is_some_and(|(bot, _)| shared.table.is_connected(bot)) {
        return Err(VerifyError::InUse);
    }
    let testing = Verification {
        state: VerificationState::Testing,
        checked_at: Some(shared.now()),
        ..Verification::UNVERIFIED
    };
    store.set_verification(key, &testing).await?;
    shared.tell(Notice { workspace: store.id(), news: News::Key(key) });
    let (bot, run) = (BotId::from_bytes(uplink::random()), DeploymentId::from_bytes(uplink::random()));
    let token = uplink::new_token();
    let (verdict, answer) = oneshot::channel();
    shared.table.add_test(run, Test { bot, store, key, token_hash: uplink::hash(&token), verdict });
    let launched = manager.local.choose_uid(bot).and_then(|uid| {
        shared.table.set_user(bot, uid);
        let launch = Launch { bot, deployment: run, mode: Mode::Verify, uid, token: &token, restarts: 0 };
        manager.local.launch(&launch, shared.now())
    });
    match launched {
        Ok(_) => Ok(Started { run, verdict: answer }),
        Err(error) => {
            tracing::error!(%key, error = %chain(&error), "a key's test could not be started");
            shared.table.take_test(run);
            Err(VerifyError::Start)
        }
    }
}

/// Waits for the verdict and stores it. The manager removes process and folder because nobody wishes for them.
async fn finish(
    shared: &Shared,
    store: &WorkspaceStore,
    key: KeyId,
    test: Started,
) -> Result<(), VerifyError> {
    let answer = tokio::time::timeout(VERIFY_LIMIT, test.verdict).await;
    shared.table.take_test(test.run);
    let (verification, error) = match answer {
        Ok(Ok(verdict)) => (judge(shared, verdict), None),
        Ok(Err(_)) | Err(_) => (unanswered(shared), Some(VerifyError::TimedOut)),
    };
    store.set_verification(key, &verification).await?;
    shared.tell(Notice { workspace: store.id(), news: News::Key(key) });
    error.map_or(Ok(()), Err)
}

fn unanswered(shared: &Shared) -> Verification {
    Verification {
        state: VerificationState::Failed,
        checked_at: Some(shared.now()),
        code: Some(ReasonCode::ExchangeDown.as_str().to_owned()),
        ..Verification::UNVERIFIED
    }
}

fn judge(shared: &Shared, verdict: KeyVerdict) -> Verification {
    let failed = verdict.checks.iter().find_map(|check| match check.result {
        KeyCheckResult::Failed(code) => Some(code),
        KeyCheckResult::Passed | KeyCheckResult::Warning(_) | KeyCheckResult::NotReached => None,
    });
    Verification {
        state: if failed.is_none() { VerificationState::Ok } else { VerificationState::Failed },
        checked_at: Some(shared.now()),
        code: failed.map(|code| code.as_str().to_owned()),
        checks: verdict.checks,
        facts: verdict.facts,
        balances: verdict.account.map(|account| account.balances).unwrap_or_default(),
    }
}

/// The line of a test's process.
pub(super) async fn line(
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    shared: &Arc<Shared>,
    run: DeploymentId,
    token: &str,
) -> Result<(), LineError> {
    let known = shared
        .table
        .test(run, |test| uplink::is_token(token, &test.token_hash).then(|| (test.store.clone(), test.key)));
    let Some((store, key)) = known.flatten() else {
        return Err(LineError::Refused("no such test, or another token"));
    };
    uplink::send(writer, &ServerMessage::Welcome { acknowledged: 0 }).await?;
    let assignment = assemble(shared, &store, key, run).await?;
    uplink::send(writer, &ServerMessage::Assignment(Box::new(assignment))).await?;
    loop {
        match uplink::receive(reader, Deadline::Within(VERIFY_LIMIT)).await? {
            BotMessage::KeyCheck { check } => tell_check(shared, &store, key, check),
            BotMessage::KeyVerdict { verdict } => {
                if !verdict.instruments.is_empty() {
                    let environment = store.key(key).await?.environment;
                    let system = shared.store.system();
                    system.put_instruments(environment, &verdict.instruments, shared.now()).await?;
                }
                if let Some(test) = shared.table.take_test(run) {
                    // The waiting task may have timed out a moment ago; then its word stands.
                    let _ = test.verdict.send(*verdict);
                }
                return Ok(());
            }
            BotMessage::Heartbeat { .. } => {}
            BotMessage::Hello { .. } | BotMessage::Report { .. } | BotMessage::CommandDone { .. } => {
                return Err(LineError::OutOfPlace);
            }
        }
    }
}

fn tell_check(shared: &Shared, store: &WorkspaceStore, key: KeyId, check: KeyCheck) {
    shared.tell(Notice { workspace: store.id(), news: News::KeyCheck(key, check) });
}

async fn assemble(
    shared: &Shared,
    store: &WorkspaceStore,
    key: KeyId,
    run: DeploymentId,
) -> Result<Assignment, LineError> {
    let found = store.key(key).await?;
    let endpoints = shared
        .venues
        .endpoints(found.exchange, found.environment)
        .ok_or(LineError::Refused("no address is configured for this simulated venue"))?;
    let bot = shared.table.test(run, |test| test.bot).ok_or(LineError::OutOfPlace)?;
    let sealed = assignment::sealed_key(shared, store, bot, &found).await.map_err(|error| {
        tracing::error!(%key, error = %chain(&error), "a key's test got no ticket");
        LineError::Refused("the keeper gave no ticket")
    })?;
    Ok(Assignment {
        generation: 1,
        epoch: 0,
        account: Some(AccountAssignment { key: sealed, endpoints, instruments: found.instruments }),
        template: None,
        settings: serde_json::Value::Null,
        entries: Entries::Paused,
    })
}
