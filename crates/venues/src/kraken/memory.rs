//! What the account's stream must remember, because Kraken's messages tell changes by name only.
//!
//! The end of an order comes with its id and a reason and without its size; a position that is closed is left out of the
//! list; an order by market is told by its fills alone. Pure and bounded. Next: [`super::account_stream`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    ClientOrderId, Decimal, Fill, Money, OpenOrder, OrderStatus, OrderUpdate, Position, SignedQuantity,
    Symbol, Timestamp, VenueOrderId,
};

use super::convert::feed_update;

/// Orders and fills remembered at most; the oldest are forgotten. Kraken keeps far fewer orders open.
const MOST_KEPT: usize = 5_000;

/// Ends that wait to be told on at most.
const MOST_OUTCOMES: usize = 1_000;

/// Ends of orders that cannot rest, told in the answer to their sending, until the account's stream tells them on.
#[derive(Debug, Default)]
pub struct Outcomes {
    waiting: Mutex<VecDeque<OrderUpdate>>,
}

impl Outcomes {
    /// Notes an end. Without a stream nobody takes it; then the oldest are forgotten.
    pub fn note(&self, update: OrderUpdate) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MOST_OUTCOMES {
            waiting.pop_front();
        }
        waiting.push_back(update);
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<OrderUpdate> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

/// Fees of fills, which do not change and cost much to ask for: three of the hundred questions that ten minutes allow.
#[derive(Debug, Default)]
pub struct KnownFees {
    known: Mutex<(BTreeMap<FillId, Money>, VecDeque<FillId>)>,
}

impl KnownFees {
    /// Remembers a fee; the oldest are forgotten.
    pub fn note(&self, id: FillId, fee: Money) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (fees, sequence) = &mut *known;
        if fees.insert(id, fee).is_none() {
            sequence.push_back(id);
        }
        if sequence.len() > MOST_KEPT
            && let Some(oldest) = sequence.pop_front()
        {
            fees.remove(&oldest);
        }
    }

    /// A fee, when it is known.
    pub fn of(&self, id: FillId) -> Option<Money> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.get(&id).copied()
    }
}

/// How orders ended by the history, which does not change and may be asked for a hundred times in ten minutes only. One
/// answer tells of every order of an instrument; those that are asked about next need no other.
#[derive(Debug, Default)]
pub struct KnownEnds {
    known: Mutex<(BTreeMap<ClientOrderId, OrderUpdate>, VecDeque<ClientOrderId>)>,
}

impl KnownEnds {
    /// Remembers an end; the oldest are forgotten. Of an order that goes on nothing is kept.
    pub fn note(&self, update: OrderUpdate) {
        match update.status {
            OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Rejected => {}
            OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled => return,
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (ends, sequence) = &mut *known;
        if ends.insert(update.client_id, update).is_none() {
            sequence.push_back(update.client_id);
        }
        if sequence.len() > MOST_KEPT
            && let Some(oldest) = sequence.pop_front()
        {
            ends.remove(&oldest);
        }
    }

    /// An end, when it is known.
    pub fn of(&self, id: ClientOrderId) -> Option<OrderUpdate> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.get(&id).copied()
    }
}

/// The memory of one session.
#[derive(Debug, Default)]
pub struct Memory {
    /// Orders that rest or wait.
    orders: BTreeMap<VenueOrderId, OpenOrder>,
    /// How much of an order was filled, as far as fills were heard.
    filled: BTreeMap<VenueOrderId, Decimal>,
    sequence: VecDeque<VenueOrderId>,
    fills: BTreeSet<FillId>,
    fill_sequence: VecDeque<FillId>,
    positions: BTreeSet<Symbol>,
}

impl Memory {
    /// The list of orders when the session began.
    pub fn know_order(&mut self, order: OpenOrder) {
        if self.orders.len() < MOST_KEPT {
            self.orders.insert(order.venue_id, order);
        }
    }

    /// News of an order that is there.
    pub fn order(&mut self, order: OpenOrder, at: Timestamp) -> Option<OrderUpdate> {
        self.know_order(order);
        feed_update(&order, None, at)
    }

