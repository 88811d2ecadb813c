//! Questions about the account: balances, positions, orders, executions, the key itself. Paging happens here, with
//! stated bounds; a list that does not end is an error and never a short list.

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Fill, KeyFacts, OpenOrder, OrderStatus, OrderUpdate, Position,
    RefusalCode, Symbol, Timestamp,
};

use super::Bybit;
use super::convert::{self, Execution};
use super::convert_market;
use super::endpoints::{self, Endpoint};
use super::wire::{
    self, Page, WireAccount, WireExecution, WireFees, WireKey, WireOrder, WirePosition, WireWallet,
};
use crate::common::fills::in_order;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError};
use crate::port::{AccountSettings, Fees, FundingPayment, OrderReport, PositionMode};
use crate::signer::{ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection, Query, Scope};
use crate::transport::Dialer;

const POSITIONS_PER_PAGE: u32 = 200;
const ORDERS_PER_PAGE: u32 = 50;
const EXECUTIONS_PER_PAGE: u32 = 100;

/// Pages of one list at most: 20,000 positions, 5,000 orders or 10,000 executions of one week.
const MOST_PAGES: u32 = 100;

/// Longest range of one question for executions: seven days.
const EXECUTION_WINDOW_MS: i64 = 7 * 86_400_000;

/// Ranges at most: Bybit keeps executions for two years.
const MOST_WINDOWS: i64 = 106;

