//! One round: what is wished, what is there, what to do, and doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_protocol::uplink::Severity;
use keyhold_provision::local::{Launch, Mode};
use keyhold_provision::{
    BotStatus, Change, DesiredBot, Instance, InstanceState, LocalError, Wish as Wanted, plan_changes,
};
use keyhold_store::{BotWork, DeploymentRef, NewEvent, StoreError, Wish};

use super::locked;
use super::stopping::{Hearing, Patience, patience};
use crate::api::bot_view;
use crate::app::App;
use crate::custody::leaks::{self, Swept};
use crate::random;

/// No heartbeat for this long after a deploy means it failed.
const DEPLOY_LIMIT_MS: i64 = 180_000;
/// A process that ran this long before it died starts with a fresh count of restarts.
const STEADY_MS: i64 = 300_000;

/// Before a leaked key that could not be destroyed is tried again.
const SWEEP_PAUSE_MS: i64 = 5_000;

/// Compares and acts once.
pub(super) async fn round(app: &Arc<App>) -> Result<(), StoreError> {
    let now = app.clock.now();
    let work = app.store.system().work().await?;
    let mut observed = app.supervisor.with_local(move |local| local.observe(now)).await;
    // Processes that test keys look after themselves.
    let tests: BTreeSet<BotId> = locked(&app.supervisor.tests).values().map(|test| test.bot).collect();
    observed.retain(|instance| !tests.contains(&instance.bot));
    for instance in &mut observed {
        forgive_steady(instance);
    }
    *locked(&app.supervisor.present) = observed.iter().map(|instance| instance.bot).collect();

    let runs: BTreeMap<BotId, &BotWork> = work.iter().map(|one| (one.run.bot, one)).collect();
    fail_late_deploys(app, &work, now).await?;
    let desired: Vec<DesiredBot> = work
        .iter()
        .map(|one| desired(app, one, observed.iter().find(|i| i.bot == one.run.bot), now))
        .collect();
    for change in plan_changes(&desired, &observed, &app.supervisor.policy, now) {
        apply(app, &runs, change, now).await?;
    }
    note_ends(app, &work, &observed, now).await?;
    sweep_leaks(app, now).await?;
    tell_changes(app, &work).await;
    Ok(())
}

/// Leaked keys that no bot uses any more are destroyed; one that resists is left alone for a while.
async fn sweep_leaks(app: &App, now: Timestamp) -> Result<(), StoreError> {
    if now < *locked(&app.supervisor.sweep_after) {
        return Ok(());
    }
    if leaks::sweep(app, now).await? == Swept::Some {
        *locked(&app.supervisor.sweep_after) = now.plus_ms(SWEEP_PAUSE_MS);
    }
    Ok(())
}

fn forgive_steady(instance: &mut Instance) {
    if let InstanceState::Ended { at } = instance.state
        && at.since_ms(instance.started_at) >= STEADY_MS
    {
        instance.restarts = 0;
    }
}

/// What the plan is to bring about for one bot.
fn desired(app: &App, one: &BotWork, found: Option<&Instance>, now: Timestamp) -> DesiredBot {
    let DeploymentRef { bot, deployment, .. } = one.run;
    let wish = match one.wish {
        _ if one.failed => Wanted::Stopped,
        Wish::Running => Wanted::Running,
        Wish::Paused => Wanted::Paused,
        Wish::Stopped => match found.map(|instance| instance.state) {
            Some(InstanceState::Up) if stop_patience(app, deployment, now) == Patience::Wait => {
                Wanted::Paused
            }
            Some(_) | None => Wanted::Stopped,
        },
    };
    DesiredBot { bot, deployment, wish }
}

fn stop_patience(app: &App, run: DeploymentId, now: Timestamp) -> Patience {
    let since = *locked(&app.supervisor.stopping).entry(run).or_insert(now);
    let hearing = if app.uplinks.is_connected(run) { Hearing::Connected } else { Hearing::Away };
    patience(since, hearing, now)
}

async fn fail_late_deploys(app: &Arc<App>, work: &[BotWork], now: Timestamp) -> Result<(), StoreError> {
    for one in work.iter().filter(|one| !one.failed && one.wish != Wish::Stopped && one.online_at.is_none()) {
        if now.since_ms(one.requested_at) >= DEPLOY_LIMIT_MS {
            let text = "The bot did not answer within three minutes after its deploy.";
            fail(app, &one.run, "DEPLOY_TIMEOUT", text, now).await?;
        }
    }
    Ok(())
}

async fn fail(
    app: &Arc<App>,
    run: &DeploymentRef,
    code: &'static str,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    app.store.system().failed(run, code, text).await?;
    event(app, run, Severity::Critical, code, text.to_owned(), now).await
}

