//! From what we want to Bybit's words: paths, queries, bodies, and the text that is signed.
//!
//! Pure: no clock, no connection, no secret. Rules are those of Bybit's v5 documentation; the signature's text is
//! `timestamp + api_key + recv_window + (query or body)`, MAC HMAC-SHA-256, lower-case hexadecimal.
//! Next: [`super::endpoints`] for the paths, [`super::rest`] for the way of the bytes.

use std::fmt::Write as _;

use keyhold_domain::{ContractType, Symbol, Timeframe, Timestamp};
use serde::Serialize;

use super::bodies;
use super::endpoints::{self, Endpoint};
use crate::signer::{
    ExecutionKind, ExecutionQuery, HttpRequest, Intent, MacKey, OrderRef, Query, Scope, SignedRequest,
    SignerRefusal,
};

/// How late a request may arrive after its time stamp, in milliseconds. Bybit's default.
pub const RECV_WINDOW_MS: i64 = 5_000;

/// How long a login frame stays good, in milliseconds.
pub const LOGIN_LIFETIME_MS: i64 = 10_000;

/// A question that needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketQuery {
    /// The venue's clock.
    Time,
    /// Running and announced maintenance.
    Status,
    /// Instruments, one page; of one symbol when it is given.
    Instruments {
        /// One instrument, or all.
        symbol: Option<Symbol>,
        /// Rows per page, at most 1,000.
        limit: Option<u32>,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// Candles, newest first, one page.
    Candles {
        /// The instrument.
        symbol: Symbol,
        /// Length of a candle.
        timeframe: Timeframe,
        /// First opening time.
        from: Option<Timestamp>,
        /// Last opening time, inclusive.
        until: Option<Timestamp>,
        /// Rows, at most 1,000.
        limit: Option<u32>,
    },
    /// Prices and current funding rate.
    Ticker {
        /// The instrument.
        symbol: Symbol,
    },
    /// Past funding rates, newest first, one page.
    Funding {
        /// The instrument.
        symbol: Symbol,
        /// From this instant; needs `until`.
        from: Option<Timestamp>,
        /// To this instant, inclusive.
        until: Option<Timestamp>,
        /// Rows, at most 200.
        limit: Option<u32>,
    },
}

/// A request in Bybit's form that nobody has signed yet.
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

/// Bybit's word for a product.
pub const fn category(product: ContractType) -> &'static str {
    match product {
        ContractType::Linear => "linear",
        ContractType::Inverse => "inverse",
    }
}

/// Bybit's word for a candle's length.
pub const fn interval(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::M1 => "1",
        Timeframe::M3 => "3",
        Timeframe::M5 => "5",
        Timeframe::M15 => "15",
        Timeframe::M30 => "30",
        Timeframe::H1 => "60",
        Timeframe::H2 => "120",
        Timeframe::H4 => "240",
        Timeframe::H6 => "360",
        Timeframe::H12 => "720",
        Timeframe::D1 => "D",
    }
}

/// The intent in Bybit's form.
pub fn render(product: ContractType, intent: &Intent) -> Result<Rendered, SignerRefusal> {
    let category = category(product);
    let unsigned = match intent {
        Intent::Place(order) => write(endpoints::PLACE, bodies::place(category, order)),
        Intent::Amend(amend) => write(endpoints::AMEND, bodies::amend(category, amend)),
        Intent::Cancel(cancel) => write(endpoints::CANCEL, bodies::cancel(category, cancel)),
        Intent::CancelAll(cancel) => write(endpoints::CANCEL_ALL, bodies::cancel_all(category, cancel)?),
        Intent::SetLeverage(set) => write(endpoints::LEVERAGE, bodies::leverage(category, set)),
        Intent::SetMarginMode(mode) => write(endpoints::MARGIN_MODE, bodies::margin_mode(*mode)),
        Intent::UseOneWayMode { symbol } => match product {
            ContractType::Linear => write(endpoints::POSITION_MODE, bodies::one_way(category, *symbol)),
            // Inverse perpetuals know only one net position.
            ContractType::Inverse => return Err(SignerRefusal::NotOffered),
        },
        Intent::Query(query) => render_query(category, query),
        Intent::StreamLogin => return Ok(Rendered::Login),
        // The margin mode is the account's, a change needs no direction, and orders are canceled singly or all. Bybit's
        // own switch is for institutions only, and its streams know no challenge and no token.
        Intent::PlaceIn(..)
        | Intent::SetLeverageIn(..)
        | Intent::SetMarginModeOf { .. }
        | Intent::AmendOn(..)
        | Intent::CancelMany(_)
        | Intent::StreamChallenge(_)
        | Intent::StreamToken(_)
        | Intent::DeadMansSwitch { .. } => return Err(SignerRefusal::NotOffered),
    };
    Ok(Rendered::Request(unsigned))
}

