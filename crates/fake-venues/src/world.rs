//! The venue's inside without any protocol: the exchange, its feeds and the records of what happened.
//!
//! Knows no wall clock and no socket. Every deed leaves its events in [`World::take_events`] for the protocol side
//! to tell. Time here is replay time.

use std::collections::{BTreeMap, VecDeque};

use keyhold_domain::{
    Candle, ContractType, Decimal, Fill, Instrument, OrderStatus, Price, Rate, Symbol, Timestamp,
    VenueOrderId,
};
use keyhold_simulator::exchange::{
    AccountId, Exchange, ExchangeEvent, FillReport, FundingPayment, Input, Liquidation, Order, PositionMode,
    Refusal,
};

use crate::config::{CandleSource, ConfigError, MarketConfig, VenueConfig, parse_balances};
use crate::feed::Feed;

/// The most finished orders, fills and payments that are remembered per account.
const MAX_RECORDS: usize = 10_000;

/// What happened to one account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Executions since the start, also those that are forgotten.
    pub(crate) filled: u64,
    /// Every order's latest state.
    pub(crate) orders: BTreeMap<VenueOrderId, Order>,
    /// The same orders in the order of their arrival.
    pub(crate) sequence: VecDeque<VenueOrderId>,
    /// Executions.
    pub(crate) fills: VecDeque<FillReport>,
    /// Funding payments.
    pub(crate) funding: VecDeque<FundingPayment>,
    /// Liquidations.
    pub(crate) liquidations: VecDeque<Liquidation>,
}

/// Adds to a bounded list and returns what fell out at the other end.
fn remember<T>(list: &mut VecDeque<T>, item: T) -> Option<T> {
    list.push_back(item);
    if list.len() > MAX_RECORDS { list.pop_front() } else { None }
}

impl Records {
    /// An order as it was when one of its fills had just happened, whatever has followed since.
    pub(crate) fn order_at(&self, report: &FillReport) -> Option<Order> {
        let order = *self.orders.get(&report.fill.venue_order_id)?;
        let later = self.fills.iter().rev().take_while(|one| one.fill.fill_id != report.fill.fill_id);
        let mut then = order;
        for one in later.filter(|one| one.fill.venue_order_id == order.venue_id) {
            then.filled -= one.fill.quantity.get();
            then.filled_cost -= one.fill.quantity.get() * one.fill.price.get();
            then.fees -= one.fill.fee.amount;
        }
        if then.filled < then.quantity.get() {
            then.status = OrderStatus::PartiallyFilled;
        }
        Some(then)
    }

    fn note(&mut self, event: &ExchangeEvent) {
        match event {
            ExchangeEvent::Order(order) => {
                if self.orders.insert(order.venue_id, *order).is_none()
                    && let Some(oldest) = remember(&mut self.sequence, order.venue_id)
                {
                    self.orders.remove(&oldest);
                }
            }
            ExchangeEvent::Fill(_, report) => {
                self.filled += 1;
                let _oldest = remember(&mut self.fills, *report);
            }
            ExchangeEvent::Funding(_, payment) => {
                let _oldest = remember(&mut self.funding, *payment);
            }
            ExchangeEvent::Liquidation(_, liquidation) => {
                let _oldest = remember(&mut self.liquidations, *liquidation);
            }
            ExchangeEvent::Position(..) | ExchangeEvent::Balance(..) => {}
        }
    }
}

/// What a market did during one move of the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarketNews {
    /// A price inside the forming candle, or its open.
    Price(Symbol),
    /// A candle closed.
    Closed(Symbol, Candle),
}

/// One part of a base candle in lockstep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The way of the price through the rest of the forming candles. Afterwards the market waits for the next open, and
    /// orders that come now wait with it.
    Path,
    /// The closed candles are told.
    Close,
    /// The next candles open.
    Open,
}

/// How much of the forming candles has been played, in thousandths.
type Share = u32;

/// The venue's inside.
#[derive(Debug)]
pub(crate) struct World {
    /// Matches orders and keeps the books.
    pub(crate) exchange: Exchange,
    /// One feed per instrument.
    pub(crate) feeds: Vec<Feed>,
    /// What happened, per account.
    pub(crate) records: BTreeMap<AccountId, Records>,
    /// Replay time.
    pub(crate) now: Timestamp,
    /// Closed base candles since the start.
    pub(crate) played: u64,
    /// The recording is over.
    pub(crate) ended: bool,
    share: Share,
    events: Vec<ExchangeEvent>,
    /// Candles that have been played to their end and were not told.
    untold: Vec<MarketNews>,
    /// Which part of the candle comes next.
    next: Part,
}

