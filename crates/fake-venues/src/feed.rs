//! One instrument's candles: the past, the one that forms now, and the ones to come.
//!
//! Knows no order and no socket. A candle that forms is shown price by price; what it will become is known here
//! but told to nobody.

use std::cmp::Ordering;
use std::collections::VecDeque;

use keyhold_domain::{Candle, Decimal, Instrument, Price, Side, Timeframe, Timestamp};
use keyhold_simulator::market::{Synthetic, SyntheticConfig, aggregate};
use keyhold_simulator::random::mix;

use crate::config::CandleSource;

/// The most base candles that are remembered; older ones are forgotten.
pub(crate) const MAX_HISTORY: usize = 200_000;
/// The most public trades that are remembered.
const MAX_TRADES: usize = 1_000;

/// A public trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicTrade {
    /// Running number.
    pub(crate) number: u64,
    /// Its price.
    pub(crate) price: Price,
    /// Its size.
    pub(crate) size: Decimal,
    /// Whether the taker bought or sold.
    pub(crate) taker: Side,
    /// When, in replay time.
    pub(crate) at: Timestamp,
}

#[derive(Debug)]
enum Coming {
    Recorded(std::vec::IntoIter<Candle>),
    Synthetic(Box<Synthetic>),
}

/// One instrument's candles.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The instrument.
    pub(crate) instrument: Instrument,
    /// Length of the base candles.
    pub(crate) base: Timeframe,
    /// Closed candles, oldest first.
    pub(crate) history: VecDeque<Candle>,
    /// What has been seen of the candle that forms; `None` before the start.
    pub(crate) shown: Option<Candle>,
    /// Recent public trades, oldest first.
    pub(crate) trades: VecDeque<PublicTrade>,
    /// How many of the newest were not told to those who listen.
    untold: usize,
    /// Counts every change of price.
    pub(crate) updates: u64,
    /// What was traded of the forming candle.
    traded: Decimal,
    /// Trades since the start.
    numbered: u64,
    seed: u64,
    hidden: Option<Candle>,
    coming: Coming,
}

impl Feed {
    /// A feed whose first `history` candles are already past.
    pub(crate) fn new(
        instrument: Instrument,
        source: CandleSource,
        base: Timeframe,
        history: usize,
        synthetic: (u64, u64, Timestamp),
    ) -> Self {
        let (seed, stream, start) = synthetic;
        let past = i64::try_from(history).unwrap_or(0) * base.ms();
        let mut coming = match source {
            CandleSource::Recorded(candles) => Coming::Recorded(candles.into_iter()),
            CandleSource::Synthetic { start_price, volatility_ppm } => {
                Coming::Synthetic(Box::new(Synthetic::new(SyntheticConfig {
                    seed,
                    stream,
                    start_price,
                    tick: instrument.tick,
                    start: start.plus_ms(-past),
                    timeframe: base,
                    volatility_ppm,
                })))
            }
        };
        let history = match &coming {
            // At least half of a recording is there to be played.
            Coming::Recorded(candles) => history.min(candles.len() / 2),
            Coming::Synthetic(_) => history,
        };
        let history = std::iter::from_fn(|| coming.next()).take(history.min(MAX_HISTORY)).collect();
        Self {
            instrument,
            base,
            history,
            shown: None,
            trades: VecDeque::new(),
            untold: 0,
            updates: 0,
            traded: Decimal::ZERO,
            numbered: 0,
            seed: mix(seed ^ mix(stream)),
            hidden: None,
            coming,
        }
    }

    /// Begins the next candle and returns it whole. `None` at the end of the recording.
    pub(crate) fn begin(&mut self) -> Option<Candle> {
        let candle = self.coming.next()?;
        self.hidden = Some(candle);
        self.traded = Decimal::ZERO;
        // Somebody must have traded at the open.
        let volume = candle.volume.min(self.instrument.lot);
        let shown = Candle { high: candle.open, low: candle.open, close: candle.open, volume, ..candle };
        self.shown = Some(shown);
        self.note_trades(candle.open, candle.open_time, volume);
        Some(candle)
    }

