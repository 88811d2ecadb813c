//! What may be signed, and by whom. An adapter never holds a secret: it hands a typed [`Intent`] to a [`Signer`]
//! and gets the finished request back.
//!
//! The program that holds the credential implements only [`MacKey`]; [`sign_with`] renders the intent, builds the
//! venue's canonical text and asks for the MAC over it. An intent that is not in the list cannot be signed: there is
//! none for moving money, for keys or for sub-accounts, and [`crate::bybit::endpoints`] has no path for them either.

use std::fmt;
use std::time::Duration;

use keyhold_domain::{
    ClientOrderId, ContractType, Exchange, MarginMode, NewOrder, Price, Quantity, ShortText, Side, Symbol,
    Timestamp, VenueOrderId,
};
use rust_decimal::Decimal;

use crate::{binance, bitmex, bybit, kraken, okx};

/// An order by one of its two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRef {
    /// By our name.
    Client(ClientOrderId),
    /// By the venue's name; for orders that are not ours.
    Venue(VenueOrderId),
}

/// One instrument or all that settle in one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One instrument.
    Symbol(Symbol),
    /// All instruments that settle in this asset.
    Settle(keyhold_domain::money::Asset),
    /// All instruments of the product. Bybit takes it for reading inverse contracts only.
    Product,
}

/// Which orders of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSelection {
    /// All of them.
    All,
    /// Only those that wait for a trigger.
    StopOrders,
    /// Only those that wait for a trigger and may grow a position, where they are a list of their own (OKX).
    TriggerOrders,
}

/// A change of an order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendOrder {
    /// Which order.
    pub order: OrderRef,
    /// Its instrument.
    pub symbol: Symbol,
    /// The new full size, if it changes.
    pub quantity: Option<Quantity>,
    /// The new limit price, if it changes.
    pub price: Option<Price>,
    /// The new trigger price, if it changes.
    pub trigger: Option<Price>,
}

/// The end of an order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelOrder {
    /// Which order.
    pub order: OrderRef,
    /// Its instrument.
    pub symbol: Symbol,
}

/// The end of many orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelAll {
    /// Where.
    pub scope: Scope,
    /// Which.
    pub selection: OrderSelection,
}

/// The end of orders that are named one by one, in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelMany {
    /// Which orders; not more than the venue takes at once.
    pub orders: Vec<CancelOrder>,
    /// All orders, or those that wait for a trigger, where they are kept apart (OKX).
    pub selection: OrderSelection,
}

/// The leverage of an instrument, both directions alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetLeverage {
    /// The instrument.
    pub symbol: Symbol,
    /// 1 or more.
    pub leverage: Decimal,
}

/// What was executed: orders or funding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionKind {
    /// Everything: also liquidations and automatic deleveraging.
    All,
    /// Ordinary trades only.
    Trades,
    /// Funding payments only.
    Funding,
}

/// A page of executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// What kind.
    pub kind: ExecutionKind,
    /// One instrument, or all.
    pub symbol: Option<Symbol>,
    /// One order, or all.
    pub order: Option<OrderRef>,
    /// From this instant.
    pub from: Option<Timestamp>,
    /// To this instant, inclusive; at most seven days after `from` on Bybit.
    pub until: Option<Timestamp>,
    /// Rows per page.
    pub limit: Option<u32>,
    /// Where the page before ended, in the venue's words.
    pub cursor: Option<String>,
}

