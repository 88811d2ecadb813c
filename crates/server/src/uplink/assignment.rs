//! What a bot is to do, built from the store each time something changes.

use keyhold_domain::{BotId, Environment, InstallId, KeyId, Site};
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, Endpoints, Entries, SealedKey, TemplateAssignment,
};
use keyhold_store::{ApiKey, Bot, Wish, WorkspaceStore};

use crate::app::App;
use crate::config::SimulatedVenue;
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
        endpoints: endpoints(key.site, simulated(app, key)),
        instruments: key.instruments.clone(),
    })
}

fn install(app: &App) -> InstallId {
    app.store.install().id
}

/// The venue of this installation that plays the key's exchange, when it is to be played.
fn simulated<'a>(app: &'a App, key: &ApiKey) -> Option<&'a SimulatedVenue> {
    match key.environment {
        Environment::Simulated => app.config.simulated(key.exchange),
        Environment::Live | Environment::Testnet => None,
    }
}

fn endpoints(site: Site, simulated: Option<&SimulatedVenue>) -> Endpoints {
    Endpoints {
        site,
        rest: simulated.map(|venue| venue.rest.clone()),
        stream: simulated.map(|venue| venue.stream.clone()),
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::Exchange;

    use super::*;

    #[test]
    fn a_bot_is_told_the_site_of_its_key_and_only_a_simulation_has_addresses() {
        let real = endpoints(Site::EuropeanEconomicArea, None);
        let expected = Endpoints { site: Site::EuropeanEconomicArea, rest: None, stream: None };
        assert_eq!(real, expected);
        let venue = SimulatedVenue {
            exchange: Exchange::Okx,
            rest: "http://127.0.0.1:7001".to_owned(),
            stream: "ws://127.0.0.1:7001".to_owned(),
            demo_key: None,
            demo_key_counterpart: None,
            demo_passphrase: None,
        };
        let played = endpoints(Site::Global, Some(&venue));
        assert_eq!(played.rest.as_deref(), Some("http://127.0.0.1:7001"));
        assert_eq!(played.stream.as_deref(), Some("ws://127.0.0.1:7001"));
    }
}
