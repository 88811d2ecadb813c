//! Questions about the account: balances, positions, open orders, fills, funding, fees, the key itself. Paging happens
//! here, with stated bounds; a list that does not end is an error and never a short list.

use std::collections::BTreeMap;

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    Balance, ContractType, Decimal, Fill, KeyFacts, Money, OpenOrder, Position, RefusalCode, Symbol,
    Timestamp,
};

use super::Kraken;
use super::convert;
use super::convert_market::{self, product_of};
use super::endpoints;
use super::render::MarketQuery;
use super::wire::{
    self, WireBooking, WireFills, WireKey, WireLeverage, WireLeverages, WireLog, WireOpenOrders,
    WirePositions,
};
use super::wire_market::{WireAccounts, WireFeeSchedules, WireInstruments, WireVolumes};
use crate::common::rest::unreadable;
use crate::error::{UnknownCause, VenueError, WireError};
use crate::port::{AccountSettings, Fees, FundingPayment};
use crate::signer::{ExecutionKind, ExecutionQuery, Intent, OrderSelection, Query, Scope};
use crate::transport::Dialer;

/// Rows of the account's log per page.
const BOOKINGS_PER_PAGE: u32 = 1_000;

/// Pages of fills at most: 20,000 fills.
const MOST_FILL_PAGES: u32 = 200;

/// Pages of fills among which one order's are looked for.
const ORDER_FILL_PAGES: u32 = 10;

/// How far back fills are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// To an instant.
    To(Timestamp),
    /// Until those of an order make up so much, and not beyond its last thousand neighbors.
    Until(Decimal),
}

/// Pages of the account's log at most. Each costs 3 of the 100 that ten minutes allow.
const MOST_LOG_PAGES: u32 = 20;

/// A trade is booked at most so long before its fill says that it happened.
const BOOKED_EARLIER_MS: i64 = 60_000;

