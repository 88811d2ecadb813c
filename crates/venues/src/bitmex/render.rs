//! From what we want to BitMEX's words: paths, queries, bodies, and the text that is signed.
//!
//! Pure: no clock, no connection, no secret. The signature's text is `VERB + path with query + expires + body`, MAC
//! HMAC-SHA-256, lower-case hexadecimal (BitMEX, "API Key Usage"). Quantities are in contracts here.
//! Next: [`super::endpoints`] for the paths, [`super::bodies`] for the bodies.

use std::fmt::Write as _;

use keyhold_domain::{Symbol, Timestamp};
use serde::Serialize;

use super::bins::Bin;
use super::bodies;
use super::endpoints::{self, Endpoint};
use crate::signer::{
    ExecutionKind, ExecutionQuery, HttpRequest, Intent, MacKey, OrderRef, OrderSelection, Query, Scope,
    SignedRequest, SignerRefusal, Verb,
};

/// How long a request stays good, in seconds. BitMEX refuses it once this is past.
pub const LIFETIME_S: i64 = 5;

/// How long a login frame stays good, in seconds.
pub const LOGIN_LIFETIME_S: i64 = 10;

/// A question that needs no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketQuery {
    /// Anything short; only the answer's headers count.
    Time,
    /// All listed contracts.
    Instruments,
    /// Prices of one contract.
    Ticker {
        /// The instrument.
        symbol: Symbol,
    },
    /// Candles of one of BitMEX's own lengths, oldest first when `from` is given, newest first otherwise.
    Candles {
        /// The instrument.
        symbol: Symbol,
        /// Length of a candle.
        bin: Bin,
        /// First opening time.
        from: Option<Timestamp>,
        /// End of the range, exclusive.
        until: Option<Timestamp>,
        /// Rows, at most 1,000.
        limit: Option<u32>,
    },
    /// Past funding rates, oldest first, one page.
    Funding {
        /// The instrument.
        symbol: Symbol,
        /// From this instant.
        from: Option<Timestamp>,
        /// To this instant, inclusive.
        until: Option<Timestamp>,
        /// Rows, at most 500.
        limit: Option<u32>,
    },
}

/// A request in BitMEX's form that nobody has signed yet.
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

/// The intent in BitMEX's form.
pub fn render(intent: &Intent) -> Result<Rendered, SignerRefusal> {
    let unsigned = match intent {
        Intent::Place(order) => write(endpoints::PLACE, bodies::place(order)),
        Intent::Amend(amend) => write(endpoints::AMEND, bodies::amend(amend)),
        Intent::Cancel(cancel) => write(endpoints::CANCEL, bodies::cancel(cancel)),
        Intent::CancelAll(cancel) => write(endpoints::CANCEL_ALL, bodies::cancel_all(cancel)?),
        Intent::SetLeverage(set) => write(endpoints::LEVERAGE, bodies::leverage(set)),
        Intent::SetMarginModeOf { symbol, mode } => {
            write(endpoints::ISOLATE, bodies::isolate(*symbol, *mode))
        }
        Intent::DeadMansSwitch { after, .. } => write(endpoints::SWITCH, bodies::switch(*after)),
        Intent::CancelMany(cancel) => write(endpoints::CANCEL, bodies::cancel_many(cancel)),
        Intent::Query(query) => render_query(query),
        Intent::StreamLogin => return Ok(Rendered::Login),
        // One net position is all there is; margin modes belong to instruments; streams know no challenge and no token.
        Intent::PlaceIn(..)
        | Intent::SetLeverageIn(..)
        | Intent::SetMarginMode(_)
        | Intent::UseOneWayMode { .. }
        | Intent::AmendOn(..)
        | Intent::StreamChallenge(_)
        | Intent::StreamToken(_) => return Err(SignerRefusal::NotOffered),
    };
    Ok(Rendered::Request(unsigned))
}

