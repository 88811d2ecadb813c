//! Questions about the account: balances, positions, orders of both books, fills, funding, the key itself.
//!
//! Binance pages by time; a range that does not end is an error and never a short list. Fills name only the venue's
//! order, so our names are looked up and remembered ([`Names`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use keyhold_domain::{
    Balance, ClientOrderId, Decimal, Environment, Fill, KeyFacts, Known, OpenOrder, OrderStatus, OrderUpdate,
    Position, RefusalCode, Symbol, Timestamp, VenueOrderId,
};
use serde::Deserialize;

use super::Binance;
use super::convert;
use super::convert_market;
use super::endpoints::Call;
use super::render::Book;
use super::wire::{
    self, Field, WireAccount, WireAlgo, WireFees, WireIncome, WireOrder, WirePosition, WirePositionMode,
    WireTrade,
};
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError};
use crate::port::{Fees, FundingPayment, OrderReport, PositionMode};
use crate::signer::{ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection, Query, Scope};
use crate::transport::Dialer;

/// Rows of a page of fills or payments; Binance's maximum.
const ROWS_PER_PAGE: u32 = 1_000;
/// Longest range of one question for fills: seven days.
const WINDOW_MS: i64 = 7 * 86_400_000;
/// Ranges at most: Binance keeps fills for six months.
const MOST_WINDOWS: i64 = 27;
/// Pages of one range at most.
const MOST_PAGES: u32 = 100;
/// Orders that are looked up for one question about fills at most.
const MOST_LOOKUPS: usize = 1_000;
/// Names that are remembered at most.
const MOST_NAMES: usize = 4_000;

/// Which order of the venue is which of ours; `None` for foreign ones.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<BTreeMap<VenueOrderId, Option<ClientOrderId>>>,
}

impl Names {
    /// Remembers a name. When there are too many, all are forgotten and looked up again.
    pub fn learn(&self, order: VenueOrderId, name: Option<ClientOrderId>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_NAMES {
            known.clear();
        }
        known.insert(order, name);
    }

    /// What is remembered: nothing, a foreign order, or a name.
    pub fn of(&self, order: VenueOrderId) -> Option<Option<ClientOrderId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&order).copied()
    }
}

/// A page of things that happened, by time.
trait Dated {
    fn at(&self) -> Result<Timestamp, WireError>;
}

impl Dated for WireTrade<'_> {
    fn at(&self) -> Result<Timestamp, WireError> {
        self.at.get("fill", "time")
    }
}

impl Dated for WireIncome<'_> {
    fn at(&self) -> Result<Timestamp, WireError> {
        self.at.get("income", "time")
    }
}

impl<D: Dialer> Binance<D> {
    pub(super) async fn ask(&self, query: Query) -> Result<Bytes, VenueError> {
        self.market.rest.account(self.signer.as_ref(), &Intent::Query(query)).await
    }

    fn read<'a, T: Deserialize<'a>>(
        &self,
        call: Call,
        what: &'static str,
        body: &'a [u8],
    ) -> Result<T, VenueError> {
        wire::json(what, body).map_err(|error| self.market.unreadable(call, error))
    }

    /// What the key may do. The test system does not tell; there an answer to any question shows that it may read.
    pub(super) async fn read_key(&self) -> Result<KeyFacts, VenueError> {
        if self.market.rest.endpoints.environment() == Environment::Testnet {
            self.ask(Query::Wallet).await?;
            return Ok(KeyFacts {
                read: Known::Yes,
                trade: Known::Unknown,
                withdraw: Known::Unknown,
                transfer: Known::Unknown,
                ip_bound: Known::Unknown,
                ip_addresses: vec![],
                expires_at: None,
                unknown_permissions: vec![],
                contract_types: vec![],
            });
        }
        let body = self.ask(Query::Key).await?;
        let key: BTreeMap<String, Field<'_>> = self.read(Call::Key, "key", &body)?;
        convert::key_facts(&key).map_err(|error| self.market.unreadable(Call::Key, error))
    }

