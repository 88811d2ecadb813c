//! From what we want to Kraken's words: paths, queries, frames, and the text that is signed.
//!
//! Pure: no clock, no connection, no secret. The signature's text is `SHA256(parameters + endpointPath)`, where the path
//! stands without `/derivatives`; MAC HMAC-SHA-512 under the decoded secret, base64. Kraken's nonce is optional and is
//! left out: it would have to grow over connections that run side by side. What bounds a late request instead is
//! `processBefore`, in every order and change of ours. Parameters of writes travel in the query, as another client that
//! is known to work sends them. Next: [`super::endpoints`] for the paths, [`super::rest`] for the way of the bytes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use keyhold_domain::{
    ContractType, NewOrder, OrderKind, PositionEffect, Side, Symbol, TimeInForce, Timeframe, Timestamp,
    TriggerSource,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::endpoints::{self, Endpoint};
use crate::signer::{
    AmendOrder, CancelAll, CancelOrder, ExecutionKind, ExecutionQuery, HttpRequest, Intent, MacKey, OrderRef,
    OrderSelection, Query, Scope, SignedRequest, SignerRefusal,
};

/// How late an order or a change of one may be handled after it was stamped, in milliseconds.
pub const PROCESS_WITHIN_MS: i64 = 5_000;

/// How far back a past order is looked for, in milliseconds.
const PAST_ORDERS_MS: i64 = 86_400_000;

/// Feeds of the account, in the order in which they are subscribed. The orders' feed also tells of post-only orders
/// that were not taken.
pub const ACCOUNT_FEEDS: [&str; 5] =
    ["fills", "open_orders_verbose", "open_positions", "balances", "account_log"];

/// What the endpoints' paths begin with and the signed path does not.
const UNSIGNED_PREFIX: &str = "/derivatives";

/// A question that needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketQuery {
    /// The venue's clock.
    Time,
    /// All instruments.
    Instruments,
    /// Candles, oldest first, one page.
    Candles {
        /// The instrument.
        symbol: Symbol,
        /// Length of a candle.
        interval: Interval,
        /// First opening time.
        from: Option<Timestamp>,
        /// Last opening time, inclusive.
        until: Option<Timestamp>,
    },
    /// Prices and funding rate.
    Ticker {
        /// The instrument.
        symbol: Symbol,
    },
    /// Past funding rates, all of them.
    Funding {
        /// The instrument.
        symbol: Symbol,
    },
    /// Fees by volume.
    FeeSchedules,
}

/// The lengths of candles that Kraken has and we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// Half an hour.
    M30,
    /// An hour.
    H1,
    /// Four hours.
    H4,
    /// Half a day.
    H12,
    /// A day.
    D1,
}

impl Interval {
    /// Kraken's word and how many of these make one candle of the wanted length. Kraken has no candles of 3 minutes,
    /// 2 and 6 hours: they are put together.
    pub const fn of(timeframe: Timeframe) -> (Self, i64) {
        match timeframe {
            Timeframe::M1 => (Self::M1, 1),
            Timeframe::M3 => (Self::M1, 3),
            Timeframe::M5 => (Self::M5, 1),
            Timeframe::M15 => (Self::M15, 1),
            Timeframe::M30 => (Self::M30, 1),
            Timeframe::H1 => (Self::H1, 1),
            Timeframe::H2 => (Self::H1, 2),
            Timeframe::H4 => (Self::H4, 1),
            Timeframe::H6 => (Self::H1, 6),
            Timeframe::H12 => (Self::H12, 1),
            Timeframe::D1 => (Self::D1, 1),
        }
    }

    /// Kraken's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::H12 => "12h",
            Self::D1 => "1d",
        }
    }
}

/// A request in Kraken's form that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Which call.
    pub endpoint: Endpoint,
    /// What is appended to its path; empty or beginning with `/`.
    pub tail: String,
    /// Query without the question mark.
    pub query: String,
}

/// What an intent becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// A request over HTTP.
    Request(Unsigned),
    /// The frame that asks for a challenge.
    Challenge,
    /// The answer to a challenge: a subscription to the first of [`ACCOUNT_FEEDS`].
    Answer(String),
}

