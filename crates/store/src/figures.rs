//! Short answers over much history, for the dashboard: results without documents, thinned equity, newest headlines.
//!
//! Nothing here reads a document, so that a figure over thousands of trades stays cheap. Rows themselves are read in
//! [`crate::history`].

use std::collections::BTreeMap;

use keyhold_domain::{Asset, BotId, Decimal, Environment, KeyId, Symbol, Timestamp};

use crate::database::statements;
use crate::history::{EquityPoint, equity, or_any};
use crate::row::args;
use crate::{StoreError, WorkspaceStore};

statements! {
    RESULTS = "SELECT bot_id, at, settle, net FROM trades WHERE workspace_id = $1 AND environment = $2 AND at >= $3 \
         ORDER BY at DESC, id DESC LIMIT $4";
    EQUITY_THINNED = "SELECT e.bot_id, e.asset, e.at, e.environment, e.wallet, e.equity FROM equity e JOIN \
         (SELECT n.bot_id, n.asset, MAX(n.at) AS newest FROM equity n WHERE n.workspace_id = $1 \
         AND ($2 = '' OR n.bot_id = $2) AND ($3 = '' OR n.environment = $3) AND n.at >= $4 \
         GROUP BY n.bot_id, n.asset, n.at / $5) t ON t.bot_id = e.bot_id AND t.asset = e.asset AND t.newest = e.at \
         WHERE e.workspace_id = $1 ORDER BY e.at DESC, e.bot_id, e.asset LIMIT $6";
    HEADLINES = "SELECT d.bot_id, d.symbol, d.at, d.code FROM decisions d JOIN \
         (SELECT n.bot_id, n.symbol, MAX(n.at) AS newest FROM bots b JOIN decisions n \
         ON n.workspace_id = b.workspace_id AND n.bot_id = b.id WHERE b.workspace_id = $1 AND n.at >= $2 \
         GROUP BY n.bot_id, n.symbol) t ON t.bot_id = d.bot_id AND t.symbol = d.symbol AND t.newest = d.at \
         WHERE d.workspace_id = $1 ORDER BY d.bot_id, d.at DESC, d.symbol";
    HEADLINE_COUNTS = "SELECT code, COUNT(*) AS found FROM decisions WHERE workspace_id = $1 AND bot_id = $2 \
         AND symbol = $3 AND at >= $4 GROUP BY code";
    BOT_LABELS = "SELECT id, label FROM bots WHERE workspace_id = $1";
    KEY_LABELS = "SELECT id, label FROM api_keys WHERE workspace_id = $1";
}

/// Trades counted at most.
const MAX_RESULTS: i64 = 20_000;
/// Points of a thinned series at most, over all bots and assets.
const MAX_POINTS: i64 = 20_000;

/// What a trade earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeResult {
    /// Whose it was.
    pub bot: BotId,
    /// When it ended.
    pub at: Timestamp,
    /// In what it is counted.
    pub asset: Asset,
    /// Profit after costs.
    pub net: Decimal,
}

/// The newest decision of a bot in one instrument, in one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// Whose.
    pub bot: BotId,
    /// Of which instrument.
    pub symbol: Symbol,
    /// Opening time of the candle.
    pub at: Timestamp,
    /// The reason code.
    pub code: String,
}

/// What people call the things in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Bots.
    pub bots: BTreeMap<BotId, String>,
    /// Keys.
    pub keys: BTreeMap<KeyId, String>,
}

impl WorkspaceStore {
    /// What trades of one environment earned that ended at or after `since`, newest first; the newest 20,000.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn trade_results(
        &self,
        environment: Environment,
        since: Timestamp,
    ) -> Result<Vec<TradeResult>, StoreError> {
        let values = args![self.workspace, environment.as_str(), since, MAX_RESULTS];
        let rows = self.database.all(RESULTS, values).await?;
        let mut results = Vec::with_capacity(rows.len());
        for row in &rows {
            // Rows from before the columns existed say nothing.
            if let (Some(asset), Some(net)) = (row.optional_parsed("settle")?, row.optional_parsed("net")?) {
                results.push(TradeResult { bot: row.parsed("bot_id")?, at: row.time("at")?, asset, net });
            }
        }
        Ok(results)
    }

    /// Equity of a bot or of all with one point per bot, asset and stretch of `every_ms` (the last one in it), oldest
    /// first; the newest 20,000 points.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn equity_thinned(
        &self,
        bot: Option<BotId>,
        environment: Option<Environment>,
        from: Timestamp,
        every_ms: i64,
    ) -> Result<Vec<EquityPoint>, StoreError> {
        let every = every_ms.max(1);
        let values = args![self.workspace, or_any(bot), or_any(environment), from, every, MAX_POINTS];
        self.database.all(EQUITY_THINNED, values).await?.iter().rev().map(equity).collect()
    }

    /// The newest decision of every bot in every instrument, on candles that opened at or after `since`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn headlines(&self, since: Timestamp) -> Result<Vec<Headline>, StoreError> {
        let rows = self.database.all(HEADLINES, args![self.workspace, since]).await?;
        rows.iter()
            .map(|row| {
                Ok(Headline {
                    bot: row.parsed("bot_id")?,
                    symbol: row.parsed("symbol")?,
                    at: row.time("at")?,
                    code: row.text("code")?,
                })
            })
            .collect()
    }

    /// How many candles of an instrument had which headline since an instant.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn headline_counts(
        &self,
        bot: BotId,
        symbol: Symbol,
        since: Timestamp,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = self.database.all(HEADLINE_COUNTS, args![self.workspace, bot, symbol, since]).await?;
        rows.iter().map(|row| Ok((row.text("code")?, row.int("found")?))).collect()
    }

    /// What bots and keys are called.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn labels(&self) -> Result<Labels, StoreError> {
        let bots = self.database.all(BOT_LABELS, args![self.workspace]).await?;
        let keys = self.database.all(KEY_LABELS, args![self.workspace]).await?;
        Ok(Labels {
            bots: bots
                .iter()
                .map(|row| Ok((row.parsed("id")?, row.text("label")?)))
                .collect::<Result<_, StoreError>>()?,
            keys: keys
                .iter()
                .map(|row| Ok((row.parsed("id")?, row.text("label")?)))
                .collect::<Result<_, StoreError>>()?,
        })
    }
}
