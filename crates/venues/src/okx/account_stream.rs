//! OKX's private streams: login, topics, and what their messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].
//!
//! Orders, positions and balances come over one connection, orders that wait for a trigger over another. The news of an
//! order tell its fills, too.

use std::sync::Arc;

use keyhold_domain::{OrderStatus, RefusalCode};

use super::OkxMarket;
use super::convert;
use super::rest::OkxDialect;
use super::sizes::Sizes;
use super::stream::{self, PING_FRAME, Topic, about};
use super::wire::{self, WireBalance, WireOrder, WirePosition, WireStop};
use crate::common::account_feed::{self, PrivateStream};
use crate::common::link::{Ended, Link, LinkNo, Links, Ping};
use crate::common::rest::Rest;
use crate::error::{NotSentCause, VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::hosts::Base;
use crate::port::PositionMode;
use crate::signer::{Intent, SignedRequest, Signer, SignerRefusal};
use crate::transport::Dialer;

const ORDERS: &str = "orders";
const STOPS: &str = "orders-algo";
const POSITIONS: &str = "positions";
const ACCOUNT: &str = "account";

/// The topics of the first connection.
pub fn topics() -> [Topic; 3] {
    [Topic::of_swaps(ORDERS), Topic::of_swaps(POSITIONS), Topic::plain(ACCOUNT)]
}

/// The topics of the second.
pub fn stop_topics() -> [Topic; 1] {
    [Topic::of_swaps(STOPS)]
}

/// Starts the task.
pub fn start<D: Dialer>(market: OkxMarket<D>, signer: Arc<dyn Signer>) -> EventStream<AccountEvent> {
    account_feed::start(Private { market, signer })
}

struct Private<D> {
    market: OkxMarket<D>,
    signer: Arc<dyn Signer>,
}

impl<D: Dialer> PrivateStream<D> for Private<D> {
    type Dialect = OkxDialect;
    type Session = ();

    fn rest(&self) -> &Rest<D, OkxDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<(Links<D>, ()), Ended> {
        // Messages count contracts; without their sizes nothing could be read.
        self.market.sizes_of(std::iter::empty()).await.map_err(|_| Ended::Broken)?;
        let endpoints = &self.market.rest.endpoints;
        let first = self.link(endpoints.private_ws(), &topics()).await?;
        let second = self.link(endpoints.market_ws(), &stop_topics()).await?;
        Ok((Links::two(first, second), ()))
    }

    fn read(&self, _session: &mut (), _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        Ok(match about(text) {
            Ok(None) => vec![],
            Ok(Some(about)) => self
                .events_of(&about.channel, text)
                .unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)]),
            Err(error) => vec![AccountEvent::Undecodable(error)],
        })
    }
}

impl<D: Dialer> Private<D> {
    async fn link(&self, base: &Base, topics: &[Topic]) -> Result<Link<D>, Ended> {
        let mut link = Link::open(&self.market.rest, base, "", Ping::Text(PING_FRAME)).await?;
        link.ask(self.login_frame()?, 1, |text| stream::hear("login", text)).await?;
        let frame = stream::subscribe_frame(topics);
        link.ask(frame, topics.len(), |text| stream::hear("subscribe", text)).await?;
        Ok(link)
    }

    fn login_frame(&self) -> Result<String, Ended> {
        let refused = |refusal| {
            let cause = NotSentCause::Signer(refusal);
            Ended::Refused(VenueError::not_sent(self.market.rest.settings.backoff.1, cause))
        };
        match self.signer.sign(&Intent::StreamLogin, self.market.rest.venue_now()).map_err(refused)? {
            SignedRequest::Login(frame) => Ok(frame),
            SignedRequest::Http(_) => Err(refused(SignerRefusal::NotOffered)),
        }
    }

    fn events_of(&self, channel: &str, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let product = self.market.product();
        let sizes = self.market.known_sizes();
        match channel {
            ORDERS => {
                let rows: Vec<WireOrder<'_>> = wire::rows("order message", text.as_bytes())?;
                let ours = rows.iter().filter(|row| convert::is_of(product, &row.symbol));
                Ok(ours.flat_map(|row| order_events(row, &sizes)).collect())
            }
            STOPS => {
                let rows: Vec<WireStop<'_>> = wire::rows("stop order message", text.as_bytes())?;
                let ours = rows.iter().filter(|row| convert::is_of(product, &row.symbol));
                Ok(ours
                    .filter_map(|row| convert::stop_update(row).transpose())
                    // One that has become an order is told by that order's news, which may have come already.
                    .filter(|event| !event.as_ref().is_ok_and(|update| update.status == OrderStatus::Open))
                    .map(|event| event.map_or_else(AccountEvent::Undecodable, AccountEvent::OrderUpdate))
                    .collect())
            }
            POSITIONS => {
                let rows: Vec<WirePosition<'_>> = wire::rows("position message", text.as_bytes())?;
                let ours = rows.iter().filter(|row| convert::is_of(product, &row.symbol));
                Ok(ours.map(|row| position_event(row, &sizes)).collect())
            }
            ACCOUNT => {
                let rows: Vec<WireBalance<'_>> = wire::rows("account message", text.as_bytes())?;
                let mut events = vec![];
                for row in &rows {
                    events.extend(convert::balances(row)?.into_iter().map(AccountEvent::Balance));
                }
                Ok(events)
            }
            _ => Ok(vec![]),
        }
    }
}

/// A fill comes before the state that it has led to. Foreign orders are not news for us; their fills are.
fn order_events(row: &WireOrder<'_>, sizes: &Sizes) -> Vec<AccountEvent> {
    let mut events = vec![];
    match convert::fill_of_order(row, sizes) {
        Ok(Some((fill, forced))) => {
            events.push(AccountEvent::Fill(fill));
            if let Some(by) = forced {
                events.push(AccountEvent::Forced { symbol: fill.symbol, by, at: fill.at });
            }
        }
        Ok(None) => {}
        Err(error) => events.push(AccountEvent::Undecodable(error)),
    }
    match convert::order_update(row, sizes) {
        Ok(update) => events.extend(update.map(AccountEvent::OrderUpdate)),
        Err(error) => events.push(AccountEvent::Undecodable(error)),
    }
    events
}

fn position_event(row: &WirePosition<'_>, sizes: &Sizes) -> AccountEvent {
    match convert::position(row, sizes) {
        Ok((position, PositionMode::OneWay)) => AccountEvent::Position(position),
        Ok((_, PositionMode::Hedge)) => AccountEvent::Refused(VenueError::refused(
            RefusalCode::AccountMode,
            "hedge-mode",
            "a position in hedge mode",
        )),
        Err(error) => AccountEvent::Undecodable(error),
    }
}
