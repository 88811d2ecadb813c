//! Taking in what bots report, each numbered report exactly once.
//!
//! The cursor of the run and the rows a report makes are written in one transaction: after a crash either both are
//! there or neither, and the bot sends again from the cursor.

use keyhold_domain::{Environment, EventId, KeyFacts, Timestamp};
use keyhold_protocol::uplink::{
    DecisionReport, EquityReport, EventReport, FillReport, OrderReport, PositionReport, Report, TradeReport,
};

use crate::database::{Transaction, statements};
use crate::history::{self, NewEvent};
use crate::row::{args, to_document};
use crate::system::DeploymentRef;
use crate::{StoreError, WorkspaceStore};

statements! {
    ADVANCE_CURSOR = "UPDATE deployments SET acknowledged = $1 WHERE workspace_id = $2 AND id = $3 \
         AND acknowledged = $1 - 1";
    READ_CURSOR = "SELECT acknowledged FROM deployments WHERE workspace_id = $1 AND id = $2";
    BOT_CONTEXT = "SELECT b.label, k.environment FROM bots b LEFT JOIN api_keys k \
         ON k.workspace_id = b.workspace_id AND k.id = b.key_id WHERE b.workspace_id = $1 AND b.id = $2";
    PUT_DECISION = "INSERT INTO decisions (workspace_id, bot_id, symbol, at, code, document) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, bot_id, symbol, at) DO UPDATE SET \
         code = excluded.code, document = excluded.document";
    PUT_ORDER = "INSERT INTO orders (workspace_id, bot_id, id, symbol, at, updated_at, document) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, bot_id, id) DO UPDATE SET \
         updated_at = excluded.updated_at, document = excluded.document";
    PUT_FILL = "INSERT INTO fills (workspace_id, bot_id, id, symbol, at, document) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (workspace_id, bot_id, symbol, id) DO NOTHING";
    PUT_POSITION = "INSERT INTO positions (workspace_id, bot_id, symbol, is_open, document, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, bot_id, symbol) DO UPDATE SET \
         is_open = excluded.is_open, document = excluded.document, updated_at = excluded.updated_at";
    PUT_TRADE = "INSERT INTO trades (workspace_id, id, bot_id, bot_label, environment, symbol, entered_at, at, document, \
         settle, net) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (workspace_id, id) DO UPDATE SET \
         document = excluded.document, net = excluded.net WHERE trades.bot_id = excluded.bot_id";
    PUT_EQUITY = "INSERT INTO equity (workspace_id, bot_id, asset, at, environment, wallet, equity) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, bot_id, asset, at) DO UPDATE SET \
         wallet = excluded.wallet, equity = excluded.equity";
    PUT_INSTRUMENT = "INSERT INTO instruments (exchange, environment, contract_type, symbol, document, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (exchange, environment, symbol) DO UPDATE SET \
         contract_type = excluded.contract_type, document = excluded.document, updated_at = excluded.updated_at";
    KEY_OF_BOT = "SELECT k.id, k.verification FROM bots b JOIN api_keys k ON k.workspace_id = b.workspace_id \
         AND k.id = b.key_id WHERE b.workspace_id = $1 AND b.id = $2";
    PUT_VERIFICATION = "UPDATE api_keys SET verification = $1 WHERE workspace_id = $2 AND id = $3";
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// Stored now.
    New,
    /// Stored before; nothing changed.
    Duplicate {
        /// The highest number stored.
        acknowledged: u64,
    },
    /// Numbers before it are missing; nothing changed.
    Gap {
        /// The highest number stored.
        acknowledged: u64,
    },
}

/// A numbered report on its way in.
#[derive(Debug, Clone)]
pub struct Stored<'a> {
    /// Its number within the run.
    pub number: u64,
    /// When it happened, by the bot's clock.
    pub at: Timestamp,
    /// What happened.
    pub report: &'a Report,
    /// An id for the event it may make.
    pub event: EventId,
}

struct Context {
    label: String,
    environment: String,
}

impl WorkspaceStore {
    /// Stores a report unless its number was stored before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is not of this workspace, [`StoreError::Database`].
    pub async fn ingest(&self, run: &DeploymentRef, new: &Stored<'_>) -> Result<Ingested, StoreError> {
        let number = i64::try_from(new.number).map_err(|_| StoreError::Corrupt { column: "number" })?;
        let mut tx = self.database.begin().await?;
        if tx.run(ADVANCE_CURSOR, args![number, self.workspace, run.deployment]).await? == 0 {
            let row = tx.one(READ_CURSOR, args![self.workspace, run.deployment]).await?;
            let found = row.ok_or(StoreError::NotFound)?.int("acknowledged")?;
            let acknowledged =
                found.try_into().map_err(|_| StoreError::Corrupt { column: "acknowledged" })?;
            return Ok(if number <= found {
                Ingested::Duplicate { acknowledged }
            } else {
                Ingested::Gap { acknowledged }
            });
        }
        self.store_report(&mut tx, run, new).await?;
        tx.commit().await?;
        Ok(Ingested::New)
    }

