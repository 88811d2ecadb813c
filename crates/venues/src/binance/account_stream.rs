//! Binance's private stream: the listen key, and what the messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].
//!
//! The listen key is the login: it is made over REST, lives for an hour and is kept alive. A funding payment is announced
//! without its instrument, so the payments are asked for then. A stop that has fired may go by a name of the venue's in
//! the matching engine, and its fill may come before the message that binds the two: such fills wait for their name.

use std::collections::BTreeMap;
use std::time::Duration;

use keyhold_domain::{ClientOrderId, ContractType, Fill, RefusalCode, Symbol, Timestamp, VenueOrderId};
use tokio::time::Instant;

use super::Binance;
use super::convert;
use super::endpoints::Call;
use super::rest::BinanceDialect;
use super::wire::{
    self, StreamAccount, StreamAlgoRow, StreamHead, StreamOrder, StreamOrderRow, StreamPosition,
    WireListenKey,
};
use crate::common::account_feed::{self, PrivateStream};
use crate::common::link::{Ended, Link, LinkNo, Links, Ping};
use crate::common::rest::Rest;
use crate::error::{VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::port::PositionMode;
use crate::rate_limit::Urgency;
use crate::signer::{Intent, StreamToken};
use crate::transport::Dialer;

/// How often the listen key is kept alive; it lives for an hour.
const RENEW_AFTER: Duration = Duration::from_mins(30);
/// A key that could not be kept alive for so long is made anew.
const GIVE_UP_AFTER: Duration = Duration::from_mins(55);
/// A payment may be written a little before it is announced.
const FUNDING_SLACK_MS: i64 = 60_000;

/// Fills that wait for their name at most; more are told without.
const MOST_UNNAMED: usize = 100;

/// What a session remembers.
#[derive(Debug)]
pub struct Session {
    /// When the listen key was made or renewed last, by both clocks.
    renewed: (Instant, Timestamp),
    /// Funding was paid at this time and has not been asked for yet.
    funding: Option<Timestamp>,
    /// Fills of conditional orders whose name is not known yet.
    unnamed: Vec<Fill>,
}

impl Session {
    /// How long ago the listen key was renewed. Of the two clocks one stands still while a machine sleeps, so the other
    /// counts then.
    fn key_age(&self, now: Timestamp) -> Duration {
        let wall = u64::try_from(now.since_ms(self.renewed.1)).unwrap_or_default();
        self.renewed.0.elapsed().max(Duration::from_millis(wall))
    }

    /// The fills that waited for the name of an order, with it.
    fn named(&mut self, order: VenueOrderId, name: Option<ClientOrderId>) -> Vec<AccountEvent> {
        let (found, waiting) = self.unnamed.drain(..).partition(|fill| fill.venue_order_id == order);
        self.unnamed = waiting;
        let found: Vec<Fill> = found;
        found.into_iter().map(|fill| AccountEvent::Fill(Fill { client_id: name, ..fill })).collect()
    }
}

/// Starts the task.
pub fn start<D: Dialer>(venue: Binance<D>) -> EventStream<AccountEvent> {
    account_feed::start(venue)
}

impl<D: Dialer> PrivateStream<D> for Binance<D> {
    type Dialect = BinanceDialect;
    type Session = Session;

    fn rest(&self) -> &Rest<D, BinanceDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<(Links<D>, Session), Ended> {
        // Without sizes no message of COIN-M can be read.
        self.market.ensure_sizes(None).await.map_err(|_| Ended::Broken)?;
        let key = self.listen_key().await?;
        let rest = &self.market.rest;
        let path = match self.market.product() {
            ContractType::Linear => format!("/ws?listenKey={key}"),
            ContractType::Inverse => format!("/ws/{key}"),
        };
        let renewed = (Instant::now(), rest.clock.now());
        let link = Link::open(rest, rest.endpoints.private_ws(), &path, Ping::Frame).await?;
        Ok((Links::one(link), Session { renewed, funding: None, unnamed: vec![] }))
    }

    fn read(&self, session: &mut Session, _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        let head: StreamHead<'_> = match wire::json("stream message", text.as_bytes()) {
            Ok(head) => head,
            Err(error) => return Ok(vec![AccountEvent::Undecodable(error)]),
        };
        let at = head.at.whole().map_or_else(|| self.market.rest.venue_now(), Timestamp::from_ms);
        let read = match head.event.text() {
            "ORDER_TRADE_UPDATE" => self.order(session, text),
            "ALGO_UPDATE" => self.algo_order(session, text, at),
            "ACCOUNT_UPDATE" => self.account_update(session, text, at),
            "listenKeyExpired" => return Err(Ended::Broken),
            // `TRADE_LITE` repeats what the whole message says; others are nothing to us.
            _ => Ok(vec![]),
        };
        Ok(read.unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)]))
    }

    async fn tend(&self, session: &mut Session) -> Result<Vec<AccountEvent>, Ended> {
        let now = self.market.rest.clock.now();
        let age = session.key_age(now);
        if age >= RENEW_AFTER {
            match self.change(Intent::StreamToken(StreamToken::Renew), Urgency::Normal).await {
                Ok(_) => session.renewed = (Instant::now(), now),
                // It does not exist any more.
                Err(VenueError::Refused { .. }) => return Err(Ended::Broken),
                Err(VenueError::Unknown { .. } | VenueError::NotSent { .. }) => {
                    if age >= GIVE_UP_AFTER {
                        return Err(Ended::Broken);
                    }
                }
            }
        }
        let mut events = self.look_up_unnamed(session).await;
        let Some(at) = session.funding else { return Ok(events) };
        // What cannot be had now is asked for again after the next ping.
        let payments = self.read_funding(None, at.plus_ms(-FUNDING_SLACK_MS)).await.unwrap_or_default();
        if !payments.is_empty() {
            session.funding = None;
        }
        events.extend(payments.into_iter().map(AccountEvent::Funding));
        Ok(events)
    }
}

