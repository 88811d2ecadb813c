//! What bots say, into the store and out to whoever watches.

use keyhold_domain::{CommandId, KeyFacts, Known, Timestamp};
use keyhold_protocol::uplink::{CommandOutcome, KeyCheck, Phase, Report, Severity};
use keyhold_store::{ApiKey, DeploymentRef, Ingested, NewEvent, StoreError, Stored, Wish, WorkspaceStore};
use serde_json::json;

use crate::api::{bot_view, commands, keys};
use crate::app::App;
use crate::custody::drift;
use crate::random;
use crate::supervisor::KeyTest;
use crate::watch::tell::{self, News};

/// What became of a report.
pub(super) enum Taken {
    /// Everything up to this number is stored.
    Upto(u64),
    /// Earlier ones are missing; the bot has to begin again from its cursor.
    Gap,
}

/// Stores a report and tells those who watch.
pub(super) async fn store(
    app: &App,
    run: &DeploymentRef,
    store: &WorkspaceStore,
    number: u64,
    at: Timestamp,
    report: &Report,
) -> Result<Taken, StoreError> {
    let event = random::id();
    let known = match report {
        Report::KeyFacts(_) => key_of(run, store).await?.and_then(|key| key.verification.facts),
        _ => None,
    };
    match store.ingest(run, &Stored { number, at, report, event }).await? {
        Ingested::Duplicate { acknowledged } => Ok(Taken::Upto(acknowledged)),
        Ingested::Gap { acknowledged: _ } => Ok(Taken::Gap),
        Ingested::New => {
            if let Report::KeyFacts(facts) = report {
                key_facts(app, run, store, known.as_ref(), facts).await?;
            }
            let news = News { bot: run.bot, at, report, event };
            if let Err(error) = tell::tell(&app.live, store, news).await {
                // It is stored; whoever watches reads it at the next look.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a report could not be told to watchers"
                );
            }
            Ok(Taken::Upto(number))
        }
    }
}

async fn key_of(run: &DeploymentRef, store: &WorkspaceStore) -> Result<Option<ApiKey>, StoreError> {
    match store.bot(run.bot).await?.key {
        Some(key) => store.key(key.id).await.map(Some),
        None => Ok(None),
    }
}

/// What a key may do has been read again.
async fn key_facts(
    app: &App,
    run: &DeploymentRef,
    store: &WorkspaceStore,
    known: Option<&KeyFacts>,
    facts: &KeyFacts,
) -> Result<(), StoreError> {
    if let (Some(known), Some(key)) = (known, key_of(run, store).await?) {
        drift::act(app, store, &key, &drift::drift(known, facts), app.clock.now()).await?;
    }
    if facts.withdraw == Known::Yes {
        refuse_key(app, run, store).await?;
    }
    if let Some(key) = store.bot(run.bot).await?.key {
        app.live.publish(store.id(), "key", &keys::view(app, store.key(key.id).await?));
    }
    Ok(())
}

/// A key that turned out to be able to withdraw is switched off at once.
async fn refuse_key(app: &App, run: &DeploymentRef, store: &WorkspaceStore) -> Result<(), StoreError> {
    let Some(key) = store.bot(run.bot).await?.key else { return Ok(()) };
    store.deactivate_key(key.id).await?;
    let event = NewEvent {
        id: random::id(),
        at: app.clock.now(),
        severity: Severity::Critical,
        code: "KEY_WITHDRAWAL_ENABLED".to_owned(),
        text: format!("The key \"{}\" may withdraw. It was switched off; exits go on.", key.label),
        bot: Some(run.bot),
        key: Some(key.id),
        symbol: None,
    };
    store.add_event(&event).await?;
    tell::entry(&app.live, store, event).await?;
    app.uplinks.changed(store.id());
    Ok(())
}

/// Notes a heartbeat. Those who watch are told when the phase changed.
pub(super) async fn heartbeat(
    app: &App,
    run: &DeploymentRef,
    store: &WorkspaceStore,
    before: Option<Phase>,
    phase: Phase,
) -> Result<(), StoreError> {
    app.store.system().heartbeat(run, phase, app.clock.now()).await?;
    if before != Some(phase) {
        bot_view::publish(app, store, run.bot).await;
    }
    Ok(())
}

/// Notes the end of a command and what follows from it.
pub(super) async fn command_done(
    app: &App,
    run: &DeploymentRef,
    store: &WorkspaceStore,
    id: CommandId,
    outcome: &CommandOutcome,
) -> Result<(), StoreError> {
    let row = match store.command(id).await {
        Ok(row) if row.bot == run.bot => row,
        // An answer to a command of another bot or of long ago says nothing to us.
        Ok(_) | Err(StoreError::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    store.command_finished(id, outcome, app.clock.now()).await?;
    let completed = *outcome == CommandOutcome::Completed;
    match row.kind.as_str() {
        // After a flatten the bot stays paused; after a stop that did not work out it goes on managing.
        "flatten" if completed => store.set_wish(run.bot, Wish::Paused).await?,
        "stop" if !completed => store.set_wish(run.bot, Wish::Paused).await?,
        _ => {}
    }
    let row = store.command(id).await?;
    app.live.publish(store.id(), "command", &commands::CommandView::from(row));
    app.uplinks.changed(store.id());
    app.supervisor.wake();
    bot_view::publish(app, store, run.bot).await;
    Ok(())
}

/// Shows a step of a connection test as it happens.
pub(super) fn key_check(app: &App, test: &KeyTest, check: &KeyCheck) {
    let document = json!({ "key_id": test.key, "check": check });
    app.live.publish(test.store.id(), "key_check", &document);
}