async fn event(
    app: &App,
    run: &DeploymentRef,
    severity: Severity,
    code: &str,
    text: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let store = app.store.workspace(&run.actor());
    let event = NewEvent {
        id: random::id(),
        at: now,
        severity,
        code: code.to_owned(),
        text,
        bot: Some(run.bot),
        key: None,
        symbol: None,
    };
    store.add_event(&event).await?;
    crate::watch::tell::entry(&app.live, &store, event).await
}

async fn apply(
    app: &Arc<App>,
    runs: &BTreeMap<BotId, &BotWork>,
    change: Change,
    now: Timestamp,
) -> Result<(), StoreError> {
    match change {
        Change::Launch { bot, deployment } => launch(app, runs, bot, deployment, 0, now).await,
        Change::Relaunch { bot, deployment, restarts } => {
            tracing::warn!(%bot, restarts, "starting a bot again whose process died");
            launch(app, runs, bot, deployment, restarts, now).await
        }
        Change::Fail { bot, deployment: _ } => match runs.get(&bot) {
            Some(one) => {
                let text =
                    "The bot's process died too often. Its log is in the bot's folder until it is removed.";
                fail(app, &one.run, "BOT_FAILED", text, now).await
            }
            None => Ok(()),
        },
        Change::Remove { bot, deployment } => {
            let removed = app.supervisor.with_local(move |local| local.remove(bot, deployment)).await;
            if let Err(error) = removed {
                tracing::error!(%bot, error = &error as &dyn std::error::Error, "removing a bot's process failed");
            }
            Ok(())
        }
    }
}

async fn launch(
    app: &Arc<App>,
    runs: &BTreeMap<BotId, &BotWork>,
    bot: BotId,
    deployment: DeploymentId,
    restarts: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(one) = runs.get(&bot).filter(|one| one.run.deployment == deployment) else { return Ok(()) };
    let token = random::hex_token();
    app.store.system().set_token(&one.run, &random::hash(&token)).await?;
    let launched = app
        .supervisor
        .with_local(move |local| {
            let uid = local.choose_uid(bot)?;
            let launch = Launch { bot, deployment, mode: Mode::Run, uid, token: &token, restarts };
            local.launch(&launch, now)
        })
        .await;
    match launched {
        Ok(pid) => {
            tracing::info!(%bot, pid, "a bot's process was started");
            Ok(())
        }
        Err(error) => {
            tracing::error!(%bot, error = &error as &dyn std::error::Error, "starting a bot's process failed");
            fail(app, &one.run, "BOT_FAILED", &describe(&error), now).await
        }
    }
}

fn describe(error: &LocalError) -> String {
    format!("The bot's process could not be started: {error}.")
}

/// Notes runs of which nothing is left.
async fn note_ends(
    app: &Arc<App>,
    work: &[BotWork],
    observed: &[Instance],
    now: Timestamp,
) -> Result<(), StoreError> {
    for one in work.iter().filter(|one| one.stopped_at.is_none()) {
        let gone = !observed.iter().any(|instance| instance.bot == one.run.bot);
        let over = one.failed || one.wish == Wish::Stopped;
        if gone && over {
            locked(&app.supervisor.stopping).remove(&one.run.deployment);
            let reason = if one.failed { "failed" } else { "stopped" };
            app.store.system().ended(&one.run, reason, now).await?;
        }
    }
    Ok(())
}

/// Tells those who watch about every change of status.
async fn tell_changes(app: &Arc<App>, work: &[BotWork]) {
    let now = app.clock.now();
    for one in work {
        let store = app.store.workspace(&one.run.actor());
        let Ok(bot) = store.bot(one.run.bot).await else { continue };
        let status = bot_view::status_of(app, &bot, now);
        let before = locked(&app.supervisor.told).insert(one.run.bot, status);
        if before == Some(status) {
            continue;
        }
        bot_view::publish(app, &store, one.run.bot).await;
        let told = match (before, status) {
            (Some(_), BotStatus::Offline) => Some((Severity::Critical, "BOT_OFFLINE", "was lost from sight")),
            (Some(_), BotStatus::Online) => Some((Severity::Info, "BOT_ONLINE", "is online")),
            (Some(_), BotStatus::Stopped) => Some((Severity::Info, "BOT_STOPPED", "has stopped")),
            (Some(_), BotStatus::Paused) => Some((Severity::Info, "BOT_PAUSED", "is paused")),
            (
                Some(_) | None,
                BotStatus::Deploying
                | BotStatus::Failed
                | BotStatus::Stopping
                | BotStatus::Online
                | BotStatus::Paused
                | BotStatus::Offline
                | BotStatus::Stopped,
            ) => None,
        };
        if let Some((severity, code, words)) = told {
            let text = format!("{} {words}.", bot.label);
            if let Err(error) = event(app, &one.run, severity, code, text, now).await {
                tracing::error!(error = &error as &dyn std::error::Error, "an event could not be written");
            }
        }
    }
}