    /// What the forming candle will be.
    pub(crate) const fn hidden(&self) -> Option<&Candle> {
        self.hidden.as_ref()
    }

    /// Shows a price inside the forming candle; `share` of 1,000 of its volume has been traded by then.
    pub(crate) fn show(&mut self, price: Price, at: Timestamp, share: u32) {
        let mut volume = Decimal::ZERO;
        if let (Some(shown), Some(hidden)) = (&mut self.shown, &self.hidden) {
            shown.high = shown.high.max(price);
            shown.low = shown.low.min(price);
            shown.close = price;
            let by_now = (hidden.volume * Decimal::new(share.into(), 3)).trunc_with_scale(3);
            shown.volume = shown.volume.max(by_now);
            volume = shown.volume;
        }
        self.note_trades(price, at, volume);
    }

    /// Closes the forming candle and returns it.
    pub(crate) fn close(&mut self, at: Timestamp) -> Option<Candle> {
        let mut candle = self.hidden.take()?;
        if let Some(shown) = self.shown {
            // A price moved by hand stays part of the candle.
            candle.high = candle.high.max(shown.high);
            candle.low = candle.low.min(shown.low);
        }
        self.shown = Some(candle);
        self.history.push_back(candle);
        if self.history.len() > MAX_HISTORY {
            self.history.pop_front();
        }
        self.note_trades(candle.close, at, candle.volume);
        Some(candle)
    }

    /// Takers bought and sold what brings the candle's volume to `volume`: more of them bought where the price rose. All
    /// trades of a candle together are its volume.
    fn note_trades(&mut self, price: Price, at: Timestamp, volume: Decimal) {
        self.updates += 1;
        let size = volume - self.traded;
        if size <= Decimal::ZERO {
            return;
        }
        self.traded = volume;
        let tilt = match self.trades.back().map(|last| price.cmp(&last.price)) {
            Some(Ordering::Greater) => 20,
            Some(Ordering::Less) => -20,
            Some(Ordering::Equal) | None => 0,
        };
        // From 10 to 90 percent buy; a number of the seed and of the running number alone.
        let chance = i64::try_from(mix(self.seed ^ self.updates) % 41).unwrap_or(20);
        let share = Decimal::new(30 + chance + tilt, 2);
        let bought = (size * share).trunc_with_scale(size.scale());
        for (taker, size) in [(Side::Buy, bought), (Side::Sell, size - bought)] {
            if size > Decimal::ZERO {
                self.numbered += 1;
                self.untold += 1;
                self.trades.push_back(PublicTrade { number: self.numbered, price, size, taker, at });
            }
        }
        while self.trades.len() > MAX_TRADES {
            self.trades.pop_front();
        }
    }

    /// The trades since [`Self::trades_told`].
    pub(crate) fn untold_trades(&self) -> impl Iterator<Item = &PublicTrade> {
        self.trades.range(self.trades.len().saturating_sub(self.untold)..)
    }

    /// The newest trade before those.
    pub(crate) fn last_told_trade(&self) -> Option<&PublicTrade> {
        self.trades.len().checked_sub(self.untold + 1).and_then(|place| self.trades.get(place))
    }

    /// Those who listen have heard of all trades.
    pub(crate) const fn trades_told(&mut self) {
        self.untold = 0;
    }

    /// Open contracts at a time: a wave of a day around 50,000 with some noise, a new number every five minutes.
    pub(crate) fn open_interest(&self, at: Timestamp) -> Decimal {
        let step = Timeframe::M5.open_of(at).ms() / Timeframe::M5.ms();
        let place = step.rem_euclid(288);
        let wave = 40 * if place < 144 { place } else { 288 - place };
        let noise = i64::try_from(mix(self.seed ^ step.unsigned_abs()) % 400).unwrap_or(0);
        Decimal::from(47_000 + wave + noise)
    }