impl<D: Dialer> Binance<D> {
    async fn listen_key(&self) -> Result<String, Ended> {
        let made = self.change(Intent::StreamToken(StreamToken::Make), Urgency::Normal).await;
        let body = made.map_err(|error| match error {
            refused @ VenueError::Refused { .. } => Ended::Refused(refused),
            VenueError::Unknown { .. } | VenueError::NotSent { .. } => Ended::Broken,
        })?;
        let unreadable = |error| Ended::Refused(self.market.unreadable(Call::MakeListenKey, error));
        let row: WireListenKey<'_> = wire::json("listen key", &body).map_err(unreadable)?;
        let key = row.key.text();
        // It becomes a part of an address.
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let error =
                WireError::Invalid { what: "listen key", field: "listenKey", expected: "letters and digits" };
            return Err(unreadable(error));
        }
        Ok(key.to_owned())
    }

    /// Asks for the names of fills that no message has named. What cannot be had now is asked for again.
    async fn look_up_unnamed(&self, session: &mut Session) -> Vec<AccountEvent> {
        let waiting: BTreeMap<VenueOrderId, Symbol> =
            session.unnamed.iter().map(|fill| (fill.venue_order_id, fill.symbol)).collect();
        let mut events = vec![];
        for (order, symbol) in waiting {
            let Ok(name) = self.look_up(symbol, order).await else { continue };
            self.names.learn(order, name);
            events.extend(session.named(order, name));
        }
        events
    }

    fn order(&self, session: &mut Session, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let message: StreamOrder<StreamOrderRow<'_>> = wire::json("order message", text.as_bytes())?;
        let row = message.o.ok_or(WireError::Missing { what: "order message", field: "o" })?;
        if convert::mode_of(&row.position_side) == PositionMode::Hedge {
            return Ok(vec![hedged()]);
        }
        let Some(size) = self.counted(row.symbol.text())? else { return Ok(vec![]) };
        let order = convert::order_number(&row.order_id, "order message", "i")?;
        let known = self.names.of(order);
        let news = convert::stream_order(self.market.product(), &row, size, known.flatten())?;
        let mut events = vec![];
        let waits = known.is_none() && news.update.is_none() && convert::stream_was_conditional(&row);
        if let Some(fill) = news.fill.filter(|_| waits && session.unnamed.len() < MOST_UNNAMED) {
            session.unnamed.push(fill);
        } else if let Some(fill) = news.fill {
            events.push(AccountEvent::Fill(fill));
            if let Some(by) = news.forced {
                events.push(AccountEvent::Forced { symbol: fill.symbol, by, at: fill.at });
            }
        }
        if let Some(update) = news.update {
            self.names.learn(order, Some(update.client_id));
            events.push(AccountEvent::OrderUpdate(update));
        }
        Ok(events)
    }

    fn algo_order(
        &self,
        session: &mut Session,
        text: &str,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, WireError> {
        let message: StreamOrder<StreamAlgoRow<'_>> =
            wire::json("conditional order message", text.as_bytes())?;
        let row = message.o.ok_or(WireError::Missing { what: "conditional order message", field: "o" })?;
        let Some(size) = self.counted(row.symbol.text())? else { return Ok(vec![]) };
        let Some(update) = convert::stream_algo(&row, size, at)? else { return Ok(vec![]) };
        let actual =
            convert::actual_order(&row.actual_order).map(|number| VenueOrderId::new(&number.to_string()));
        let mut events = vec![];
        if let Some(Ok(actual)) = actual {
            self.names.learn(actual, Some(update.client_id));
            events = session.named(actual, Some(update.client_id));
        }
        events.push(AccountEvent::OrderUpdate(update));
        Ok(events)
    }

    fn account_update(
        &self,
        session: &mut Session,
        text: &str,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, WireError> {
        let row = wire::json::<StreamAccount<'_>>("account message", text.as_bytes())?.a;
        if row.reason.text() == "FUNDING_FEE" {
            session.funding = session.funding.or(Some(at));
        }
        let balance = |row| convert::stream_balance(row).transpose();
        let balances = row.balances.iter().flatten().filter_map(balance);
        let mut events: Vec<AccountEvent> =
            balances.map(|read| read.map_or_else(AccountEvent::Undecodable, AccountEvent::Balance)).collect();
        for row in row.positions.iter().flatten() {
            events.extend(self.position(row).unwrap_or_else(|error| Some(AccountEvent::Undecodable(error))));
        }
        Ok(events)
    }

    /// `None` for the flat halves of hedge mode, which are no news, and for contracts that are not of this product.
    fn position(&self, row: &StreamPosition<'_>) -> Result<Option<AccountEvent>, WireError> {
        let Some(size) = self.counted(row.symbol.text())? else { return Ok(None) };
        let (position, mode) = convert::stream_position(row, size)?;
        Ok(match mode {
            PositionMode::OneWay => Some(AccountEvent::Position(position)),
            PositionMode::Hedge if position.size.is_flat() => None,
            PositionMode::Hedge => Some(hedged()),
        })
    }

    /// The size of a contract; `None` for one of the other product, whose news may come along since both share one
    /// account.
    fn counted(&self, symbol: &str) -> Result<Option<keyhold_domain::Decimal>, WireError> {
        let name: Symbol =
            symbol.parse().map_err(|_| WireError::Missing { what: "stream message", field: "s" })?;
        let is_inverse = convert::settle_of(ContractType::Inverse, name.as_str()).is_some();
        match (self.market.product(), is_inverse) {
            (ContractType::Linear, true) | (ContractType::Inverse, false) => Ok(None),
            (ContractType::Linear, false) | (ContractType::Inverse, true) => {
                self.market.sizes.of(symbol).map(Some)
            }
        }
    }
}

fn hedged() -> AccountEvent {
    AccountEvent::Refused(VenueError::refused(
        RefusalCode::AccountMode,
        "hedge-mode",
        "a position in hedge mode",
    ))
}
