//! Questions about the account: balances, positions, orders, executions, the key itself. Paging happens here, with
//! stated bounds; a list that does not end is an error and never a short list. BitMEX lists both products together;
//! rows of the other one are left out.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{
    Balance, ClientOrderId, Decimal, Fill, KeyFacts, MarginMode, OpenOrder, OrderStatus, OrderUpdate,
    Position, RefusalCode, Symbol, Timestamp,
};

use super::Bitmex;
use super::convert::{self, Execution};
use super::convert_market;
use super::endpoints::{self, Endpoint};
use super::render::KEY_HEADER;
use super::wire::{self, WireCommission, WireExecution, WireKey, WireMargin, WireOrder, WirePosition};
use crate::common::rest::{not_signed, unreadable};
use crate::error::{UnknownCause, VenueError, WireError};
use crate::port::{AccountSettings, Fees, FundingPayment, OrderReport};
use crate::signer::{
    ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection, Query, Scope, SignedRequest,
    SignerRefusal,
};
use crate::transport::Dialer;

const ROWS_PER_PAGE: u32 = 500;

/// Pages of one list at most: 10,000 orders or executions.
const MOST_PAGES: u32 = 20;

impl<D: Dialer> Bitmex<D> {
    pub(super) async fn ask(&self, query: Query) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.account(self.signer.as_ref(), &Intent::Query(query)).await
    }

    /// The name of the key in use. The signer tells it to nobody, but it stands in every request that it signs.
    fn key_name(&self) -> Result<String, VenueError> {
        let intent = Intent::Query(Query::Key);
        let signed = self.signer.sign(&intent, self.market.rest.venue_now()).map_err(not_signed)?;
        let request = match signed {
            SignedRequest::Http(request) => request,
            SignedRequest::Login(_) => return Err(not_signed(SignerRefusal::NotOffered)),
        };
        let name = request.headers.into_iter().find(|(name, _)| *name == KEY_HEADER);
        name.map(|(_, value)| value).ok_or_else(|| not_signed(SignerRefusal::NotOffered))
    }

    /// BitMEX lists all keys of the user; only the one in use counts.
    pub(super) async fn read_key(&self) -> Result<KeyFacts, VenueError> {
        let body = self.ask(Query::Key).await?;
        let name = self.key_name()?;
        let wrong = |error| unreadable(endpoints::KEYS, error);
        let keys: Vec<WireKey<'_>> = wire::json("key list", &body).map_err(wrong)?;
        let key = keys.iter().find(|key| key.id.text() == name);
        let key = key.ok_or_else(|| wrong(WireError::Missing { what: "key list", field: "id" }))?;
        convert::key_facts(key).map_err(wrong)
    }

    async fn position_rows(&self) -> Result<Vec<Position>, VenueError> {
        let contracts = self.market.contracts().await?;
        let query = Query::Positions { scope: Scope::Product, limit: Some(ROWS_PER_PAGE), cursor: None };
        let body = self.ask(query).await?;
        let wrong = |error| unreadable(endpoints::POSITIONS, error);
        let rows: Vec<WirePosition<'_>> = wire::json("position list", &body).map_err(wrong)?;
        let ours = rows.iter().filter_map(|row| Some((row, contracts.of(row.symbol.text())?)));
        ours.map(|(row, contract)| convert::position(row, contract)).collect::<Result<_, _>>().map_err(wrong)
    }

    /// Positions that are not flat.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, VenueError> {
        let mut positions = self.position_rows().await?;
        positions.retain(|position| !position.size.is_flat());
        positions.sort_by_key(|position| position.symbol);
        Ok(positions)
    }

    /// The margin mode belongs to each instrument: cross when any of them is.
    pub(super) async fn read_settings(&self) -> Result<AccountSettings, VenueError> {
        let positions = self.position_rows().await?;
        let cross = positions.iter().any(|position| position.margin_mode == Some(MarginMode::Cross));
        let mode = if cross { MarginMode::Cross } else { MarginMode::Isolated };
        Ok(AccountSettings { margin_mode: Some(mode) })
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<Balance>, VenueError> {
        let body = self.ask(Query::Wallet).await?;
        let wrong = |error| unreadable(endpoints::MARGIN, error);
        let rows: Vec<WireMargin<'_>> = wire::json("margin list", &body).map_err(wrong)?;
        let read = rows.iter().filter_map(|row| convert::balance(row).transpose());
        read.collect::<Result<_, _>>().map_err(wrong)
    }

    pub(super) async fn read_fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        let body = self.ask(Query::Fees { symbol }).await?;
        let wrong = |error| unreadable(endpoints::COMMISSION, error);
        let list: BTreeMap<String, WireCommission<'_>> = wire::json("fee list", &body).map_err(wrong)?;
        let row = list.get(symbol.as_str()).ok_or_else(|| {
            VenueError::refused(RefusalCode::InvalidOrder, "not-listed", "no fees for this instrument")
        })?;
        convert_market::fees(row).map_err(wrong)
    }

    /// Every page of a list. `query` makes the question for a cursor; `read` takes the rows and says how many there were.
    async fn pages(
        &self,
        endpoint: Endpoint,
        query: impl Fn(Option<String>) -> Query,
        mut read: impl FnMut(&[u8]) -> Result<usize, WireError>,
    ) -> Result<(), VenueError> {
        let mut start = 0;
        for _ in 0..MOST_PAGES {
            let cursor = (start > 0).then(|| start.to_string());
            let body = self.ask(query(cursor)).await?;
            let rows = read(&body).map_err(|error| unreadable(endpoint, error))?;
            if rows < usize::try_from(ROWS_PER_PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
            start += rows;
        }
        Err(VenueError::unknown(endpoint.doing, UnknownCause::TooManyPages))
    }

    pub(super) async fn read_open_orders(
        &self,
        symbol: Option<Symbol>,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let contracts = self.market.contracts().await?;
        let scope = symbol.map_or(Scope::Product, Scope::Symbol);
        let query = |cursor| Query::OpenOrders {
            scope,
            selection: OrderSelection::All,
            limit: Some(ROWS_PER_PAGE),
            cursor,
        };
        let mut orders = vec![];
        self.pages(endpoints::ORDERS, query, |body| {
            let rows: Vec<WireOrder<'_>> = wire::json("order list", body)?;
            for row in &rows {
                if let Some(contract) = contracts.of(row.symbol.text()) {
                    orders.push(convert::open_order(row, contract)?);
                }
            }
            Ok(rows.len())
        })
        .await?;
        orders.retain(|order: &OpenOrder| !order.status.is_final());
        orders.sort_by_key(|order| order.venue_id);
        orders.dedup_by_key(|order| order.venue_id);
        Ok(orders)
    }

    /// An order by our name, open or ended.
    async fn read_order(&self, symbol: Symbol, id: ClientOrderId) -> Result<Option<OrderUpdate>, VenueError> {
        let contract = self.market.contract(symbol).await?;
        let body = self.ask(Query::RecentOrder { order: OrderRef::Client(id), symbol }).await?;
        let wrong = |error| unreadable(endpoints::ORDERS, error);
        let rows: Vec<WireOrder<'_>> = wire::json("order list", &body).map_err(wrong)?;
        let row = rows.iter().find(|row| row.client_id.text() == id.to_string());
        row.map_or(Ok(None), |row| convert::order_update(row, contract).map_err(wrong))
    }

    /// What is known of an order: in the list of orders and among executions.
    pub(super) async fn read_report(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<Option<OrderReport>, VenueError> {
        let update = self.read_order(symbol, id).await?;
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
        let order = Some(OrderRef::Client(id));
        let asked = (ExecutionKind::Trades, Some(symbol), order, None);
        self.read_executions(asked, |execution, leaves| {
            if let Execution::Fill(fill, _) = execution
                && fill.client_id == Some(id)
            {
                if leaves == Some(Decimal::ZERO) {
                    completion = Completion::Whole;
                }
                fills.push(fill);
            }
        })
        .await?;
        Ok((in_order(fills), completion))
    }

    /// Executions of this product: what kind, of which instrument, of which order, since when.
    async fn read_executions(
        &self,
        (kind, symbol, order, from): (ExecutionKind, Option<Symbol>, Option<OrderRef>, Option<Timestamp>),
        mut take: impl FnMut(Execution, Option<Decimal>),
    ) -> Result<(), VenueError> {
        let contracts = self.market.contracts().await?;
        let query = |cursor| {
            let limit = Some(ROWS_PER_PAGE);
            Query::Executions(ExecutionQuery { kind, symbol, order, from, until: None, limit, cursor })
        };
        self.pages(endpoints::EXECUTIONS, query, |body| {
            let rows: Vec<WireExecution<'_>> = wire::json("execution list", body)?;
            for row in &rows {
                if let Some(contract) = contracts.of(row.symbol.text()) {
                    let leaves = row.leaves.maybe("execution", "leavesQty")?;
                    take(convert::execution(row, contract)?, leaves);
                }
            }
            Ok(rows.len())
        })
        .await
    }

    pub(super) async fn read_fills(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<Fill>, VenueError> {
        let mut fills = vec![];
        let asked = (ExecutionKind::All, symbol, None, Some(from));
        self.read_executions(asked, |execution, _| match execution {
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
        let mut payments = vec![];
        let asked = (ExecutionKind::Funding, symbol, None, Some(from));
        self.read_executions(asked, |execution, _| match execution {
            Execution::Funding(payment) => payments.push(payment),
            Execution::Fill(..) | Execution::Other => {}
        })
        .await?;
        payments.sort_by_key(|payment: &FundingPayment| (payment.at, payment.id));
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

/// Oldest first, each once. Fills of one instant stay in BitMEX's order: its ids say nothing about it.
fn in_order(mut fills: Vec<Fill>) -> Vec<Fill> {
    let mut seen = BTreeSet::new();
    fills.retain(|fill| seen.insert(fill.fill_id));
    fills.sort_by_key(|fill| fill.at);
    fills
}

/// An order that the list of orders does not show (yet), but that has been filled.
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
    let filled =
        fills.iter().map(|fill| fill.quantity.get()).try_fold(Decimal::ZERO, Decimal::checked_add)?;
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