    async fn store_report(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        new: &Stored<'_>,
    ) -> Result<(), StoreError> {
        match new.report {
            Report::Decision(report) => self.put_decision(tx, run, report).await,
            Report::Order(report) => self.put_order(tx, run, report, new.at).await,
            Report::Fill(report) => self.put_fill(tx, run, report).await,
            Report::Position(report) => self.put_position(tx, run, report, new.at).await,
            Report::Trade(report) => self.put_trade(tx, run, report).await,
            Report::Equity(report) => self.put_equity(tx, run, report, new.at).await,
            // The newest snapshot is told by the position and equity reports that follow it.
            Report::Account(_) => Ok(()),
            Report::Event(report) => self.put_event(tx, run, report, new).await,
            Report::KeyFacts(facts) => self.put_key_facts(tx, run, facts, new.at).await,
            Report::Instruments(list) => {
                let context = self.context(tx, run).await?;
                let Ok(environment) = context.environment.parse() else { return Ok(()) };
                put_instruments(tx, environment, list, new.at).await
            }
        }
    }

    async fn context(&self, tx: &mut Transaction, run: &DeploymentRef) -> Result<Context, StoreError> {
        let row = tx.one(BOT_CONTEXT, args![self.workspace, run.bot]).await?.ok_or(StoreError::NotFound)?;
        Ok(Context {
            label: row.text("label")?,
            environment: row.optional_text("environment")?.unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    async fn put_decision(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &DecisionReport,
    ) -> Result<(), StoreError> {
        let document = to_document(report, "document")?;
        let values = args![
            self.workspace,
            run.bot,
            report.symbol,
            report.candle.open_time,
            report.code.as_str(),
            document
        ];
        tx.run(PUT_DECISION, values).await.map(drop)
    }

    async fn put_order(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &OrderReport,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let document = to_document(report, "document")?;
        let id = report.order.client_id.to_string();
        let values = args![self.workspace, run.bot, id, report.order.symbol, report.decided_at, at, document];
        tx.run(PUT_ORDER, values).await.map(drop)
    }

    async fn put_fill(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &FillReport,
    ) -> Result<(), StoreError> {
        let document = to_document(report, "document")?;
        let fill = &report.fill;
        let values = args![self.workspace, run.bot, fill.fill_id, fill.symbol, fill.at, document];
        tx.run(PUT_FILL, values).await.map(drop)
    }

    async fn put_position(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &PositionReport,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let document = to_document(report, "document")?;
        let is_open = i64::from(!report.size.is_flat());
        let values = args![self.workspace, run.bot, report.symbol, is_open, document, at];
        tx.run(PUT_POSITION, values).await.map(drop)
    }

    async fn put_trade(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &TradeReport,
    ) -> Result<(), StoreError> {
        let context = self.context(tx, run).await?;
        let document = to_document(report, "document")?;
        let values = args![
            self.workspace,
            report.id,
            run.bot,
            context.label,
            context.environment,
            report.symbol,
            report.entered_at,
            report.exited_at,
            document,
            report.settle,
            report.net.normalize().to_string()
        ];
        tx.run(PUT_TRADE, values).await.map(drop)
    }

    async fn put_equity(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &EquityReport,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let context = self.context(tx, run).await?;
        let (wallet, equity) = (report.wallet.to_string(), report.equity.to_string());
        let values = args![self.workspace, run.bot, report.asset, at, context.environment, wallet, equity];
        tx.run(PUT_EQUITY, values).await.map(drop)
    }

    async fn put_event(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        report: &EventReport,
        new: &Stored<'_>,
    ) -> Result<(), StoreError> {
        let event = NewEvent {
            id: new.event,
            at: new.at,
            severity: report.severity,
            code: report.code.as_str().to_owned(),
            text: report.text.clone(),
            bot: Some(run.bot),
            key: None,
            symbol: report.symbol,
        };
        tx.run(history::ADD, history::event_values(self, &event)).await.map(drop)
    }

    async fn put_key_facts(
        &self,
        tx: &mut Transaction,
        run: &DeploymentRef,
        facts: &KeyFacts,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(row) = tx.one(KEY_OF_BOT, args![self.workspace, run.bot]).await? else { return Ok(()) };
        let mut verification: crate::Verification = row.document("verification")?;
        verification.facts = Some(facts.clone());
        verification.checked_at = Some(at);
        let document = to_document(&verification, "verification")?;
        let key: keyhold_domain::KeyId = row.parsed("id")?;
        tx.run(PUT_VERIFICATION, args![document, self.workspace, key]).await.map(drop)
    }
}

/// Stores what a venue lists.
pub(crate) async fn put_instruments(
    tx: &mut Transaction,
    environment: Environment,
    list: &[keyhold_domain::Instrument],
    at: Timestamp,
) -> Result<(), StoreError> {
    for instrument in list {
        let document = to_document(instrument, "document")?;
        let values = args![
            instrument.exchange.as_str(),
            environment.as_str(),
            instrument.contract_type.as_str(),
            instrument.symbol,
            document,
            at
        ];
        tx.run(PUT_INSTRUMENT, values).await?;
    }
    Ok(())
}