const WHOLE: Share = 1_000;
/// Why the exchange takes every price of a feed.
const BOUNDED: &str = "feeds are listed, and prices are bounded when candles are read or made";

impl World {
    /// Lists the markets, opens the accounts and begins the first candles.
    pub(crate) fn new(config: &VenueConfig) -> Result<Self, ConfigError> {
        let mut exchange = Exchange::new(config.exchange);
        let start = config.start.unwrap_or_else(|| (config.clock)());
        let start = config.base.open_of(start);
        let mut feeds = Vec::new();
        for market in &config.markets {
            exchange.list(market.instrument);
            // Instruments of one coin share one path, so that linear and inverse prices agree.
            let base = market.instrument.base;
            let stream = (0_u64..).zip(&config.markets).find(|(_, other)| other.instrument.base == base);
            let stream = stream.map_or(0, |(number, _)| number);
            let chance = (config.seed, stream, start);
            let source = market.source.clone();
            feeds.push(Feed::new(market.instrument, source, config.base, config.history, chance));
        }
        if feeds.is_empty() {
            return Err(ConfigError::NoMarket);
        }
        let is_recorded = |market: &MarketConfig| matches!(market.source, CandleSource::Recorded(_));
        // Recordings bring their own time; the first candle that begins sets it.
        let brings_time = config.start.is_none() && config.markets.iter().all(is_recorded);
        let mut world = Self {
            exchange,
            feeds,
            records: BTreeMap::new(),
            now: if brings_time { Timestamp::EPOCH } else { start },
            played: 0,
            ended: false,
            share: 0,
            events: Vec::new(),
            untold: Vec::new(),
            next: Part::Path,
        };
        world.open_accounts(config)?;
        world.begin();
        let symbols: Vec<Symbol> = world.feeds.iter().map(|feed| feed.instrument.symbol).collect();
        for symbol in symbols {
            // 0.01 % every funding interval, the usual resting rate of perpetual contracts.
            world.exchange.set_funding_rate(symbol, Rate::new(Decimal::new(1, 4))).expect(BOUNDED);
        }
        world.events.clear();
        Ok(world)
    }

    fn open_accounts(&mut self, config: &VenueConfig) -> Result<(), ConfigError> {
        for account in &config.accounts {
            let id = AccountId(account.id);
            self.exchange.open_account(id);
            self.records.insert(id, Records::default());
            let wrong =
                |refusal: Refusal| ConfigError::Account { account: account.id, what: refusal.to_string() };
            for money in parse_balances(account)? {
                self.exchange.deposit(id, money, &mut self.events).map_err(wrong)?;
            }
            let unchanged = |result: Result<(), Refusal>| match result {
                Ok(()) | Err(Refusal::NoChange) => Ok(()),
                Err(refusal) => Err(wrong(refusal)),
            };
            unchanged(self.exchange.set_margin_mode(id, account.margin_mode))?;
            unchanged(self.exchange.set_position_mode(id, PositionMode::from(account.position_mode)))?;
        }
        Ok(())
    }

