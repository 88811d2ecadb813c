//! A key that somebody else may have: off at once, destroyed when no bot needs it for its exits any more.
//!
//! A bot with a position keeps the key until its owner takes it away, stops it or flattens it: to destroy it first
//! would leave the position to itself. What the thief can do with the key is ended at the exchange, not here.

use keyhold_domain::{KeyId, Timestamp};
use keyhold_protocol::uplink::Severity;
use keyhold_store::{ApiKey, DeleteRefusal, NewEvent, StoreError, WorkspaceStore};

use crate::app::App;
use crate::http::problem::Problem;
use crate::random;
use crate::watch::tell;

async fn note(app: &App, store: &WorkspaceStore, event: NewEvent) -> Result<(), StoreError> {
    store.add_event(&event).await?;
    tell::entry(&app.live, store, event).await
}

/// Notes that a key has leaked and switches it off.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn report(
    app: &App,
    store: &WorkspaceStore,
    key: &ApiKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.mark_leaked(key.id, now).await?;
    if key.leaked_at.is_none() {
        let text = match &key.bot {
            None => format!("The key \"{}\" was reported as leaked.", key.label),
            Some((_, bot)) => format!(
                "The key \"{}\" was reported as leaked and switched off. {bot} enters nothing more; its exits go on \
                 until you take the key away from it.",
                key.label
            ),
        };
        let event = NewEvent {
            id: random::id(),
            at: now,
            severity: Severity::Critical,
            code: "KEY_LEAKED".to_owned(),
            text,
            bot: key.bot.as_ref().map(|(bot, _)| *bot),
            key: Some(key.id),
            symbol: None,
        };
        note(app, store, event).await?;
    }
    app.uplinks.changed(store.id());
    Ok(())
}

/// Why a key is destroyed; the keeper's own log tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its owner deletes it.
    Deleted,
    /// It has leaked.
    Leaked,
}

/// Destroys a key for good: the keeper's slot first, then the row with its bytes.
///
/// # Errors
/// `KEY_ASSIGNED`, `KEY_IN_USE`, `KEEPER_UNAVAILABLE`, `NOT_FOUND`.
pub(crate) async fn destroy(
    app: &App,
    store: &WorkspaceStore,
    id: KeyId,
    reason: Reason,
) -> Result<(), Problem> {
    let _turn = app.key_changes.lock().await;
    let refused = |refusal| match refusal {
        DeleteRefusal::Assigned => Problem::conflict("KEY_ASSIGNED", "A bot uses this key.")
            .next("Take the key away from the bot first."),
        DeleteRefusal::Store(error) => error.into(),
    };
    store.begin_key_deletion(id).await.map_err(refused)?;
    match reason {
        Reason::Deleted => app.keeper.shred(store.id(), id, None).await?,
        Reason::Leaked => app.keeper.leaked(store.id(), id).await?,
    }
    match store.delete_key(id).await {
        // Without its slot the ciphertext opens nowhere; the log is emptied with the next change.
        Err(DeleteRefusal::Store(StoreError::CheckpointBusy)) => {
            tracing::warn!(key = %id, "the write-ahead log could not be emptied at once after a deletion");
        }
        done => done.map_err(refused)?,
    }
    app.live.publish(store.id(), "key", &serde_json::json!({ "id": id, "deleted": true }));
    Ok(())
}

/// Whether a sweep has left nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swept {
    /// Nothing is left.
    All,
    /// Something could not be destroyed yet.
    Some,
}

/// Destroys every leaked key that no bot uses any more. What cannot be destroyed now is tried again with the next round.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn sweep(app: &App, now: Timestamp) -> Result<Swept, StoreError> {
    let mut swept = Swept::All;
    for (workspace, id) in app.store.system().leaked_and_free().await? {
        let store = app.store.system().workspace(workspace);
        let label = match store.key(id).await {
            Ok(key) => key.label,
            // Deleted by its owner in the meantime.
            Err(StoreError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        match destroy(app, &store, id, Reason::Leaked).await {
            Ok(()) => {
                let event = NewEvent {
                    id: random::id(),
                    at: now,
                    severity: Severity::Info,
                    code: "KEY_DESTROYED".to_owned(),
                    text: format!(
                        "The leaked key \"{label}\" was destroyed. Delete it at the exchange as well."
                    ),
                    bot: None,
                    key: None,
                    symbol: None,
                };
                note(app, &store, event).await?;
            }
            Err(problem) => {
                tracing::warn!(key = %id, code = problem.code, "a leaked key could not be destroyed yet");
                swept = Swept::Some;
            }
        }
    }
    Ok(swept)
}