/// The intent in Kraken's form. `at` is Kraken's time.
pub fn render(intent: &Intent, at: Timestamp) -> Result<Rendered, SignerRefusal> {
    let (endpoint, query) = match intent {
        Intent::Place(order) => (endpoints::PLACE, place(order, at)?),
        Intent::Amend(change) => (endpoints::AMEND, amend(change, at)),
        Intent::Cancel(cancel) => (endpoints::CANCEL, cancel_one(cancel)),
        Intent::CancelAll(cancel) => (endpoints::CANCEL_ALL, cancel_all(cancel)?),
        Intent::SetLeverage(set) => (
            endpoints::SET_LEVERAGE,
            Pairs::default()
                .with("maxLeverage", &set.leverage.normalize().to_string())
                .with("symbol", set.symbol.as_str()),
        ),
        Intent::DeadMansSwitch { after, .. } => {
            let seconds = after.map_or(0, |after| after.as_secs().max(1));
            (endpoints::CANCEL_ALL_AFTER, Pairs::default().with("timeout", &seconds.to_string()))
        }
        Intent::Query(query) => render_query(query, at),
        Intent::StreamLogin => return Ok(Rendered::Challenge),
        Intent::StreamChallenge(text) => return Ok(Rendered::Answer(text.to_string())),
        // Margin follows from an instrument's leverage, positions are always net, streams have no token, and orders are
        // canceled singly or all.
        Intent::SetMarginMode(_)
        | Intent::PlaceIn(..)
        | Intent::SetLeverageIn(..)
        | Intent::SetMarginModeOf { .. }
        | Intent::AmendOn(..)
        | Intent::CancelMany(_)
        | Intent::UseOneWayMode { .. }
        | Intent::StreamToken(_) => {
            return Err(SignerRefusal::NotOffered);
        }
    };
    Ok(Rendered::Request(Unsigned { endpoint, tail: String::new(), query: query.text }))
}

/// The text's MAC as Kraken wants it.
fn signature(key: &impl MacKey, text: &str) -> Result<String, SignerRefusal> {
    let digest = Sha256::digest(text.as_bytes());
    let mac = key.mac_sha512_base64_secret(digest.as_slice()).ok_or(SignerRefusal::UnfitSecret)?;
    Ok(BASE64_STANDARD.encode(mac))
}

/// Renders and signs an intent. `at` is Kraken's time. Linear and inverse contracts share every call.
pub fn sign(
    _product: ContractType,
    intent: &Intent,
    at: Timestamp,
    key: &impl MacKey,
) -> Result<SignedRequest, SignerRefusal> {
    Ok(match render(intent, at)? {
        Rendered::Request(unsigned) => SignedRequest::Http(sign_unsigned(&unsigned, key)?),
        Rendered::Challenge => SignedRequest::Login(challenge_frame(key)),
        Rendered::Answer(challenge) => SignedRequest::Login(answer_frame(&challenge, key)?),
    })
}

/// Adds Kraken's two headers to a rendered request.
pub fn sign_unsigned(unsigned: &Unsigned, key: &impl MacKey) -> Result<HttpRequest, SignerRefusal> {
    let mut request = plain(unsigned);
    let path = request.path_and_query.split('?').next().unwrap_or_default();
    let path = path.strip_prefix(UNSIGNED_PREFIX).unwrap_or(path);
    let authent = signature(key, &format!("{}{path}", unsigned.query))?;
    request.headers.extend([("apikey", key.api_key().to_owned()), ("authent", authent)]);
    Ok(request)
}

/// A public request: nothing is signed.
pub fn plain(unsigned: &Unsigned) -> HttpRequest {
    let separator = if unsigned.query.is_empty() { "" } else { "?" };
    HttpRequest {
        verb: unsigned.endpoint.verb,
        path_and_query: format!("{}{}{separator}{}", unsigned.endpoint.path, unsigned.tail, unsigned.query),
        headers: vec![],
        body: String::new(),
    }
}

#[derive(Serialize)]
struct ChallengeFrame<'a> {
    event: &'static str,
    api_key: &'a str,
}

fn challenge_frame(key: &impl MacKey) -> String {
    text_of(&ChallengeFrame { event: "challenge", api_key: key.api_key() })
}

/// A subscription to a feed of the account. `Debug` shows nothing of it: it carries the key's name and a
/// signature.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountSubscription {
    event: String,
    feed: String,
    api_key: String,
    original_challenge: String,
    signed_challenge: String,
}

impl std::fmt::Debug for AccountSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountSubscription (not shown)")
    }
}

impl AccountSubscription {
    /// Reads what the signer wrote.
    pub fn parse(frame: &str) -> Option<Self> {
        serde_json::from_str(frame).ok()
    }