    /// The feed of an instrument.
    pub(crate) fn feed(&self, symbol: Symbol) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.instrument.symbol == symbol)
    }

    /// Gives the exchange an input at the present replay time.
    pub(crate) fn apply(&mut self, input: &Input) -> Result<(), Refusal> {
        let from = self.events.len();
        let result = self.exchange.apply_into(input, self.now, &mut self.events);
        self.record(from);
        result
    }

    fn record(&mut self, from: usize) {
        show_bankruptcies(&self.feeds, &mut self.events[from..]);
        for event in &self.events[from..] {
            if let Some(records) = self.records.get_mut(&event.account()) {
                records.note(event);
            }
        }
    }

    /// The events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<ExchangeEvent> {
        std::mem::take(&mut self.events)
    }

    /// Plays what is left of the forming candles, closes them and begins the next ones.
    pub(crate) fn step(&mut self) -> Vec<MarketNews> {
        let mut news = self.play(Part::Path);
        news.extend(self.play(Part::Close));
        news.extend(self.play(Part::Open));
        news
    }

    /// Plays one part of the candles. A part that is not the next one does nothing.
    pub(crate) fn play(&mut self, part: Part) -> Vec<MarketNews> {
        if self.ended || self.next != part {
            return Vec::new();
        }
        match part {
            Part::Path => {
                self.untold = self.finish();
                self.next = Part::Close;
                Vec::new()
            }
            Part::Close => {
                self.next = Part::Open;
                std::mem::take(&mut self.untold)
            }
            Part::Open => {
                self.next = Part::Path;
                self.begin();
                self.feeds.iter().map(|feed| MarketNews::Price(feed.instrument.symbol)).collect()
            }
        }
    }

    /// Things that have happened to accounts and were not told.
    pub(crate) fn happened(&self) -> usize {
        self.events.len()
    }

    /// Shows the next of `parts` prices of the forming candles; the last part is a [`Self::step`].
    pub(crate) fn tick(&mut self, parts: u32) -> Vec<MarketNews> {
        let parts = parts.clamp(1, WHOLE);
        // The share is a rounded down multiple of one part; the nearest multiple says how many parts are done.
        let done = (self.share * parts + WHOLE / 2) / WHOLE;
        let next = (done + 1) * WHOLE / parts;
        if next >= WHOLE || self.ended || self.next != Part::Path {
            return self.step();
        }
        let from = self.events.len();
        let mut news = Vec::new();
        for index in 0..self.feeds.len() {
            let Some(hidden) = self.feeds[index].hidden().copied() else { continue };
            let symbol = self.feeds[index].instrument.symbol;
            let length = self.feeds[index].base.ms();
            self.now = hidden.open_time.plus_ms(length * i64::from(next) / i64::from(WHOLE));
            let tick = self.feeds[index].instrument.tick;
            let target = waypoint(&hidden, next, tick);
            self.move_to(index, target, next).expect(BOUNDED);
            news.push(MarketNews::Price(symbol));
        }
        self.share = next;
        self.record(from);
        news
    }

    /// Moves one instrument's price by hand, on the way touching everything between.
    pub(crate) fn move_price(&mut self, symbol: Symbol, price: Price) -> Result<MarketNews, Refusal> {
        let index = self.feeds.iter().position(|feed| feed.instrument.symbol == symbol);
        let index = index.ok_or(Refusal::UnknownSymbol)?;
        let from = self.events.len();
        self.move_to(index, price, self.share)?;
        self.record(from);
        Ok(MarketNews::Price(symbol))
    }

    /// A straight way from the last price to another, during which stops and limits fill at their own prices.
    fn move_to(&mut self, index: usize, target: Price, share: Share) -> Result<(), Refusal> {
        let symbol = self.feeds[index].instrument.symbol;
        let from = self.exchange.last_price(symbol).unwrap_or(target);
        let way = Candle {
            open_time: self.now,
            open: from,
            high: from.max(target),
            low: from.min(target),
            close: target,
            volume: Decimal::ZERO,
        };
        self.exchange.play_rest(symbol, &way, self.now, &mut self.events)?;
        self.exchange.price(symbol, target, self.now, &mut self.events)?;
        self.feeds[index].show(target, self.now, share);
        Ok(())
    }

    fn finish(&mut self) -> Vec<MarketNews> {
        let from = self.events.len();
        let mut news = Vec::new();
        for index in 0..self.feeds.len() {
            let feed = &mut self.feeds[index];
            let Some(hidden) = feed.hidden().copied() else { continue };
            let symbol = feed.instrument.symbol;
            self.now = hidden.open_time.plus_ms(feed.base.ms() - 1);
            let rest = match (self.share, feed.shown) {
                (1.., Some(shown)) => rest_of(&hidden, &shown),
                _ => hidden,
            };
            self.exchange.play_rest(symbol, &rest, self.now, &mut self.events).expect(BOUNDED);
            if let Some(closed) = self.feeds[index].close(self.now) {
                news.push(MarketNews::Closed(symbol, closed));
            }
        }
        self.share = 0;
        self.played += 1;
        self.record(from);
        news
    }

    fn begin(&mut self) {
        let from = self.events.len();
        for index in 0..self.feeds.len() {
            let Some(candle) = self.feeds[index].begin() else {
                self.ended = true;
                // The last price stays the market's price, so that orders still execute.
                if let Some(last) = self.feeds[index].last() {
                    let symbol = self.feeds[index].instrument.symbol;
                    self.exchange.price(symbol, last, self.now, &mut self.events).expect(BOUNDED);
                }
                continue;
            };
            self.now = self.now.max(candle.open_time);
            let symbol = self.feeds[index].instrument.symbol;
            self.exchange.price(symbol, candle.open, candle.open_time, &mut self.events).expect(BOUNDED);
        }
        self.record(from);
    }
}

/// Decimals of a price that is reckoned and not quoted.
const RECKONED_DECIMALS: u32 = 8;