    /// An order is gone. Without its record it is the one that was heard of before.
    pub fn order_gone(
        &mut self,
        id: VenueOrderId,
        told: Option<OpenOrder>,
        reason: &str,
        at: Timestamp,
    ) -> Option<OrderUpdate> {
        // A stop that is triggered goes on as an order by market under the same name.
        if reason == "stop_order_triggered" {
            let order = self.orders.get_mut(&id)?;
            order.status = OrderStatus::Open;
            return feed_update(order, None, at);
        }
        let known = self.orders.remove(&id);
        let mut order = told.or(known)?;
        // The record of an end may be older than the fills.
        let heard = self.filled.get(&id).copied().unwrap_or_default();
        order.filled = order.filled.max(heard);
        feed_update(&order, Some(reason), at)
    }

    /// A fill from before the session; counts for what is filled and is no news.
    pub fn know_fill(&mut self, fill: &Fill) {
        if !self.fills.insert(fill.fill_id) {
            return;
        }
        remember(&mut self.fill_sequence, fill.fill_id, |gone| {
            self.fills.remove(&gone);
        });
        let id = fill.venue_order_id;
        if !self.filled.contains_key(&id) {
            remember(&mut self.sequence, id, |gone| {
                self.filled.remove(&gone);
            });
        }
        let sum = self.filled.entry(id).or_default();
        *sum = sum.saturating_add(fill.quantity.get());
    }

    /// A fill of an order of ours and what it leaves open: what that says of the order. Of an order that rests the feed
    /// of orders says more.
    pub fn fill(&mut self, fill: &Fill, left: Option<Decimal>) -> Option<OrderUpdate> {
        self.know_fill(fill);
        let client_id = fill.client_id?;
        let rests = self.orders.get(&fill.venue_order_id);
        let heard = self.filled.get(&fill.venue_order_id).copied().unwrap_or_default();
        let whole = left? <= Decimal::ZERO;
        if !whole && rests.is_some() {
            return None;
        }
        Some(OrderUpdate {
            client_id,
            venue_id: Some(fill.venue_order_id),
            symbol: fill.symbol,
            status: if whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled },
            filled: rests.filter(|_| whole).map_or(heard, |order| order.quantity.get()),
            refusal: None,
            at: fill.at,
        })
    }

    /// All positions that there are: these, and those that have been closed since the last list.
    pub fn positions(&mut self, now: Vec<Position>) -> Vec<Position> {
        let symbols: BTreeSet<Symbol> = now.iter().map(|position| position.symbol).collect();
        let closed = std::mem::replace(&mut self.positions, symbols);
        let closed = closed.into_iter().filter(|symbol| !self.positions.contains(symbol));
        let mut told: Vec<Position> =
            closed.map(|symbol| Position::sized(symbol, SignedQuantity::ZERO)).collect();
        told.extend(now);
        told
    }
}

