//! Questions about the account: balances, positions, orders, fills, the key itself. Paging happens here, with stated
//! bounds; a list that does not end is an error and never a short list.

use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Fill, KeyFacts, OpenOrder, OrderStatus, OrderUpdate, Position,
    RefusalCode, Symbol, Timestamp, VenueOrderId,
};

use super::bodies::Book;
use super::wire::{
    self, WireAccount, WireBalance, WireBill, WireFees, WireFill, WireOrder, WirePosition, WireStop,
};
use super::{Okx, convert, convert_market, endpoints, locked};
use crate::common::endpoint::Endpoint;
use crate::common::fills::in_order;
use crate::common::rest::unreadable;
use crate::error::{UnknownCause, VenueError, WireError};
use crate::port::{AccountSettings, Fees, FundingPayment, OrderReport, PositionMode};
use crate::signer::{ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection, Query, Scope};
use crate::transport::Dialer;

/// Rows per page; OKX's maximum for all lists here.
const ROWS_PER_PAGE: u32 = 100;

/// Pages of one list at most: 10,000 rows.
const MOST_PAGES: u32 = 100;

/// How far back the quick list of fills reaches: three days, less a little for clocks.
const RECENT_FILLS_MS: i64 = 3 * 86_400_000 - 3_600_000;

/// Orders of unnamed fills that are looked up in one call at most. Later ones stay unnamed.
const MOST_LOOKUPS: usize = 100;

/// Orders whose origin is remembered at most.
const MOST_OWNERS: usize = 10_000;

/// The two lists of waiting orders and the one of resting orders.
const SELECTIONS: [OrderSelection; 3] =
    [OrderSelection::All, OrderSelection::StopOrders, OrderSelection::TriggerOrders];

/// Where the next page begins: after the last row, when the page is full.
fn next_page<T>(rows: &[T], name: impl Fn(&T) -> String) -> Option<String> {
    let full = rows.len() >= usize::try_from(ROWS_PER_PAGE).unwrap_or(usize::MAX);
    rows.last().filter(|_| full).map(name).filter(|name| !name.is_empty())
}