/// Venues take a liquidated position over at the price at which its margin is used up (bankruptcy price) and show that
/// price; what the market pays beyond it goes to or comes from the insurance fund. The exchange inside books the two
/// separately; here they are made one, so that what an account is told of adds up to its wallet.
fn show_bankruptcies(feeds: &[Feed], events: &mut [ExchangeEvent]) {
    for index in 1..events.len() {
        let ExchangeEvent::Liquidation(account, liquidation) = events[index] else { continue };
        let ExchangeEvent::Fill(filled, report) = &mut events[index - 1] else { continue };
        let feed = feeds.iter().find(|feed| feed.instrument.symbol == liquidation.symbol);
        let (Some(feed), true) = (feed, *filled == account) else { continue };
        let taken = liquidation.clearance.amount;
        report.fill.venue_order_id = name_apart(report.fill.venue_order_id);
        if let Some(price) = bankruptcy(&feed.instrument, &report.fill, taken) {
            report.fill.price = price;
            report.realized -= taken;
        }
    }
}

/// The exchange inside numbers the orders of liquidations by themselves, and venues number all of their orders in one row:
/// the first of the ten digits that count is set, which no order of an account ever reaches.
fn name_apart(id: VenueOrderId) -> VenueOrderId {
    const COUNTING: usize = 10;
    let text = id.as_str();
    let apart = text.len().checked_sub(COUNTING).and_then(|at| {
        let (name, count) = text.split_at_checked(at)?;
        VenueOrderId::new(&format!("{name}8{}", count.get(1..)?)).ok()
    });
    apart.unwrap_or(id)
}

/// The price at which a fill would have brought less by what the insurance fund has taken.
fn bankruptcy(instrument: &Instrument, fill: &Fill, taken: Decimal) -> Option<Price> {
    let per_unit = taken.checked_div(fill.quantity.get() * instrument.multiplier)?;
    let (price, worse) = (fill.price.get(), -fill.side.opposite().sign() * per_unit);
    let reckoned = match instrument.contract_type {
        ContractType::Linear => price + worse,
        ContractType::Inverse => Decimal::ONE.checked_div(Decimal::ONE / price - worse)?,
    };
    Price::new(reckoned.round_dp(RECKONED_DECIMALS)).ok()
}

/// The price after `share` thousandths of a candle: from the open to the nearer extreme, to the other, to the close,
/// each leg a third of the time.
fn waypoint(candle: &Candle, share: Share, tick: Decimal) -> Price {
    let up = candle.high.get() - candle.open.get();
    let down = candle.open.get() - candle.low.get();
    let (first, second) = if up < down { (candle.high, candle.low) } else { (candle.low, candle.high) };
    let third = WHOLE / 3;
    let (from, to, done) = match share {
        0..333 => (candle.open, first, share),
        333..666 => (first, second, share - third),
        _ => (second, candle.close, share - 2 * third),
    };
    let part = Decimal::from(done.min(third)) / Decimal::from(third);
    let raw = from.get() + (to.get() - from.get()) * part;
    keyhold_domain::Rounding::Nearest.to_step(raw, tick).and_then(|raw| Price::new(raw).ok()).unwrap_or(from)
}

