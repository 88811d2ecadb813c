//! From what we want to Binance's words: paths, forms, and the text that is signed.
//!
//! Pure: no clock, no connection, no secret. Rules are those of Binance's futures documentation; the signature's text is
//! query and body as they are sent, MAC HMAC-SHA-256, lower-case hexadecimal, added last as `signature`.
//!
//! Since December 2025 conditional orders live in a book of their own, the Algo Service. Which book an order is in shows
//! in its name: our name carries the order's purpose (only protective stops are conditional), and the venue's numbers
//! of conditional orders are kept with an `a` before them ([`algo_id`]).

use std::fmt::Write as _;
use std::time::Duration;

use keyhold_domain::{
    ContractType, MarginMode, NewOrder, OrderKind, OrderPurpose, PositionEffect, Side, Symbol, TimeInForce,
    Timeframe, Timestamp, TriggerDirection, TriggerSource, VenueOrderId,
};

use super::endpoints::{Call, W40, endpoint};
use crate::common::endpoint::Endpoint;
use crate::common::rest::Question;
use crate::signer::{
    AmendOrder, CancelAll, CancelMany, CancelOrder, ExecutionKind, ExecutionQuery, HttpRequest, Intent,
    MacKey, OrderRef, OrderSelection, Query, Scope, SetLeverage, SignedRequest, SignerRefusal, StreamToken,
    Verb,
};

/// How late a request may arrive after its time stamp, in milliseconds. Binance's default.
pub const RECV_WINDOW_MS: i64 = 5_000;

/// A question that needs no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketQuery {
    /// The venue's clock.
    Time,
    /// Whether the venue is open.
    Status,
    /// All contracts.
    Instruments,
    /// Funding intervals.
    FundingInfo,
    /// Candles, oldest first, one page.
    Candles {
        /// The instrument.
        symbol: Symbol,
        /// Length of a candle.
        timeframe: Timeframe,
        /// First opening time.
        from: Option<Timestamp>,
        /// Last opening time, inclusive.
        until: Option<Timestamp>,
        /// Rows, at most 1,500.
        limit: Option<u32>,
    },
    /// Mark and index price and funding.
    Premium {
        /// The instrument.
        symbol: Symbol,
    },
    /// Last price.
    DayTicker {
        /// The instrument.
        symbol: Symbol,
    },
    /// Best bid and ask.
    BookTicker {
        /// The instrument.
        symbol: Symbol,
    },
    /// Open contracts.
    OpenInterest {
        /// The instrument.
        symbol: Symbol,
    },
    /// A whole order book.
    Depth {
        /// The instrument.
        symbol: Symbol,
        /// Levels per side: 5, 10, 20, 50, 100, 500 or 1,000.
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
        /// Rows, at most 1,000.
        limit: Option<u32>,
    },
}

/// What a request needs besides its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Time stamp and signature.
    Signed,
    /// The key's name only.
    KeyOnly,
}

/// A request in Binance's form that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Which call.
    pub endpoint: Endpoint,
    /// Its parameters, percent-encoded.
    pub form: String,
    /// What must be added.
    pub security: Security,
}

/// Binance's word for a candle's length, which is ours, too.
pub const fn interval(timeframe: Timeframe) -> &'static str {
    timeframe.as_str()
}

/// Which of the two books an order is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// The matching engine's.
    Plain,
    /// The Algo Service's.
    Algo,
}

impl Book {
    /// The one in which an order is, by its name. Right for every order of ours; [`Self::other`] is asked when not.
    pub fn of(order: OrderRef) -> Self {
        let conditional = match order {
            OrderRef::Client(id) => id.purpose() == OrderPurpose::ProtectiveStop,
            OrderRef::Venue(id) => id.as_str().starts_with(ALGO_MARK),
        };
        if conditional { Self::Algo } else { Self::Plain }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Plain => Self::Algo,
            Self::Algo => Self::Plain,
        }
    }

    /// Which orders of a scope are in it.
    pub const fn selection(self) -> OrderSelection {
        match self {
            Self::Plain => OrderSelection::All,
            Self::Algo => OrderSelection::StopOrders,
        }
    }
}

/// What stands before the number of a conditional order, which would look like any order's otherwise.
const ALGO_MARK: char = 'a';

/// Our way to write the venue's number of a conditional order.
pub fn algo_id(number: i64) -> Option<VenueOrderId> {
    VenueOrderId::new(&format!("{ALGO_MARK}{number}")).ok()
}

