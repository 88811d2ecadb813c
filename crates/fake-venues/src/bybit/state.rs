//! Everything behind the venue's one lock: the world, the sockets, the troubles, rate counters.

use std::collections::{BTreeMap, VecDeque};

use keyhold_domain::{
    Asset, Decimal, OrderKind, OrderStatus, PositionEffect, Price, Side, Symbol, Timestamp, TriggerDirection,
    TriggerSource, VenueOrderId,
};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, Input, Order, OrderRef, OrderRequest};

use super::stream;
use crate::config::{Pace, RateLimits};
use crate::hub::Hub;
use crate::trouble::Trouble;
use crate::world::{MarketNews, World};

/// Which stop of a position an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopWord {
    StopLoss,
    TakeProfit,
}

/// What Bybit remembers of an order beyond the exchange's own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tag {
    /// Set on orders that belong to the position itself.
    pub(crate) stop: Option<StopWord>,
    /// Stop loss to be set once the order is filled.
    pub(crate) stop_loss: Option<Price>,
    /// Take profit to be set once the order is filled.
    pub(crate) take_profit: Option<Price>,
}

/// Stop loss and take profit of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stops {
    pub(crate) stop_loss: Option<Price>,
    pub(crate) take_profit: Option<Price>,
}

/// Requests counted in one second (per account and path) or five (per address).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) since: Timestamp,
    pub(crate) count: u32,
}

/// The most tags and rate windows that are kept.
const MAX_SMALL: usize = 20_000;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) hub: Hub,
    pub(crate) trouble: Trouble,
    pub(crate) pace: Pace,
    pub(crate) rate_limits: RateLimits,
    pub(crate) windows: BTreeMap<String, Window>,
    pub(crate) books: BTreeMap<String, stream::Book>,
    tags: BTreeMap<VenueOrderId, Tag>,
    tag_sequence: VecDeque<VenueOrderId>,
}

impl State {
    pub(crate) fn new(world: World, trouble: Trouble, pace: Pace, rate_limits: RateLimits) -> Self {
        Self {
            world,
            hub: Hub::default(),
            trouble,
            pace,
            rate_limits,
            windows: BTreeMap::new(),
            books: BTreeMap::new(),
            tags: BTreeMap::new(),
            tag_sequence: VecDeque::new(),
        }
    }

    pub(crate) fn tag(&self, order: &VenueOrderId) -> Option<&Tag> {
        self.tags.get(order)
    }

    pub(crate) fn set_tag(&mut self, order: VenueOrderId, tag: Tag) {
        if self.tags.insert(order, tag).is_none() {
            self.tag_sequence.push_back(order);
        }
        if self.tag_sequence.len() > MAX_SMALL
            && let Some(oldest) = self.tag_sequence.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }

    /// Counts a request and returns how many are left in the window, or `None` when it is one too many.
    pub(crate) fn count(
        &mut self,
        what: String,
        (limit, length_ms): (u32, i64),
        now: Timestamp,
    ) -> (Option<u32>, Timestamp) {
        if self.windows.len() > MAX_SMALL {
            self.windows.retain(|_, window| now.since_ms(window.since) < 10_000);
        }
        let window = self.windows.entry(what).or_insert(Window { since: now, count: 0 });
        if now.since_ms(window.since) >= length_ms || now < window.since {
            *window = Window { since: now, count: 0 };
        }
        window.count += 1;
        let reset = window.since.plus_ms(length_ms);
        let left = limit.checked_sub(window.count);
        match self.rate_limits {
            RateLimits::Enforced => (left, reset),
            RateLimits::Off => (Some(limit), reset),
        }
    }

    /// What one unit of an asset is worth in USD: 1 for stable coins, else the last price of a market of it.
    pub(crate) fn usd_price(&self, asset: Asset) -> Decimal {
        let market = self.world.feeds.iter().find(|feed| feed.instrument.base == asset);
        let price = market.and_then(|feed| self.world.exchange.last_price(feed.instrument.symbol));
        match price {
            Some(price) => price.get(),
            None if matches!(asset.as_str(), "USDT" | "USDC" | "USD") => Decimal::ONE,
            None => Decimal::ZERO,
        }
    }

