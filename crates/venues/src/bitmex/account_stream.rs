//! BitMEX's private tables: login, subscription, and what their messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].

use std::sync::Arc;

use super::BitmexMarket;
use super::contracts::Contracts;
use super::convert::{self, Execution};
use super::image::{Action, Image, Row};
use super::rest::BitmexDialect;
use super::stream::{self, PING, table_of};
use super::wire::{self, StreamRows, WireExecution, WireMargin, WireOrder, WirePosition};
use crate::common::account_feed::{self, PrivateStream};
use crate::common::link::{Ended, Link, LinkNo, Links, Ping};
use crate::common::rest::Rest;
use crate::error::{NotSentCause, VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::signer::{Intent, SignedRequest, Signer, SignerRefusal};
use crate::transport::Dialer;

/// The tables of the whole account.
pub const TOPICS: [&str; 4] = ["order", "execution", "position", "margin"];

/// Starts the task.
pub fn start<D: Dialer>(market: BitmexMarket<D>, signer: Arc<dyn Signer>) -> EventStream<AccountEvent> {
    account_feed::start(Private { market, signer })
}

struct Private<D> {
    market: BitmexMarket<D>,
    signer: Arc<dyn Signer>,
}

impl<D: Dialer> PrivateStream<D> for Private<D> {
    type Dialect = BitmexDialect;
    type Session = Tables;

    fn rest(&self) -> &Rest<D, BitmexDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<(Links<D>, Tables), Ended> {
        let contracts = self.market.contracts().await.map_err(|_| Ended::Broken)?;
        let rest = &self.market.rest;
        let mut link = Link::open(rest, rest.endpoints.private_ws(), "", Ping::Text(PING)).await?;
        let login = self.login_frame()?;
        link.ask(login, 1, |text| stream::hear("", text)).await?;
        let topics = stream::subscribe_frame(&TOPICS.map(str::to_owned));
        link.ask(topics.clone(), TOPICS.len(), |text| stream::hear(&topics, text)).await?;
        Ok((Links::one(link), Tables::new(contracts)))
    }

    fn read(&self, tables: &mut Tables, _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        let events = tables.read(text);
        // A table that has outgrown all bounds says nothing any more; a new connection begins it anew.
        if tables.is_lost { Err(Ended::Broken) } else { Ok(events) }
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
}

/// What a connection's tables hold.
#[derive(Debug)]
pub struct Tables {
    contracts: Arc<Contracts>,
    orders: Image,
    positions: Image,
    margins: Image,
    is_lost: bool,
}

impl Tables {
    /// Empty tables of a new connection.
    pub const fn new(contracts: Arc<Contracts>) -> Self {
        Self {
            contracts,
            orders: Image::new("order", "orderID"),
            positions: Image::new("position", "symbol"),
            margins: Image::new("margin", "currency"),
            is_lost: false,
        }
    }

    /// All that a message says. A row that cannot be read does not hide the others.
    pub fn read(&mut self, text: &str) -> Vec<AccountEvent> {
        let read = match table_of(text) {
            Ok(None) => Ok(vec![]),
            Ok(Some((table, action))) => match table.as_str() {
                "order" => self.orders(action, text),
                "execution" => self.executions(action, text),
                "position" => self.positions(action, text),
                "margin" => self.margins(action, text),
                _ => Ok(vec![]),
            },
            Err(error) => Err(error),
        };
        read.unwrap_or_else(|error| vec![AccountEvent::Undecodable(error)])
    }

    fn orders(&mut self, action: Action, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let was_whole = self.orders.is_whole();
        let rows = self.orders.take(action, rows(text)?)?;
        self.is_lost |= was_whole && !self.orders.is_whole();
        let contracts = &self.contracts;
        // Foreign orders are not news for us; their fills and the position are.
        let read = |row: &String| -> Result<Option<AccountEvent>, WireError> {
            let order: WireOrder<'_> = wire::json("order", row.as_bytes())?;
            let Some(contract) = contracts.of(order.symbol.text()) else { return Ok(None) };
            Ok(convert::order_update(&order, contract)?.map(AccountEvent::OrderUpdate))
        };
        let events = rows.iter().filter_map(|row| read(row).transpose());
        Ok(events.map(|event| event.unwrap_or_else(AccountEvent::Undecodable)).collect())
    }

    /// Executions only come, they never change. The partial shows some of the past, which is asked for.
    fn executions(&self, action: Action, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let mut events = vec![];
        if action != Action::Insert {
            return Ok(events);
        }
        let rows: StreamRows<WireExecution<'_>> = wire::json("execution message", text.as_bytes())?;
        for row in rows.rows("execution message")? {
            let Some(contract) = self.contracts.of(row.symbol.text()) else { continue };
            match convert::execution(&row, contract) {
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

    fn positions(&mut self, action: Action, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let rows = self.positions.take(action, rows(text)?)?;
        let contracts = &self.contracts;
        let read = |row: &String| -> Result<Option<AccountEvent>, WireError> {
            let row: WirePosition<'_> = wire::json("position", row.as_bytes())?;
            let Some(contract) = contracts.of(row.symbol.text()) else { return Ok(None) };
            convert::position(&row, contract).map(|position| Some(AccountEvent::Position(position)))
        };
        let events = rows.iter().filter_map(|row| read(row).transpose());
        Ok(events.map(|event| event.unwrap_or_else(AccountEvent::Undecodable)).collect())
    }

    fn margins(&mut self, action: Action, text: &str) -> Result<Vec<AccountEvent>, WireError> {
        let rows = self.margins.take(action, rows(text)?)?;
        let read = |row: &String| -> Result<Option<AccountEvent>, WireError> {
            let row: WireMargin<'_> = wire::json("margin", row.as_bytes())?;
            Ok(convert::balance(&row)?.map(AccountEvent::Balance))
        };
        let events = rows.iter().filter_map(|row| read(row).transpose());
        Ok(events.map(|event| event.unwrap_or_else(AccountEvent::Undecodable)).collect())
    }
}

fn rows(text: &str) -> Result<Vec<Row>, WireError> {
    let rows: StreamRows<Row> = wire::json("stream message", text.as_bytes())?;
    rows.rows("stream message")
}