fn remember<T: Copy>(list: &mut VecDeque<T>, item: T, forget: impl FnOnce(T)) {
    list.push_back(item);
    if list.len() > MOST_KEPT
        && let Some(oldest) = list.pop_front()
    {
        forget(oldest);
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{
        BotId, ClientOrderId, Liquidity, Money, OrderKind, OrderPurpose, PositionEffect, Side, TimeInForce,
    };

    use super::*;

    fn ours() -> ClientOrderId {
        ClientOrderId::new(BotId::from_u128(1 << 90), 1, 1, 1, OrderPurpose::Entry).unwrap()
    }

    fn order(filled: &str) -> OpenOrder {
        let filled: Decimal = filled.parse().unwrap();
        OpenOrder {
            client_id: Some(ours()),
            venue_id: "o-1".parse().unwrap(),
            symbol: "PF_XBTUSD".parse().unwrap(),
            side: Side::Buy,
            kind: OrderKind::Limit { price: "10".parse().unwrap(), time_in_force: TimeInForce::Gtc },
            quantity: "3".parse().unwrap(),
            filled,
            effect: PositionEffect::Increase,
            status: if filled.is_zero() { OrderStatus::Open } else { OrderStatus::PartiallyFilled },
        }
    }

    fn fill(id: &str, quantity: &str) -> Fill {
        Fill {
            fill_id: id.parse().unwrap(),
            client_id: Some(ours()),
            venue_order_id: "o-1".parse().unwrap(),
            symbol: "PF_XBTUSD".parse().unwrap(),
            side: Side::Buy,
            price: "10".parse().unwrap(),
            quantity: quantity.parse().unwrap(),
            fee: Money::zero("USD".parse().unwrap()),
            liquidity: Liquidity::Taker,
            at: Timestamp::from_ms(5),
        }
    }

    fn said(update: Option<OrderUpdate>) -> Option<(OrderStatus, String)> {
        update.map(|update| (update.status, update.filled.to_string()))
    }

    #[test]
    fn an_order_by_market_is_told_by_its_fills() {
        let mut memory = Memory::default();
        let partly = memory.fill(&fill("f-1", "1"), Decimal::from_str_exact("2").ok());
        assert_eq!(said(partly), Some((OrderStatus::PartiallyFilled, "1".to_owned())));
        let again = memory.fill(&fill("f-1", "1"), Decimal::from_str_exact("2").ok());
        assert_eq!(said(again), Some((OrderStatus::PartiallyFilled, "1".to_owned())), "a repeat counts once");
        let whole = memory.fill(&fill("f-2", "2"), Some(Decimal::ZERO));
        assert_eq!(said(whole), Some((OrderStatus::Filled, "3".to_owned())));
    }

    #[test]
    fn the_end_of_an_order_is_completed_from_memory() {
        let at = Timestamp::from_ms(9);
        let id: VenueOrderId = "o-1".parse().unwrap();
        let mut memory = Memory::default();
        assert_eq!(said(memory.order_gone(id, None, "cancelled_by_user", at)), None, "never heard of");
        assert_eq!(said(memory.order(order("0"), at)), Some((OrderStatus::Open, "0".to_owned())));
        assert_eq!(
            said(memory.fill(&fill("f-1", "1"), Some(Decimal::TWO))),
            None,
            "the feed of orders tells it"
        );
        let gone = memory.order_gone(id, None, "cancelled_by_user", at);
        assert_eq!(said(gone), Some((OrderStatus::Canceled, "1".to_owned())));
        memory.order(order("1"), at);
        let filled = memory.order_gone(id, Some(order("3")), "full_fill", at);
        assert_eq!(said(filled), Some((OrderStatus::Filled, "3".to_owned())));
    }

    #[test]
    fn a_triggered_stop_is_not_gone() {
        let at = Timestamp::from_ms(9);
        let id: VenueOrderId = "o-1".parse().unwrap();
        let mut memory = Memory::default();
        memory.order(order("0"), at);
        let triggered = memory.order_gone(id, None, "stop_order_triggered", at);
        assert_eq!(said(triggered), Some((OrderStatus::Open, "0".to_owned())));
        let refused = memory.order_gone(id, None, "would_not_reduce_position", at).unwrap();
        assert_eq!(refused.refusal, Some(keyhold_domain::RefusalCode::ReduceOnlyRejected));
    }

    #[test]
    fn only_ends_are_remembered_and_the_oldest_are_forgotten() {
        let named = |sequence| {
            ClientOrderId::new(BotId::from_u128(1 << 90), 1, 1, sequence, OrderPurpose::Entry).unwrap()
        };
        let update = |client_id, status| OrderUpdate {
            client_id,
            venue_id: None,
            symbol: "PF_XBTUSD".parse().unwrap(),
            status,
            filled: Decimal::ONE,
            refusal: None,
            at: Timestamp::from_ms(9),
        };
        let ends = KnownEnds::default();
        ends.note(update(named(1), OrderStatus::PartiallyFilled));
        assert_eq!(ends.of(named(1)), None, "it may still be filled");
        ends.note(update(named(1), OrderStatus::Canceled));
        assert_eq!(ends.of(named(1)).map(|end| end.status), Some(OrderStatus::Canceled));
        let most = u32::try_from(MOST_KEPT).unwrap();
        for sequence in 2..most + 2 {
            ends.note(update(named(sequence), OrderStatus::Filled));
        }
        assert_eq!(ends.of(named(1)), None);
        assert!(ends.of(named(most + 1)).is_some());
    }

    #[test]
    fn a_position_that_is_left_out_is_closed() {
        let long = |symbol: &str| Position::sized(symbol.parse().unwrap(), SignedQuantity::new(Decimal::ONE));
        let mut memory = Memory::default();
        assert_eq!(memory.positions(vec![long("PF_XBTUSD"), long("PF_ETHUSD")]).len(), 2);
        let told = memory.positions(vec![long("PF_ETHUSD")]);
        assert_eq!(told.len(), 2);
        assert!(told[0].size.is_flat() && told[0].symbol.as_str() == "PF_XBTUSD");
        assert_eq!(memory.positions(vec![]).len(), 1);
        assert_eq!(memory.positions(vec![]).len(), 0);
    }
}
