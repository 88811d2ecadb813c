//! What a bot is to do, built from the store each time something changes.

use keyhold_domain::{BotId, Environment, InstallId, KeyId};
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, Endpoints, Entries, SealedKey, TemplateAssignment,
};
use keyhold_store::{ApiKey, Bot, Wish, WorkspaceStore};

use crate::app::App;
use crate::http::problem::Problem;

/// Who asks for it: the process that is to hold the lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) bot: BotId,
    pub(super) uid: u32,
}

/// The assignment of a running bot, with a fresh ticket when it has a key.
pub(super) async fn of_bot(app: &App, store: &WorkspaceStore, holder: Holder) -> Result<Assignment, Problem> {
    let bot = store.bot(holder.bot).await?;
    let account = match &bot.key {
        None => None,
        Some(key) => Some(account(app, store, &store.key(key.id).await?, holder).await?),
    };
    let template = match &bot.template {
        None => None,
        Some((id, _, _)) => {
            let row = store.template(*id).await?;
            Some(TemplateAssignment { template: row.id, version: row.version, document: row.document })
        }
    };
    Ok(Assignment {
        generation: u64::try_from(bot.generation).unwrap_or_default(),
        epoch: bot.epoch,
        account,
        template,
        entries: entries(&bot),
        settings: bot.settings,
    })
}

fn entries(bot: &Bot) -> Entries {
    match bot.wish {
        Wish::Paused | Wish::Stopped => Entries::Paused,
        Wish::Running if bot.key.as_ref().is_some_and(|key| !key.active) => Entries::KeyInactive,
        Wish::Running => Entries::Allowed,
    }
}

/// The assignment of a process that tests one key.
pub(super) async fn of_test(
    app: &App,
    store: &WorkspaceStore,
    key: KeyId,
    holder: Holder,
) -> Result<Assignment, Problem> {
    let account = account(app, store, &store.key(key).await?, holder).await?;
    Ok(Assignment {
        generation: 1,
        epoch: 1,
        account: Some(account),
        template: None,
        settings: serde_json::Value::Object(serde_json::Map::new()),
        entries: Entries::Paused,
    })
}

async fn account(
    app: &App,
    store: &WorkspaceStore,
    key: &ApiKey,
    holder: Holder,
) -> Result<AccountAssignment, Problem> {
    let record = store.key_record(key.id).await?;
    // Without a ticket the bot waits; the next assignment brings one.
    let ticket = match app.keeper.ticket(store.id(), holder.bot, key.id, holder.uid).await {
        Ok(ticket) => Some(ticket.to_text()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, bot = %holder.bot, "no ticket for a bot");
            None
        }
    };
    Ok(AccountAssignment {
        key: SealedKey {
            install: install(app),
            workspace: store.id(),
            key: key.id,
            version: record.version,
            exchange: key.exchange,
            environment: key.environment,
            contract_type: key.contract_type,
            envelope: record.envelope,
            wrapped_data_key: record.wrapped_data_key,
            ticket,
        },
        endpoints: endpoints(app, key),
        instruments: key.instruments.clone(),
    })
}

fn install(app: &App) -> InstallId {
    app.store.install().id
}

fn endpoints(app: &App, key: &ApiKey) -> Endpoints {
    let simulated = match key.environment {
        Environment::Simulated => app.config.simulated(key.exchange),
        Environment::Live | Environment::Testnet => None,
    };
    Endpoints {
        rest: simulated.map(|venue| venue.rest.clone()),
        stream: simulated.map(|venue| venue.stream.clone()),
    }
}
