//! Reading what bots reported: decisions, orders, fills, trades, equity and the activity feed.
//!
//! Writing is in [`crate::ingest`]. Lists are pages, newest first.

use keyhold_domain::{Asset, BotId, Decimal, EventId, KeyId, Symbol, Timestamp, TradeId};
use keyhold_protocol::uplink::{DecisionReport, FillReport, OrderReport, Severity, TradeReport};

use crate::database::statements;
use crate::page::PageRequest;
use crate::row::{Row, args};
use crate::{StoreError, WorkspaceStore};

statements! {
    DECISIONS = "SELECT at, document FROM decisions WHERE workspace_id = $1 AND bot_id = $2 \
         AND ($3 = '' OR symbol = $3) AND (at < $4 OR (at = $4 AND symbol < $5)) ORDER BY at DESC, symbol DESC LIMIT $6";
    ORDERS = "SELECT id, at, updated_at, document FROM orders WHERE workspace_id = $1 AND bot_id = $2 \
         AND (at < $3 OR (at = $3 AND id < $4)) ORDER BY at DESC, id DESC LIMIT $5";
    FILLS = "SELECT id, at, document FROM fills WHERE workspace_id = $1 AND bot_id = $2 \
         AND (at < $3 OR (at = $3 AND id < $4)) ORDER BY at DESC, id DESC LIMIT $5";
    ORDERS_BETWEEN = "SELECT id, at, updated_at, document FROM orders WHERE workspace_id = $1 AND bot_id = $2 \
         AND symbol = $3 AND at >= $4 AND at <= $5 ORDER BY at, id LIMIT 500";
    FILLS_BETWEEN = "SELECT id, at, document FROM fills WHERE workspace_id = $1 AND bot_id = $2 \
         AND symbol = $3 AND at >= $4 AND at <= $5 ORDER BY at, id LIMIT 500";
    DECISION_AT = "SELECT at, document FROM decisions WHERE workspace_id = $1 AND bot_id = $2 AND symbol = $3 \
         AND at = $4";
    TRADES = "SELECT id, bot_id, bot_label, environment, at, document FROM trades WHERE workspace_id = $1 \
         AND ($2 = '' OR bot_id = $2) AND ($3 = '' OR symbol = $3) AND ($4 = '' OR environment = $4) AND at >= $5 \
         AND (at < $6 OR (at = $6 AND id < $7)) ORDER BY at DESC, id DESC LIMIT $8";
    TRADE = "SELECT id, bot_id, bot_label, environment, at, document FROM trades WHERE workspace_id = $1 AND id = $2";
    EQUITY = "SELECT bot_id, asset, at, environment, wallet, equity FROM equity WHERE workspace_id = $1 \
         AND ($2 = '' OR bot_id = $2) AND ($3 = '' OR environment = $3) AND at >= $4 ORDER BY at DESC, bot_id, asset \
         LIMIT $5";
    LATEST_EQUITY = "SELECT e.bot_id, e.asset, e.at, e.environment, e.wallet, e.equity FROM equity e JOIN \
         (SELECT n.bot_id, n.asset, MAX(n.at) AS newest FROM equity n WHERE n.workspace_id = $1 \
         GROUP BY n.bot_id, n.asset) t ON t.bot_id = e.bot_id AND t.asset = e.asset AND t.newest = e.at \
         WHERE e.workspace_id = $1 AND ($2 = '' OR e.environment = $2) ORDER BY e.bot_id, e.asset";
    EVENTS = "SELECT id, at, severity, code, text, bot_id, key_id, symbol FROM events WHERE workspace_id = $1 \
         AND ($2 = '' OR bot_id = $2) AND (at < $3 OR (at = $3 AND id < $4)) ORDER BY at DESC, id DESC LIMIT $5";
    ADD_EVENT = "INSERT INTO events (workspace_id, id, at, severity, code, text, bot_id, key_id, symbol) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
}

/// Points of an equity series answered at most.
const MAX_EQUITY_POINTS: i64 = 5_000;

/// A decision with its place in the list.
#[derive(Debug, Clone)]
pub struct DecisionRow {
    /// Opening time of the candle.
    pub at: Timestamp,
    /// The record.
    pub report: DecisionReport,
}

