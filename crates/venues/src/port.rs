//! The port: what a program can ask of any venue. Two traits, one without a key and one with.
//!
//! Every call ends within a bounded time. Errors are sorted by whether it happened ([`VenueError`]). There is no call
//! that moves money out or between accounts, and none that manages keys. The implementations: [`crate::bybit`].

use std::collections::BTreeSet;
use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, Candle, ClientOrderId, ContractType, Decimal, Environment, Exchange, Fill, Instrument,
    KeyFacts, MarginMode, Money, NewOrder, OpenOrder, OrderUpdate, Position, Price, Rate, Symbol, Timeframe,
    Timestamp, VenueOrderId,
};

use crate::error::{VenueError, WireError};
use crate::event::{AccountEvent, EventStream, MarketEvent};
use crate::signer::{AmendOrder, CancelAll, CancelOrder, SetLeverage};

/// Which market an adapter talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueId {
    /// The company.
    pub exchange: Exchange,
    /// Which of its worlds.
    pub environment: Environment,
    /// Linear or inverse contracts.
    pub contract_type: ContractType,
}

/// Whether a venue has a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Where a setting applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingReach {
    /// For each instrument by itself.
    Instrument,
    /// For the whole account.
    Account,
}

/// What differs between venues and a program must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Can a resting order be changed?
    pub amend: Offered,
    /// Can all orders be ended by one call?
    pub cancel_all: Offered,
    /// Does the venue itself cancel our orders when we fall silent?
    pub dead_mans_switch: Offered,
    /// Where the margin mode applies.
    pub margin_mode: SettingReach,
    /// Resting orders per instrument at most.
    pub open_orders_per_instrument: u32,
    /// Waiting stop orders per instrument at most.
    pub stop_orders_per_instrument: u32,
}

/// Is the venue open?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VenueStatus {
    /// Trading as usual.
    Up,
    /// Maintenance is running.
    Maintenance {
        /// When it should end, when told.
        until: Option<Timestamp>,
    },
}

/// Perpetual contracts of a venue, and those that Keyhold cannot express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruments {
    /// Those that can be traded with Keyhold.
    pub listed: Vec<Instrument>,
    /// Those that cannot, with the reason.
    pub refused: Vec<RefusedInstrument>,
}

/// A contract that cannot be expressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedInstrument {
    /// The venue's name of it, cut to printable ASCII.
    pub name: String,
    /// What is wrong with it.
    pub why: WireError,
}

/// Candles by opening time: from `from` up to and without `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandleRange {
    /// The instrument.
    pub symbol: Symbol,
    /// Length of a candle.
    pub timeframe: Timeframe,
    /// First opening time.
    pub from: Timestamp,
    /// End of the range, exclusive.
    pub until: Timestamp,
}

/// An instrument's events between two instants: from `from` up to and without `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolRange {
    /// The instrument.
    pub symbol: Symbol,
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub until: Timestamp,
}

/// A funding rate that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingRate {
    /// When it was applied.
    pub at: Timestamp,
    /// Share of the position's value; longs pay when positive.
    pub rate: Rate,
}

/// Prices of an instrument now. Fields the venue did not tell are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticker {
    /// The instrument.
    pub symbol: Symbol,
    /// Last traded price.
    pub last: Option<Price>,
    /// Mark price.
    pub mark: Option<Price>,
    /// Index price.
    pub index: Option<Price>,
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
    /// Funding rate that will be applied next.
    pub funding_rate: Option<Rate>,
    /// When it will be applied.
    pub next_funding: Option<Timestamp>,
    /// Open contracts, in the unit of quantities.
    pub open_interest: Option<Decimal>,
    /// The venue's time of this news.
    pub at: Timestamp,
}

impl Ticker {
    /// Nothing told yet.
    pub const fn empty(symbol: Symbol, at: Timestamp) -> Self {
        Self {
            symbol,
            last: None,
            mark: None,
            index: None,
            bid: None,
            ask: None,
            funding_rate: None,
            next_funding: None,
            open_interest: None,
            at,
        }
    }

    /// The same with news of it; what they do not tell stays.
    #[must_use]
    pub fn changed_by(&self, news: &Self) -> Self {
        Self {
            symbol: self.symbol,
            last: news.last.or(self.last),
            mark: news.mark.or(self.mark),
            index: news.index.or(self.index),
            bid: news.bid.or(self.bid),
            ask: news.ask.or(self.ask),
            funding_rate: news.funding_rate.or(self.funding_rate),
            next_funding: news.next_funding.or(self.next_funding),
            open_interest: news.open_interest.or(self.open_interest),
            at: news.at,
        }
    }
}

/// One series of candles to listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// The instrument.
    pub symbol: Symbol,
    /// Length of a candle.
    pub timeframe: Timeframe,
    /// Opening time of the last closed candle the program has; what came after it is fetched first.
    /// `None`: begin with the next candle that closes.
    pub after: Option<Timestamp>,
}

/// What to listen to. Prices of every instrument among the series come along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarketSubscription {
    /// The series.
    pub series: Vec<Series>,
    /// Instruments among them whose order book is wanted, too.
    pub books: BTreeSet<Symbol>,
    /// Instruments among them whose trades are wanted, too.
    pub trades: BTreeSet<Symbol>,
}

/// An accepted order. On most venues this only means that it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The venue's name for it.
    pub venue_id: VenueOrderId,
}

/// What a venue knows about one of our orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReport {
    /// Its state.
    pub update: OrderUpdate,
    /// Its fills, oldest first.
    pub fills: Vec<Fill>,
}

