//! What an exchange's dialect has to say for itself. Everything else of a venue is shared.
//!
//! The network side ([`crate::server`]) knows connections, the world ([`crate::world`]) knows orders; a [`Protocol`]
//! translates between them: requests and frames in, answers and news out. One protocol serves linear and inverse
//! instruments at once. Model: `bybit`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keyhold_domain::{Exchange, Symbol, Timestamp, VenueOrderId};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, NameRule};

use crate::config::AccountConfig;
use crate::core::Core;
use crate::hub::Channel;
use crate::world::MarketNews;
use crate::{binance, bitmex, bybit, kraken, okx};

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// A request as it arrived.
pub(crate) struct Request<'a> {
    pub(crate) verb: Verb,
    /// Without the query.
    pub(crate) path: &'a str,
    /// As sent, without the question mark; empty without a query.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a hyper::HeaderMap,
    pub(crate) body: &'a [u8],
    /// From where, or what the control interface says of it.
    pub(crate) peer: IpAddr,
    /// The venue's wall clock.
    pub(crate) wall: Timestamp,
}

impl<'a> Request<'a> {
    /// A header's text; empty when it is absent or no text.
    pub(crate) fn header(&self, name: &str) -> &'a str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case; without the content type.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// `application/json`, for example.
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// The instrument on which the request has made an order, for [`crate::latency`].
    pub(crate) ordered: Option<Symbol>,
}

impl Answer {
    /// A JSON answer without further headers.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let content_type = "application/json";
        Self { status, headers: Vec::new(), content_type, body: body.to_string(), ordered: None }
    }

    /// An answer that is no JSON, as gateways give.
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        let content_type = "text/plain";
        Self { status, headers: Vec::new(), content_type, body: body.into(), ordered: None }
    }
}

/// What an address of a WebSocket says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) channel: Channel,
    /// Whose account, when the address alone opens it (listen keys).
    pub(crate) account: Option<AccountId>,
    /// Topics named in the address.
    pub(crate) topics: Vec<String>,
}

impl Line {
    /// A line that has to log in and subscribe by itself.
    pub(crate) const fn plain(channel: Channel) -> Self {
        Self { channel, account: None, topics: Vec::new() }
    }
}

/// Who sends a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    /// The socket's number in the [`crate::hub::Hub`].
    pub(crate) number: u64,
    pub(crate) peer: IpAddr,
    pub(crate) wall: Timestamp,
}

/// An exchange's dialect together with the venue's state.
pub(crate) trait Protocol: Send {
    /// The neutral state.
    fn core(&self) -> &Core;

    /// The neutral state, to change it.
    fn core_mut(&mut self) -> &mut Core;

    /// Which WebSocket an address is; `None` for addresses of REST calls.
    fn line_of(&self, path: &str, query: &str) -> Option<Line>;

    /// Does a REST call and tells accounts what came of it.
    fn serve(&mut self, accounts: &[AccountConfig], request: &Request<'_>) -> Answer;

    /// What the venue's gateway answers instead of doing the request: 403, 413, 418, 426, 429, 5xx.
    fn gateway(&self, status: u16) -> Answer;

    /// Said to a socket that has just opened, in order.
    fn greet(&mut self, _sender: Sender) -> Vec<String> {
        Vec::new()
    }

    /// Answers one text frame; the answers are in order.
    fn hear(&mut self, accounts: &[AccountConfig], sender: Sender, text: &str) -> Vec<String>;

    /// A socket has closed: what was remembered of it can be forgotten.
    fn closed(&mut self, _number: u64) {}

    /// The wall clock has moved: timers (dead man's switches, listen keys) may be due. Called several times a second
    /// and before every request.
    fn beat(&mut self, _wall: Timestamp) {}

    /// The listen keys of private streams and until when they live, where a venue has such keys.
    fn listen_keys(&self) -> BTreeMap<String, Timestamp> {
        BTreeMap::new()
    }

    /// Ends all listen keys as if their time were over.
    fn expire_listen_keys(&mut self) {}

    /// Tells listeners what a market did.
    fn show(&mut self, news: &MarketNews);

    /// Tells an account what happened to it.
    fn tell_event(&mut self, event: &ExchangeEvent);

    /// Does what the venue does by itself because of events (attached stops, for example).
    fn follow_up(&mut self, _events: &[ExchangeEvent]) {}

    /// Whether the venue keeps something with an order beyond the exchange's own state.
    fn is_tagged(&self, _order: &VenueOrderId) -> bool {
        false
    }

    /// Tells the accounts what has happened to them since the last call.
    fn tell(&mut self) {
        // Three rounds: what happened, what the venue did because of it, and what that caused.
        for _ in 0..3 {
            let events = self.core_mut().world.take_events();
            if events.is_empty() {
                return;
            }
            for event in &events {
                self.tell_event(event);
            }
            self.follow_up(&events);
        }
    }

    /// Tells everybody what the markets did.
    fn publish(&mut self, news: &[MarketNews]) {
        self.tell();
        for item in news {
            self.show(item);
        }
    }
}

/// Whether an order's name can be given again. Binance wants names to be unique among open orders only (page "New
/// order", `newClientOrderId`); elsewhere the configuration decides.
pub(crate) const fn names_at(exchange: Exchange, configured: NameRule) -> NameRule {
    match exchange {
        Exchange::Binance => NameRule::FreeAfterwards,
        Exchange::Bybit | Exchange::KrakenFutures | Exchange::Okx | Exchange::Bitmex => configured,
    }
}

/// The dialect of an exchange.
pub(crate) fn of(exchange: Exchange, core: Core) -> Box<dyn Protocol> {
    match exchange {
        Exchange::Bybit => Box::new(bybit::state::State::new(core)),
        Exchange::Binance => Box::new(binance::state::State::new(core)),
        Exchange::KrakenFutures => Box::new(kraken::state::State::new(core)),
        Exchange::Okx => Box::new(okx::state::State::new(core)),
        Exchange::Bitmex => Box::new(bitmex::state::State::new(core)),
    }
}
