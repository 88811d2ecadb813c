//! Answers to every call of the port, spoiled one at a time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{ClientOrderId, OrderKind, Side, Symbol, TimeInForce, Timeframe};
use keyhold_simulator::random::Random;
use keyhold_venues::error::UnknownCause;
use keyhold_venues::port::{CandleRange, SymbolRange};
use keyhold_venues::signer::{AmendOrder, CancelOrder, OrderRef, SetLeverage};
use keyhold_venues::{AnyVenue, MarketData as _, TradingVenue as _, VenueError, WireError};

use super::mutate::{self, SENTINEL};
use super::relay::Tap;
use crate::kit::bench::{Bench, PAST, limit, minute};
use crate::kit::wire::Wire;

macro_rules! calls {
    ($($name:ident),+ $(,)?) => {
        /// A call that changes nothing however often it is made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Call {
            $($name),+
        }

        impl Call {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

calls! {
    ServerTime, Status, Instruments, Candles, LongCandles, FundingRates, Ticker, Key, Account, Settings, Positions,
    OpenOrders, AllOrders, RestingOrder, FilledOrder, NoOrder, Fills, AllFills, FundingPaid, Fees, PositionMode, Leverage,
    OneWay, PlacedAgain, Amended, CanceledAgain, SwitchedOff, Resolved,
}

/// Numbers of the orders that a bench begins with: one that filled, one that rests, one that was canceled.
pub(crate) const FILLED: u32 = 1;
pub(crate) const RESTS: u32 = 2;
pub(crate) const CANCELED: u32 = 3;
const UNKNOWN: u32 = 99;

pub(crate) struct Subject {
    pub(crate) venue: Arc<AnyVenue<Wire>>,
    pub(crate) symbol: Symbol,
    ids: [ClientOrderId; 4],
    again: keyhold_domain::NewOrder,
}

impl Subject {
    pub(crate) fn of(bench: &Bench, venue: Arc<AnyVenue<Wire>>) -> Self {
        let order = |number| bench.entry(number, Side::Buy, limit("40000", TimeInForce::Gtc), bench.row.size);
        let ids = [FILLED, RESTS, CANCELED, UNKNOWN].map(|number| order(number).client_id);
        Self { venue, symbol: bench.symbol, ids, again: order(RESTS) }
    }
}

/// What a call gave, in words that can be compared.
pub(crate) type Outcome = Result<String, VenueError>;

async fn say<T: std::fmt::Debug>(call: impl Future<Output = Result<T, VenueError>>) -> Outcome {
    call.await.map(|value| format!("{value:?}"))
}

pub(crate) async fn make(subject: &Subject, call: Call) -> Outcome {
    let (venue, symbol) = (&subject.venue, subject.symbol);
    let [filled, rests, canceled, unknown] = subject.ids;
    let range =
        |timeframe, from, until| CandleRange { symbol, timeframe, from: minute(from), until: minute(until) };
    let by_name = OrderRef::Client(rests);
    match call {
        Call::ServerTime => say(venue.server_time()).await.map(|_| String::new()),
        Call::Status => say(venue.venue_status()).await,
        Call::Instruments => say(venue.instruments()).await,
        Call::Candles => say(venue.candles(&range(Timeframe::M1, PAST - 5, PAST))).await,
        Call::LongCandles => say(venue.candles(&range(Timeframe::M3, PAST - 40, PAST - 10))).await,
        Call::FundingRates => {
            say(venue.funding_history(&SymbolRange { symbol, from: minute(-1), until: minute(PAST) })).await
        }
        // Some venues do not tell a time with their prices.
        Call::Ticker => {
            say(Box::pin(async {
                venue.ticker(symbol).await.map(|it| keyhold_venues::port::Ticker { at: minute(0), ..it })
            }))
            .await
        }
        Call::Key => say(venue.inspect_key()).await,
        Call::Account => {
            say(async { venue.account().await.map(|it| (it.balances, it.positions, it.open_orders)) }).await
        }
        Call::Settings => say(venue.account_settings()).await,
        Call::Positions => say(venue.positions()).await,
        Call::OpenOrders => say(venue.open_orders(Some(symbol))).await,
        Call::AllOrders => say(venue.open_orders(None)).await,
        Call::RestingOrder => say(venue.order(symbol, rests)).await,
        Call::FilledOrder => say(venue.order(symbol, filled)).await,
        Call::NoOrder => say(venue.order(symbol, unknown)).await,
        Call::Fills => say(venue.fills_since(Some(symbol), minute(0))).await,
        Call::AllFills => say(venue.fills_since(None, minute(PAST - 1))).await,
        Call::FundingPaid => say(venue.funding_since(None, minute(PAST - 10))).await,
        Call::Fees => say(venue.fees(symbol)).await,
        Call::PositionMode => say(venue.position_mode(symbol)).await,
        Call::Leverage => say(venue.set_leverage(&SetLeverage { symbol, leverage: 5.into() })).await,
        Call::OneWay => say(venue.use_one_way_mode(symbol)).await,
        Call::PlacedAgain => say(venue.place(&subject.again)).await,
        Call::Amended => {
            let price = Some("40000".parse().unwrap());
            say(venue.amend(&AmendOrder { order: by_name, symbol, quantity: None, price, trigger: None }))
                .await
        }
        Call::CanceledAgain => {
            say(venue.cancel(&CancelOrder { order: OrderRef::Client(canceled), symbol })).await
        }
        Call::SwitchedOff => say(venue.dead_mans_switch(symbol, None)).await,
        Call::Resolved => say(venue.resolve(symbol, filled)).await,
    }
}

/// Orders, a position and a payment, so that no list is empty.
pub(crate) async fn furnish(bench: &Bench) {
    let venue = bench.venue();
    crate::kit::trade::set_up(bench, &venue).await;
    venue.place(&bench.entry(FILLED, Side::Buy, OrderKind::Market, bench.row.size)).await.unwrap();
    for number in [RESTS, CANCELED] {
        let order = bench.entry(number, Side::Buy, limit("40000", TimeInForce::Gtc), bench.row.size);
        venue.place(&order).await.unwrap();
    }
    let order =
        OrderRef::Client(bench.entry(CANCELED, Side::Buy, OrderKind::Market, bench.row.size).client_id);
    venue.cancel(&CancelOrder { order, symbol: bench.symbol }).await.unwrap();
}

/// What happens to the answers of one call.
pub(crate) enum Fate {
    /// They are kept.
    Kept,
    /// Each gets fields that nobody knows.
    Padded,
    /// One of them is replaced by these bytes.
    Replaced(usize, Vec<u8>),
    /// The first that has these fields loses one of them.
    Without(String, Vec<(String, String)>),
}

/// Makes a call whose answers meet a fate; gives its outcome and the answers as they came from the twin.
pub(crate) async fn make_with(
    subject: &Arc<Subject>,
    tap: &Tap,
    call: Call,
    fate: Fate,
) -> (Outcome, Vec<Vec<u8>>) {
    let answers: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&answers);
    let mut is_done = false;
    tap.answers(move |body| {
        let mut kept = kept.lock().unwrap();
        let number = kept.len();
        kept.push(body.clone());
        match &fate {
            Fate::Without(place, shape) if !is_done && mutate::fields(&body) == *shape => {
                is_done = true;
                mutate::without(&body, place)
            }
            Fate::Padded => mutate::with_unknown_fields(&body),
            Fate::Replaced(which, bytes) if *which == number => bytes.clone(),
            Fate::Without(..) | Fate::Replaced(..) | Fate::Kept => body,
        }
    });
    let subject = Arc::clone(subject);
    let calling = tokio::spawn(async move { Box::pin(make(&subject, call)).await });
    let limit = Duration::from_mins(30);
    let outcome = tokio::time::timeout(limit, calling).await.expect("the call did not end");
    tap.answers(|body| body);
    let outcome = outcome.unwrap_or_else(|error| panic!("{call:?} panicked: {error}"));
    if let Err(error) = &outcome {
        assert!(!error.to_string().contains(SENTINEL), "{call:?}: {error}");
    }
    let answers = std::mem::take(&mut *answers.lock().unwrap());
    (outcome, answers)
}

/// The wire error of an outcome, if it is one.
pub(crate) const fn unreadable(outcome: &Outcome) -> Option<WireError> {
    match outcome {
        Err(VenueError::Unknown { cause: UnknownCause::Unreadable(error), .. }) => Some(*error),
        _ => None,
    }
}

/// One spoiled answer to one call, drawn from the seed.
pub(crate) async fn spoil_one(
    random: &mut Random,
    subject: &Arc<Subject>,
    tap: &Tap,
    known: &[(Call, Vec<Vec<u8>>)],
) {
    let draw = |random: &mut Random, length: usize| {
        usize::try_from(random.below(u64::try_from(length).unwrap())).unwrap()
    };
    let (call, answers) = &known[draw(random, known.len())];
    let (_, others) = &known[draw(random, known.len())];
    let which = draw(random, answers.len());
    let other = &others[draw(random, others.len())];
    let bytes = mutate::spoiled(random, &answers[which], other);
    let (_outcome, _answers) = make_with(subject, tap, *call, Fate::Replaced(which, bytes)).await;
}