/// The intent in Binance's form.
pub fn render(product: ContractType, intent: &Intent) -> Result<Unsigned, SignerRefusal> {
    let (call, form) = match intent {
        Intent::Place(order) => place(order)?,
        Intent::AmendOn(amend, side) => (Call::Amend, amend_form(amend, *side)?),
        Intent::Cancel(cancel) => cancel_in(Book::of(cancel.order), cancel),
        Intent::CancelMany(many) => cancel_many(many)?,
        Intent::CancelAll(cancel) => cancel_all(cancel)?,
        Intent::SetLeverage(set) => (Call::Leverage, leverage(set)?),
        Intent::SetMarginModeOf { symbol, mode } => {
            (Call::MarginMode, Form::of(*symbol).with("marginType", margin_type(*mode)))
        }
        Intent::UseOneWayMode { symbol: _ } => {
            (Call::PositionMode, Form::default().with("dualSidePosition", "false"))
        }
        Intent::DeadMansSwitch { symbol, after } => {
            let ms = after.unwrap_or(Duration::ZERO).as_millis();
            (Call::Countdown, Form::of(*symbol).with("countdownTime", &ms.to_string()))
        }
        Intent::Query(query) => return render_query(product, query),
        Intent::StreamToken(token) => return Ok(stream_token(product, *token)),
        // Binance wants the direction with a change, keeps the margin mode per instrument and not with orders, and knows
        // neither a login nor a challenge on its streams.
        Intent::Amend(_)
        | Intent::PlaceIn(..)
        | Intent::SetLeverageIn(..)
        | Intent::SetMarginMode(_)
        | Intent::StreamLogin
        | Intent::StreamChallenge(_) => return Err(SignerRefusal::NotOffered),
    };
    Ok(Unsigned { endpoint: endpoint(product, call), form: form.text, security: Security::Signed })
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

const fn margin_type(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Isolated => "ISOLATED",
        MarginMode::Cross => "CROSSED",
    }
}

/// Binance's word for how long a limit order stays.
const fn time_in_force(time: TimeInForce) -> &'static str {
    match time {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::PostOnly => "GTX",
    }
}

fn place(order: &NewOrder) -> Result<(Call, Form), SignerRefusal> {
    let id = order.client_id.to_string();
    let form = Form::of(order.symbol).with("side", side_word(order.side));
    let quantity = order.quantity.to_string();
    let (call, form) = match order.kind {
        OrderKind::Market => (
            Call::Place,
            form.with("type", "MARKET").with("quantity", &quantity).with("newClientOrderId", &id),
        ),
        OrderKind::Limit { price, time_in_force: time } => {
            let form =
                form.with("type", "LIMIT").with("quantity", &quantity).with("price", &price.to_string());
            (Call::Place, form.with("timeInForce", time_in_force(time)).with("newClientOrderId", &id))
        }
        OrderKind::StopMarket { trigger, direction, source } => {
            let form = form
                .with("algoType", "CONDITIONAL")
                .with("type", conditional_type(order.side, direction))
                .with("quantity", &quantity)
                .with("triggerPrice", &trigger.to_string())
                .with("workingType", working_type(source)?);
            (Call::PlaceAlgo, form.with("clientAlgoId", &id))
        }
    };
    // In hedge mode Binance refuses the field; Keyhold trades in one-way mode only.
    let form = match order.effect {
        PositionEffect::ReduceOnly => form.with("reduceOnly", "true"),
        PositionEffect::Increase => form,
    };
    Ok((call, form.with("newOrderRespType", "ACK")))
}

/// A stop buys above and sells below the market; the other way round Binance calls it a take-profit.
const fn conditional_type(side: Side, direction: TriggerDirection) -> &'static str {
    match (side, direction) {
        (Side::Buy, TriggerDirection::Rises) | (Side::Sell, TriggerDirection::Falls) => "STOP_MARKET",
        (Side::Buy, TriggerDirection::Falls) | (Side::Sell, TriggerDirection::Rises) => "TAKE_PROFIT_MARKET",
    }
}

fn working_type(source: TriggerSource) -> Result<&'static str, SignerRefusal> {
    match source {
        TriggerSource::Last => Ok("CONTRACT_PRICE"),
        TriggerSource::Mark => Ok("MARK_PRICE"),
        TriggerSource::Index => Err(SignerRefusal::NotOffered),
    }
}

/// Both price and quantity must be there; conditional orders cannot be changed at all.
fn amend_form(amend: &AmendOrder, side: Side) -> Result<Form, SignerRefusal> {
    let (Some(quantity), Some(price), None) = (amend.quantity, amend.price, amend.trigger) else {
        return Err(SignerRefusal::NotOffered);
    };
    if Book::of(amend.order) == Book::Algo {
        return Err(SignerRefusal::NotOffered);
    }
    let form = Form::of(amend.symbol).with("side", side_word(side)).named(Book::Plain, amend.order);
    Ok(form.with("quantity", &quantity.to_string()).with("price", &price.to_string()))
}

