//! A bot as people see it: stored facts, what its process says, and the reason why it does not trade.

use keyhold_domain::{BotId, DeploymentId, Environment, Money, Timestamp};
use keyhold_protocol::uplink::{Isolation, Phase};
use keyhold_provision::status::{Presence, StatusInput, StatusLimits, Verdict};
use keyhold_provision::{BotStatus, Wish as Wanted, status};
use keyhold_store::{Bot, OpenPosition, PageRequest, TradeFilter, Wish, WorkspaceStore};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::problem::Problem;
use crate::shape;
use crate::watch::positions::PositionView;
use crate::watch::values::Amount;

/// Trades of one day looked at for today's result at most.
const DAY_TRADES: u32 = 500;

/// A bot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BotView {
    #[schema(value_type = String)]
    id: BotId,
    label: String,
    region: String,
    #[schema(value_type = Option<shape::Environment>, required)]
    environment: Option<Environment>,
    #[schema(value_type = shape::BotStatus)]
    status: &'static str,
    #[schema(value_type = Option<shape::Phase>, required)]
    phase: Option<Phase>,
    #[schema(value_type = shape::Wish)]
    wish: &'static str,
    #[schema(required)]
    key: Option<BotKey>,
    #[schema(required)]
    template: Option<BotTemplate>,
    #[schema(value_type = shape::Settings)]
    settings: serde_json::Value,
    #[schema(value_type = Option<i64>, required)]
    last_heartbeat_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, required)]
    deployment_id: Option<DeploymentId>,
    #[schema(value_type = Option<shape::Isolation>, required)]
    isolation: Option<Isolation>,
    egress_addresses: Vec<String>,
    positions: Vec<PositionView>,
    #[schema(required)]
    reason: Option<Reason>,
    /// What it lacks to trade.
    #[schema(value_type = Vec<shape::Lack>)]
    missing: Vec<&'static str>,
    /// Net result of trades closed since 00:00 UTC, one entry per asset.
    #[schema(value_type = Vec<Amount>)]
    pnl_today: Vec<Money>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

/// The key of a bot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BotKey {
    id: String,
    label: String,
    hint: String,
    active: bool,
}

/// The template of a bot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BotTemplate {
    id: String,
    name: String,
    version: u32,
}

/// Why it does not trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// The one word for a bot's state.
pub(crate) fn status_of(app: &App, bot: &Bot, now: Timestamp) -> BotStatus {
    let wish = match bot.wish {
        Wish::Running => Wanted::Running,
        Wish::Paused => Wanted::Paused,
        Wish::Stopped => Wanted::Stopped,
    };
    let presence = if app.supervisor.is_present(bot.id) { Presence::Some } else { Presence::None };
    let verdict = if bot.failure.is_some() { Verdict::Failed } else { Verdict::Good };
    let input = StatusInput { wish, verdict, presence, heartbeat: bot.last_heartbeat_at };
    status(input, &StatusLimits::default(), now)
}

/// What a bot lacks to trade.
pub(crate) fn missing(bot: &Bot, instruments: usize) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if bot.key.is_none() {
        missing.push("key");
    }
    if bot.template.is_none() {
        missing.push("template");
    }
    if bot.key.is_some() && instruments == 0 {
        missing.push("instrument");
    }
    missing
}

/// The first thing that keeps a bot from entering, apart from what its strategy says.
pub(crate) fn standing_reason(bot: &Bot, status: BotStatus, instruments: usize) -> Option<Reason> {
    let reason = |code: &str, text: &str| Some(Reason { code: code.to_owned(), text: text.to_owned() });
    match status {
        BotStatus::Deploying => return reason("BOT_DEPLOYING", "Its process is being started."),
        BotStatus::Offline => return reason("BOT_OFFLINE", "It has not been heard of for a minute."),
        BotStatus::Failed => {
            let (code, text) = bot.failure.clone().unwrap_or_default();
            return Some(Reason { code, text });
        }
        BotStatus::Stopping => return reason("BOT_STOPPED", "It is winding down."),
        BotStatus::Stopped => return reason("BOT_STOPPED", "It is stopped. Deploy it to trade again."),
        BotStatus::Paused => {
            return reason("BOT_PAUSED", "It is paused: exits go on, nothing new is opened.");
        }
        BotStatus::Online => {}
    }
    match &bot.key {
        None => return reason("NO_KEY", "No key is assigned."),
        Some(key) if !key.active => {
            return reason("KEY_INACTIVE", "Its key is switched off: exits go on, nothing new is opened.");
        }
        Some(_) => {}
    }
    if bot.template.is_none() {
        return reason("NO_TEMPLATE", "No template is assigned.");
    }
    if instruments == 0 {
        return reason("NO_INSTRUMENT", "No instrument is assigned to its key.");
    }
    None
}