    /// The position's own stop orders.
    fn stop_orders(&self, account: AccountId, symbol: Symbol) -> Vec<(StopWord, Order)> {
        let orders = self.world.exchange.open_orders(account).filter(|order| order.symbol == symbol);
        orders.filter_map(|order| Some((self.tag(&order.venue_id)?.stop?, *order))).collect()
    }

    pub(crate) fn position_stops(&self, account: AccountId, symbol: Symbol) -> Stops {
        let mut stops = Stops::default();
        for (word, order) in self.stop_orders(account, symbol) {
            let OrderKind::StopMarket { trigger, .. } = order.kind else { continue };
            match word {
                StopWord::StopLoss => stops.stop_loss = Some(trigger),
                StopWord::TakeProfit => stops.take_profit = Some(trigger),
            }
        }
        stops
    }

    /// Sets (`Some(Some)`), clears (`Some(None)`) or leaves (`None`) one of the position's stops.
    pub(crate) fn set_position_stop(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        word: StopWord,
        level: Option<Price>,
    ) -> Result<(), keyhold_simulator::exchange::Refusal> {
        use keyhold_simulator::exchange::Refusal;
        let position = self.world.exchange.position(account, symbol)?;
        for (held, order) in self.stop_orders(account, symbol) {
            if held == word {
                let order = OrderRef::Venue(order.venue_id);
                self.world.apply(&Input::Cancel { account, symbol, order })?;
            }
        }
        let Some(trigger) = level else { return Ok(()) };
        let (Some(side), Some(quantity)) = (position.size.side(), position.size.magnitude()) else {
            return Err(Refusal::NothingToReduce);
        };
        let falls = (side == Side::Buy) == (word == StopWord::StopLoss);
        let direction = if falls { TriggerDirection::Falls } else { TriggerDirection::Rises };
        let order = OrderRequest {
            name: None,
            symbol,
            side: side.opposite(),
            kind: OrderKind::StopMarket { trigger, direction, source: TriggerSource::Last },
            quantity,
            effect: PositionEffect::ReduceOnly,
        };
        let id = self.world.exchange.next_order_id();
        self.set_tag(id, Tag { stop: Some(word), ..Tag::default() });
        self.world.apply(&Input::Submit { account, order })
    }

    /// Sets attached stops of filled orders and removes stops of closed positions. Bounded: each round handles
    /// only what the round before has caused.
    fn follow_up(&mut self, events: &[ExchangeEvent]) {
        for event in events {
            match event {
                ExchangeEvent::Order(order) if order.status == OrderStatus::Filled => {
                    let Some(tag) = self.tags.get_mut(&order.venue_id) else { continue };
                    let wanted = [
                        (StopWord::StopLoss, tag.stop_loss.take()),
                        (StopWord::TakeProfit, tag.take_profit.take()),
                    ];
                    for (word, level) in wanted {
                        if level.is_some() {
                            let set = self.set_position_stop(order.account, order.symbol, word, level);
                            if let Err(refusal) = set {
                                tracing::warn!(%refusal, "an attached stop was not set");
                            }
                        }
                    }
                }
                ExchangeEvent::Position(account, position) if position.size.is_flat() => {
                    for (_, order) in self.stop_orders(*account, position.symbol) {
                        let (account, symbol) = (order.account, order.symbol);
                        let order = OrderRef::Venue(order.venue_id);
                        if let Err(refusal) = self.world.apply(&Input::Cancel { account, symbol, order }) {
                            tracing::warn!(%refusal, "a stop of a closed position was not canceled");
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Tells the accounts what has happened to them since the last call.
    pub(crate) fn tell(&mut self) {
        // Three rounds: what happened, stops set or removed because of it, and what those caused.
        for _ in 0..3 {
            let events = self.world.take_events();
            if events.is_empty() {
                return;
            }
            for event in &events {
                stream::tell_event(self, event);
            }
            self.follow_up(&events);
        }
    }

    /// Tells everybody what the markets did.
    pub(crate) fn publish(&mut self, news: &[MarketNews]) {
        self.tell();
        for item in news {
            stream::publish(self, item);
        }
    }
}
