//! Kraken's private stream: challenge, feeds, and what their messages say. The loop is that of all venues:
//! [`crate::common::account_feed`].

use std::sync::{Arc, Mutex, PoisonError};

use keyhold_domain::{ContractType, ShortText, Timestamp};

use super::convert::{self};
use super::convert_market::product_of;
use super::memory::{KnownFees, Memory, Outcomes};
use super::render::{ACCOUNT_FEEDS, AccountSubscription};
use super::rest::KrakenDialect;
use super::stream::{self, HEARTBEAT_FRAME};
use super::wire::{self, FeedBooking, FeedFills, FeedOrders, FeedPositions, Field};
use super::wire_market::FeedBalances;
use super::{Kraken, KrakenMarket};
use crate::common::account_feed::{self, PrivateStream};
use crate::common::link::{Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::rest::Rest;
use crate::error::{NotSentCause, VenueError, WireError};
use crate::event::{AccountEvent, EventStream};
use crate::signer::{Intent, SignedRequest, Signer, SignerRefusal};
use crate::transport::Dialer;

/// Starts the task.
pub fn start<D: Dialer>(venue: &Kraken<D>) -> EventStream<AccountEvent> {
    account_feed::start(Private {
        market: venue.market.clone(),
        signer: Arc::clone(&venue.signer),
        outcomes: Arc::clone(&venue.outcomes),
        fees: Arc::clone(&venue.fees),
    })
}

struct Private<D> {
    market: KrakenMarket<D>,
    signer: Arc<dyn Signer>,
    outcomes: Arc<Outcomes>,
    fees: Arc<KnownFees>,
}

impl<D: Dialer> PrivateStream<D> for Private<D> {
    type Dialect = KrakenDialect;
    type Session = Memory;

    fn rest(&self) -> &Rest<D, KrakenDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<(Links<D>, Memory), Ended> {
        let rest = &self.market.rest;
        let mut link = Link::open(rest, rest.endpoints.private_ws(), "", Ping::Frame).await?;
        let challenge = Mutex::new(None);
        let hear = |text: &str| match stream::challenge(text) {
            Some(found) => {
                *challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                Heard::Confirmed
            }
            None => stream::hear(text),
        };
        link.ask(self.frame(&Intent::StreamLogin)?, 1, hear).await?;
        let challenge = challenge.into_inner().unwrap_or_else(PoisonError::into_inner);
        let subscription = self.answer(challenge.ok_or(Ended::Broken)?)?;
        for feed in ACCOUNT_FEEDS {
            link.ask(subscription.frame_for(feed), 1, stream::hear).await?;
        }
        link.ask(HEARTBEAT_FRAME.to_owned(), 1, stream::hear).await?;
        Ok((Links::one(link), Memory::default()))
    }

    fn read(&self, memory: &mut Memory, _link: LinkNo, text: &str) -> Result<Vec<AccountEvent>, Ended> {
        let now = self.market.rest.venue_now();
        let mut events: Vec<AccountEvent> =
            self.outcomes.take().into_iter().map(AccountEvent::OrderUpdate).collect();
        match events_of(self.market.rest.dialect.product, memory, text, now) {
            Ok(told) => {
                for event in &told {
                    if let AccountEvent::Fill(fill) = event {
                        self.fees.note(fill.fill_id, fill.fee);
                    }
                }
                events.extend(told);
            }
            Err(error) => events.push(AccountEvent::Undecodable(error)),
        }
        Ok(events)
    }
}

impl<D: Dialer> Private<D> {
    fn refused(&self, refusal: SignerRefusal) -> Ended {
        let cause = NotSentCause::Signer(refusal);
        Ended::Refused(VenueError::not_sent(self.market.rest.settings.backoff.1, cause))
    }

    fn frame(&self, intent: &Intent) -> Result<String, Ended> {
        match self.signer.sign(intent, self.market.rest.venue_now()) {
            Ok(SignedRequest::Login(frame)) => Ok(frame),
            Ok(SignedRequest::Http(_)) => Err(self.refused(SignerRefusal::NotOffered)),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    fn answer(&self, challenge: ShortText<64>) -> Result<AccountSubscription, Ended> {
        let frame = self.frame(&Intent::StreamChallenge(challenge))?;
        AccountSubscription::parse(&frame).ok_or_else(|| self.refused(SignerRefusal::NotOffered))
    }
}

/// All that a message says about the product. A row that cannot be read does not hide the others.
pub fn events_of(
    product: ContractType,
    memory: &mut Memory,
    text: &str,
    now: Timestamp,
) -> Result<Vec<AccountEvent>, WireError> {
    let Some(feed) = stream::feed_of(text)? else { return Ok(vec![]) };
    let is_ours = |symbol: &Field<'_>| product_of(symbol.text()) == Some(product);
    match feed.as_str() {
        "open_orders_snapshot" | "open_orders_verbose_snapshot" => {
            let news: FeedOrders<'_> = wire::json("order message", text.as_bytes())?;
            let rows = wire::rows(news.orders, "order message", "orders")?;
            let mut events = vec![];
            for row in rows.iter().filter(|row| is_ours(&row.symbol)) {
                match convert::feed_order(row) {
                    Ok(order) => memory.know_order(order),
                    Err(error) => events.push(AccountEvent::Undecodable(error)),
                }
            }
            Ok(events)
        }
        "open_orders" | "open_orders_verbose" => orders(memory, text, now, is_ours),
        "fills_snapshot" => {
            let news: FeedFills<'_> = wire::json("fill message", text.as_bytes())?;
            for row in
                wire::rows(news.list, "fill message", "fills")?.iter().filter(|row| is_ours(&row.symbol))
            {
                // What happened before is asked for; a row that cannot be read is missed by nobody.
                if let Ok((fill, ..)) = convert::feed_fill(row) {
                    memory.know_fill(&fill);
                }
            }
            Ok(vec![])
        }
        "fills" => fills(memory, text, is_ours),
        "open_positions" => positions(memory, text, is_ours),
        "balances" | "balances_snapshot" => balances(product, text),
        // Its snapshot is the past, which is asked for.
        "account_log" => booking(text, is_ours),
        _ => Ok(vec![]),
    }
}

fn orders(
    memory: &mut Memory,
    text: &str,
    now: Timestamp,
    is_ours: impl Fn(&Field<'_>) -> bool,
) -> Result<Vec<AccountEvent>, WireError> {
    const WHAT: &str = "order message";
    let news: FeedOrders<'_> = wire::json(WHAT, text.as_bytes())?;
    let gone = wire::flag(&news.is_cancel, WHAT, "is_cancel")?;
    let update = match &news.order {
        Some(row) if !is_ours(&row.symbol) => return Ok(vec![]),
        Some(row) => {
            let order = convert::feed_order(row)?;
            let at = row.updated.maybe(WHAT, "last_update_time")?.unwrap_or(now);
            if gone {
                memory.order_gone(order.venue_id, Some(order), news.reason.text(), at)
            } else {
                memory.order(order, at)
            }
        }
        None if gone => {
            let at = news.timestamp.maybe(WHAT, "timestamp")?.unwrap_or(now);
            memory.order_gone(news.order_id.get(WHAT, "order_id")?, None, news.reason.text(), at)
        }
        None => return Err(WireError::Missing { what: WHAT, field: "order" }),
    };
    Ok(update.map(AccountEvent::OrderUpdate).into_iter().collect())
}

fn fills(
    memory: &mut Memory,
    text: &str,
    is_ours: impl Fn(&Field<'_>) -> bool,
) -> Result<Vec<AccountEvent>, WireError> {
    let news: FeedFills<'_> = wire::json("fill message", text.as_bytes())?;
    let mut events = vec![];
    for row in wire::rows(news.list, "fill message", "fills")?.iter().filter(|row| is_ours(&row.symbol)) {
        match convert::feed_fill(row) {
            Ok((fill, forced, left)) => {
                events.push(AccountEvent::Fill(fill));
                if let Some(by) = forced {
                    events.push(AccountEvent::Forced { symbol: fill.symbol, by, at: fill.at });
                }
                events.extend(memory.fill(&fill, left).map(AccountEvent::OrderUpdate));
            }
            Err(error) => events.push(AccountEvent::Undecodable(error)),
        }
    }
    Ok(events)
}

fn positions(
    memory: &mut Memory,
    text: &str,
    is_ours: impl Fn(&Field<'_>) -> bool,
) -> Result<Vec<AccountEvent>, WireError> {
    let news: FeedPositions<'_> = wire::json("position message", text.as_bytes())?;
    let rows = wire::rows(news.list, "position message", "positions")?;
    // One that cannot be read spoils the list: it would be taken for closed.
    let read = rows.iter().filter(|row| is_ours(&row.symbol)).map(convert::feed_position);
    let told = memory.positions(read.collect::<Result<Vec<_>, _>>()?);
    Ok(told.into_iter().map(AccountEvent::Position).collect())
}

/// Of the log only funding is news; trades are told as fills. Documented are rows without their contract, and where a
/// wallet serves many contracts such a row does not tell what was paid for: that funding is asked for.
fn booking(text: &str, is_ours: impl Fn(&Field<'_>) -> bool) -> Result<Vec<AccountEvent>, WireError> {
    let news: FeedBooking<'_> = wire::json("booking message", text.as_bytes())?;
    let row = news.entry.ok_or(WireError::Missing { what: "booking message", field: "new_entry" })?;
    if !is_ours(&row.contract) {
        return Ok(vec![]);
    }
    Ok(convert::funding_payment(&row)?.map(AccountEvent::Funding).into_iter().collect())
}

fn balances(product: ContractType, text: &str) -> Result<Vec<AccountEvent>, WireError> {
    let news: FeedBalances<'_> = wire::json("balance message", text.as_bytes())?;
    let balances = match product {
        ContractType::Linear => {
            news.flex_futures.iter().map(convert::feed_flex).collect::<Result<Vec<_>, _>>()?
        }
        ContractType::Inverse => {
            let rows = news.futures.iter().flat_map(|all| all.values());
            let read = rows.filter_map(|row| convert::feed_balance(row).transpose());
            convert::merge(read.collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(balances.into_iter().map(AccountEvent::Balance).collect())
}
