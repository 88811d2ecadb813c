//! From what we want to OKX's words: paths, queries, bodies, and the text that is signed.
//!
//! Pure: no clock, no connection, no secret. Rules are those of OKX's v5 documentation; the signature's text is
//! `timestamp + verb + path with query + body`, MAC HMAC-SHA-256 in base64, the timestamp in ISO 8601 with
//! milliseconds. The header that chooses the demo world is signed by nobody and is added by [`super::rest`].

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use keyhold_domain::{Symbol, Timeframe, Timestamp, VenueOrderId};
use serde::Serialize;

use super::bodies::{self, Book};
use super::endpoints;
use crate::common::endpoint::Endpoint;
use crate::signer::{
    ExecutionKind, ExecutionQuery, HttpRequest, Intent, MacKey, OrderRef, OrderSelection, Query, Scope,
    SignedRequest, SignerRefusal,
};

/// What is signed to log in to a private stream, after the seconds.
const LOGIN_PATH: &str = "GET/users/self/verify";

/// How late a new or changed order may arrive after its time stamp, in milliseconds; said in the header `expTime`,
/// which OKX knows for these calls only. All other requests it takes for [`LATEST_MS`].
pub const ORDER_LIFETIME_MS: i64 = 5_000;

/// How late OKX takes any request after its time stamp, in milliseconds.
pub const LATEST_MS: i64 = 30_000;

/// Shortest and longest time of the dead man's switch. Source: OKX v5, "Cancel All After".
pub const SWITCH_RANGE: std::ops::RangeInclusive<u64> = 10..=120;

/// A question that needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketQuery {
    /// The venue's clock.
    Time,
    /// Running maintenance.
    Status,
    /// All perpetual contracts, linear and inverse.
    Instruments,
    /// Candles, newest first, one page.
    Candles {
        /// The instrument.
        symbol: Symbol,
        /// Length of a candle.
        timeframe: Timeframe,
        /// First opening time.
        from: Option<Timestamp>,
        /// End of the opening times, exclusive.
        until: Option<Timestamp>,
        /// Rows, at most 300.
        limit: Option<u32>,
        /// Which of the two lists.
        age: Age,
    },
    /// Last price and best bid and ask.
    Ticker(Symbol),
    /// Mark price.
    MarkPrice(Symbol),
    /// Index price.
    IndexPrice(Symbol),
    /// Coming funding rate.
    FundingRate(Symbol),
    /// Open contracts.
    OpenInterest(Symbol),
    /// Past funding rates, newest first, one page.
    Funding {
        /// The instrument.
        symbol: Symbol,
        /// From this instant.
        from: Option<Timestamp>,
        /// To this instant, exclusive.
        until: Option<Timestamp>,
        /// Rows, at most 400.
        limit: Option<u32>,
    },
}

/// OKX keeps the newest candles in a list of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Among the newest 1,440.
    Recent,
    /// Older.
    Past,
}

/// A request in OKX's form that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Which call.
    pub endpoint: Endpoint,
    /// Query without the question mark; empty for writes.
    pub query: String,
    /// JSON; empty for reads.
    pub body: String,
}

/// What an intent becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// A request over HTTP.
    Request(Unsigned),
    /// The login to the private stream.
    Login,
}

/// OKX's word for a candle's length. The plain words of six hours and more count days from 16:00 UTC.
pub const fn bar(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::M1 => "1m",
        Timeframe::M3 => "3m",
        Timeframe::M5 => "5m",
        Timeframe::M15 => "15m",
        Timeframe::M30 => "30m",
        Timeframe::H1 => "1H",
        Timeframe::H2 => "2H",
        Timeframe::H4 => "4H",
        Timeframe::H6 => "6Hutc",
        Timeframe::H12 => "12Hutc",
        Timeframe::D1 => "1Dutc",
    }
}

/// The family of a perpetual contract, which is also its index: `BTC-USDT` of `BTC-USDT-SWAP`.
pub fn family(symbol: Symbol) -> String {
    let name = symbol.to_string();
    name.strip_suffix("-SWAP").map_or_else(|| name.clone(), ToOwned::to_owned)
}