    /// The index price: near the last price, above it in some hours and below it in others, at most 0.05 percent away.
    pub(crate) fn index(&self, at: Timestamp) -> Option<Price> {
        let last = self.last()?;
        let hour = at.ms().div_euclid(Timeframe::H1.ms()).unsigned_abs();
        let shift = i64::try_from(mix(self.seed ^ mix(hour)) % 101).unwrap_or(50) - 50;
        let raw = last.get() * (Decimal::ONE + Decimal::new(shift, 5));
        let raw = keyhold_domain::Rounding::Nearest.to_step(raw, self.instrument.tick);
        raw.and_then(|raw| Price::new(raw).ok()).or(Some(last))
    }

    /// The latest price.
    pub(crate) fn last(&self) -> Option<Price> {
        let closed = || self.history.back().map(|candle| candle.close);
        self.shown.map(|candle| candle.close).or_else(closed)
    }

    /// Closed base candles and the forming one.
    fn all(&self) -> impl DoubleEndedIterator<Item = &Candle> {
        let open = self.hidden.and(self.shown.as_ref());
        self.history.iter().chain(open)
    }

    /// Candles of a timeframe that open within `from..=to`, oldest first, at most the newest `limit`; the last may
    /// be forming. Empty when the timeframe is shorter than the base.
    pub(crate) fn candles(
        &self,
        timeframe: Timeframe,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Vec<Candle> {
        if timeframe.ms() < self.base.ms() {
            return Vec::new();
        }
        let first = timeframe.open_of(from);
        let mut recent: Vec<Candle> = Vec::new();
        let wanted = limit.saturating_mul(usize::try_from(timeframe.ms() / self.base.ms()).unwrap_or(1));
        // A whole interval more than asked, so that the oldest candle is complete.
        let bound = wanted.saturating_add(usize::try_from(timeframe.ms() / self.base.ms()).unwrap_or(1));
        for candle in self.all().rev() {
            if candle.open_time < first || recent.len() >= bound {
                break;
            }
            if timeframe.open_of(candle.open_time) <= to {
                recent.push(*candle);
            }
        }
        let mut made = aggregate(recent.iter().rev(), timeframe);
        made.retain(|candle| candle.open_time >= from && candle.open_time <= to);
        made.split_off(made.len().saturating_sub(limit))
    }

    /// The candle of a timeframe that holds the forming base candle (or, right after a close, the closed one).
    pub(crate) fn forming(&self, timeframe: Timeframe) -> Option<Candle> {
        let newest = self.shown?;
        let open_time = timeframe.open_of(newest.open_time);
        let same = |candle: &&Candle| candle.open_time >= open_time;
        let mut parts: Vec<Candle> = self.history.iter().rev().take_while(same).copied().collect();
        parts.reverse();
        if self.hidden.is_some() {
            parts.push(newest);
        }
        aggregate(&parts, timeframe).pop()
    }

    /// Open, high, low, volume and turnover-like sum of the last 24 hours.
    pub(crate) fn day(&self) -> Option<Candle> {
        let newest = self.all().next_back()?.open_time;
        let since = newest.plus_ms(-Timeframe::D1.ms());
        let mut day: Option<Candle> = None;
        for candle in self.all().rev().take_while(|candle| candle.open_time > since) {
            day = Some(match day {
                None => *candle,
                Some(later) => Candle {
                    open_time: candle.open_time,
                    open: candle.open,
                    high: later.high.max(candle.high),
                    low: later.low.min(candle.low),
                    close: later.close,
                    volume: later.volume + candle.volume,
                },
            });
        }
        day
    }
}

impl Coming {
    fn next(&mut self) -> Option<Candle> {
        match self {
            Self::Recorded(candles) => candles.next(),
            Self::Synthetic(market) => market.next(),
        }
    }
}