    /// The same for a feed.
    pub fn frame_for(&self, feed: &str) -> String {
        text_of(&Self { feed: feed.to_owned(), ..self.clone() })
    }
}

fn answer_frame(challenge: &str, key: &impl MacKey) -> Result<String, SignerRefusal> {
    let signed_challenge = signature(key, challenge)?;
    Ok(text_of(&AccountSubscription {
        event: "subscribe".to_owned(),
        feed: ACCOUNT_FEEDS[0].to_owned(),
        api_key: key.api_key().to_owned(),
        original_challenge: challenge.to_owned(),
        signed_challenge,
    }))
}

#[derive(Serialize)]
struct Subscription<'a> {
    event: &'static str,
    feed: &'a str,
    product_ids: &'a [Symbol],
}

/// Whether a feed is asked for or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedWish {
    /// Asked for.
    Subscribe,
    /// Given up.
    Unsubscribe,
}

/// The frame about a public feed of instruments.
pub fn feed_frame(wish: FeedWish, feed: &str, symbols: &[Symbol]) -> String {
    let event = match wish {
        FeedWish::Subscribe => "subscribe",
        FeedWish::Unsubscribe => "unsubscribe",
    };
    text_of(&Subscription { event, feed, product_ids: symbols })
}

fn text_of(frame: &impl Serialize) -> String {
    serde_json::to_string(frame).expect("our frames hold only texts under fixed names")
}

/// A question that needs no key, in Kraken's form.
pub fn render_market(query: &MarketQuery) -> Unsigned {
    let seconds = |at: &Option<Timestamp>| at.map(|at| at.ms().div_euclid(1_000).to_string());
    let mut tail = String::new();
    let (endpoint, pairs) = match query {
        MarketQuery::Time => (endpoints::STATUS, Pairs::default()),
        MarketQuery::Instruments => (endpoints::INSTRUMENTS, Pairs::default()),
        MarketQuery::FeeSchedules => (endpoints::FEE_SCHEDULES, Pairs::default()),
        MarketQuery::Candles { symbol, interval, from, until } => {
            tail = format!("/trade/{symbol}/{}", interval.as_str());
            (endpoints::CHARTS, Pairs::default().maybe("from", seconds(from)).maybe("to", seconds(until)))
        }
        MarketQuery::Ticker { symbol } => {
            tail = format!("/{symbol}");
            (endpoints::TICKERS, Pairs::default())
        }
        MarketQuery::Funding { symbol } => {
            (endpoints::FUNDING, Pairs::default().with("symbol", symbol.as_str()))
        }
    };
    Unsigned { endpoint, tail, query: pairs.text }
}

fn render_query(query: &Query, at: Timestamp) -> (Endpoint, Pairs) {
    let none = Pairs::default;
    match query {
        Query::Key => (endpoints::KEY, none()),
        Query::AccountSettings => (endpoints::LEVERAGE, none()),
        Query::Wallet => (endpoints::ACCOUNTS, none()),
        // The whole account's; Kraken has no filters and no pages here.
        Query::Positions { .. } => (endpoints::POSITIONS, none()),
        Query::OpenOrders { .. } => (endpoints::OPEN_ORDERS, none()),
        Query::RecentOrder { order, .. } => {
            let pairs = match order {
                OrderRef::Client(id) => none().with("cliOrdIds", &id.to_string()),
                OrderRef::Venue(id) => none().with("orderIds", id.as_str()),
            };
            (endpoints::ORDER_STATUS, pairs)
        }
        // Kraken cannot look for a name: the instrument's latest events are read.
        Query::PastOrder { symbol, .. } => {
            let since = at.plus_ms(-PAST_ORDERS_MS).ms().max(0).to_string();
            let pairs = none().with("since", &since).with("tradeable", symbol.as_str());
            (endpoints::PAST_ORDERS, pairs.with("sort", "desc"))
        }
        Query::Executions(query) => executions(query),
        Query::Fees { .. } => (endpoints::FEE_VOLUMES, none()),
    }
}

/// Trades come from `fills`, which goes back from an instant; funding and whatever else was booked from the log.
fn executions(query: &ExecutionQuery) -> (Endpoint, Pairs) {
    let info = match query.kind {
        ExecutionKind::Trades => {
            let before = query.until.map(|until| until.to_string());
            return (endpoints::FILLS, Pairs::default().maybe("lastFillTime", before));
        }
        ExecutionKind::Funding => Some("funding rate change"),
        ExecutionKind::All => None,
    };
    let pairs = Pairs::default()
        .maybe("since", query.from.map(|at| at.ms().to_string()))
        .maybe("before", query.until.map(|at| at.ms().to_string()))
        .maybe("info", info)
        .maybe("count", query.limit.map(|limit| limit.to_string()));
    (endpoints::ACCOUNT_LOG, pairs)
}