/// The canonical text's MAC, as Bybit wants it: lower-case hexadecimal.
fn signature(key: &impl MacKey, text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in key.mac_sha256(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

/// Renders and signs an intent. `at` is Bybit's time.
pub fn sign(
    product: ContractType,
    intent: &Intent,
    at: Timestamp,
    key: &impl MacKey,
) -> Result<SignedRequest, SignerRefusal> {
    Ok(match render(product, intent)? {
        Rendered::Request(unsigned) => SignedRequest::Http(sign_unsigned(&unsigned, at, key)),
        Rendered::Login => SignedRequest::Login(login_frame(at.plus_ms(LOGIN_LIFETIME_MS), key)),
    })
}

/// Adds Bybit's four headers to a rendered request.
pub fn sign_unsigned(unsigned: &Unsigned, at: Timestamp, key: &impl MacKey) -> HttpRequest {
    let (query, body) = (&unsigned.query, &unsigned.body);
    let text = format!("{}{}{RECV_WINDOW_MS}{query}{body}", at.ms(), key.api_key());
    let mut request = plain(unsigned);
    request.headers.extend([
        ("x-bapi-api-key", key.api_key().to_owned()),
        ("x-bapi-timestamp", at.ms().to_string()),
        ("x-bapi-recv-window", RECV_WINDOW_MS.to_string()),
        ("x-bapi-sign", signature(key, &text)),
    ]);
    request
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

/// The first message on a private stream. `expires` is Bybit's time until which it is good.
pub fn login_frame(expires: Timestamp, key: &impl MacKey) -> String {
    let signature = signature(key, &format!("GET/realtime{}", expires.ms()));
    bodies::text_of(&LoginFrame { op: "auth", args: (key.api_key(), expires.ms(), &signature) })
}

/// A question that needs no key, in Bybit's form.
pub fn render_market(product: ContractType, query: &MarketQuery) -> Unsigned {
    let category = category(product);
    let limit_text = |limit: &Option<u32>| limit.map(|limit| limit.to_string());
    let ms = |at: &Option<Timestamp>| at.map(|at| at.ms().to_string());
    let pairs = QueryText::default();
    let (endpoint, pairs) = match query {
        MarketQuery::Time => (endpoints::TIME, pairs),
        MarketQuery::Status => (endpoints::STATUS, pairs),
        MarketQuery::Instruments { symbol, limit, cursor } => (
            endpoints::INSTRUMENTS,
            pairs
                .with("category", category)
                .maybe("symbol", symbol.as_ref().map(Symbol::as_str))
                .maybe("limit", limit_text(limit))
                .cursor(cursor.as_deref()),
        ),
        MarketQuery::Candles { symbol, timeframe, from, until, limit } => (
            endpoints::KLINE,
            pairs
                .with("category", category)
                .with("symbol", symbol.as_str())
                .with("interval", interval(*timeframe))
                .maybe("start", ms(from))
                .maybe("end", ms(until))
                .maybe("limit", limit_text(limit)),
        ),
        MarketQuery::Ticker { symbol } => {
            (endpoints::TICKERS, pairs.with("category", category).with("symbol", symbol.as_str()))
        }
        MarketQuery::Funding { symbol, from, until, limit } => (
            endpoints::FUNDING,
            pairs
                .with("category", category)
                .with("symbol", symbol.as_str())
                .maybe("startTime", ms(from))
                .maybe("endTime", ms(until))
                .maybe("limit", limit_text(limit)),
        ),
    };
    Unsigned { endpoint, query: pairs.text, body: String::new() }
}

fn render_query(category: &str, query: &Query) -> Unsigned {
    let pairs = QueryText::default();
    let (endpoint, pairs) = match query {
        Query::Key => (endpoints::KEY, pairs),
        Query::AccountSettings => (endpoints::ACCOUNT, pairs),
        Query::Wallet => (endpoints::WALLET, pairs.with("accountType", "UNIFIED")),
        Query::Fees { symbol } => {
            (endpoints::FEES, pairs.with("category", category).with("symbol", symbol.as_str()))
        }
        Query::Positions { scope, limit, cursor } => (
            endpoints::POSITIONS,
            pairs
                .with("category", category)
                .scope(*scope)
                .maybe("limit", limit.map(|limit| limit.to_string()))
                .cursor(cursor.as_deref()),
        ),
        Query::OpenOrders { scope, selection, limit, cursor } => (
            endpoints::OPEN_ORDERS,
            pairs
                .with("category", category)
                .scope(*scope)
                .maybe("orderFilter", bodies::order_filter(*selection))
                .maybe("limit", limit.map(|limit| limit.to_string()))
                .cursor(cursor.as_deref()),
        ),
        Query::RecentOrder { order, symbol } => (
            endpoints::OPEN_ORDERS,
            pairs.with("category", category).with("symbol", symbol.as_str()).order(*order),
        ),
        Query::PastOrder { order, symbol } => (
            endpoints::PAST_ORDERS,
            pairs.with("category", category).with("symbol", symbol.as_str()).order(*order),
        ),
        Query::Executions(query) => (endpoints::EXECUTIONS, executions(category, query)),
    };
    Unsigned { endpoint, query: pairs.text, body: String::new() }
}

fn executions(category: &str, query: &ExecutionQuery) -> QueryText {
    let kind = match query.kind {
        ExecutionKind::All => None,
        ExecutionKind::Trades => Some("Trade"),
        ExecutionKind::Funding => Some("Funding"),
    };
    let pairs = QueryText::default()
        .with("category", category)
        .maybe("symbol", query.symbol.as_ref().map(Symbol::as_str))
        .maybe("execType", kind);
    let pairs = query.order.map_or_else(|| pairs.clone(), |order| pairs.clone().order(order));
    pairs
        .maybe("startTime", query.from.map(|at| at.ms().to_string()))
        .maybe("endTime", query.until.map(|at| at.ms().to_string()))
        .maybe("limit", query.limit.map(|limit| limit.to_string()))
        .cursor(query.cursor.as_deref())
}

/// A query string in the making.
#[derive(Debug, Default, Clone)]
struct QueryText {
    text: String,
}

impl QueryText {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.key(name);
        self.text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value.as_ref()),
            None => self,
        }
    }

    fn scope(self, scope: Scope) -> Self {
        match scope {
            Scope::Symbol(symbol) => self.with("symbol", symbol.as_str()),
            Scope::Settle(asset) => self.with("settleCoin", asset.as_str()),
            Scope::Product => self,
        }
    }

    fn order(self, order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => self.with("orderLinkId", &id.to_string()),
            OrderRef::Venue(id) => self.with("orderId", id.as_str()),
        }
    }

    /// Bybit hands out cursors that are percent-encoded already (`132766%3A2`) and wants them back as they are.
    fn cursor(mut self, cursor: Option<&str>) -> Self {
        let Some(cursor) = cursor else { return self };
        self.key("cursor");
        for byte in cursor.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"%-_.~".contains(&byte);
            if plain {
                self.text.push(char::from(byte));
            } else {
                write!(self.text, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        }
        self
    }

    fn key(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
    }
}

fn write(endpoint: Endpoint, body: String) -> Unsigned {
    Unsigned { endpoint, query: String::new(), body }
}

#[derive(Serialize)]
struct LoginFrame<'a> {
    op: &'static str,
    args: (&'a str, i64, &'a str),
}
