//! What is known of one instrument's market besides candles, from the newest news, put together when a candle has closed.
//!
//! Bounded: one ticker, one view of the book, the trades of a few candles. Pure; [`super::market`] feeds it and hands what
//! it gives to the engine. How old is too old is the engine's rule; here only the times are kept.

use std::collections::VecDeque;

use keyhold_domain::{Candle, Timestamp};
use keyhold_engine::Plan;
use keyhold_engine::market::{BookSums, MarketFacts, Quote, STALE_AFTER_MS, Seen, TakerVolume};
use keyhold_engine::template::Number;
use keyhold_venues::event::BookView;
use keyhold_venues::port::Ticker;
use keyhold_venues::tape::TakerSums;

/// Candles whose trades are kept; as many may wait for history to be loaded.
const MOST_TRADED: usize = 1_000;

/// The newest news.
#[derive(Debug, Default)]
pub(super) struct Flow {
    ticker: Option<Ticker>,
    book: Option<BookView>,
    traded: VecDeque<(Timestamp, TakerSums)>,
}

fn seen<T>(value: Option<T>, at: Timestamp) -> Option<Seen<T>> {
    value.map(|value| Seen { value, at })
}

impl Flow {
    /// Prices, funding and open interest.
    pub(super) fn ticker(&mut self, ticker: Ticker) {
        self.ticker = Some(ticker);
    }

    /// The order book.
    pub(super) fn book(&mut self, book: BookView) {
        self.book = Some(book);
    }

    /// What takers traded during a candle.
    pub(super) fn traded(&mut self, open_time: Timestamp, sums: TakerSums) {
        if self.traded.len() >= MOST_TRADED {
            self.traded.pop_front();
        }
        self.traded.push_back((open_time, sums));
    }

    /// What the plan's components need to know beside a candle that is taken up now; `None` for a plan that trades on
    /// candles alone.
    pub(super) fn facts(&self, plan: &Plan, candle: &Candle, now: Timestamp) -> Option<MarketFacts> {
        let needs = plan.all_needs();
        if !needs.is_any() {
            return None;
        }
        let mut facts = MarketFacts::none(candle.open_time, now);
        if let Some(ticker) = &self.ticker {
            // In force now, whichever candle asks.
            facts.funding = seen(ticker.funding_rate.filter(|_| needs.funding), ticker.at);
            facts.next_funding = seen(ticker.next_funding.filter(|_| needs.next_funding), ticker.at);
        }
        if needs.trades {
            let sums = self.traded.iter().rev().find(|(open_time, _)| *open_time == candle.open_time);
            facts.taker =
                sums.map(|(_, sums)| TakerVolume { buy: Number(sums.buy), sell: Number(sums.sell) });
        }
        // What stands now says nothing about a candle that closed long ago and was fetched later.
        if now.since_ms(candle.close_time(plan.timeframe)) <= STALE_AFTER_MS {
            self.standing(plan, &mut facts);
        }
        Some(facts)
    }

    /// What belongs to the moment and not to a candle.
    fn standing(&self, plan: &Plan, facts: &mut MarketFacts) {
        let needs = plan.all_needs();
        if needs.quote {
            facts.quote = self.quote();
        }
        if let Some(ticker) = &self.ticker {
            let interest = ticker.open_interest.filter(|_| needs.open_interest);
            facts.open_interest = seen(interest.map(Number), ticker.at);
            facts.mark = seen(ticker.mark.filter(|_| needs.premium), ticker.at);
            facts.index = seen(ticker.index.filter(|_| needs.premium), ticker.at);
        }
        if let Some(book) = self.book.as_ref().filter(|_| needs.book) {
            let sums = BookSums::of(&plan.book_asks(), &book.bids, &book.asks, plan.contract);
            facts.book = seen(sums, book.at);
        }
    }

    /// The best prices, from the book or from the ticker, whichever is newer.
    fn quote(&self) -> Option<Seen<Quote>> {
        let of_book = self.book.as_ref().and_then(|book| {
            let (bid, ask) = (book.bids.first()?.0, book.asks.first()?.0);
            Some(Seen { value: Quote { bid, ask }, at: book.at })
        });
        let of_ticker = self.ticker.as_ref().and_then(|ticker| {
            let quote = Quote { bid: ticker.bid?, ask: ticker.ask? };
            (quote.bid <= quote.ask).then_some(Seen { value: quote, at: ticker.at })
        });
        of_book.into_iter().chain(of_ticker).max_by_key(|quote| quote.at)
    }
}
