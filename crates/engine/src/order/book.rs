//! The orders of one instrument that live or have ended lately, and the fills already counted.
//!
//! It keeps what the lifecycle table needs to be asked and what a late fill needs to be understood. It decides nothing.

use std::cmp::Ordering;
use std::collections::VecDeque;

use keyhold_domain::exact::{compare, is_positive};
use keyhold_domain::fill::FillId;
use keyhold_domain::money::decimal_text;
use keyhold_domain::{
    ClientOrderId, Decimal, NewOrder, OrderPurpose, OrderStatus, Price, ReasonCode, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::fills::KnownFills;
use super::lifecycle::{self, LifecycleError, OrderInput, OrderState};

/// Ended orders that are remembered for late fills.
const MOST_ENDED: usize = 32;

/// An order with its state and why it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// As it was sent.
    pub order: NewOrder,
    /// Where it is.
    pub state: OrderState,
    /// Sum of the fills counted.
    #[serde(with = "decimal_text")]
    pub filled: Decimal,
    /// Sum of the fills the venue has told of.
    #[serde(with = "decimal_text")]
    pub venue_filled: Decimal,
    /// Why it was sent; for exits the exit's reason, for stops the rule that set the level.
    pub reason: ReasonCode,
    /// The price it was decided at, or its level.
    pub decided: Price,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Which target it takes, for orders of the take profit.
    pub target: Option<u16>,
    /// How often it was given out to be sent.
    pub attempts: u32,
    /// When it is sent again, while it waits.
    pub retry_at: Option<Timestamp>,
}

impl Tracked {
    /// What is still to be filled; zero or more.
    pub fn open_quantity(&self) -> Decimal {
        (self.order.quantity.get() - self.filled).max(Decimal::ZERO)
    }

    /// May still fill, as far as we know.
    pub const fn is_live(&self) -> bool {
        !self.state.is_final()
    }

    /// Lives and nobody has asked for its end.
    pub fn is_wanted(&self) -> bool {
        self.is_live() && self.state != OrderState::Canceling
    }

    /// The venue is known to have it and nobody has asked for its end.
    pub const fn is_working(&self) -> bool {
        matches!(self.state, OrderState::Working | OrderState::PartlyFilled)
    }
}

/// The running number differs first and is asked first.
fn is_called(tracked: &Tracked, id: ClientOrderId) -> bool {
    tracked.order.client_id.sequence() == id.sequence() && tracked.order.client_id == id
}

/// The orders of one instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    live: Vec<Tracked>,
    ended: VecDeque<Tracked>,
    fills: KnownFills,
}

impl Book {
    /// Takes in an order that is about to be given out.
    pub fn add(&mut self, tracked: Tracked) {
        self.live.push(tracked);
    }

    /// The living orders, oldest first.
    pub fn live(&self) -> &[Tracked] {
        &self.live
    }

    /// The living orders with this purpose, oldest first.
    pub fn with_purpose(&self, purpose: OrderPurpose) -> impl Iterator<Item = &Tracked> {
        self.live.iter().filter(move |tracked| tracked.order.purpose == purpose)
    }

    /// A living or lately ended order.
    pub fn get(&self, id: ClientOrderId) -> Option<&Tracked> {
        // Of the ended ones the newest is the likeliest to be asked for.
        self.live.iter().chain(self.ended.iter().rev()).find(|tracked| is_called(tracked, id))
    }

    /// The same, to change what the lifecycle does not decide.
    pub fn get_mut(&mut self, id: ClientOrderId) -> Option<&mut Tracked> {
        self.live.iter_mut().chain(self.ended.iter_mut().rev()).find(|tracked| is_called(tracked, id))
    }

    /// Applies the lifecycle table. The state after it; `None` when the book does not hold the order.
    pub fn apply(
        &mut self,
        id: ClientOrderId,
        input: OrderInput,
    ) -> Option<Result<OrderState, LifecycleError>> {
        let tracked = self.get_mut(id)?;
        let after = lifecycle::next(tracked.state, input);
        if let Ok(state) = after {
            // A cancel that failed leaves the order as it was before it was asked for.
            let partly = state == OrderState::Working && is_positive(tracked.filled);
            tracked.state = if partly { OrderState::PartlyFilled } else { state };
            if tracked.state != OrderState::Waiting {
                tracked.retry_at = None;
            }
        }
        self.bury();
        Some(after)
    }

    /// Counts a fill of an order that is not known yet. What it does to the order's life, or `None` when it is more than
    /// the order's rest.
    pub fn count_fill(&mut self, id: ClientOrderId, fill: FillId, quantity: Decimal) -> Option<OrderInput> {
        let tracked = self.get_mut(id)?;
        let filled = tracked.filled.checked_add(quantity)?;
        if filled > tracked.order.quantity.get() {
            return None;
        }
        tracked.filled = filled;
        let whole = filled == tracked.order.quantity.get();
        self.remember_fill(fill);
        Some(if whole { OrderInput::FilledWhole } else { OrderInput::FilledPart })
    }

    /// Whether a fill was counted before.
    pub fn is_known_fill(&self, fill: FillId) -> bool {
        self.fills.contains(fill)
    }

    /// The newest fills that were counted, oldest first.
    pub fn known_fills(&self) -> impl Iterator<Item = FillId> + '_ {
        self.fills.names()
    }

    /// Remembers a fill, so that it is not counted again.
    pub fn remember_fill(&mut self, fill: FillId) {
        self.fills.remember(fill);
    }

    /// What a venue's status means for the lifecycle. Fills count by themselves, so a status only tells of life and
    /// end: `filled` before its last fill arrived is no end yet.
    pub const fn input_of(status: OrderStatus) -> OrderInput {
        match status {
            OrderStatus::Open
            | OrderStatus::Untriggered
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled => OrderInput::Accepted,
            OrderStatus::Canceled => OrderInput::Ended,
            OrderStatus::Rejected => OrderInput::Refused,
        }
    }

    /// The venue has told of fills that have not arrived.
    pub fn misses_fills(&self) -> bool {
        // Of most orders the venue has told nothing but what was counted.
        let misses = |tracked: &Tracked| {
            !tracked.venue_filled.is_zero()
                && compare(tracked.venue_filled, tracked.filled) == Ordering::Greater
        };
        self.live.iter().chain(&self.ended).any(misses)
    }

    /// The venue has told of every fill there is: what it counted otherwise is forgotten.
    pub fn trust_fills(&mut self) {
        for tracked in self.live.iter_mut().chain(&mut self.ended) {
            tracked.venue_filled = tracked.filled;
        }
    }

    fn bury(&mut self) {
        let mut index = 0;
        while index < self.live.len() {
            if self.live[index].state.is_final() {
                if self.ended.len() >= MOST_ENDED {
                    self.ended.pop_front();
                }
                // Copied from place to place; taken out first, it would be copied twice.
                self.ended.push_back(self.live[index]);
                self.live.remove(index);
            } else {
                index += 1;
            }
        }
    }
}