fn cancel_in(book: Book, cancel: &CancelOrder) -> (Call, Form) {
    let call = match book {
        Book::Plain => Call::Cancel,
        Book::Algo => Call::CancelAlgo,
    };
    (call, Form::of(cancel.symbol).named(book, cancel.order))
}

/// One order in the book that the selection names, for an order that was not where its name says.
fn cancel_many(many: &CancelMany) -> Result<(Call, Form), SignerRefusal> {
    let [one] = many.orders.as_slice() else { return Err(SignerRefusal::NotOffered) };
    match many.selection {
        OrderSelection::All => Ok(cancel_in(Book::Plain, one)),
        OrderSelection::StopOrders => Ok(cancel_in(Book::Algo, one)),
        OrderSelection::TriggerOrders => Err(SignerRefusal::NotOffered),
    }
}

/// One book of one instrument; there is no call for both or for all instruments.
fn cancel_all(cancel: &CancelAll) -> Result<(Call, Form), SignerRefusal> {
    let Scope::Symbol(symbol) = cancel.scope else { return Err(SignerRefusal::NotOffered) };
    match cancel.selection {
        OrderSelection::All => Ok((Call::CancelAll, Form::of(symbol))),
        OrderSelection::StopOrders => Ok((Call::CancelAllAlgo, Form::of(symbol))),
        OrderSelection::TriggerOrders => Err(SignerRefusal::NotOffered),
    }
}

/// Whole numbers only.
fn leverage(set: &SetLeverage) -> Result<Form, SignerRefusal> {
    if !set.leverage.is_integer() {
        return Err(SignerRefusal::NotOffered);
    }
    Ok(Form::of(set.symbol).with("leverage", &set.leverage.normalize().to_string()))
}

fn stream_token(product: ContractType, token: StreamToken) -> Unsigned {
    let call = match token {
        StreamToken::Make => Call::MakeListenKey,
        StreamToken::Renew => Call::RenewListenKey,
        StreamToken::End => Call::EndListenKey,
    };
    Unsigned { endpoint: endpoint(product, call), form: String::new(), security: Security::KeyOnly }
}

fn render_query(product: ContractType, query: &Query) -> Result<Unsigned, SignerRefusal> {
    let (call, form) = match query {
        Query::Key => (Call::Key, Form::default()),
        // The one setting that belongs to the whole account.
        Query::AccountSettings => (Call::ReadPositionMode, Form::default()),
        Query::Wallet => (Call::Account, Form::default()),
        Query::Fees { symbol } => (Call::Fees, Form::of(*symbol)),
        Query::Positions { scope: _, limit: _, cursor: _ } => (Call::Positions, Form::default()),
        Query::OpenOrders { scope, selection, limit: _, cursor: _ } => {
            let call = match selection {
                OrderSelection::All => Call::OpenOrders,
                OrderSelection::StopOrders => Call::OpenAlgoOrders,
                OrderSelection::TriggerOrders => return Err(SignerRefusal::NotOffered),
            };
            match scope {
                Scope::Symbol(symbol) => (call, Form::of(*symbol)),
                Scope::Settle(_) | Scope::Product => {
                    let endpoint = endpoint(product, call).costing(W40);
                    return Ok(Unsigned { endpoint, form: String::new(), security: Security::Signed });
                }
            }
        }
        Query::RecentOrder { order, symbol } => one_order(Book::of(*order), *order, *symbol),
        // The book that our name does not point to.
        Query::PastOrder { order: order @ OrderRef::Client(_), symbol } => {
            one_order(Book::of(*order).other(), *order, *symbol)
        }
        // Which conditional order became an order of the matching engine shows in the list of all of them.
        Query::PastOrder { order: OrderRef::Venue(_), symbol } => (Call::PastAlgoOrders, Form::of(*symbol)),
        Query::Executions(query) => executions(query)?,
    };
    Ok(Unsigned { endpoint: endpoint(product, call), form: form.text, security: Security::Signed })
}

fn one_order(book: Book, order: OrderRef, symbol: Symbol) -> (Call, Form) {
    let call = match book {
        Book::Plain => Call::ReadOrder,
        Book::Algo => Call::ReadAlgoOrder,
    };
    (call, Form::of(symbol).named(book, order))
}

/// Fills of one instrument; funding of one or all. Without an instrument only the commissions of all can be had, which
/// tell where something was traded. An order is known to fills by the venue's number only.
fn executions(query: &ExecutionQuery) -> Result<(Call, Form), SignerRefusal> {
    let form = query.symbol.map_or_else(Form::default, Form::of);
    let (call, form) = match (query.kind, query.symbol) {
        (ExecutionKind::Funding, _) => (Call::Income, form.with("incomeType", "FUNDING_FEE")),
        (ExecutionKind::All | ExecutionKind::Trades, Some(_)) => (Call::Trades, form),
        (ExecutionKind::All | ExecutionKind::Trades, None) => {
            (Call::Income, form.with("incomeType", "COMMISSION"))
        }
    };
    let form = match query.order {
        None => form,
        Some(OrderRef::Venue(id)) => form.with("orderId", id.as_str()),
        Some(OrderRef::Client(_)) => return Err(SignerRefusal::NotOffered),
    };
    Ok((call, form.range(query.from, query.until, query.limit)))
}

