//! Frames of both streams, spoiled while a market moves and orders fill; afterwards the streams must be well again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{OrderKind, Side, TimeInForce, Timeframe};
use keyhold_simulator::random::Random;
use keyhold_venues::event::{AccountEvent, EventStream, MarketEvent};
use keyhold_venues::port::{MarketSubscription, Series};
use keyhold_venues::{AnyVenue, MarketData as _, TradingVenue as _, WireError};
use tokio::time::timeout;

use super::mutate::{self, SENTINEL};
use super::relay::Tap;
use crate::kit::bench::{Bench, PAST, limit, minute};
use crate::kit::rows::Lack;
use crate::kit::wire::Wire;

/// Both streams of one adapter and what they told.
pub(crate) struct Ears {
    market: EventStream<MarketEvent>,
    account: EventStream<AccountEvent>,
    pub(crate) told: Vec<String>,
    pub(crate) unreadable: Vec<WireError>,
}

impl Ears {
    pub(crate) fn of(bench: &Bench, venue: &AnyVenue<Wire>) -> Self {
        let symbol = bench.symbol;
        let series = |timeframe| Series { symbol, timeframe, after: Some(minute(PAST - 3)) };
        let subscription = MarketSubscription {
            series: vec![series(Timeframe::M1), series(Timeframe::M3)],
            books: [symbol].into(),
            trades: [symbol].into(),
        };
        Self {
            market: venue.market_events(subscription),
            account: venue.account_events(),
            told: vec![],
            unreadable: vec![],
        }
    }

    fn note(&mut self, event: &impl std::fmt::Debug, error: Option<WireError>) {
        self.told.push(format!("{event:?}"));
        if let Some(error) = error {
            assert!(!error.to_string().contains(SENTINEL), "{error}");
            self.unreadable.push(error);
        }
    }

    /// Takes what comes until both are quiet for a moment.
    pub(crate) async fn listen(&mut self) {
        let moment = Duration::from_millis(300);
        while let Ok(event) = timeout(moment, self.market.next_event()).await {
            let event = event.expect("the market's stream has ended: its task panicked");
            let error = if let MarketEvent::Undecodable(error) = &event { Some(*error) } else { None };
            self.note(&event, error);
        }
        while let Ok(event) = timeout(moment, self.account.next_event()).await {
            let event = event.expect("the account's stream has ended: its task panicked");
            let error = if let AccountEvent::Undecodable(error) = &event { Some(*error) } else { None };
            self.note(&event, error);
        }
    }

    /// Waits for a candle of the stream and for a fill; both come only over streams that are well.
    async fn are_well(&mut self, bench: &Bench, number: u32) {
        const MOST_TURNS: u32 = 40;
        self.told.clear();
        let clean = bench.venue();
        for turn in 0..MOST_TURNS {
            let order = bench.entry(number + turn, Side::Buy, OrderKind::Market, bench.row.lot);
            clean.place(&order).await.unwrap();
            bench.step().await;
            self.listen().await;
            let has = |word: &str| self.told.iter().any(|event| event.starts_with(word));
            let streamed = !bench.row.has(Lack::StreamedCandles)
                || self
                    .told
                    .iter()
                    .any(|event| event.starts_with("CandleClosed") && event.contains("Stream"));
            if streamed && has("Fill(") && has("OrderUpdate(") {
                return;
            }
        }
        panic!("{}: the streams stay ill: {:?}", bench.row.name, self.told);
    }
}

/// Some minutes in which everything happens that streams tell.
pub(crate) async fn act(bench: &Bench, ears: &mut Ears, turns: std::ops::Range<u32>) {
    let clean = bench.venue();
    let lot = bench.row.lot;
    ears.listen().await;
    for turn in turns {
        let number = 100 + turn * 10;
        let side = if turn % 2 == 0 { Side::Buy } else { Side::Sell };
        clean.place(&bench.entry(number, side, OrderKind::Market, lot)).await.unwrap();
        let resting = bench.entry(number + 1, Side::Buy, limit("40000", TimeInForce::Gtc), lot);
        clean.place(&resting).await.unwrap();
        ears.listen().await;
        let order = keyhold_venues::signer::OrderRef::Client(resting.client_id);
        let cancel = keyhold_venues::signer::CancelOrder { order, symbol: bench.symbol };
        clean.cancel(&cancel).await.unwrap();
        bench.step().await;
        ears.listen().await;
    }
}

/// Frames as they came from the twin, for a corpus.
pub(crate) fn record(tap: &Tap) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let frames: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&frames);
    tap.frames(move |frame| {
        kept.lock().unwrap().push(frame.clone());
        frame
    });
    frames
}

/// Spoils some of the frames of some minutes, then waits until all is well.
pub(crate) async fn spoil_some(
    random: &mut Random,
    bench: &Bench,
    tap: &Tap,
    venue: &AnyVenue<Wire>,
    corpus: &[Vec<u8>],
) -> usize {
    let mut ears = Ears::of(bench, venue);
    ears.listen().await;
    let count = Arc::new(Mutex::new(0));
    let (counted, corpus) = (Arc::clone(&count), corpus.to_vec());
    let mut dice = Random::new(random.next_u64());
    let share = [50, 200, 600][usize::try_from(random.below(3)).unwrap()];
    tap.frames(move |frame| {
        if !dice.chance(share) {
            return frame;
        }
        *counted.lock().unwrap() += 1;
        let other = usize::try_from(dice.below(u64::try_from(corpus.len()).unwrap())).unwrap();
        let spoiled = mutate::spoiled(&mut dice, &frame, &corpus[other]);
        // A frame of text that is not UTF-8 ends the connection, as it must; most others shall arrive.
        if std::str::from_utf8(&spoiled).is_err() && dice.chance(900) {
            return String::from_utf8_lossy(&spoiled).into_owned().into_bytes();
        }
        spoiled
    });
    act(bench, &mut ears, 10..16).await;
    tap.frames(|frame| frame);
    ears.are_well(bench, 1_000).await;
    *count.lock().unwrap()
}
