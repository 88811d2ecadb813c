//! Bybit's private stream as account events.
//!
//! One task per call, ended by dropping the [`EventStream`]. Nothing is dropped; a program that does not listen makes
//! the stream wait. After every (re)connection the program is told to ask, because Bybit repeats nothing.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use keyhold_domain::RefusalCode;

use super::BybitMarket;
use super::convert::{self, Execution};
use super::stream::{Ended, GOOD_SESSION, Link, Tick, topic_of};
use super::wire::{self, StreamRows, WireExecution, WireOrder, WirePosition, WireWallet};
use crate::error::{NotSentCause, VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::port::PositionMode;
use crate::signer::{Intent, SignedRequest, Signer, SignerRefusal};
use crate::transport::Dialer;

/// The topics of the whole account.
pub const TOPICS: [&str; 4] = ["order", "execution", "position", "wallet"];

/// Starts the task.
pub fn start<D: Dialer>(market: BybitMarket<D>, signer: Arc<dyn Signer>) -> EventStream<AccountEvent> {
    let (events, listener) = mpsc::channel(market.rest.settings.event_queue);
    let feed = Feed { market, signer, events };
    EventStream::new(listener, tokio::spawn(feed.run()))
}

struct Feed<D> {
    market: BybitMarket<D>,
    signer: Arc<dyn Signer>,
    events: mpsc::Sender<AccountEvent>,
}

impl<D: Dialer> Feed<D> {
    /// Sessions one after the other, until nobody listens. Waits in between are bounded by the settings.
    async fn run(self) {
        let mut backoff = self.market.rest.backoff();
        loop {
            let began = Instant::now();
            let ended = match self.listen().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            let event = match ended {
                Ended::ListenerGone => return,
                Ended::Broken => AccountEvent::Disconnected { at: self.market.rest.clock.now() },
                Ended::Refused(error) => AccountEvent::Refused(error),
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            if began.elapsed() >= GOOD_SESSION {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    async fn listen(&self) -> Result<std::convert::Infallible, Ended> {
        let rest = &self.market.rest;
        if rest.venue_clock.is_stale(rest.clock.now()) {
            rest.read_clock().await.map_err(|_| Ended::Broken)?;
        }
        let mut link = Link::open(rest, rest.endpoints.private_ws(), "").await?;
        link.login(self.login_frame()?).await?;
        link.subscribe(&TOPICS.map(str::to_owned)).await?;
        self.events.send(AccountEvent::Resynced { at: rest.clock.now() }).await?;
        loop {
            match link.next().await? {
                Tick::News(text) => self.read(&text).await?,
                Tick::Quiet => {}
            }
        }
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

    async fn read(&self, text: &Utf8Bytes) -> Result<(), Ended> {
        let events = match topic_of(text) {
            Ok(None) => return Ok(()),
            Ok(Some((topic, _))) => self.events_of(&topic, text),
            Err(error) => vec![AccountEvent::Undecodable(error)],
        };
        for event in events {
            self.events.send(event).await?;
        }
        Ok(())
    }

    /// All that a message says. A row that cannot be read does not hide the others.
    fn events_of(&self, topic: &str, text: &Utf8Bytes) -> Vec<AccountEvent> {
        let read = match topic.split('.').next().unwrap_or_default() {
            "order" => self.orders(text),
            "execution" => self.executions(text),
            "position" => self.positions(text),
            "wallet" => wallets(text),
            _ => Ok(vec![]),
        };
        read.unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)])
    }

    fn orders(&self, text: &Utf8Bytes) -> Result<Vec<AccountEvent>, WireError> {
        let rows: StreamRows<WireOrder<'_>> = wire::json("order message", text.as_bytes())?;
        let ours =
            data(rows)?.into_iter().filter(|row| convert::is_of(self.market.rest.product, &row.category));
        // Foreign orders are not news for us; their fills and the position are.
        let events = ours.filter_map(|row| convert::order_update(&row).transpose());
        Ok(events
            .map(|event| event.map_or_else(AccountEvent::Undecodable, AccountEvent::OrderUpdate))
            .collect())
    }

    fn executions(&self, text: &Utf8Bytes) -> Result<Vec<AccountEvent>, WireError> {
        let product = self.market.rest.product;
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

    fn positions(&self, text: &Utf8Bytes) -> Result<Vec<AccountEvent>, WireError> {
        let rows: StreamRows<WirePosition<'_>> = wire::json("position message", text.as_bytes())?;
        let ours =
            data(rows)?.into_iter().filter(|row| convert::is_of(self.market.rest.product, &row.category));
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

fn wallets(text: &Utf8Bytes) -> Result<Vec<AccountEvent>, WireError> {
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