/// Renders and signs an intent. `at` is Binance's time.
pub fn sign(
    product: ContractType,
    intent: &Intent,
    at: Timestamp,
    key: &impl MacKey,
) -> Result<SignedRequest, SignerRefusal> {
    render(product, intent).map(|unsigned| SignedRequest::Http(sign_unsigned(unsigned, at, key)))
}

/// Adds key, time stamp and signature to a rendered request.
pub fn sign_unsigned(unsigned: Unsigned, at: Timestamp, key: &impl MacKey) -> HttpRequest {
    let mut form = Form { text: unsigned.form };
    if unsigned.security == Security::Signed {
        form = form.with("recvWindow", &RECV_WINDOW_MS.to_string()).with("timestamp", &at.ms().to_string());
        let signature = signature(key, &form.text);
        form = form.with("signature", &signature);
    }
    let mut request = request_of(unsigned.endpoint, form.text);
    request.headers.push(("x-mbx-apikey", key.api_key().to_owned()));
    request
}

/// The MAC as Binance wants it: lower-case hexadecimal.
pub fn signature(key: &impl MacKey, text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in key.mac_sha256(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

/// Parameters travel in the body of what is posted or put and in the query of everything else.
fn request_of(endpoint: Endpoint, form: String) -> HttpRequest {
    let in_body = match endpoint.verb {
        Verb::Post | Verb::Put => !form.is_empty(),
        Verb::Get | Verb::Delete => false,
    };
    if in_body {
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        return HttpRequest {
            verb: endpoint.verb,
            path_and_query: endpoint.path.to_owned(),
            headers,
            body: form,
        };
    }
    let separator = if form.is_empty() { "" } else { "?" };
    let path_and_query = format!("{}{separator}{form}", endpoint.path);
    HttpRequest { verb: endpoint.verb, path_and_query, headers: vec![], body: String::new() }
}

/// A question that needs no key, in Binance's form.
pub fn question(product: ContractType, query: &MarketQuery) -> Question {
    let (call, form) = match *query {
        MarketQuery::Time => (Call::Time, Form::default()),
        MarketQuery::Status => (Call::Status, Form::default()),
        MarketQuery::Instruments => (Call::Instruments, Form::default()),
        MarketQuery::FundingInfo => (Call::FundingInfo, Form::default()),
        MarketQuery::Candles { symbol, timeframe, from, until, limit } => {
            (Call::Klines, Form::of(symbol).with("interval", interval(timeframe)).range(from, until, limit))
        }
        MarketQuery::Premium { symbol } => (Call::Premium, Form::of(symbol)),
        MarketQuery::DayTicker { symbol } => (Call::DayTicker, Form::of(symbol)),
        MarketQuery::BookTicker { symbol } => (Call::BookTicker, Form::of(symbol)),
        MarketQuery::OpenInterest { symbol } => (Call::OpenInterest, Form::of(symbol)),
        MarketQuery::Depth { symbol, limit } => (Call::Depth, Form::of(symbol).range(None, None, limit)),
        MarketQuery::Funding { symbol, from, until, limit } => {
            (Call::Funding, Form::of(symbol).range(from, until, limit))
        }
    };
    let endpoint = endpoint(product, call);
    Question { endpoint, request: request_of(endpoint, form.text) }
}

/// A form in the making.
#[derive(Debug, Default)]
struct Form {
    text: String,
}

impl Form {
    fn of(symbol: Symbol) -> Self {
        Self::default().with("symbol", symbol.as_str())
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    fn named(self, book: Book, order: OrderRef) -> Self {
        let (ours, theirs) = match book {
            Book::Plain => ("origClientOrderId", "orderId"),
            Book::Algo => ("clientAlgoId", "algoId"),
        };
        match order {
            OrderRef::Client(id) => self.with(ours, &id.to_string()),
            OrderRef::Venue(id) => self.with(theirs, id.as_str().trim_start_matches(ALGO_MARK)),
        }
    }

    fn range(self, from: Option<Timestamp>, until: Option<Timestamp>, limit: Option<u32>) -> Self {
        let texts = [
            ("startTime", from.map(|at| at.ms().to_string())),
            ("endTime", until.map(|at| at.ms().to_string())),
            ("limit", limit.map(|limit| limit.to_string())),
        ];
        texts.into_iter().fold(self, |form, (name, value)| match value {
            Some(value) => form.with(name, &value),
            None => form,
        })
    }
}
