//! Bybit's private stream: login, topics, and what their messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].

use std::sync::Arc;

use keyhold_domain::RefusalCode;

use super::BybitMarket;
use super::convert::{self, Execution};
use super::rest::BybitDialect;
use super::stream::{self, PING_FRAME, topic_of};
use super::wire::{self, StreamRows, WireExecution, WireOrder, WirePosition, WireWallet};
use crate::common::account_feed::{self, PrivateStream};
use crate::common::link::{Ended, Link, LinkNo, Links, Ping};
use crate::common::rest::Rest;
use crate::error::{NotSentCause, VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::port::PositionMode;
use crate::signer::{Intent, SignedRequest, Signer, SignerRefusal};
use crate::transport::Dialer;

/// The topics of the whole account.
pub const TOPICS: [&str; 4] = ["order", "execution", "position", "wallet"];

/// Starts the task.
pub fn start<D: Dialer>(market: BybitMarket<D>, signer: Arc<dyn Signer>) -> EventStream<AccountEvent> {
    account_feed::start(Private { market, signer })
}

struct Private<D> {
    market: BybitMarket<D>,
    signer: Arc<dyn Signer>,
}

impl<D: Dialer> PrivateStream<D> for Private<D> {
    type Dialect = BybitDialect;
    type Session = ();

    fn rest(&self) -> &Rest<D, BybitDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<(Links<D>, ()), Ended> {
        let rest = &self.market.rest;
        let mut link = Link::open(rest, rest.endpoints.private_ws(), "", Ping::Text(PING_FRAME)).await?;
        link.ask(self.login_frame()?, 1, |text| stream::hear("auth", text)).await?;
        let topics = stream::subscribe_frame(1, &TOPICS.map(str::to_owned));
        link.ask(topics, 1, |text| stream::hear("subscribe", text)).await?;
        Ok((Links::one(link), ()))
    }

    fn read(&self, _session: &mut (), _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        Ok(match topic_of(text) {
            Ok(None) => vec![],
            Ok(Some((topic, _))) => self.events_of(&topic, text),
            Err(error) => vec![AccountEvent::Undecodable(error)],
        })
    }
}

impl<D: Dialer> Private<D> {
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

    /// All that a message says. A row that cannot be read does not hide the others.
    fn events_of(&self, topic: &str, text: &str) -> Vec<AccountEvent> {
        let read = match topic.split('.').next().unwrap_or_default() {
            "order" => self.orders(text),
            "execution" => self.executions(text),
            "position" => self.positions(text),
            "wallet" => wallets(text),
            _ => Ok(vec![]),
        };
        read.unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)])
    }

    fn orders(&self, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let rows: StreamRows<WireOrder<'_>> = wire::json("order message", text.as_bytes())?;
        let ours = data(rows)?.into_iter().filter(|row| convert::is_of(self.market.product(), &row.category));
        // Foreign orders are not news for us; their fills and the position are.
        let events = ours.filter_map(|row| convert::order_update(&row).transpose());
        Ok(events
            .map(|event| event.map_or_else(AccountEvent::Undecodable, AccountEvent::OrderUpdate))
            .collect())
    }

    fn executions(&self, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let product = self.market.product();
        let rows: StreamRows<WireExecution<'_>> = wire::json("execution message", text.as_bytes())?;
        let mut events = vec![];
        for row in data(rows)?.iter().filter(|row| convert::is_of(product, &row.category)) {
            match convert::execution(product, row) {
                Ok(Execution::Fill(fill, forced)) => {
                    events.push(AccountEvent::Fill(fill));
                    if let Some(by) = forced {
                        events.push(AccountEvent::Forced { symbol: fill.symbol, by, at: fill.at });
                    }
                }
                Ok(Execution::Funding(payment)) => events.push(AccountEvent::Funding(payment)),
                Ok(Execution::Other) => {}
                Err(error) => events.push(AccountEvent::Undecodable(error)),
            }
        }
        Ok(events)
    }

    fn positions(&self, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let rows: StreamRows<WirePosition<'_>> = wire::json("position message", text.as_bytes())?;
        let ours = data(rows)?.into_iter().filter(|row| convert::is_of(self.market.product(), &row.category));
        let events = ours.map(|row| match convert::position(&row) {
            Ok((position, PositionMode::OneWay)) => AccountEvent::Position(position),
            Ok((_, PositionMode::Hedge)) => AccountEvent::Refused(VenueError::refused(
                RefusalCode::AccountMode,
                "hedge-mode",
                "a position in hedge mode",
            )),
            Err(error) => AccountEvent::Undecodable(error),
        });
        Ok(events.collect())
    }
}

fn wallets(text: &str) -> Result<Vec<AccountEvent>, WireError> {
    let rows: StreamRows<WireWallet<'_>> = wire::json("wallet message", text.as_bytes())?;
    let mut events = vec![];
    for wallet in data(rows)? {
        events.extend(convert::balances(&wallet)?.into_iter().map(AccountEvent::Balance));
    }
    Ok(events)
}

fn data<T>(rows: StreamRows<T>) -> Result<Vec<T>, WireError> {
    rows.data.ok_or(WireError::Missing { what: "stream message", field: "data" })
}