/// Builds the view of one bot.
pub(crate) async fn view(app: &App, store: &WorkspaceStore, id: BotId) -> Result<BotView, Problem> {
    let bot = store.bot(id).await?;
    let positions = store.open_positions().await?;
    build(app, store, bot, &positions).await
}

/// Builds the view from what is loaded already.
pub(crate) async fn build(
    app: &App,
    store: &WorkspaceStore,
    bot: Bot,
    positions: &[OpenPosition],
) -> Result<BotView, Problem> {
    let now = app.clock.now();
    let status = status_of(app, &bot, now);
    let instruments = match &bot.key {
        Some(key) => store.key(key.id).await?.instruments.len(),
        None => 0,
    };
    let reason = match standing_reason(&bot, status, instruments) {
        Some(reason) => Some(reason),
        None => newest_headline(store, bot.id).await?,
    };
    let mine = positions.iter().filter(|position| position.bot == bot.id);
    let positions =
        mine.map(|position| PositionView::new(&bot, &position.report, position.updated_at)).collect();
    Ok(BotView {
        status: status.as_str(),
        wish: bot.wish.as_str(),
        missing: missing(&bot, instruments),
        pnl_today: pnl_since(store, Some(bot.id), None, now.start_of_day()).await?,
        reason,
        positions,
        environment: bot.key.as_ref().map(|key| key.environment),
        key: bot.key.map(|key| BotKey {
            id: key.id.to_string(),
            label: key.label,
            hint: key.hint,
            active: key.active,
        }),
        template: bot.template.map(|(id, name, version)| BotTemplate { id: id.to_string(), name, version }),
        id: bot.id,
        label: bot.label,
        region: bot.region,
        phase: bot.phase.filter(|_| status != BotStatus::Stopped && status != BotStatus::Failed),
        settings: bot.settings,
        last_heartbeat_at: bot.last_heartbeat_at,
        deployment_id: bot.deployment,
        isolation: bot.isolation,
        egress_addresses: app.config.egress_addresses.clone(),
        created_at: bot.created_at,
    })
}

/// What the newest decision said, unless it was an entry.
async fn newest_headline(store: &WorkspaceStore, id: BotId) -> Result<Option<Reason>, Problem> {
    let newest = store.decisions(id, None, &PageRequest::new(1, None)).await?.into_iter().next();
    Ok(newest.filter(|decision| decision.report.code != keyhold_domain::ReasonCode::Entered).map(
        |decision| {
            let report = decision.report;
            let text = format!("{} at {}.", report.symbol, report.candle.open_time);
            Reason { code: report.code.to_string(), text }
        },
    ))
}

/// Net results of trades closed since an instant, per asset.
pub(crate) async fn pnl_since(
    store: &WorkspaceStore,
    bot: Option<BotId>,
    environment: Option<Environment>,
    since: Timestamp,
) -> Result<Vec<Money>, Problem> {
    let filter = TradeFilter { bot, environment, since: Some(since), symbol: None };
    let trades = store.trades(&filter, &PageRequest::new(DAY_TRADES, None)).await?;
    Ok(sum(trades.iter().map(|trade| Money::new(trade.report.net, trade.report.settle))))
}

/// Sums per asset, in order of the asset's name. Amounts that overflow are left out: they cannot be real.
pub(crate) fn sum(amounts: impl Iterator<Item = Money>) -> Vec<Money> {
    let mut sums: std::collections::BTreeMap<_, Money> = std::collections::BTreeMap::new();
    for amount in amounts {
        let entry = sums.entry(amount.asset).or_insert_with(|| Money::zero(amount.asset));
        *entry = entry.checked_add(amount).unwrap_or(*entry);
    }
    sums.into_values().collect()
}

/// Tells those who watch how a bot is now.
pub(crate) async fn publish(app: &App, store: &WorkspaceStore, id: BotId) {
    match view(app, store, id).await {
        Ok(view) => app.live.publish(store.id(), "bot", &view),
        Err(problem) => tracing::debug!(code = problem.code, "a bot that changed cannot be shown"),
    }
}