impl<D: Dialer> Kraken<D> {
    pub(super) async fn ask(&self, query: Query) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.account(self.signer.as_ref(), &Intent::Query(query)).await
    }

    pub(super) fn product(&self) -> ContractType {
        self.market.product()
    }

    pub(super) fn is_ours(&self, symbol: &str) -> bool {
        product_of(symbol) == Some(self.product())
    }

    pub(super) async fn read_key(&self) -> Result<KeyFacts, VenueError> {
        let body = self.ask(Query::Key).await?;
        let facts = wire::json::<WireKey<'_>>("key", &body).and_then(|key| convert::key_facts(&key));
        facts.map_err(|error| unreadable(endpoints::KEY, error))
    }

    pub(super) async fn read_settings(&self) -> Result<AccountSettings, VenueError> {
        let body = self.ask(Query::AccountSettings).await?;
        let wrong = |error| unreadable(endpoints::LEVERAGE, error);
        let answer: WireLeverages<'_> = wire::json("leverage list", &body).map_err(wrong)?;
        let rows: Vec<WireLeverage<'_>> =
            wire::rows(answer.list, "leverage list", "leveragePreferences").map_err(wrong)?;
        Ok(convert::account_settings(&rows))
    }

    pub(super) async fn read_balances(&self) -> Result<Vec<Balance>, VenueError> {
        let body = self.ask(Query::Wallet).await?;
        let wrong = |error| unreadable(endpoints::ACCOUNTS, error);
        let answer: WireAccounts<'_> = wire::json("account list", &body).map_err(wrong)?;
        let accounts =
            answer.map.ok_or(wrong(WireError::Missing { what: "account list", field: "accounts" }))?;
        let read = accounts.values().filter_map(|row| convert::balance(self.product(), row).transpose());
        Ok(convert::merge(read.collect::<Result<Vec<_>, _>>().map_err(wrong)?))
    }

    /// Positions that are not flat.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, VenueError> {
        let body = self.ask(Query::Positions { scope: Scope::Product, limit: None, cursor: None }).await?;
        let wrong = |error| unreadable(endpoints::POSITIONS, error);
        let answer: WirePositions<'_> = wire::json("position list", &body).map_err(wrong)?;
        let rows = wire::rows(answer.list, "position list", "openPositions").map_err(wrong)?;
        let ours = rows.iter().filter(|row| self.is_ours(row.symbol.text()));
        let read = ours.map(convert::position).collect::<Result<Vec<_>, _>>();
        let mut positions = read.map_err(wrong)?;
        positions.retain(|position| !position.size.is_flat());
        positions.sort_by_key(|position| position.symbol);
        Ok(positions)
    }

    pub(super) async fn read_open_orders(
        &self,
        symbol: Option<Symbol>,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let selection = OrderSelection::All;
        let query = Query::OpenOrders { scope: Scope::Product, selection, limit: None, cursor: None };
        let body = self.ask(query).await?;
        let wrong = |error| unreadable(endpoints::OPEN_ORDERS, error);
        let answer: WireOpenOrders<'_> = wire::json("order list", &body).map_err(wrong)?;
        let rows = wire::rows(answer.list, "order list", "openOrders").map_err(wrong)?;
        let ours = rows.iter().filter(|row| self.is_ours(row.symbol.text()));
        let read = ours.map(convert::open_order).collect::<Result<Vec<_>, _>>();
        let mut orders = read.map_err(wrong)?;
        orders.retain(|order| symbol.is_none_or(|symbol| order.symbol == symbol));
        orders.sort_by_key(|order| order.venue_id);
        orders.dedup_by_key(|order| order.venue_id);
        Ok(orders)
    }

    /// The latest fills that `wanted` wants, oldest first, each once.
    pub(super) async fn read_fills(
        &self,
        back: Back,
        wanted: impl Fn(&Fill) -> bool,
    ) -> Result<Vec<Fill>, VenueError> {
        let wrong = |error| unreadable(endpoints::FILLS, error);
        let mut fills: BTreeMap<FillId, Fill> = BTreeMap::new();
        let mut without_fee: Vec<FillId> = vec![];
        // Newest first, as Kraken tells them; fills of one instant have no other order.
        let mut told_in_turn: Vec<FillId> = vec![];
        let mut until: Option<Timestamp> = None;
        let (from, pages) = match back {
            Back::To(from) => (from, MOST_FILL_PAGES),
            Back::Until(_) => (Timestamp::EPOCH, ORDER_FILL_PAGES),
        };
        for page in 1..=pages {
            let body = self.ask(executions(ExecutionKind::Trades, None, until, None)).await?;
            let answer: WireFills<'_> = wire::json("fill list", &body).map_err(wrong)?;
            let rows = wire::rows(answer.list, "fill list", "fills").map_err(wrong)?;
            let mut oldest: Option<Timestamp> = None;
            for row in &rows {
                let at = convert::fill_time(row).map_err(wrong)?;
                oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
                if at < from || !self.is_ours(row.symbol.text()) {
                    continue;
                }
                let mut told = !row.fee.is_empty();
                let none = (!told).then(|| unknown_fee(row.symbol.text())).transpose().map_err(wrong)?;
                let mut fill = convert::fill(row, none).map_err(wrong)?;
                if let (false, Some(fee)) = (told, self.fees.of(fill.fill_id)) {
                    (told, fill.fee) = (true, fee);
                }
                if wanted(&fill) && fills.insert(fill.fill_id, fill).is_none() {
                    told_in_turn.push(fill.fill_id);
                    without_fee.extend((!told).then_some(fill.fill_id));
                }
            }
            // Kraken goes back from an instant and does not say whether it is inside: a page overlaps the one before.
            let next = oldest.map(|oldest| oldest.plus_ms(1)).filter(|oldest| *oldest > from);
            let enough = match back {
                Back::To(_) => false,
                Back::Until(sum) => page == pages || (!sum.is_zero() && sum_of(fills.values()) >= sum),
            };
            if next.is_none() || next == until || enough {
                self.add_fees(&mut fills, &without_fee).await?;
                let mut fills: Vec<Fill> =
                    told_in_turn.iter().rev().filter_map(|id| fills.get(id).copied()).collect();
                fills.sort_by_key(|fill| fill.at);
                return Ok(fills);
            }
            until = next;
        }
        Err(VenueError::unknown(endpoints::FILLS.doing, UnknownCause::TooManyPages))
    }

    /// Fees that the list of fills did not tell, from the account's log. One that is not booked yet is an error: a fill
    /// without its fee would be a wrong one.
    async fn add_fees(
        &self,
        fills: &mut BTreeMap<FillId, Fill>,
        lacking: &[FillId],
    ) -> Result<(), VenueError> {
        let oldest = lacking.iter().filter_map(|id| fills.get(id)).map(|fill| fill.at).min();
        let Some(oldest) = oldest else { return Ok(()) };
        let mut booked: BTreeMap<FillId, Money> = BTreeMap::new();
        self.read_log(ExecutionKind::All, oldest.plus_ms(-BOOKED_EARLIER_MS), |row| {
            booked.extend(convert::booked_fee(row)?);
            Ok(())
        })
        .await?;
        for id in lacking {
            let missing = WireError::Missing { what: "account's log", field: "fee" };
            let fee = booked.get(id).ok_or_else(|| unreadable(endpoints::ACCOUNT_LOG, missing))?;
            self.fees.note(*id, *fee);
            if let Some(fill) = fills.get_mut(id) {
                fill.fee = *fee;
            }
        }
        Ok(())
    }

    /// Every booking of a kind since an instant, newest first; some may come twice.
    async fn read_log(
        &self,
        kind: ExecutionKind,
        from: Timestamp,
        mut take: impl FnMut(&WireBooking<'_>) -> Result<(), WireError>,
    ) -> Result<(), VenueError> {
        let wrong = |error| unreadable(endpoints::ACCOUNT_LOG, error);
        let mut until: Option<Timestamp> = None;
        for _ in 0..MOST_LOG_PAGES {
            let body = self.ask(executions(kind, Some(from), until, Some(BOOKINGS_PER_PAGE))).await?;
            let answer: WireLog<'_> = wire::json("account's log", &body).map_err(wrong)?;
            let rows = wire::rows(answer.list, "account's log", "logs").map_err(wrong)?;
            let full = rows.len() >= usize::try_from(BOOKINGS_PER_PAGE).unwrap_or(usize::MAX);
            let mut oldest: Option<Timestamp> = None;
            for row in &rows {
                let at = convert::booking_time(row).map_err(wrong)?;
                oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
                take(row).map_err(wrong)?;
            }
            let next = oldest.map(|oldest| oldest.plus_ms(1)).filter(|oldest| *oldest > from);
            if !full || next.is_none() || next == until {
                return Ok(());
            }
            until = next;
        }
        Err(VenueError::unknown(endpoints::ACCOUNT_LOG.doing, UnknownCause::TooManyPages))
    }

    pub(super) async fn read_funding(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        let mut payments: Vec<FundingPayment> = vec![];
        self.read_log(ExecutionKind::Funding, from, |row| {
            if self.is_ours(row.contract.text()) {
                payments.extend(convert::funding_payment(row)?);
            }
            Ok(())
        })
        .await?;
        payments.retain(|payment| payment.at >= from && symbol.is_none_or(|symbol| payment.symbol == symbol));
        payments.sort_by_key(|payment| (payment.at, payment.id));
        payments.dedup_by_key(|payment| payment.id);
        Ok(payments)
    }

    /// By the schedule of the instrument and the account's volume. Kraken says that since 2026-06-22 these schedules are
    /// not what it charges; what it does charge is told by its spot interface only, to other keys.
    pub(super) async fn read_fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        let listed = self.market.ask(&MarketQuery::Instruments).await?;
        let schedules = self.market.ask(&MarketQuery::FeeSchedules).await?;
        let volumes = self.ask(Query::Fees { symbol }).await?;
        let wrong = |error| unreadable(endpoints::FEE_SCHEDULES, error);
        let listed: WireInstruments<'_> = wire::json("instrument list", &listed).map_err(wrong)?;
        let schedules: WireFeeSchedules<'_> = wire::json("fee schedules", &schedules).map_err(wrong)?;
        let volumes: WireVolumes<'_> = wire::json("fee volumes", &volumes).map_err(wrong)?;
        let none =
            || VenueError::refused(RefusalCode::InvalidOrder, "no-fees", "no fees for this instrument");
        let instruments = listed.list.unwrap_or_default();
        let row = instruments.iter().find(|row| row.symbol.text().eq_ignore_ascii_case(symbol.as_str()));
        let uid =
            row.map(|row| row.fee_schedule_uid.text()).filter(|uid| !uid.is_empty()).ok_or_else(none)?;
        let schedules = schedules.list.unwrap_or_default();
        let schedule = schedules.iter().find(|one| one.uid.text() == uid).ok_or_else(none)?;
        let volume = volumes.map.as_ref().and_then(|all| all.get(uid));
        let volume = volume.map(|field| field.get::<Decimal>("fee volumes", "usdVolume")).transpose();
        convert_market::fees(schedule, volume.map_err(wrong)?.unwrap_or_default()).map_err(wrong)
    }
}

/// What fills make up together.
pub(super) fn sum_of<'a>(fills: impl Iterator<Item = &'a Fill>) -> Decimal {
    fills.fold(Decimal::ZERO, |sum, fill| sum.saturating_add(fill.quantity.get()))
}

/// Stands for a fee until the log has told it.
fn unknown_fee(symbol: &str) -> Result<Money, WireError> {
    let settle = convert_market::settle_of(&symbol.to_ascii_uppercase());
    settle.map(Money::zero).ok_or(WireError::Missing { what: "fill", field: "fee_currency" })
}

fn executions(
    kind: ExecutionKind,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<u32>,
) -> Query {
    Query::Executions(ExecutionQuery { kind, symbol: None, order: None, from, until, limit, cursor: None })
}