/// An order with its place in the list.
#[derive(Debug, Clone)]
pub struct OrderRow {
    /// Our name for it.
    pub id: String,
    /// When it was decided.
    pub at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// As reported.
    pub report: OrderReport,
}

/// A fill with its place in the list.
#[derive(Debug, Clone)]
pub struct FillRow {
    /// The venue's name for it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// As reported.
    pub report: FillReport,
}

/// A trade with what it belongs to.
#[derive(Debug, Clone)]
pub struct TradeRow {
    /// Its id.
    pub id: TradeId,
    /// Whose it was.
    pub bot: BotId,
    /// What the bot was called then.
    pub bot_label: String,
    /// Which world: `live`, `testnet` or `simulated`.
    pub environment: String,
    /// When it ended.
    pub at: Timestamp,
    /// As reported.
    pub report: TradeReport,
}

/// Which trades are wanted.
#[derive(Debug, Clone, Default)]
pub struct TradeFilter {
    /// Of one bot.
    pub bot: Option<BotId>,
    /// Of one instrument.
    pub symbol: Option<Symbol>,
    /// Of one world.
    pub environment: Option<keyhold_domain::Environment>,
    /// Ended at or after.
    pub since: Option<Timestamp>,
}

/// What an account was worth.
#[derive(Debug, Clone)]
pub struct EquityPoint {
    /// Whose account.
    pub bot: BotId,
    /// In what.
    pub asset: Asset,
    /// When.
    pub at: Timestamp,
    /// Which world.
    pub environment: String,
    /// Deposits plus realized results.
    pub wallet: Decimal,
    /// Wallet plus unrealized profit.
    pub equity: Decimal,
}

/// An entry of the activity feed.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub code: String,
    /// A sentence.
    pub text: String,
    /// About which bot.
    pub bot: Option<BotId>,
    /// About which key.
    pub key: Option<KeyId>,
    /// About which instrument.
    pub symbol: Option<Symbol>,
}

/// An entry to be written.
pub type NewEvent = EventRow;

pub(crate) const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn severity(row: &Row) -> Result<Severity, StoreError> {
    let text = row.text("severity")?;
    [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| severity_word(*severity) == text)
        .ok_or(StoreError::Corrupt { column: "severity" })
}

fn order(row: &Row) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        id: row.text("id")?,
        at: row.time("at")?,
        updated_at: row.time("updated_at")?,
        report: row.document("document")?,
    })
}

fn fill(row: &Row) -> Result<FillRow, StoreError> {
    Ok(FillRow { id: row.text("id")?, at: row.time("at")?, report: row.document("document")? })
}

fn trade(row: &Row) -> Result<TradeRow, StoreError> {
    Ok(TradeRow {
        id: row.parsed("id")?,
        bot: row.parsed("bot_id")?,
        bot_label: row.text("bot_label")?,
        environment: row.text("environment")?,
        at: row.time("at")?,
        report: row.document("document")?,
    })
}

pub(crate) fn equity(row: &Row) -> Result<EquityPoint, StoreError> {
    Ok(EquityPoint {
        bot: row.parsed("bot_id")?,
        asset: row.parsed("asset")?,
        at: row.time("at")?,
        environment: row.text("environment")?,
        wallet: row.parsed("wallet")?,
        equity: row.parsed("equity")?,
    })
}

fn event(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        id: row.parsed("id")?,
        at: row.time("at")?,
        severity: severity(row)?,
        code: row.text("code")?,
        text: row.text("text")?,
        bot: row.optional_parsed("bot_id")?,
        key: row.optional_parsed("key_id")?,
        symbol: row.optional_parsed("symbol")?,
    })
}