/// What is left of a candle of which a part was shown: only extremes that were not reached yet.
fn rest_of(hidden: &Candle, shown: &Candle) -> Candle {
    let here = shown.close;
    let high = if shown.high >= hidden.high { here.max(hidden.close) } else { hidden.high };
    let low = if shown.low <= hidden.low { here.min(hidden.close) } else { hidden.low };
    Candle { open: here, high: high.max(here), low: low.min(here), ..*hidden }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyhold_domain::{OrderKind, PositionEffect, Side, Timeframe};
    use keyhold_simulator::exchange::OrderRequest;

    use super::*;
    use crate::config::{CandleSource, MarketConfig, Pace, RateLimits, parse_accounts};

    const ACCOUNT: &str = r#"
        [[account]]
        id = 1
        balances = { USDT = "10000" }
        key = []
    "#;

    fn world(prices: [&str; 4]) -> World {
        let [open, high, low, close] = prices.map(|price| price.parse().unwrap());
        let first = Candle { open_time: Timestamp::EPOCH, open, high, low, close, volume: Decimal::TEN };
        let second = Candle { open_time: Timestamp::from_ms(60_000), ..first };
        let config = VenueConfig {
            venue: keyhold_domain::Exchange::Bybit,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![MarketConfig {
                instrument: crate::parse_instrument("BTCUSDT=linear").unwrap(),
                source: CandleSource::Recorded(vec![first, second]),
            }],
            accounts: parse_accounts(ACCOUNT).unwrap(),
            seed: 1,
            pace: Pace::Lockstep,
            base: Timeframe::M1,
            history: 0,
            start: Some(Timestamp::EPOCH),
            exchange: keyhold_simulator::exchange::ExchangeConfig::default(),
            rate_limits: RateLimits::Off,
            clock: Arc::new(|| Timestamp::EPOCH),
        };
        World::new(&config).unwrap()
    }

    /// However many prices a candle is shown in, it ends as recorded and takes as many ticks as were asked for.
    #[test]
    fn ticks_add_up_to_the_recorded_candle() {
        for parts in [1_u32, 3, 7, 60] {
            let mut world = world(["50000", "50500", "49400", "50200"]);
            for _ in 1..parts {
                assert!(world.tick(parts).iter().all(|news| matches!(news, MarketNews::Price(_))));
                assert_eq!(world.played, 0, "{parts} parts");
            }
            world.tick(parts);
            assert_eq!(world.played, 1, "{parts} parts");
            let closed = world.feeds[0].history[0];
            let seen = [closed.open, closed.high, closed.low, closed.close].map(|price| price.to_string());
            assert_eq!(seen, ["50000", "50500", "49400", "50200"], "{parts} parts");
            assert_eq!(world.now, Timestamp::from_ms(60_000));
        }
    }

    /// Between path and open the market waits: nothing is told and nothing moves but what was asked for.
    #[test]
    fn the_parts_of_a_candle_make_a_step() {
        let (mut whole, mut parts) =
            (world(["50000", "50500", "49400", "50200"]), world(["50000", "50500", "49400", "50200"]));
        let expected = whole.step();
        let mut news = parts.play(Part::Path);
        assert_eq!((news.len(), parts.play(Part::Open).len(), parts.played), (0, 0, 1));
        news.extend(parts.play(Part::Close));
        assert!(matches!(news.as_slice(), [MarketNews::Closed(..)]));
        assert_eq!(parts.exchange.last_price("BTCUSDT".parse().unwrap()).unwrap().to_string(), "50200");
        news.extend(parts.play(Part::Open));
        assert_eq!((news, parts.now), (expected, whole.now));
    }

    /// What an account is told of a liquidation adds up to what it has cost.
    #[test]
    fn a_liquidation_costs_what_is_shown() {
        let mut world = world(["50000", "50500", "49400", "50200"]);
        let (account, symbol) = (AccountId(1), "BTCUSDT".parse().unwrap());
        world.apply(&Input::SetLeverage { account, symbol, leverage: Decimal::from(50) }).unwrap();
        let order = OrderRequest {
            name: None,
            symbol,
            side: Side::Buy,
            kind: OrderKind::Market,
            quantity: "0.1".parse().unwrap(),
            effect: PositionEffect::Increase,
        };
        world.apply(&Input::Submit { account, order }).unwrap();
        world.move_price(symbol, "45000".parse().unwrap()).unwrap();
        let records = &world.records[&account];
        assert_eq!((records.fills.len(), records.liquidations.len()), (2, 1));
        let numbers: Vec<_> =
            records.fills.iter().map(|report| report.fill.venue_order_id.as_str()[26..].to_owned()).collect();
        assert_ne!(numbers[0], numbers[1], "a venue numbers all of its orders in one row");
        assert!(numbers[1].starts_with('8'));
        let told: Decimal = records.fills.iter().map(|report| report.realized - report.fill.fee.amount).sum();
        let wallet = world.exchange.balances(account).unwrap()[0].wallet;
        assert_eq!(told, wallet - Decimal::from(10_000));
        let moved = records.fills[1].fill.price.get() - records.fills[0].fill.price.get();
        let shown = moved * records.fills[1].fill.quantity.get();
        assert!((shown - records.fills[1].realized).abs() < Decimal::new(1, 6), "{shown}");
        assert_eq!(
            bankruptcy(&world.feeds[0].instrument, &records.fills[0].fill, Decimal::ONE).unwrap().to_string(),
            "50010",
            "a purchase that costs one more for a tenth"
        );
    }

    /// A step in the middle plays only what is left: an extreme that was visited is not visited again.
    #[test]
    fn a_step_finishes_a_candle_that_was_begun() {
        let mut world = world(["50000", "50300", "49000", "49500"]);
        for _ in 0..30 {
            world.tick(60);
        }
        assert!(world.feeds[0].shown.unwrap().high.to_string() == "50300", "the nearer extreme comes first");
        let news = world.step();
        assert!(matches!(news[0], MarketNews::Closed(..)));
        assert_eq!(world.exchange.last_price("BTCUSDT".parse().unwrap()).unwrap().to_string(), "50000");
    }
}