/// A question about the account behind the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// What may this key do?
    Key,
    /// Margin mode and kind of the account.
    AccountSettings,
    /// Balances.
    Wallet,
    /// Positions, one page.
    Positions {
        /// Where.
        scope: Scope,
        /// Rows per page.
        limit: Option<u32>,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// Orders that rest, one page.
    OpenOrders {
        /// Where.
        scope: Scope,
        /// Which.
        selection: OrderSelection,
        /// Rows per page.
        limit: Option<u32>,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// One order among those that rest or ended a moment ago.
    RecentOrder {
        /// Which order.
        order: OrderRef,
        /// Its instrument.
        symbol: Symbol,
    },
    /// One order in the history.
    PastOrder {
        /// Which order.
        order: OrderRef,
        /// Its instrument.
        symbol: Symbol,
    },
    /// Executions, one page.
    Executions(ExecutionQuery),
    /// The fees of an instrument for this account.
    Fees {
        /// The instrument.
        symbol: Symbol,
    },
}

/// Everything that can be signed.
///
/// Quantities are in the unit that the venue counts in: coins of a linear and dollars of an inverse contract on most,
/// contracts on OKX and BitMEX. The adapter converts; who signs does not know instruments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Send an order.
    Place(NewOrder),
    /// Send an order at a venue that is told the margin mode with each one (OKX).
    PlaceIn(NewOrder, MarginMode),
    /// Change an order.
    Amend(AmendOrder),
    /// Change an order at a venue that is told its direction again (Binance).
    AmendOn(AmendOrder, Side),
    /// End an order.
    Cancel(CancelOrder),
    /// End orders that are named one by one.
    CancelMany(CancelMany),
    /// End many orders.
    CancelAll(CancelAll),
    /// Set the leverage of an instrument.
    SetLeverage(SetLeverage),
    /// Set the leverage at a venue that has one for each margin mode (OKX).
    SetLeverageIn(SetLeverage, MarginMode),
    /// Set the margin mode. On Bybit it holds for the whole account.
    SetMarginMode(MarginMode),
    /// Set the margin mode of an instrument at a venue where each has its own (Binance).
    SetMarginModeOf {
        /// The instrument.
        symbol: Symbol,
        /// Isolated or cross.
        mode: MarginMode,
    },
    /// Use one net position per instrument.
    UseOneWayMode {
        /// The instrument.
        symbol: Symbol,
    },
    /// Ask about the account.
    Query(Query),
    /// Log in to the private stream.
    StreamLogin,
    /// Sign the text that a venue gave us to sign before it opens its private stream (Kraken Futures).
    StreamChallenge(ShortText<64>),
    /// The token by which a venue knows a private stream (Binance).
    StreamToken(StreamToken),
    /// Have the venue cancel our resting orders when it has not heard from us for so long; `None` switches it off.
    DeadMansSwitch {
        /// The instrument, where the venue counts for each one.
        symbol: Symbol,
        /// How long, in whole seconds at least one.
        after: Option<Duration>,
    },
}

/// What to do with the token of a private stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamToken {
    /// Make one, or get the present one.
    Make,
    /// Keep it alive.
    Renew,
    /// Give it up.
    End,
}

/// The verb of an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read.
    Get,
    /// Write.
    Post,
    /// Change.
    Put,
    /// End.
    Delete,
}

impl Verb {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request ready to be written to a connection, relative to the venue's host.
///
/// `Debug` shows verb and path only: headers and body carry the key's name and the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The verb.
    pub verb: Verb,
    /// Path and query, beginning with `/`.
    pub path_and_query: String,
    /// Headers besides those every request has.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for reads.
    pub body: String,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        write!(f, "{} {path} (headers and body not shown)", self.verb.as_str())
    }
}

/// What a signer gives back.
#[derive(Clone, PartialEq, Eq)]
pub enum SignedRequest {
    /// A request over HTTP.
    Http(HttpRequest),
    /// A text frame that logs in to a stream.
    Login(String),
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request) => request.fmt(f),
            Self::Login(_) => f.write_str("login (not shown)"),
        }
    }
}

/// Why a request was not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerRefusal {
    /// The credential is not there any more, or not yet.
    #[error("no credential is open")]
    NoCredential,
    /// The signer's own rules forbid it.
    #[error("forbidden by the signer's rules")]
    Forbidden,
    /// The venue has no such request.
    #[error("the venue does not offer it")]
    NotOffered,
    /// The secret or passphrase does not have the form that this venue gives out.
    #[error("the secret or the passphrase does not have the form that this venue gives out")]
    UnfitSecret,
}

/// Holds the right to sign for one key. Implemented by the program that holds the credential.
pub trait Signer: Send + Sync + 'static {
    /// A few characters by which a person recognizes the key. Not the key.
    fn api_key_hint(&self) -> &str;

    /// The finished request, stamped with the venue's time `at`.
    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal>;
}

/// The one thing a credential must be able to do.
pub trait MacKey {
    /// The public name of the key, sent with each request.
    fn api_key(&self) -> &str;

    /// HMAC-SHA-256 of the message under the secret.
    fn mac_sha256(&self, message: &[u8]) -> [u8; 32];

    /// HMAC-SHA-512 of the message under the bytes that the secret stands for in base64; `None` when it is not base64.
    fn mac_sha512_base64_secret(&self, message: &[u8]) -> Option<[u8; 64]>;

    /// The passphrase, for venues that have one.
    fn passphrase(&self) -> Option<&str>;
}

/// Renders an intent in the venue's form and signs it. `at` is the venue's time.
pub fn sign_with(
    exchange: Exchange,
    product: ContractType,
    intent: &Intent,
    at: Timestamp,
    key: &impl MacKey,
) -> Result<SignedRequest, SignerRefusal> {
    match exchange {
        Exchange::Bybit => bybit::render::sign(product, intent, at, key),
        Exchange::Okx => okx::render::sign(intent, at, key),
        Exchange::KrakenFutures => kraken::render::sign(product, intent, at, key),
        Exchange::Binance => binance::render::sign(product, intent, at, key),
        Exchange::Bitmex => bitmex::render::sign(intent, at, key),
    }
}