/// The intent in OKX's form. Linear and inverse contracts differ in nothing here.
pub fn render(intent: &Intent) -> Result<Rendered, SignerRefusal> {
    let by_book = |(book, body): (Book, String), plain, stops| match book {
        Book::Plain => write(plain, body),
        Book::Stops => write(stops, body),
    };
    let unsigned = match intent {
        Intent::PlaceIn(order, margin) => {
            by_book(bodies::place(order, *margin), endpoints::PLACE, endpoints::PLACE_STOP)
        }
        Intent::Amend(amend) => by_book(bodies::amend(amend), endpoints::AMEND, endpoints::AMEND_STOP),
        Intent::Cancel(cancel) => by_book(bodies::cancel(cancel), endpoints::CANCEL, endpoints::CANCEL_STOPS),
        Intent::CancelMany(many) => {
            let book = book_of(many.selection);
            by_book(
                (book, bodies::cancel_many(&many.orders, book)),
                endpoints::CANCEL_MANY,
                endpoints::CANCEL_STOPS,
            )
        }
        Intent::SetLeverageIn(set, margin) => write(endpoints::LEVERAGE, bodies::leverage(set, *margin)),
        Intent::UseOneWayMode { symbol: _ } => write(endpoints::POSITION_MODE, bodies::one_way()),
        Intent::DeadMansSwitch { symbol: _, after } => {
            write(endpoints::DEAD_MANS_SWITCH, bodies::switch(switch_seconds(*after)?))
        }
        Intent::Query(query) => render_query(query)?,
        Intent::StreamLogin => return Ok(Rendered::Login),
        // OKX must be told the margin mode, cancels by list only, and its streams know no challenge and no token.
        Intent::Place(_)
        | Intent::CancelAll(_)
        | Intent::SetLeverage(_)
        | Intent::SetMarginMode(_)
        | Intent::SetMarginModeOf { .. }
        | Intent::AmendOn(..)
        | Intent::StreamChallenge(_)
        | Intent::StreamToken(_) => return Err(SignerRefusal::NotOffered),
    };
    Ok(Rendered::Request(unsigned))
}

const fn book_of(selection: OrderSelection) -> Book {
    match selection {
        OrderSelection::All => Book::Plain,
        OrderSelection::StopOrders | OrderSelection::TriggerOrders => Book::Stops,
    }
}

fn switch_seconds(after: Option<Duration>) -> Result<u64, SignerRefusal> {
    let Some(after) = after else { return Ok(0) };
    let seconds = after.as_secs();
    if SWITCH_RANGE.contains(&seconds) { Ok(seconds) } else { Err(SignerRefusal::NotOffered) }
}

/// The intent in OKX's form, signed. `at` is the venue's time.
pub fn sign(intent: &Intent, at: Timestamp, key: &impl MacKey) -> Result<SignedRequest, SignerRefusal> {
    match render(intent)? {
        Rendered::Request(unsigned) => sign_unsigned(&unsigned, at, key).map(SignedRequest::Http),
        Rendered::Login => login_frame(at, key).map(SignedRequest::Login),
    }
}

/// The signature: base64 of the MAC.
fn signature(key: &impl MacKey, text: &str) -> String {
    BASE64_STANDARD.encode(key.mac_sha256(text.as_bytes()))
}

/// Adds OKX's four headers.
pub fn sign_unsigned(
    unsigned: &Unsigned,
    at: Timestamp,
    key: &impl MacKey,
) -> Result<HttpRequest, SignerRefusal> {
    let passphrase = key.passphrase().ok_or(SignerRefusal::UnfitSecret)?;
    let mut request = plain(unsigned);
    let stamp = at.to_string();
    let text = format!("{stamp}{}{}{}", request.verb.as_str(), request.path_and_query, request.body);
    request.headers.extend([
        ("ok-access-key", key.api_key().to_owned()),
        ("ok-access-sign", signature(key, &text)),
        ("ok-access-timestamp", stamp),
        ("ok-access-passphrase", passphrase.to_owned()),
    ]);
    if [endpoints::PLACE, endpoints::AMEND].contains(&unsigned.endpoint) {
        request.headers.push(("exptime", (at.ms() + ORDER_LIFETIME_MS).to_string()));
    }
    Ok(request)
}

