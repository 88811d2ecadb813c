//! Putting together what a bot is told: account, template, settings, whether it may enter.

use keyhold_domain::{BotId, InstallId, KeyId};
use keyhold_protocol::uplink::{AccountAssignment, Assignment, Entries, SealedKey, TemplateAssignment};
use keyhold_store::{ApiKey, BotWork, StoreError, Wish, WorkspaceStore};

use super::manager::Shared;
use super::{KeeperError, VenueAddresses};

/// Why a bot could not be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssignmentError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keeper gave no ticket.
    #[error("asking the keeper for a ticket")]
    Keeper(#[from] KeeperError),
    /// The bot's process has no user.
    #[error("the bot's process is not known on this machine")]
    NoProcess,
    /// A simulated venue without an address.
    #[error("no address is configured for this simulated venue")]
    NoVenue,
}

/// The newest assignment of a bot, with a fresh ticket for its key.
pub(super) async fn assemble(
    shared: &Shared,
    store: &WorkspaceStore,
    work: &BotWork,
) -> Result<Assignment, AssignmentError> {
    let bot = store.bot(work.run.bot).await?;
    let key = match &bot.key {
        Some(key) => Some(store.key(key.id).await?),
        None => None,
    };
    let account = match &key {
        Some(key) => {
            let sealed = sealed_key(shared, store, bot.id, key).await?;
            Some(account(&shared.venues, key, sealed)?)
        }
        None => None,
    };
    let template = match &bot.template {
        Some((id, _, _)) => {
            let template = store.template(*id).await?;
            Some(TemplateAssignment { template: *id, version: template.version, document: template.document })
        }
        None => None,
    };
    let entries = match (work.wish, &key) {
        (Wish::Paused | Wish::Stopped, _) => Entries::Paused,
        (Wish::Running, Some(key)) if !key.active => Entries::KeyInactive,
        (Wish::Running, _) => Entries::Allowed,
    };
    let generation = u64::try_from(work.generation).unwrap_or_default();
    Ok(Assignment { generation, epoch: bot.epoch, account, template, settings: bot.settings, entries })
}

fn account(
    venues: &VenueAddresses,
    key: &ApiKey,
    sealed: SealedKey,
) -> Result<AccountAssignment, AssignmentError> {
    let endpoints = venues.endpoints(key.exchange, key.environment).ok_or(AssignmentError::NoVenue)?;
    Ok(AccountAssignment { key: sealed, endpoints, instruments: key.instruments.clone() })
}

/// The stored envelope with a ticket for one process.
pub(super) async fn sealed_key(
    shared: &Shared,
    store: &WorkspaceStore,
    bot: BotId,
    key: &ApiKey,
) -> Result<SealedKey, AssignmentError> {
    let record = store.key_record(key.id).await?;
    let uid = shared.table.user(bot).ok_or(AssignmentError::NoProcess)?;
    let ticket = shared.keeper.ticket(store.id(), bot, key.id, uid).await?;
    let install: InstallId = shared.install().await?;
    Ok(SealedKey {
        install,
        workspace: store.id(),
        key: KeyId::clone(&key.id),
        version: record.version,
        exchange: key.exchange,
        environment: key.environment,
        contract_type: key.contract_type,
        envelope: record.envelope,
        wrapped_data_key: record.wrapped_data_key,
        ticket: Some(ticket),
    })
}