impl<D: Dialer> Bybit<D> {
    pub(super) async fn ask(&self, query: Query) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.account(self.signer.as_ref(), &Intent::Query(query)).await
    }

    pub(super) fn product(&self) -> ContractType {
        self.market.product()
    }

    /// What lists without a symbol must be asked for: Bybit wants the settlement coin of linear contracts.
    fn scopes(&self) -> Vec<Scope> {
        match self.product() {
            ContractType::Linear => {
                ["USDT", "USDC"].iter().filter_map(|coin| Asset::new(coin).ok()).map(Scope::Settle).collect()
            }
            ContractType::Inverse => vec![Scope::Product],
        }
    }

    pub(super) async fn read_key(&self) -> Result<KeyFacts, VenueError> {
        let body = self.ask(Query::Key).await?;
        let facts = wire::result::<WireKey<'_>>("key", &body).and_then(|key| convert::key_facts(&key));
        facts.map_err(|error| unreadable(endpoints::KEY, error))
    }

    pub(super) async fn read_settings(&self) -> Result<AccountSettings, VenueError> {
        let body = self.ask(Query::AccountSettings).await?;
        let settings = wire::result::<WireAccount<'_>>("account", &body)
            .and_then(|account| convert::account_settings(&account.margin_mode));
        settings.map_err(|error| unreadable(endpoints::ACCOUNT, error))
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<Balance>, VenueError> {
        let body = self.ask(Query::Wallet).await?;
        let wrong = |error| unreadable(endpoints::WALLET, error);
        let page: Page<'_, WireWallet<'_>> = wire::result("wallet", &body).map_err(wrong)?;
        let wallets = page.rows("wallet").map_err(wrong)?;
        let unified = wallets.iter().find(|wallet| wallet.kind.text() == "UNIFIED").or(wallets.first());
        unified.map_or_else(|| Ok(vec![]), |wallet| convert::balances(wallet).map_err(wrong))
    }

    pub(super) async fn read_fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        let body = self.ask(Query::Fees { symbol }).await?;
        let wrong = |error| unreadable(endpoints::FEES, error);
        let page: Page<'_, WireFees<'_>> = wire::result("fee list", &body).map_err(wrong)?;
        let rows = page.rows("fee list").map_err(wrong)?;
        let row = rows.iter().find(|row| row.symbol.text() == symbol.as_str()).ok_or_else(|| {
            VenueError::refused(RefusalCode::InvalidOrder, "empty-list", "no fees for this instrument")
        })?;
        convert_market::fees(row).map_err(wrong)
    }

    /// Every page of a list. `query` makes the question for a cursor, `read` takes the rows of an answer.
    async fn pages(
        &self,
        endpoint: Endpoint,
        query: impl Fn(Option<String>) -> Query,
        mut read: impl FnMut(&[u8]) -> Result<Option<String>, WireError>,
    ) -> Result<(), VenueError> {
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let body = self.ask(query(cursor)).await?;
            cursor = read(&body).map_err(|error| unreadable(endpoint, error))?;
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(VenueError::unknown(endpoint.doing, UnknownCause::TooManyPages))
    }

    /// Positions that are not flat. A position of hedge mode is an error: it would be read as the whole.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, VenueError> {
        let mut positions = vec![];
        for scope in self.scopes() {
            let query = |cursor| Query::Positions { scope, limit: Some(POSITIONS_PER_PAGE), cursor };
            let mut hedged = false;
            self.pages(endpoints::POSITIONS, query, |body| {
                let page: Page<'_, WirePosition<'_>> = wire::result("position list", body)?;
                let next = next_page(&page);
                for row in page.rows("position list")? {
                    let (position, mode) = convert::position(&row)?;
                    hedged |= mode == PositionMode::Hedge && !position.size.is_flat();
                    positions.push(position);
                }
                Ok(next)
            })
            .await?;
            if hedged {
                let message = "a position in hedge mode";
                return Err(VenueError::refused(RefusalCode::AccountMode, "hedge-mode", message));
            }
        }
        positions.retain(|position| !position.size.is_flat());
        positions.sort_by_key(|position| position.symbol);
        positions.dedup_by_key(|position| position.symbol);
        Ok(positions)
    }

    /// Two rows, or one with a place other than 0, mean hedge mode.
    pub(super) async fn read_position_mode(&self, symbol: Symbol) -> Result<PositionMode, VenueError> {
        let query = Query::Positions { scope: Scope::Symbol(symbol), limit: None, cursor: None };
        let body = self.ask(query).await?;
        let wrong = |error| unreadable(endpoints::POSITIONS, error);
        let page: Page<'_, WirePosition<'_>> = wire::result("position list", &body).map_err(wrong)?;
        for row in page.rows("position list").map_err(wrong)? {
            let (_, mode) = convert::position(&row).map_err(wrong)?;
            if mode == PositionMode::Hedge {
                return Ok(PositionMode::Hedge);
            }
        }
        Ok(PositionMode::OneWay)
    }

    pub(super) async fn read_open_orders(
        &self,
        symbol: Option<Symbol>,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let scopes = symbol.map_or_else(|| self.scopes(), |symbol| vec![Scope::Symbol(symbol)]);
        let mut orders: Vec<OpenOrder> = vec![];
        for scope in scopes {
            let query = |cursor| Query::OpenOrders {
                scope,
                selection: OrderSelection::All,
                limit: Some(ORDERS_PER_PAGE),
                cursor,
            };
            self.pages(endpoints::OPEN_ORDERS, query, |body| {
                let page: Page<'_, WireOrder<'_>> = wire::result("order list", body)?;
                let next = next_page(&page);
                for row in page.rows("order list")? {
                    orders.push(convert::open_order(&row)?);
                }
                Ok(next)
            })
            .await?;
        }
        // Bybit lists orders here for a moment after they ended.
        orders.retain(|order| !order.status.is_final());
        orders.sort_by_key(|order| order.venue_id);
        orders.dedup_by_key(|order| order.venue_id);
        Ok(orders)
    }

    /// An order by our name, in one of the two lists.
    async fn read_order(
        &self,
        endpoint: Endpoint,
        id: ClientOrderId,
        query: Query,
    ) -> Result<Option<OrderUpdate>, VenueError> {
        let body = match self.ask(query).await {
            Ok(body) => body,
            Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |error| unreadable(endpoint, error);
        let page: Page<'_, WireOrder<'_>> = wire::result("order list", &body).map_err(wrong)?;
        let rows = page.rows("order list").map_err(wrong)?;
        let row = rows.iter().find(|row| row.link_id.text() == id.to_string());
        row.map_or(Ok(None), |row| convert::order_update(row).map_err(wrong))
    }

    /// What is known of an order: open orders first, then the history, and its executions in any case.
    pub(super) async fn read_report(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<Option<OrderReport>, VenueError> {
        let order = OrderRef::Client(id);
        let recent =
            self.read_order(endpoints::OPEN_ORDERS, id, Query::RecentOrder { order, symbol }).await?;
        let update = match recent {
            Some(update) => Some(update),
            None => self.read_order(endpoints::PAST_ORDERS, id, Query::PastOrder { order, symbol }).await?,
        };
        let (fills, completion) = self.read_fills_of(symbol, id).await?;
        Ok(match update {
            Some(update) => Some(OrderReport { update, fills }),
            None => from_fills_alone(symbol, id, fills, completion),
        })
    }

    /// Fills of one order, oldest first, and whether the last of them left nothing open.
    async fn read_fills_of(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<(Vec<Fill>, Completion), VenueError> {
        let mut fills: Vec<Fill> = vec![];
        let mut completion = Completion::Partial;
        let query = |cursor| {
            Query::Executions(ExecutionQuery {
                kind: ExecutionKind::All,
                symbol: Some(symbol),
                order: Some(OrderRef::Client(id)),
                from: None,
                until: None,
                limit: Some(EXECUTIONS_PER_PAGE),
                cursor,
            })
        };
        let product = self.product();
        self.pages(endpoints::EXECUTIONS, query, |body| {
            let page: Page<'_, WireExecution<'_>> = wire::result("execution list", body)?;
            let next = next_page(&page);
            for row in page.rows("execution list")? {
                if let Execution::Fill(fill, _) = convert::execution(product, &row)?
                    && fill.client_id == Some(id)
                {
                    if row.leaves.maybe::<keyhold_domain::Decimal>("execution", "leavesQty")?
                        == Some(keyhold_domain::Decimal::ZERO)
                    {
                        completion = Completion::Whole;
                    }
                    fills.push(fill);
                }
            }
            Ok(next)
        })
        .await?;
        Ok((in_order(fills), completion))
    }

    /// All executions since an instant, in windows of seven days.
    async fn read_executions(
        &self,
        kind: ExecutionKind,
        symbol: Option<Symbol>,
        from: Timestamp,
        mut take: impl FnMut(Execution),
    ) -> Result<(), VenueError> {
        let now = self.market.rest.venue_now();
        let windows = now.since_ms(from).max(0) / EXECUTION_WINDOW_MS + 1;
        if windows > MOST_WINDOWS {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let product = self.product();
        for window in 0..windows {
            let start = from.plus_ms(window * EXECUTION_WINDOW_MS);
            // The last window stays open: Bybit then goes on for seven days, and what happens while we ask is in it.
            let is_last = window + 1 == windows;
            let until = (!is_last).then_some(start.plus_ms(EXECUTION_WINDOW_MS - 1));
            let query = |cursor| {
                Query::Executions(ExecutionQuery {
                    kind,
                    symbol,
                    order: None,
                    from: Some(start),
                    until,
                    limit: Some(EXECUTIONS_PER_PAGE),
                    cursor,
                })
            };
            self.pages(endpoints::EXECUTIONS, query, |body| {
                let page: Page<'_, WireExecution<'_>> = wire::result("execution list", body)?;
                let next = next_page(&page);
                for row in page.rows("execution list")? {
                    take(convert::execution(product, &row)?);
                }
                Ok(next)
            })
            .await?;
        }
        Ok(())
    }

    pub(super) async fn read_fills(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<Fill>, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        let mut fills = vec![];
        self.read_executions(ExecutionKind::All, symbol, from, |execution| match execution {
            Execution::Fill(fill, _) => fills.push(fill),
            Execution::Funding(_) | Execution::Other => {}
        })
        .await?;
        Ok(in_order(fills))
    }

    pub(super) async fn read_funding(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        let mut payments = vec![];
        self.read_executions(ExecutionKind::Funding, symbol, from, |execution| match execution {
            Execution::Funding(payment) => payments.push(payment),
            Execution::Fill(..) | Execution::Other => {}
        })
        .await?;
        payments.sort_by_key(|payment| (payment.at, payment.id));
        payments.dedup_by_key(|payment| payment.id);
        Ok(payments)
    }
}

/// Whether fills make up the whole order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completion {
    Partial,
    Whole,
}

fn next_page<T>(page: &Page<'_, T>) -> Option<String> {
    // Bybit repeats a cursor on the last page of some lists; an empty page ends the list in any case.
    let ended = page.list.as_ref().is_none_or(Vec::is_empty);
    (!ended && !page.cursor.is_empty()).then(|| page.cursor.text().to_owned())
}

/// An order that the order lists do not show (yet), but that has been filled.
fn from_fills_alone(
    symbol: Symbol,
    id: ClientOrderId,
    fills: Vec<Fill>,
    completion: Completion,
) -> Option<OrderReport> {
    let last = fills.last()?;
    let status = match completion {
        Completion::Whole => OrderStatus::Filled,
        Completion::Partial => OrderStatus::PartiallyFilled,
    };
    let filled = fills
        .iter()
        .map(|fill| fill.quantity.get())
        .try_fold(keyhold_domain::Decimal::ZERO, keyhold_domain::Decimal::checked_add)?;
    let update = OrderUpdate {
        client_id: id,
        venue_id: Some(last.venue_order_id),
        symbol,
        status,
        filled,
        refusal: None,
        at: last.at,
    };
    Some(OrderReport { update, fills })
}