    pub(super) async fn read_mode(&self) -> Result<PositionMode, VenueError> {
        let body = self.ask(Query::AccountSettings).await?;
        let row: WirePositionMode<'_> = self.read(Call::ReadPositionMode, "position mode", &body)?;
        match row.dual {
            Field::True => Ok(PositionMode::Hedge),
            Field::False => Ok(PositionMode::OneWay),
            Field::Absent | Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
                let error = WireError::Missing { what: "position mode", field: "dualSidePosition" };
                Err(self.market.unreadable(Call::ReadPositionMode, error))
            }
        }
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<Balance>, VenueError> {
        let body = self.ask(Query::Wallet).await?;
        let account: WireAccount<'_> = self.read(Call::Account, "account", &body)?;
        let wrong = |error| self.market.unreadable(Call::Account, error);
        let rows =
            account.assets.ok_or(WireError::Missing { what: "account", field: "assets" }).map_err(wrong)?;
        rows.iter()
            .filter_map(|row| convert::balance(row).transpose())
            .collect::<Result<_, _>>()
            .map_err(wrong)
    }

    pub(super) async fn read_fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        let body = self.ask(Query::Fees { symbol }).await?;
        let row: WireFees<'_> = self.read(Call::Fees, "fees", &body)?;
        convert_market::fees(&row).map_err(|error| self.market.unreadable(Call::Fees, error))
    }

    /// The same, read first when the contract is newer than what is known.
    async fn size_now(&self, symbol: &Field<'_>, call: Call) -> Result<Decimal, VenueError> {
        self.market.ensure_sizes(symbol.text().parse().ok()).await?;
        self.size(symbol, call)
    }

    /// Units of ours in one contract of a row.
    pub(super) fn size(&self, symbol: &Field<'_>, call: Call) -> Result<Decimal, VenueError> {
        self.market.sizes.of(symbol.text()).map_err(|error| self.market.unreadable(call, error))
    }

    /// Positions that are not flat. A position of hedge mode is an error: it would be read as the whole.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, VenueError> {
        self.market.ensure_sizes(None).await?;
        let body = self.ask(Query::Positions { scope: Scope::Product, limit: None, cursor: None }).await?;
        let rows: Vec<WirePosition<'_>> = self.read(Call::Positions, "position list", &body)?;
        let mut positions = vec![];
        for row in &rows {
            // Dated contracts are listed, too, and flat rows say nothing.
            if row
                .size
                .maybe::<Decimal>("position", "positionAmt")
                .is_ok_and(|size| size == Some(Decimal::ZERO))
            {
                continue;
            }
            let size = self.size_now(&row.symbol, Call::Positions).await?;
            let (position, mode) = convert::position(row, size)
                .map_err(|error| self.market.unreadable(Call::Positions, error))?;
            if mode == PositionMode::Hedge {
                let message = "a position in hedge mode";
                return Err(VenueError::refused(RefusalCode::AccountMode, "hedge-mode", message));
            }
            positions.push(position);
        }
        positions.sort_by_key(|position| position.symbol);
        Ok(positions)
    }

    /// Orders of both books. Conditional orders that close a whole position name no quantity; only others place them, and
    /// the domain has no word for them.
    pub(super) async fn read_open_orders(
        &self,
        symbol: Option<Symbol>,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        self.market.ensure_sizes(symbol).await?;
        let scope = symbol.map_or(Scope::Product, Scope::Symbol);
        let query = |selection| Query::OpenOrders { scope, selection, limit: None, cursor: None };
        let body = self.ask(query(OrderSelection::All)).await?;
        let rows: Vec<WireOrder<'_>> = self.read(Call::OpenOrders, "order list", &body)?;
        let mut orders: Vec<OpenOrder> = vec![];
        for row in &rows {
            let size = self.size_now(&row.symbol, Call::OpenOrders).await?;
            let order = convert::open_order(row, size);
            orders.push(order.map_err(|error| self.market.unreadable(Call::OpenOrders, error))?);
        }
        let body = self.ask(query(OrderSelection::StopOrders)).await?;
        let rows: Vec<WireAlgo<'_>> = self.read(Call::OpenAlgoOrders, "conditional order list", &body)?;
        for row in rows.iter().filter(|row| !closes_position(row)) {
            let size = self.size_now(&row.symbol, Call::OpenAlgoOrders).await?;
            let order = convert::open_algo(row, size);
            orders.push(order.map_err(|error| self.market.unreadable(Call::OpenAlgoOrders, error))?);
        }
        orders.retain(|order| !order.status.is_final());
        orders.sort_by_key(|order| order.venue_id);
        orders.dedup_by_key(|order| order.venue_id);
        Ok(orders)
    }

    /// The answer to a question for one order; `None` when the venue does not know it.
    async fn one(&self, query: Query) -> Result<Option<Bytes>, VenueError> {
        match self.ask(query).await {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of an order: the book where its name points to, then the other one, and its fills in any case.
    pub(super) async fn read_report(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<Option<OrderReport>, VenueError> {
        self.market.ensure_sizes(Some(symbol)).await?;
        let order = OrderRef::Client(id);
        let guess = Book::of(order);
        for (book, query) in [
            (guess, Query::RecentOrder { order, symbol }),
            (guess.other(), Query::PastOrder { order, symbol }),
        ] {
            let Some(body) = self.one(query).await? else { continue };
            let found = match book {
                Book::Plain => self.plain_update(&body, id)?,
                Book::Algo => self.algo_update(symbol, &body, id).await?,
            };
            let Some((update, matched)) = found else { continue };
            let fills = match matched {
                Some(matched) => self.fills_of(symbol, matched, id).await?,
                None => vec![],
            };
            return Ok(Some(OrderReport { update, fills }));
        }
        Ok(None)
    }

    /// The state of an order of the matching engine and the name under which its fills are found.
    fn plain_update(
        &self,
        body: &[u8],
        id: ClientOrderId,
    ) -> Result<Option<(OrderUpdate, Option<VenueOrderId>)>, VenueError> {
        let row: WireOrder<'_> = self.read(Call::ReadOrder, "order", body)?;
        if convert::client_id(&row.client_id) != Some(id) {
            return Ok(None);
        }
        self.named(&row, id).map(|update| Some((update, update.venue_id)))
    }

    fn named(&self, row: &WireOrder<'_>, id: ClientOrderId) -> Result<OrderUpdate, VenueError> {
        let size = self.size(&row.symbol, Call::ReadOrder)?;
        let update = convert::update_named(row, size, id);
        let update = update.map_err(|error| self.market.unreadable(Call::ReadOrder, error))?;
        if let Some(order) = update.venue_id {
            self.names.learn(order, Some(id));
        }
        Ok(update)
    }

    /// The state of a conditional order. Once triggered, the order that it has become tells what became of it.
    async fn algo_update(
        &self,
        symbol: Symbol,
        body: &[u8],
        id: ClientOrderId,
    ) -> Result<Option<(OrderUpdate, Option<VenueOrderId>)>, VenueError> {
        let row: WireAlgo<'_> = self.read(Call::ReadAlgoOrder, "conditional order", body)?;
        let wrong = |error| self.market.unreadable(Call::ReadAlgoOrder, error);
        let size = self.size(&row.symbol, Call::ReadAlgoOrder)?;
        let update = convert::algo_update(&row, size).map_err(wrong)?;
        let Some(update) = update.filter(|update| update.client_id == id) else { return Ok(None) };
        let actual =
            convert::actual_order(&row.actual_order).map(|number| VenueOrderId::new(&number.to_string()));
        let Some(Ok(actual)) = actual else { return Ok(Some((update, None))) };
        self.names.learn(actual, Some(id));
        let query = Query::RecentOrder { order: OrderRef::Venue(actual), symbol };
        let Some(body) = self.one(query).await? else { return Ok(Some((update, Some(actual)))) };
        let row: WireOrder<'_> = self.read(Call::ReadOrder, "order", &body)?;
        Ok(Some((self.named(&row, id)?, Some(actual))))
    }

    async fn fills_of(
        &self,
        symbol: Symbol,
        order: VenueOrderId,
        id: ClientOrderId,
    ) -> Result<Vec<Fill>, VenueError> {
        let query = ExecutionQuery {
            kind: ExecutionKind::All,
            symbol: Some(symbol),
            order: Some(OrderRef::Venue(order)),
            from: None,
            until: None,
            limit: Some(ROWS_PER_PAGE),
            cursor: None,
        };
        let body = self.ask(Query::Executions(query)).await?;
        let rows: Vec<WireTrade<'_>> = self.read(Call::Trades, "fill list", &body)?;
        let names = BTreeMap::from([(order, id)]);
        let mut fills = self.fills_from(&rows, &names)?;
        fills.retain(|fill| fill.venue_order_id == order);
        Ok(in_order(fills))
    }

    fn fills_from(
        &self,
        rows: &[WireTrade<'_>],
        names: &BTreeMap<VenueOrderId, ClientOrderId>,
    ) -> Result<Vec<Fill>, VenueError> {
        let fill = |row: &WireTrade<'_>| {
            let size = self.size(&row.symbol, Call::Trades)?;
            convert::fill(row, size, names).map_err(|error| self.market.unreadable(Call::Trades, error))
        };
        rows.iter().map(fill).collect()
    }

    /// Everything of a kind since an instant, in windows of seven days and pages of a thousand; `take` is given each
    /// page. The next page begins at the last instant of the one before, so rows may come twice.
    async fn since(
        &self,
        kind: ExecutionKind,
        symbol: Option<Symbol>,
        from: Timestamp,
        mut take: impl FnMut(&[u8]) -> Result<(usize, Option<Timestamp>), VenueError> + Send,
    ) -> Result<(), VenueError> {
        self.market.rest.ensure_venue_time().await?;
        let now = self.market.rest.venue_now();
        let windows = now.since_ms(from).max(0) / WINDOW_MS + 1;
        if windows > MOST_WINDOWS {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let full = usize::try_from(ROWS_PER_PAGE).unwrap_or(usize::MAX);
        for window in 0..windows {
            let mut start = from.plus_ms(window * WINDOW_MS);
            let end = start.plus_ms(WINDOW_MS - 1);
            let mut pages = 0;
            loop {
                let query = ExecutionQuery {
                    kind,
                    symbol,
                    order: None,
                    from: Some(start),
                    until: Some(end),
                    limit: Some(ROWS_PER_PAGE),
                    cursor: None,
                };
                let body = self.ask(Query::Executions(query)).await?;
                pages += 1;
                match take(&body)? {
                    (rows, Some(last)) if rows >= full && last > start && pages < MOST_PAGES => start = last,
                    (rows, _) if rows >= full => {
                        let doing = self.market.rest.dialect.endpoint(Call::Trades).doing;
                        return Err(VenueError::unknown(doing, UnknownCause::TooManyPages));
                    }
                    (_, _) => break,
                }
            }
        }
        Ok(())
    }

    /// The rows of a page, how many there were and the last instant among them.
    fn page<'a, T: Deserialize<'a> + Dated>(
        &self,
        call: Call,
        body: &'a [u8],
    ) -> Result<(Vec<T>, Option<Timestamp>), VenueError> {
        let rows: Vec<T> = self.read(call, "list", body)?;
        let mut last = None;
        for row in &rows {
            last = last.max(Some(row.at().map_err(|error| self.market.unreadable(call, error))?));
        }
        Ok((rows, last))
    }

    pub(super) async fn read_fills(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<Fill>, VenueError> {
        self.market.ensure_sizes(symbol).await?;
        let symbols = match symbol {
            Some(symbol) => BTreeSet::from([symbol]),
            None => self.traded_since(from).await?,
        };
        let mut fills: Vec<Fill> = vec![];
        for symbol in symbols {
            self.since(ExecutionKind::All, Some(symbol), from, |body| {
                let (rows, last) = self.page::<WireTrade<'_>>(Call::Trades, body)?;
                fills.extend(self.fills_from(&rows, &BTreeMap::new())?);
                Ok((rows.len(), last))
            })
            .await?;
        }
        let mut fills = in_order(fills);
        self.name(&mut fills).await?;
        Ok(fills)
    }

    /// Instruments of which commissions were paid; Binance lists fills of one instrument only.
    async fn traded_since(&self, from: Timestamp) -> Result<BTreeSet<Symbol>, VenueError> {
        let mut symbols = BTreeSet::new();
        self.since(ExecutionKind::Trades, None, from, |body| {
            let (rows, last) = self.page::<WireIncome<'_>>(Call::Income, body)?;
            symbols.extend(rows.iter().filter_map(|row| row.symbol.text().parse::<Symbol>().ok()));
            Ok((rows.len(), last))
        })
        .await?;
        Ok(symbols)
    }

    /// Gives fills our names of their orders.
    async fn name(&self, fills: &mut [Fill]) -> Result<(), VenueError> {
        let mut lookups = 0;
        for fill in fills {
            let order = fill.venue_order_id;
            if let Some(known) = self.names.of(order) {
                fill.client_id = known;
                continue;
            }
            lookups += 1;
            if lookups > MOST_LOOKUPS {
                let doing = self.market.rest.dialect.endpoint(Call::ReadOrder).doing;
                return Err(VenueError::unknown(doing, UnknownCause::TooManyPages));
            }
            let name = self.look_up(fill.symbol, order).await?;
            self.names.learn(order, name);
            fill.client_id = name;
        }
        Ok(())
    }

    /// Our name of an order of the matching engine. One that was conditional may go by a name of the venue's there; ours
    /// is that of the conditional order that it comes from.
    pub(super) async fn look_up(
        &self,
        symbol: Symbol,
        order: VenueOrderId,
    ) -> Result<Option<ClientOrderId>, VenueError> {
        let by_number = OrderRef::Venue(order);
        let Some(body) = self.one(Query::RecentOrder { order: by_number, symbol }).await? else {
            return Ok(None);
        };
        let row: WireOrder<'_> = self.read(Call::ReadOrder, "order", &body)?;
        let name = convert::client_id(&row.client_id);
        if name.is_some() || !convert::was_conditional(&row) {
            return Ok(name);
        }
        let Some(body) = self.one(Query::PastOrder { order: by_number, symbol }).await? else {
            return Ok(None);
        };
        let rows: Vec<WireAlgo<'_>> = self.read(Call::PastAlgoOrders, "conditional order list", &body)?;
        let is_it = |row: &&WireAlgo<'_>| {
            convert::actual_order(&row.actual_order)
                .is_some_and(|number| number.to_string() == order.as_str())
        };
        Ok(rows.iter().find(is_it).and_then(|row| convert::client_id(&row.client_id)))
    }

    pub(super) async fn read_funding(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        let mut payments: Vec<FundingPayment> = vec![];
        self.since(ExecutionKind::Funding, symbol, from, |body| {
            let (rows, last) = self.page::<WireIncome<'_>>(Call::Income, body)?;
            for row in rows.iter().filter(|row| row.kind.text() == "FUNDING_FEE") {
                let payment = convert::funding(row);
                payments.push(payment.map_err(|error| self.market.unreadable(Call::Income, error))?);
            }
            Ok((rows.len(), last))
        })
        .await?;
        payments.sort_by_key(|payment| (payment.at, payment.id));
        payments.dedup_by_key(|payment| payment.id);
        Ok(payments)
    }

    /// A resting order of the matching engine as it stands, for a change that must repeat it.
    pub(super) async fn resting(&self, order: OrderRef, symbol: Symbol) -> Result<OpenOrder, VenueError> {
        let body = self.ask(Query::RecentOrder { order, symbol }).await?;
        let row: WireOrder<'_> = self.read(Call::ReadOrder, "order", &body)?;
        let found = convert::open_order(&row, Decimal::ONE);
        let found = found.map_err(|error| self.market.unreadable(Call::ReadOrder, error))?;
        if matches!(found.status, OrderStatus::Open | OrderStatus::PartiallyFilled) {
            return Ok(found);
        }
        Err(VenueError::refused(RefusalCode::OrderNotFound, "not-open", "the order does not rest any more"))
    }
}

fn closes_position(row: &WireAlgo<'_>) -> bool {
    row.close_position == Field::True || row.close_position.text() == "true"
}

fn in_order(mut fills: Vec<Fill>) -> Vec<Fill> {
    fills.sort_by_key(|fill| (fill.at, fill.fill_id));
    fills.dedup_by_key(|fill| fill.fill_id);
    fills
}