impl<D: Dialer> Okx<D> {
    pub(super) async fn ask(&self, query: Query) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.account(self.signer.as_ref(), &Intent::Query(query)).await
    }

    pub(super) fn product(&self) -> ContractType {
        self.market.product()
    }

    pub(super) async fn read_key(&self) -> Result<KeyFacts, VenueError> {
        let body = self.ask(Query::Key).await?;
        let facts = wire::first::<WireAccount<'_>>("key", &body).and_then(|row| convert::key_facts(&row));
        facts.map_err(|error| unreadable(endpoints::ACCOUNT, error))
    }

    /// The mode is ours to tell with each order, unless the kind of account knows neither.
    pub(super) async fn read_settings(&self) -> Result<AccountSettings, VenueError> {
        let body = self.ask(Query::AccountSettings).await?;
        let fits = wire::first::<WireAccount<'_>>("account", &body).and_then(|row| convert::can_margin(&row));
        let fits = fits.map_err(|error| unreadable(endpoints::ACCOUNT, error))?;
        Ok(AccountSettings { margin_mode: fits.then(|| *locked(&self.margin)) })
    }

    pub(super) async fn read_position_mode(&self) -> Result<PositionMode, VenueError> {
        let body = self.ask(Query::AccountSettings).await?;
        let mode =
            wire::first::<WireAccount<'_>>("account", &body).and_then(|row| convert::position_mode(&row));
        mode.map_err(|error| unreadable(endpoints::ACCOUNT, error))
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<Balance>, VenueError> {
        let body = self.ask(Query::Wallet).await?;
        let balances =
            wire::first::<WireBalance<'_>>("balance", &body).and_then(|row| convert::balances(&row));
        balances.map_err(|error| unreadable(endpoints::BALANCE, error))
    }

    pub(super) async fn read_fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        let body = self.ask(Query::Fees { symbol }).await?;
        let name = symbol.to_string();
        let settle = name.split('-').nth(1).unwrap_or_default();
        let fees =
            wire::first::<WireFees<'_>>("fees", &body).and_then(|row| convert_market::fees(&row, settle));
        fees.map_err(|error| unreadable(endpoints::FEES, error))
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

    /// Positions that are not flat. One of hedge mode is an error: it would be read as the whole; and so are an isolated
    /// and a cross one side by side.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, VenueError> {
        let body = self.ask(Query::Positions { scope: Scope::Product, limit: None, cursor: None }).await?;
        let wrong = |error| unreadable(endpoints::POSITIONS, error);
        let rows: Vec<WirePosition<'_>> = wire::rows("position list", &body).map_err(wrong)?;
        let ours: Vec<_> = rows.iter().filter(|row| convert::is_of(self.product(), &row.symbol)).collect();
        let symbols = ours.iter().filter_map(|row| convert::symbol_of(&row.symbol));
        let sizes = self.market.sizes_of(symbols).await?;
        let mut positions: Vec<Position> = vec![];
        for row in ours {
            let (position, mode) = convert::position(row, &sizes).map_err(wrong)?;
            if position.size.is_flat() {
                continue;
            }
            let twice = positions.iter().any(|other| other.symbol == position.symbol);
            if mode == PositionMode::Hedge || twice {
                let message = "two positions in one instrument";
                return Err(VenueError::refused(RefusalCode::AccountMode, "two-positions", message));
            }
            positions.push(position);
        }
        positions.sort_by_key(|position| position.symbol);
        Ok(positions)
    }

    pub(super) async fn read_open_orders(
        &self,
        symbol: Option<Symbol>,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let mut orders = vec![];
        for selection in SELECTIONS {
            orders.extend(self.read_list(symbol, selection).await?);
        }
        orders.sort_by_key(|order: &OpenOrder| order.venue_id);
        orders.dedup_by_key(|order| order.venue_id);
        Ok(orders)
    }

    /// One of the three lists of orders.
    pub(super) async fn read_list(
        &self,
        symbol: Option<Symbol>,
        selection: OrderSelection,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let product = self.product();
        let sizes = self.market.sizes_of(symbol.into_iter()).await?;
        let scope = symbol.map_or(Scope::Product, Scope::Symbol);
        let query = |cursor| Query::OpenOrders { scope, selection, limit: Some(ROWS_PER_PAGE), cursor };
        let mut orders: Vec<OpenOrder> = vec![];
        match selection {
            OrderSelection::All => {
                self.pages(endpoints::OPEN_ORDERS, query, |body| {
                    let rows: Vec<WireOrder<'_>> = wire::rows("order list", body)?;
                    for row in rows.iter().filter(|row| convert::is_of(product, &row.symbol)) {
                        orders.push(convert::open_order(row, &sizes)?);
                    }
                    Ok(next_page(&rows, |row| row.order_id.text().to_owned()))
                })
                .await?;
            }
            OrderSelection::StopOrders | OrderSelection::TriggerOrders => {
                self.pages(endpoints::OPEN_STOPS, query, |body| {
                    let rows: Vec<WireStop<'_>> = wire::rows("stop order list", body)?;
                    for row in rows.iter().filter(|row| convert::is_of(product, &row.symbol)) {
                        orders.extend(convert::open_stop(row, &sizes)?);
                    }
                    Ok(next_page(&rows, |row| row.algo_id.text().to_owned()))
                })
                .await?;
            }
        }
        orders.retain(|order| !order.status.is_final());
        Ok(orders)
    }

    /// `None` when the venue does not know the order.
    async fn ask_order(&self, order: OrderRef, symbol: Symbol) -> Result<Option<bytes::Bytes>, VenueError> {
        match self.ask(Query::RecentOrder { order, symbol }).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of an order: the order itself, for a stop also the order it has become, and the fills.
    pub(super) async fn read_report(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<Option<OrderReport>, VenueError> {
        let sizes = self.market.sizes_with(symbol).await?;
        let Some(body) = self.ask_order(OrderRef::Client(id), symbol).await? else { return Ok(None) };
        let named = |update: Option<OrderUpdate>| update.filter(|update| update.client_id == id);
        let (update, venue_id) = match Book::of_purpose(id.purpose()) {
            Book::Plain => {
                let wrong = |error| unreadable(endpoints::ORDER, error);
                let row: WireOrder<'_> = wire::first("order", &body).map_err(wrong)?;
                let Some(update) = named(convert::order_update(&row, &sizes).map_err(wrong)?) else {
                    return Ok(None);
                };
                (update, update.venue_id)
            }
            Book::Stops => {
                let wrong = |error| unreadable(endpoints::STOP_ORDER, error);
                let row: WireStop<'_> = wire::first("stop order", &body).map_err(wrong)?;
                let Some(update) = named(convert::stop_update(&row).map_err(wrong)?) else { return Ok(None) };
                let order = convert::order_of_stop(&row).map_err(wrong)?;
                self.follow_stop(update, order, symbol).await?
            }
        };
        let fills = match venue_id {
            Some(venue_id) if !update.filled.is_zero() => self.read_fills_of(symbol, venue_id, id).await?,
            Some(_) | None => vec![],
        };
        Ok(Some(OrderReport { update, fills }))
    }

    /// What became of a stop, and the order it has become.
    async fn follow_stop(
        &self,
        update: OrderUpdate,
        order: Option<VenueOrderId>,
        symbol: Symbol,
    ) -> Result<(OrderUpdate, Option<VenueOrderId>), VenueError> {
        let Some(order) = order else { return Ok((update, None)) };
        self.remember_owner(order, Some(update.client_id));
        let Some(body) = self.ask_order(OrderRef::Venue(order), symbol).await? else {
            return Ok((update, Some(order)));
        };
        let sizes = self.market.known_sizes();
        let wrong = |error| unreadable(endpoints::ORDER, error);
        let row: WireOrder<'_> = wire::first("order", &body).map_err(wrong)?;
        let followed = convert::order_update(&row, &sizes).map_err(wrong)?;
        // Should the order not carry the stop's name, the link from the stop to it is word enough.
        let followed = followed.unwrap_or(OrderUpdate { status: OrderStatus::Open, ..update });
        Ok((OrderUpdate { client_id: update.client_id, ..followed }, Some(order)))
    }

    async fn read_fills_of(
        &self,
        symbol: Symbol,
        order: VenueOrderId,
        id: ClientOrderId,
    ) -> Result<Vec<Fill>, VenueError> {
        let sizes = self.market.known_sizes();
        let mut fills = vec![];
        // Orders that ended longer ago are in the slower list only.
        for kind in [ExecutionKind::All, ExecutionKind::Trades] {
            let query = |cursor| {
                Query::Executions(ExecutionQuery {
                    kind,
                    symbol: Some(symbol),
                    order: Some(OrderRef::Venue(order)),
                    from: None,
                    until: None,
                    limit: Some(ROWS_PER_PAGE),
                    cursor,
                })
            };
            self.pages(fills_endpoint(kind), query, |body| {
                let rows: Vec<WireFill<'_>> = wire::rows("fill list", body)?;
                for row in &rows {
                    fills.push(convert::fill(row, Some(id), &sizes)?);
                }
                Ok(next_page(&rows, |row| row.bill_id.text().to_owned()))
            })
            .await?;
            if !fills.is_empty() {
                break;
            }
        }
        fills.retain(|fill| fill.venue_order_id == order);
        Ok(in_order(fills))
    }

    pub(super) async fn read_fills(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<Fill>, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        let recent = self.market.rest.venue_now().since_ms(from) < RECENT_FILLS_MS;
        let kind = if recent { ExecutionKind::All } else { ExecutionKind::Trades };
        let sizes = self.market.sizes_of(symbol.into_iter()).await?;
        let product = self.product();
        let query = |cursor| {
            Query::Executions(ExecutionQuery {
                kind,
                symbol,
                order: None,
                from: Some(from),
                until: None,
                limit: Some(ROWS_PER_PAGE),
                cursor,
            })
        };
        let mut fills: Vec<Fill> = vec![];
        self.pages(fills_endpoint(kind), query, |body| {
            let rows: Vec<WireFill<'_>> = wire::rows("fill list", body)?;
            for row in rows.iter().filter(|row| convert::is_of(product, &row.symbol)) {
                fills.push(convert::fill(row, None, &sizes)?);
            }
            Ok(next_page(&rows, |row| row.bill_id.text().to_owned()))
        })
        .await?;
        fills.retain(|fill| fill.at >= from && symbol.is_none_or(|symbol| fill.symbol == symbol));
        self.name_stops(&mut fills).await?;
        Ok(in_order(fills))
    }

    /// Fills of an order that came from a stop do not carry the stop's name; the order itself does.
    async fn name_stops(&self, fills: &mut [Fill]) -> Result<(), VenueError> {
        let mut lookups = 0;
        for fill in fills.iter_mut().filter(|fill| fill.client_id.is_none()) {
            let known = locked(&self.owners).get(&fill.venue_order_id).copied();
            fill.client_id = match known {
                Some(owner) => owner,
                None if lookups >= MOST_LOOKUPS => None,
                None => {
                    lookups += 1;
                    self.find_owner(fill.venue_order_id, fill.symbol).await?
                }
            };
        }
        Ok(())
    }

    async fn find_owner(
        &self,
        order: VenueOrderId,
        symbol: Symbol,
    ) -> Result<Option<ClientOrderId>, VenueError> {
        let owner = match self.ask_order(OrderRef::Venue(order), symbol).await? {
            None => None,
            Some(body) => {
                let wrong = |error| unreadable(endpoints::ORDER, error);
                convert::client_id(&wire::first::<WireOrder<'_>>("order", &body).map_err(wrong)?)
            }
        };
        self.remember_owner(order, owner);
        Ok(owner)
    }

    fn remember_owner(&self, order: VenueOrderId, owner: Option<ClientOrderId>) {
        let mut owners = locked(&self.owners);
        if owners.len() >= MOST_OWNERS {
            owners.clear();
        }
        owners.insert(order, owner);
    }

    pub(super) async fn read_funding(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        let product = self.product();
        let query = |cursor| {
            Query::Executions(ExecutionQuery {
                kind: ExecutionKind::Funding,
                symbol: None,
                order: None,
                from: Some(from),
                until: None,
                limit: Some(ROWS_PER_PAGE),
                cursor,
            })
        };
        let mut payments: Vec<FundingPayment> = vec![];
        self.pages(endpoints::BILLS, query, |body| {
            let rows: Vec<WireBill<'_>> = wire::rows("bill list", body)?;
            for row in rows.iter().filter(|row| convert::is_of(product, &row.symbol)) {
                payments.push(convert::funding(row)?);
            }
            Ok(next_page(&rows, |row| row.bill_id.text().to_owned()))
        })
        .await?;
        payments.retain(|one| one.at >= from && symbol.is_none_or(|symbol| one.symbol == symbol));
        payments.sort_by_key(|payment| (payment.at, payment.id));
        payments.dedup_by_key(|payment| payment.id);
        Ok(payments)
    }
}

const fn fills_endpoint(kind: ExecutionKind) -> Endpoint {
    match kind {
        ExecutionKind::All => endpoints::FILLS,
        ExecutionKind::Trades => endpoints::PAST_FILLS,
        ExecutionKind::Funding => endpoints::BILLS,
    }
}