/// A public request: nothing is signed.
pub fn plain(unsigned: &Unsigned) -> HttpRequest {
    let separator = if unsigned.query.is_empty() { "" } else { "?" };
    let headers =
        if unsigned.body.is_empty() { vec![] } else { vec![("content-type", "application/json".to_owned())] };
    HttpRequest {
        verb: unsigned.endpoint.verb,
        path_and_query: format!("{}{separator}{}", unsigned.endpoint.path, unsigned.query),
        headers,
        body: unsigned.body.clone(),
    }
}

#[derive(Serialize)]
struct LoginFrame<'a> {
    op: &'static str,
    args: [LoginArgs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoginArgs<'a> {
    api_key: &'a str,
    passphrase: &'a str,
    timestamp: &'a str,
    sign: &'a str,
}

/// The first message on a private stream. OKX takes it for 30 seconds after `at`.
pub fn login_frame(at: Timestamp, key: &impl MacKey) -> Result<String, SignerRefusal> {
    let passphrase = key.passphrase().ok_or(SignerRefusal::UnfitSecret)?;
    let timestamp = at.ms().div_euclid(1_000).to_string();
    let sign = signature(key, &format!("{timestamp}{LOGIN_PATH}"));
    let args = LoginArgs { api_key: key.api_key(), passphrase, timestamp: &timestamp, sign: &sign };
    Ok(bodies::text_of(&LoginFrame { op: "login", args: [args] }))
}

/// A question that needs no key, in OKX's form. OKX's `before` and `after` mean newer and older, both exclusive.
pub fn render_market(query: &MarketQuery) -> Unsigned {
    let pairs = QueryText::default();
    let limit_text = |limit: &Option<u32>| limit.map(|limit| limit.to_string());
    let newer = |from: &Option<Timestamp>| from.map(|at| (at.ms() - 1).to_string());
    let older = |until: &Option<Timestamp>| until.map(|at| at.ms().to_string());
    let of = |symbol: &Symbol| QueryText::default().with("instId", symbol.as_str());
    let (endpoint, pairs) = match query {
        MarketQuery::Time => (endpoints::TIME, pairs),
        MarketQuery::Status => (endpoints::STATUS, pairs.with("state", "ongoing")),
        MarketQuery::Instruments => (endpoints::INSTRUMENTS, pairs.with("instType", "SWAP")),
        MarketQuery::Candles { symbol, timeframe, from, until, limit, age } => {
            let endpoint = match age {
                Age::Recent => endpoints::CANDLES,
                Age::Past => endpoints::PAST_CANDLES,
            };
            let pairs = of(symbol)
                .with("bar", bar(*timeframe))
                .maybe("limit", limit_text(limit))
                .maybe("before", newer(from))
                .maybe("after", older(until));
            (endpoint, pairs)
        }
        MarketQuery::Ticker(symbol) => (endpoints::TICKER, of(symbol)),
        MarketQuery::MarkPrice(symbol) => (endpoints::MARK_PRICE, of(symbol).with("instType", "SWAP")),
        MarketQuery::IndexPrice(symbol) => (endpoints::INDEX_PRICE, pairs.with("instId", &family(*symbol))),
        MarketQuery::FundingRate(symbol) => (endpoints::FUNDING_RATE, of(symbol)),
        MarketQuery::OpenInterest(symbol) => (endpoints::OPEN_INTEREST, of(symbol).with("instType", "SWAP")),
        MarketQuery::Funding { symbol, from, until, limit } => {
            let pairs = of(symbol)
                .maybe("before", newer(from))
                .maybe("after", older(until))
                .maybe("limit", limit_text(limit));
            (endpoints::FUNDING, pairs)
        }
    };
    Unsigned { endpoint, query: pairs.text, body: String::new() }
}

