//! Turns a stored report into the event that those who watch receive: the changed object as the reads give it.

use keyhold_domain::{BotId, EventId, Timestamp};
use keyhold_protocol::uplink::{EquityReport, EventReport, Report, TradeReport};
use keyhold_store::{EventRow, Labels, StoreError, WorkspaceStore};
use serde::Serialize;

use super::activity::EventView;
use super::decisions::{DecisionView, FillView, OrderView};
use super::positions::PositionView;
use super::trades::TradeView;
use super::values::decimal;
use crate::api::documents::Named;
use crate::live::Live;

/// A report that has just been stored.
pub(crate) struct News<'a> {
    /// Whose.
    pub(crate) bot: BotId,
    /// When it happened, by the bot's clock.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) report: &'a Report,
    /// The id under which it was stored, if it is an event.
    pub(crate) event: EventId,
}

/// A new point of a bot's equity.
#[derive(Debug, Serialize)]
struct EquityNews {
    bot_id: BotId,
    environment: Option<&'static str>,
    asset: String,
    at: Timestamp,
    wallet: String,
    equity: String,
}

/// Tells everybody who watches the workspace.
///
/// # Errors
/// [`StoreError::NotFound`] when the bot has gone in the meantime, [`StoreError::Database`].
pub(crate) async fn tell(live: &Live, store: &WorkspaceStore, news: News<'_>) -> Result<(), StoreError> {
    let (workspace, bot) = (store.id(), news.bot);
    match news.report {
        Report::Decision(report) => {
            live.publish(workspace, "decision", &DecisionView::new(bot, report.clone()));
        }
        Report::Order(report) => {
            live.publish(workspace, "order", &OrderView::new(bot, report, news.at));
        }
        Report::Fill(report) => live.publish(workspace, "fill", &FillView::new(bot, report)),
        Report::Position(report) => {
            let bot = store.bot(bot).await?;
            live.publish(workspace, "position", &PositionView::new(&bot, report, news.at));
        }
        Report::Trade(report) => {
            live.publish(workspace, "trade", &trade(store, bot, report).await?);
        }
        Report::Equity(report) => {
            live.publish(workspace, "equity", &equity(store, &news, report).await?);
        }
        Report::Event(report) => {
            let labels = store.labels().await?;
            live.publish(workspace, "event", &event(&news, report, &labels));
        }
        // Told as changes of the key and not at all: a list of instruments is no news.
        Report::Account(_) | Report::KeyFacts(_) | Report::Instruments(_) => {}
    }
    Ok(())
}

/// Tells of an entry of the activity feed that the server itself has written.
///
/// # Errors
/// [`StoreError::Database`].
pub(crate) async fn entry(live: &Live, store: &WorkspaceStore, row: EventRow) -> Result<(), StoreError> {
    let labels = store.labels().await?;
    live.publish(store.id(), "event", &EventView::new(row, &labels));
    Ok(())
}

async fn trade(store: &WorkspaceStore, bot: BotId, report: &TradeReport) -> Result<TradeView, StoreError> {
    let row = store.trade(report.id).await?;
    let view = TradeView::new(Named::new(bot, row.bot_label), bot, row.environment, report.clone());
    Ok(view.short())
}

async fn equity(
    store: &WorkspaceStore,
    news: &News<'_>,
    report: &EquityReport,
) -> Result<EquityNews, StoreError> {
    let bot = store.bot(news.bot).await?;
    Ok(EquityNews {
        bot_id: news.bot,
        environment: bot.key.map(|key| key.environment.as_str()),
        asset: report.asset.to_string(),
        at: news.at,
        wallet: decimal(report.wallet),
        equity: decimal(report.equity),
    })
}

fn event(news: &News<'_>, report: &EventReport, labels: &Labels) -> EventView {
    let row = EventRow {
        id: news.event,
        at: news.at,
        severity: report.severity,
        code: report.code.to_string(),
        text: report.text.clone(),
        bot: Some(news.bot),
        key: None,
        symbol: report.symbol,
    };
    EventView::new(row, labels)
}