/// The canonical text's MAC, as BitMEX wants it: lower-case hexadecimal.
fn signature(key: &impl MacKey, text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in key.mac_sha256(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

/// Renders and signs an intent. `at` is BitMEX's time.
pub fn sign(intent: &Intent, at: Timestamp, key: &impl MacKey) -> Result<SignedRequest, SignerRefusal> {
    let seconds = at.ms().div_euclid(1_000);
    Ok(match render(intent)? {
        Rendered::Request(unsigned) => {
            SignedRequest::Http(sign_unsigned(&unsigned, seconds + LIFETIME_S, key))
        }
        Rendered::Login => SignedRequest::Login(login_frame(seconds + LOGIN_LIFETIME_S, key)),
    })
}

/// The header that names the key.
pub const KEY_HEADER: &str = "api-key";

/// Adds BitMEX's three headers to a rendered request that is good until `expires` (seconds).
pub fn sign_unsigned(unsigned: &Unsigned, expires: i64, key: &impl MacKey) -> HttpRequest {
    let mut request = plain(unsigned);
    let text = format!("{}{}{expires}{}", request.verb.as_str(), request.path_and_query, request.body);
    request.headers.extend([
        (KEY_HEADER, key.api_key().to_owned()),
        ("api-expires", expires.to_string()),
        ("api-signature", signature(key, &text)),
    ]);
    request
}

/// The request without a signature.
pub fn plain(unsigned: &Unsigned) -> HttpRequest {
    let Unsigned { endpoint, query, body } = unsigned;
    let path_and_query =
        if query.is_empty() { endpoint.path.to_owned() } else { format!("{}?{query}", endpoint.path) };
    let headers = match endpoint.verb {
        Verb::Get => vec![],
        Verb::Post | Verb::Put | Verb::Delete => vec![("content-type", "application/json".to_owned())],
    };
    HttpRequest { verb: endpoint.verb, path_and_query, headers, body: body.clone() }
}

#[derive(Serialize)]
struct LoginFrame<'a> {
    op: &'static str,
    args: (&'a str, i64, &'a str),
}

/// The frame that opens the account's tables until `expires` (seconds).
pub fn login_frame(expires: i64, key: &impl MacKey) -> String {
    let signature = signature(key, &format!("GET/realtime{expires}"));
    bodies::text_of(&LoginFrame { op: "authKeyExpires", args: (key.api_key(), expires, &signature) })
}

/// A question that needs no key, in BitMEX's form.
pub fn render_market(query: &MarketQuery) -> Unsigned {
    let pairs = QueryText::default();
    let number = |value: &Option<u32>| value.map(|value| value.to_string());
    let (endpoint, pairs) = match query {
        MarketQuery::Time => (endpoints::ANNOUNCEMENTS, pairs.with("columns", "id")),
        MarketQuery::Instruments => (endpoints::INSTRUMENTS, pairs),
        MarketQuery::Ticker { symbol } => (endpoints::INSTRUMENT, pairs.with("symbol", symbol.as_str())),
        MarketQuery::Candles { symbol, bin, from, until, limit } => {
            // A candle's stamp is its end.
            let first = from.map(|from| from.plus_ms(bin.timeframe().ms()).to_string());
            let pairs = pairs
                .with("symbol", symbol.as_str())
                .with("binSize", bin.as_str())
                .with("partial", "true")
                .maybe("count", number(limit))
                .maybe("endTime", until.map(|until| until.to_string()));
            let pairs = match first {
                Some(first) => pairs.with("startTime", &first),
                None => pairs.with("reverse", "true"),
            };
            (endpoints::BUCKETS, pairs)
        }
        MarketQuery::Funding { symbol, from, until, limit } => (
            endpoints::FUNDING,
            pairs
                .with("symbol", symbol.as_str())
                .maybe("startTime", from.map(|from| from.to_string()))
                .maybe("endTime", until.map(|until| until.to_string()))
                .maybe("count", number(limit)),
        ),
    };
    Unsigned { endpoint, query: pairs.text, body: String::new() }
}

fn render_query(query: &Query) -> Unsigned {
    let pairs = QueryText::default();
    let number = |value: &Option<u32>| value.map(|value| value.to_string());
    let (endpoint, pairs) = match query {
        Query::Key => (endpoints::KEYS, pairs),
        Query::Wallet => (endpoints::MARGIN, pairs.with("currency", "all")),
        // The fees of all instruments come at once.
        Query::Fees { .. } => (endpoints::COMMISSION, pairs),
        // Leverage and margin mode are told with the positions; there is nothing for the account as a whole.
        Query::AccountSettings => (endpoints::POSITIONS, pairs),
        Query::Positions { scope, limit, cursor } => {
            let filter = match scope {
                Scope::Symbol(symbol) => Some(Filter { symbol: Some(*symbol), ..Filter::default() }.text()),
                Scope::Settle(_) | Scope::Product => None,
            };
            debug_assert!(cursor.is_none(), "positions have no pages");
            (endpoints::POSITIONS, pairs.maybe("filter", filter).maybe("count", number(limit)))
        }
        Query::OpenOrders { scope, selection, limit, cursor } => {
            let symbol = match scope {
                Scope::Symbol(symbol) => Some(*symbol),
                Scope::Settle(_) | Scope::Product => None,
            };
            let ord_type = match selection {
                OrderSelection::All => None,
                OrderSelection::StopOrders | OrderSelection::TriggerOrders => {
                    Some(["Stop", "MarketIfTouched"])
                }
            };
            let filter = Filter { open: Some(true), ord_type, ..Filter::default() };
            let pairs = pairs.maybe("symbol", symbol.map(|symbol| symbol.to_string()));
            (
                endpoints::ORDERS,
                pairs
                    .maybe("count", number(limit))
                    .maybe("start", cursor.as_deref())
                    .with("filter", &filter.text()),
            )
        }
        Query::RecentOrder { order, symbol } | Query::PastOrder { order, symbol } => {
            let filter = Filter::default().order(*order).text();
            (endpoints::ORDERS, pairs.with("symbol", symbol.as_str()).with("filter", &filter))
        }
        Query::Executions(query) => (endpoints::EXECUTIONS, executions(pairs, query)),
    };
    Unsigned { endpoint, query: pairs.text, body: String::new() }
}

fn executions(pairs: QueryText, query: &ExecutionQuery) -> QueryText {
    let exec_type = match query.kind {
        ExecutionKind::All => None,
        ExecutionKind::Trades => Some("Trade"),
        ExecutionKind::Funding => Some("Funding"),
    };
    let filter = Filter { exec_type, ..Filter::default() };
    let filter = query.order.map_or_else(|| filter.clone(), |order| filter.clone().order(order));
    pairs
        .maybe("symbol", query.symbol.as_ref().map(Symbol::as_str))
        .maybe("startTime", query.from.map(|at| at.to_string()))
        .maybe("endTime", query.until.map(|at| at.to_string()))
        .maybe("count", query.limit.map(|limit| limit.to_string()))
        .maybe("start", query.cursor.as_deref())
        .maybe("filter", (filter != Filter::default()).then(|| filter.text()))
}

/// BitMEX's `filter`: a JSON object of values that rows must have.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(rename = "clOrdID", skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exec_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ord_type: Option<[&'static str; 2]>,
}

impl Filter {
    fn order(mut self, order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => self.client_id = Some(id.to_string()),
            OrderRef::Venue(id) => self.order_id = Some(id.to_string()),
        }
        self
    }

    fn text(&self) -> String {
        bodies::text_of(self)
    }
}

/// A query string in the making.
#[derive(Debug, Default)]
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
}

fn write(endpoint: Endpoint, body: String) -> Unsigned {
    Unsigned { endpoint, query: String::new(), body }
}