fn render_query(query: &Query) -> Result<Unsigned, SignerRefusal> {
    let pairs = QueryText::default();
    let (endpoint, pairs) = match query {
        // One call tells both.
        Query::Key | Query::AccountSettings => (endpoints::ACCOUNT, pairs),
        Query::Wallet => (endpoints::BALANCE, pairs),
        Query::Fees { symbol } => {
            (endpoints::FEES, pairs.with("instType", "SWAP").with("instFamily", &family(*symbol)))
        }
        // OKX tells all positions in one answer.
        Query::Positions { scope, limit: _, cursor: _ } => {
            (endpoints::POSITIONS, pairs.scope(*scope)?.with("instType", "SWAP"))
        }
        Query::OpenOrders { scope, selection, limit, cursor } => {
            let pairs = pairs.scope(*scope)?.with("instType", "SWAP");
            let (endpoint, pairs) = match selection {
                OrderSelection::All => (endpoints::OPEN_ORDERS, pairs),
                OrderSelection::StopOrders => {
                    (endpoints::OPEN_STOPS, pairs.with("ordType", "conditional,oco"))
                }
                OrderSelection::TriggerOrders => (endpoints::OPEN_STOPS, pairs.with("ordType", "trigger")),
            };
            (endpoint, pairs.page(*limit, cursor.as_deref()))
        }
        Query::RecentOrder { order, symbol } | Query::PastOrder { order, symbol } => match Book::of(*order) {
            Book::Plain => (endpoints::ORDER, pairs.with("instId", symbol.as_str()).order(*order)),
            Book::Stops => (endpoints::STOP_ORDER, pairs.stop(*order)),
        },
        Query::Executions(query) => executions(query)?,
    };
    Ok(Unsigned { endpoint, query: pairs.text, body: String::new() })
}

/// `All` asks for the fills of the last three days, `Trades` for those of the last three months. By name orders are
/// known to these lists only by the venue's.
fn executions(query: &ExecutionQuery) -> Result<(Endpoint, QueryText), SignerRefusal> {
    let pairs = QueryText::default().with("instType", "SWAP");
    let (endpoint, pairs) = match query.kind {
        ExecutionKind::All | ExecutionKind::Trades => {
            let endpoint =
                if query.kind == ExecutionKind::All { endpoints::FILLS } else { endpoints::PAST_FILLS };
            let order = match query.order {
                None => None,
                Some(OrderRef::Venue(id)) => Some(id),
                Some(OrderRef::Client(_)) => return Err(SignerRefusal::NotOffered),
            };
            let symbol = query.symbol.as_ref().map(Symbol::as_str);
            (endpoint, pairs.maybe("instId", symbol).maybe("ordId", order.as_ref().map(VenueOrderId::as_str)))
        }
        // The ledger is asked for the whole account; rows of other instruments are left out afterwards.
        ExecutionKind::Funding => (endpoints::BILLS, pairs.with("type", FUNDING_BILL)),
    };
    let pairs = pairs
        .maybe("begin", query.from.map(|at| at.ms().to_string()))
        .maybe("end", query.until.map(|at| at.ms().to_string()));
    Ok((endpoint, pairs.page(query.limit, query.cursor.as_deref())))
}

/// OKX's number for funding among the kinds of bills.
pub const FUNDING_BILL: &str = "8";

/// A query string in the making.
#[derive(Debug, Default, Clone)]
struct QueryText {
    text: String,
}

impl QueryText {
    fn with(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value.as_ref()),
            None => self,
        }
    }

    /// OKX knows no list of one settlement asset; the whole account is asked for.
    fn scope(self, scope: Scope) -> Result<Self, SignerRefusal> {
        match scope {
            Scope::Symbol(symbol) => Ok(self.with("instId", symbol.as_str())),
            Scope::Product => Ok(self),
            Scope::Settle(_) => Err(SignerRefusal::NotOffered),
        }
    }

    fn order(self, order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => self.with("clOrdId", &id.to_string()),
            OrderRef::Venue(id) => self.with("ordId", id.as_str()),
        }
    }

    fn stop(self, order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => self.with("algoClOrdId", &id.to_string()),
            OrderRef::Venue(id) => self.with("algoId", id.as_str()),
        }
    }

    /// The cursor is the name of the last row; what is older follows it.
    fn page(self, limit: Option<u32>, cursor: Option<&str>) -> Self {
        self.maybe("limit", limit.map(|limit| limit.to_string())).maybe("after", cursor)
    }
}

fn write(endpoint: Endpoint, body: String) -> Unsigned {
    Unsigned { endpoint, query: String::new(), body }
}
