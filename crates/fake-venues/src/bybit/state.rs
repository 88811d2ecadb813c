//! What Bybit remembers beyond the neutral state: books as they were sent, stops that belong to orders and positions.

use std::collections::{BTreeMap, VecDeque};

use keyhold_domain::{
    OrderKind, OrderStatus, PositionEffect, Price, Side, Symbol, TriggerDirection, TriggerSource,
    VenueOrderId,
};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, Input, Order, OrderRef, OrderRequest};

use super::{call, failure, socket, stream};
use crate::config::AccountConfig;
use crate::core::{Core, MAX_SMALL};
use crate::protocol::{Answer, Line, Protocol, Request, Sender};
use crate::world::MarketNews;

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

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) books: BTreeMap<String, stream::Book>,
    tags: BTreeMap<VenueOrderId, Tag>,
    tag_sequence: VecDeque<VenueOrderId>,
}

impl State {
    pub(crate) const fn new(core: Core) -> Self {
        Self { core, books: BTreeMap::new(), tags: BTreeMap::new(), tag_sequence: VecDeque::new() }
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

    /// The position's own stop orders.
    fn stop_orders(&self, account: AccountId, symbol: Symbol) -> Vec<(StopWord, Order)> {
        let orders = self.core.world.exchange.open_orders(account).filter(|order| order.symbol == symbol);
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
        let position = self.core.world.exchange.position(account, symbol)?;
        for (held, order) in self.stop_orders(account, symbol) {
            if held == word {
                let order = OrderRef::Venue(order.venue_id);
                self.core.world.apply(&Input::Cancel { account, symbol, order })?;
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
        let id = self.core.world.exchange.next_order_id();
        self.set_tag(id, Tag { stop: Some(word), ..Tag::default() });
        self.core.world.apply(&Input::Submit { account, order })
    }
}

impl Protocol for State {
    fn core(&self) -> &Core {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    fn line_of(&self, path: &str, _query: &str) -> Option<Line> {
        socket::channel_of(path).map(Line::plain)
    }

    fn serve(&mut self, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
        call::answer(self, accounts, request)
    }

    fn gateway(&self, status: u16) -> Answer {
        failure::gateway(status)
    }

    fn hear(&mut self, accounts: &[AccountConfig], sender: Sender, text: &str) -> Vec<String> {
        socket::answer(self, accounts, sender, text)
    }

    fn show(&mut self, news: &MarketNews) {
        stream::publish(self, news);
    }

    fn tell_event(&mut self, event: &ExchangeEvent) {
        stream::tell_event(self, event);
    }

    fn is_tagged(&self, order: &VenueOrderId) -> bool {
        self.tag(order).is_some()
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
                        if let Err(refusal) = self.core.world.apply(&Input::Cancel { account, symbol, order })
                        {
                            tracing::warn!(%refusal, "a stop of a closed position was not canceled");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