/// An optional value as the text that stands for "any" when empty.
pub(crate) fn or_any<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl WorkspaceStore {
    /// Decisions of a bot; the cursor's id is the symbol.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn decisions(
        &self,
        bot: BotId,
        symbol: Option<Symbol>,
        page: &PageRequest,
    ) -> Result<Vec<DecisionRow>, StoreError> {
        let values = args![self.workspace, bot, or_any(symbol), page.at(), page.id(), page.limit()];
        let rows = self.database.all(DECISIONS, values).await?;
        rows.iter()
            .map(|row| Ok(DecisionRow { at: row.time("at")?, report: row.document("document")? }))
            .collect()
    }

    /// The decision on one candle.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn decision_at(
        &self,
        bot: BotId,
        symbol: Symbol,
        at: Timestamp,
    ) -> Result<Option<DecisionRow>, StoreError> {
        let row = self.database.one(DECISION_AT, args![self.workspace, bot, symbol, at]).await?;
        row.map(|row| Ok(DecisionRow { at: row.time("at")?, report: row.document("document")? })).transpose()
    }

    /// Orders of a bot.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn orders(&self, bot: BotId, page: &PageRequest) -> Result<Vec<OrderRow>, StoreError> {
        let values = args![self.workspace, bot, page.at(), page.id(), page.limit()];
        self.database.all(ORDERS, values).await?.iter().map(order).collect()
    }

    /// Fills of a bot.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn fills(&self, bot: BotId, page: &PageRequest) -> Result<Vec<FillRow>, StoreError> {
        let values = args![self.workspace, bot, page.at(), page.id(), page.limit()];
        self.database.all(FILLS, values).await?.iter().map(fill).collect()
    }

    /// Orders and fills of a bot in one instrument between two instants, oldest first, at most 500 each.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn executions_between(
        &self,
        bot: BotId,
        symbol: Symbol,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(Vec<OrderRow>, Vec<FillRow>), StoreError> {
        let values = args![self.workspace, bot, symbol, from, until];
        let orders = self.database.all(ORDERS_BETWEEN, values.clone()).await?;
        let fills = self.database.all(FILLS_BETWEEN, values).await?;
        let orders = orders.iter().map(order).collect::<Result<Vec<_>, _>>()?;
        let fills = fills.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        Ok((orders, fills))
    }

    /// Trades, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn trades(
        &self,
        filter: &TradeFilter,
        page: &PageRequest,
    ) -> Result<Vec<TradeRow>, StoreError> {
        let values = args![
            self.workspace,
            or_any(filter.bot),
            or_any(filter.symbol),
            or_any(filter.environment),
            filter.since.unwrap_or(Timestamp::EPOCH),
            page.at(),
            page.id(),
            page.limit()
        ];
        self.database.all(TRADES, values).await?.iter().map(trade).collect()
    }

    /// One trade.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn trade(&self, id: TradeId) -> Result<TradeRow, StoreError> {
        let row = self.database.one(TRADE, args![self.workspace, id]).await?;
        trade(&row.ok_or(StoreError::NotFound)?)
    }

    /// Equity of a bot or of all, oldest first; the newest 5,000 points.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn equity(
        &self,
        bot: Option<BotId>,
        environment: Option<keyhold_domain::Environment>,
        from: Timestamp,
    ) -> Result<Vec<EquityPoint>, StoreError> {
        let values = args![self.workspace, or_any(bot), or_any(environment), from, MAX_EQUITY_POINTS];
        let rows = self.database.all(EQUITY, values).await?;
        rows.iter().rev().map(equity).collect()
    }

    /// The newest equity of each bot and asset.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn latest_equity(
        &self,
        environment: Option<keyhold_domain::Environment>,
    ) -> Result<Vec<EquityPoint>, StoreError> {
        let values = args![self.workspace, or_any(environment)];
        self.database.all(LATEST_EQUITY, values).await?.iter().map(equity).collect()
    }

    /// The activity feed, of all or of one bot.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self, bot: Option<BotId>, page: &PageRequest) -> Result<Vec<EventRow>, StoreError> {
        let values = args![self.workspace, or_any(bot), page.at(), page.id(), page.limit()];
        self.database.all(EVENTS, values).await?.iter().map(event).collect()
    }

    /// Writes an entry of the activity feed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn add_event(&self, new: &NewEvent) -> Result<(), StoreError> {
        self.database.run(ADD_EVENT, event_values(self, new)).await.map(drop)
    }
}

pub(crate) const ADD: crate::database::Statement = ADD_EVENT;

/// The arguments of the statement that writes an event.
pub(crate) fn event_values(store: &WorkspaceStore, new: &NewEvent) -> Vec<crate::row::Arg> {
    args![
        store.workspace,
        new.id,
        new.at,
        severity_word(new.severity),
        &new.code,
        &new.text,
        new.bot,
        new.key,
        new.symbol.map(|symbol| symbol.to_string())
    ]
}
