//! Binance's private stream: the listen key, and what the messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].
//!
//! The listen key is the login: it is made over REST, lives for an hour and is kept alive. A funding payment is announced
//! without its instrument, so the payments are asked for then.

use std::time::Duration;

use keyhold_domain::{ContractType, RefusalCode, Symbol, Timestamp, VenueOrderId};
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

/// What a session remembers.
#[derive(Debug)]
pub struct Session {
    renewed: Instant,
    /// Funding was paid at this time and has not been asked for yet.
    funding: Option<Timestamp>,
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
        let link = Link::open(rest, rest.endpoints.private_ws(), &path, Ping::Frame).await?;
        Ok((Links::one(link), Session { renewed: Instant::now(), funding: None }))
    }

    fn read(&self, session: &mut Session, _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        let head: StreamHead<'_> = match wire::json("stream message", text.as_bytes()) {
            Ok(head) => head,
            Err(error) => return Ok(vec![AccountEvent::Undecodable(error)]),
        };
        let at = head.at.whole().map_or_else(|| self.market.rest.venue_now(), Timestamp::from_ms);
        let read = match head.event.text() {
            "ORDER_TRADE_UPDATE" => self.order(text),
            "ALGO_UPDATE" => self.algo_order(text, at),
            "ACCOUNT_UPDATE" => self.account_update(session, text, at),
            "listenKeyExpired" => return Err(Ended::Broken),
            // `TRADE_LITE` repeats what the whole message says; others are nothing to us.
            _ => Ok(vec![]),
        };
        Ok(read.unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)]))
    }

    async fn tend(&self, session: &mut Session) -> Result<Vec<AccountEvent>, Ended> {
        if session.renewed.elapsed() >= RENEW_AFTER {
            match self.change(Intent::StreamToken(StreamToken::Renew), Urgency::Normal).await {
                Ok(_) => session.renewed = Instant::now(),
                // It does not exist any more.
                Err(VenueError::Refused { .. }) => return Err(Ended::Broken),
                Err(VenueError::Unknown { .. } | VenueError::NotSent { .. }) => {
                    if session.renewed.elapsed() >= GIVE_UP_AFTER {
                        return Err(Ended::Broken);
                    }
                }
            }
        }
        let Some(at) = session.funding else { return Ok(vec![]) };
        // What cannot be had now is asked for again after the next ping.
        let Ok(payments) = self.read_funding(None, at.plus_ms(-FUNDING_SLACK_MS)).await else {
            return Ok(vec![]);
        };
        if !payments.is_empty() {
            session.funding = None;
        }
        Ok(payments.into_iter().map(AccountEvent::Funding).collect())
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

    fn order(&self, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let message: StreamOrder<StreamOrderRow<'_>> = wire::json("order message", text.as_bytes())?;
        let row = message.o.ok_or(WireError::Missing { what: "order message", field: "o" })?;
        if convert::mode_of(&row.position_side) == PositionMode::Hedge {
            return Ok(vec![hedged()]);
        }
        let Some(size) = self.counted(row.symbol.text())? else { return Ok(vec![]) };
        let order = convert::order_number(&row.order_id, "order message", "i")?;
        let known = self.names.of(order).flatten();
        let news = convert::stream_order(self.market.product(), &row, size, known)?;
        let mut events = vec![];
        if let Some(fill) = news.fill {
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

    fn algo_order(&self, text: &str, at: Timestamp) -> Result<Vec<AccountEvent>, WireError> {
        let message: StreamOrder<StreamAlgoRow<'_>> =
            wire::json("conditional order message", text.as_bytes())?;
        let row = message.o.ok_or(WireError::Missing { what: "conditional order message", field: "o" })?;
        let Some(size) = self.counted(row.symbol.text())? else { return Ok(vec![]) };
        let Some(update) = convert::stream_algo(&row, size, at)? else { return Ok(vec![]) };
        let actual =
            convert::actual_order(&row.actual_order).map(|number| VenueOrderId::new(&number.to_string()));
        if let Some(Ok(actual)) = actual {
            self.names.learn(actual, Some(update.client_id));
        }
        Ok(vec![AccountEvent::OrderUpdate(update)])
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