/// The answer to "what became of it?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is or was there.
    Found(OrderReport),
    /// The venue does not know it, and a request still on its way would be too late by now.
    NeverArrived,
}

/// Fees of an instrument for this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Of resting orders; negative for a rebate.
    pub maker: Rate,
    /// Of taking orders.
    pub taker: Rate,
}

/// Funding paid (positive) or received (negative) for a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingPayment {
    /// The instrument.
    pub symbol: Symbol,
    /// Paid when positive, received when negative.
    pub paid: Money,
    /// When, by the venue's clock.
    pub at: Timestamp,
    /// The venue's name of it, by which duplicates are recognized.
    pub id: keyhold_domain::fill::FillId,
}

/// Margin and position mode of the account, as far as Keyhold knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSettings {
    /// Isolated or cross; `None` for a mode that Keyhold does not use, such as portfolio margin.
    pub margin_mode: Option<MarginMode>,
}

/// How many positions an instrument can have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionMode {
    /// One net position, which is what Keyhold trades.
    OneWay,
    /// A long and a short one side by side.
    Hedge,
}

/// A result that arrives later, on any thread.
macro_rules! later {
    ($output:ty) => { impl Future<Output = Result<$output, VenueError>> + Send };
}

/// Data that needs no key.
pub trait MarketData: Send + Sync {
    /// Which market this is.
    fn venue(&self) -> VenueId;

    /// What differs between venues.
    fn capabilities(&self) -> Capabilities;

    /// The venue's clock. Also corrects the offset with which requests are stamped.
    fn server_time(&self) -> later!(Timestamp);

    /// Is the venue open?
    fn venue_status(&self) -> later!(VenueStatus);

    /// All perpetual contracts. Fees and maintenance margin are those of an ordinary user's smallest position.
    fn instruments(&self) -> later!(Instruments);

    /// Candles, oldest first, without gaps where the venue has none. May hold the one that is forming.
    fn candles(&self, range: &CandleRange) -> later!(Vec<Candle>);

    /// Applied funding rates, oldest first.
    fn funding_history(&self, range: &SymbolRange) -> later!(Vec<FundingRate>);

    /// Prices and the current funding rate.
    fn ticker(&self, symbol: Symbol) -> later!(Ticker);

    /// Closed candles in order, each once, gaps filled; and what changes in between.
    /// Must be called inside a tokio runtime.
    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent>;
}

/// What a key allows on top.
pub trait TradingVenue: MarketData {
    /// What the key may do.
    fn inspect_key(&self) -> later!(KeyFacts);

    /// Balances, positions and open orders at one instant.
    fn account(&self) -> later!(AccountSnapshot);

    /// The account's margin mode.
    fn account_settings(&self) -> later!(AccountSettings);

    /// Positions that are not flat.
    fn positions(&self) -> later!(Vec<Position>);

    /// Orders that rest, ours and foreign; of one instrument or of all.
    fn open_orders(&self, symbol: Option<Symbol>) -> later!(Vec<OpenOrder>);

    /// One of our orders: looked for among open orders, in the history and among executions.
    /// `None` means "not seen now"; only [`Self::resolve`] can say that it never arrived.
    fn order(&self, symbol: Symbol, id: ClientOrderId) -> later!(Option<OrderReport>);

    /// Fills since an instant, oldest first, each once; of one instrument or of all.
    fn fills_since(&self, symbol: Option<Symbol>, from: Timestamp) -> later!(Vec<Fill>);

    /// Funding payments since an instant, oldest first, each once.
    fn funding_since(&self, symbol: Option<Symbol>, from: Timestamp) -> later!(Vec<FundingPayment>);

    /// Fees of an instrument for this account.
    fn fees(&self, symbol: Symbol) -> later!(Fees);

    /// Sends an order, once. Refused for a duplicate name means that it is there already: look it up.
    fn place(&self, order: &NewOrder) -> later!(Placed);

    /// Changes an order, once.
    fn amend(&self, amend: &AmendOrder) -> later!(());

    /// Ends an order, once. Refused as not found means that it has ended already or never was.
    fn cancel(&self, cancel: &CancelOrder) -> later!(());

    /// Ends many orders, once.
    fn cancel_all(&self, cancel: &CancelAll) -> later!(());

    /// Sets the leverage; no error when it is set already.
    fn set_leverage(&self, leverage: &SetLeverage) -> later!(());

    /// Sets the margin mode; no error when it is set already. Look at [`Capabilities::margin_mode`] first.
    fn set_margin_mode(&self, mode: MarginMode) -> later!(());

    /// Sets the margin mode of an instrument where each has its own; no error when it is set already. Not offered where
    /// the mode belongs to the account.
    fn set_margin_mode_of(&self, _symbol: Symbol, _mode: MarginMode) -> later!(()) {
        async { Err(crate::common::rest::not_signed(crate::signer::SignerRefusal::NotOffered)) }
    }

    /// How many positions the instrument can have at once.
    fn position_mode(&self, symbol: Symbol) -> later!(PositionMode);

    /// Sees to it that the instrument has one net position; no error when it has already.
    fn use_one_way_mode(&self, symbol: Symbol) -> later!(());

    /// What became of an order whose outcome is unknown. Takes some seconds when the answer is "never arrived".
    /// Call it only after the sending call has returned. Every error is [`VenueError::Unknown`]: still not known.
    fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> later!(Resolution);

    /// Has the venue cancel this instrument's resting orders (or the account's, see [`Capabilities`]) when it has not
    /// heard this call for so long; `None` switches it off. Not offered by every venue.
    fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> later!(());

    /// News of the account. Must be called inside a tokio runtime.
    fn account_events(&self) -> EventStream<AccountEvent>;
}