fn place(order: &NewOrder, at: Timestamp) -> Result<Pairs, SignerRefusal> {
    let pairs = Pairs::default()
        .with("symbol", order.symbol.as_str())
        .with(
            "side",
            match order.side {
                Side::Buy => "buy",
                Side::Sell => "sell",
            },
        )
        .with("size", &order.quantity.to_string())
        .with("cliOrdId", &order.client_id.to_string());
    let pairs = match order.effect {
        PositionEffect::Increase => pairs,
        PositionEffect::ReduceOnly => pairs.with("reduceOnly", "true"),
    };
    let pairs = match order.kind {
        OrderKind::Market => pairs.with("orderType", "mkt"),
        OrderKind::Limit { price, time_in_force } => {
            let word = match time_in_force {
                TimeInForce::Gtc => "lmt",
                TimeInForce::Ioc => "ioc",
                TimeInForce::PostOnly => "post",
                // Kraken has none.
                TimeInForce::Fok => return Err(SignerRefusal::NotOffered),
            };
            pairs.with("orderType", word).with("limitPrice", &price.to_string())
        }
        // The direction follows from the side at Kraken: a stop to buy waits above, a stop to sell below the price.
        OrderKind::StopMarket { trigger, source, .. } => pairs
            .with("orderType", "stp")
            .with("stopPrice", &trigger.to_string())
            .with("triggerSignal", trigger_signal(source)),
    };
    Ok(pairs.with("processBefore", &at.plus_ms(PROCESS_WITHIN_MS).to_string()))
}

/// Kraken's word for a trigger's price.
const fn trigger_signal(source: TriggerSource) -> &'static str {
    match source {
        TriggerSource::Last => "last",
        TriggerSource::Mark => "mark",
        // "spot" in later documents; "index" in all.
        TriggerSource::Index => "index",
    }
}

/// Without `qtyMode` Kraken takes the size for what is left open; ours is the whole.
fn amend(change: &AmendOrder, at: Timestamp) -> Pairs {
    let pairs = match change.order {
        OrderRef::Client(id) => Pairs::default().with("cliOrdId", &id.to_string()),
        OrderRef::Venue(id) => Pairs::default().with("orderId", id.as_str()),
    };
    let size = change.quantity.map(|quantity| quantity.to_string());
    let mode = size.is_some().then_some("ABSOLUTE");
    pairs
        .maybe("size", size)
        .maybe("limitPrice", change.price.map(|price| price.to_string()))
        .maybe("stopPrice", change.trigger.map(|price| price.to_string()))
        .maybe("qtyMode", mode)
        .with("processBefore", &at.plus_ms(PROCESS_WITHIN_MS).to_string())
}

fn cancel_one(cancel: &CancelOrder) -> Pairs {
    match cancel.order {
        OrderRef::Client(id) => Pairs::default().with("cliOrdId", &id.to_string()),
        OrderRef::Venue(id) => Pairs::default().with("order_id", id.as_str()),
    }
}

/// Kraken ends all orders of an instrument or of the account, whatever their kind.
fn cancel_all(cancel: &CancelAll) -> Result<Pairs, SignerRefusal> {
    match (cancel.scope, cancel.selection) {
        (_, OrderSelection::StopOrders | OrderSelection::TriggerOrders)
        | (Scope::Settle(_), OrderSelection::All) => Err(SignerRefusal::NotOffered),
        (Scope::Symbol(symbol), OrderSelection::All) => Ok(Pairs::default().with("symbol", symbol.as_str())),
        (Scope::Product, OrderSelection::All) => Ok(Pairs::default()),
    }
}

/// Parameters in the making.
#[derive(Debug, Default)]
struct Pairs {
    text: String,
}

impl Pairs {
    fn with(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        for part in url::form_urlencoded::byte_serialize(value.as_bytes()) {
            // A space is `%20` wherever it stands; a plus of the value's own is `%2B` already.
            self.text.push_str(if part == "+" { "%20" } else { part });
        }
        self
    }

    fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value.as_ref()),
            None => self,
        }
    }
}
