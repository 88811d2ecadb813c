//! The order in which requests of one instrument go out: exits and cancels on one lane, entries on another.
//!
//! Each lane sends one request at a time, so requests keep their order; an exit never waits for an entry. Pure: it hands out
//! what may be sent next. The truth is asked for only when both lanes are empty, so that no answer misses an order that is
//! on its way.

use std::collections::VecDeque;

use keyhold_domain::{NewOrder, OrderPurpose};

use crate::mind::Deed;

/// Requests that wait on one lane at most; the engine keeps far fewer orders.
const LONGEST: usize = 64;

/// A request to the venue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Job {
    /// Send an order.
    Place(NewOrder),
    /// Cancel one.
    Cancel(keyhold_domain::ClientOrderId),
}

impl Job {
    /// On which lane it goes.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Cancel(_) => Lane::Exits,
            Self::Place(order) => match order.purpose {
                OrderPurpose::Entry => Lane::Entries,
                OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => Lane::Exits,
            },
        }
    }
}

/// Which lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Exits, stops, targets and cancels.
    Exits,
    /// Entries.
    Entries,
}

impl Lane {
    /// Both, the important one first.
    pub const ALL: [Self; 2] = [Self::Exits, Self::Entries];
}

/// No room: the request does not go out.
#[derive(Debug, PartialEq)]
pub struct Full(pub Job);

/// Asking for the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asking {
    /// Not wanted.
    #[default]
    No,
    /// Wanted as soon as the lanes are empty.
    Wanted,
    /// On its way. Counts what has happened since; an answer from before that is not believed.
    UnderWay {
        /// News and requests since the question went out.
        disturbed: u32,
    },
}

/// The requests of one instrument.
#[derive(Debug, Default)]
pub struct Lanes {
    queues: [Queue; 2],
    asking: Asking,
    wanted_again: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Job>,
    busy: bool,
}

impl Lanes {
    fn queue(&mut self, lane: Lane) -> &mut Queue {
        &mut self.queues[match lane {
            Lane::Exits => 0,
            Lane::Entries => 1,
        }]
    }

    /// Takes what the engine wants done.
    pub fn take(&mut self, deed: Deed) -> Result<(), Full> {
        let job = match deed {
            Deed::Place(order) => Job::Place(order),
            Deed::Cancel(id) => Job::Cancel(id),
            Deed::Reconcile => {
                self.want_truth();
                return Ok(());
            }
        };
        self.disturb();
        let queue = self.queue(job.lane());
        if queue.waiting.len() >= LONGEST {
            return Err(Full(job));
        }
        queue.waiting.push_back(job);
        Ok(())
    }

    /// The truth is to be asked for.
    pub fn want_truth(&mut self) {
        match self.asking {
            Asking::No => self.asking = Asking::Wanted,
            // The answer that is on its way serves, unless something has happened since.
            Asking::Wanted | Asking::UnderWay { disturbed: 0 } => {}
            Asking::UnderWay { .. } => self.wanted_again = true,
        }
    }

    /// Something has happened that an answer on its way may not know.
    pub fn disturb(&mut self) {
        if let Asking::UnderWay { disturbed } = &mut self.asking {
            *disturbed = disturbed.saturating_add(1);
        }
    }

    /// The next request that may go out; its lane is busy until [`Self::done`].
    pub fn next_job(&mut self) -> Option<Job> {
        for lane in Lane::ALL {
            let queue = self.queue(lane);
            if !queue.busy
                && let Some(job) = queue.waiting.pop_front()
            {
                queue.busy = true;
                return Some(job);
            }
        }
        None
    }

    /// A request was answered.
    pub fn done(&mut self, lane: Lane) {
        self.queue(lane).busy = false;
    }

    /// Whether the question for the truth may go out now; it then counts as on its way.
    pub fn begin_asking(&mut self) -> bool {
        let free = self.asking == Asking::Wanted && self.requests() == 0;
        if free {
            self.asking = Asking::UnderWay { disturbed: 0 };
        }
        free
    }

    /// The truth has come. `true` when it may be believed; otherwise it is asked for again.
    pub fn end_asking(&mut self) -> bool {
        let believed = self.asking == Asking::UnderWay { disturbed: 0 } && self.requests() == 0;
        let again = !believed || std::mem::take(&mut self.wanted_again);
        self.wanted_again = false;
        self.asking = if again { Asking::Wanted } else { Asking::No };
        believed
    }

    /// The truth could not be had; it is asked for again.
    pub fn failed_asking(&mut self) {
        self.wanted_again = false;
        self.asking = Asking::Wanted;
    }

    /// Requests waiting or on their way.
    pub fn requests(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.len() + usize::from(queue.busy)).sum()
    }

    /// Requests on their way.
    pub fn on_their_way(&self) -> usize {
        self.queues.iter().filter(|queue| queue.busy).count()
    }

    /// Whether the truth is being asked for or will be.
    pub fn is_asking(&self) -> bool {
        self.asking != Asking::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhold_domain::{BotId, ClientOrderId, OrderKind, PositionEffect, Side};

    fn order(purpose: OrderPurpose, sequence: u32) -> NewOrder {
        NewOrder {
            client_id: ClientOrderId::new(BotId::from_u128(1 << 100), 0, 1, sequence, purpose).unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            kind: OrderKind::Market,
            quantity: "1".parse().unwrap(),
            effect: PositionEffect::Increase,
            purpose,
        }
    }

    #[test]
    fn an_exit_does_not_wait_for_an_entry_and_lanes_keep_their_order() {
        let mut lanes = Lanes::default();
        let (entry, exit, stop) = (
            order(OrderPurpose::Entry, 0),
            order(OrderPurpose::Exit, 1),
            order(OrderPurpose::ProtectiveStop, 2),
        );
        for order in [entry, exit, stop] {
            lanes.take(Deed::Place(order)).unwrap();
        }
        assert_eq!(lanes.next_job(), Some(Job::Place(exit)));
        assert_eq!(lanes.next_job(), Some(Job::Place(entry)));
        assert_eq!(lanes.next_job(), None, "the stop waits for the exit's answer");
        lanes.done(Lane::Exits);
        assert_eq!(lanes.next_job(), Some(Job::Place(stop)));
        assert_eq!(lanes.requests(), 2);
    }

    #[test]
    fn the_truth_is_asked_for_when_nothing_is_on_its_way_and_believed_when_nothing_happened_since() {
        let mut lanes = Lanes::default();
        lanes.take(Deed::Place(order(OrderPurpose::Entry, 0))).unwrap();
        lanes.take(Deed::Reconcile).unwrap();
        assert!(!lanes.begin_asking(), "an order waits to be sent");
        lanes.next_job().unwrap();
        assert!(!lanes.begin_asking(), "an order is on its way");
        lanes.done(Lane::Entries);
        assert!(lanes.begin_asking());
        lanes.disturb();
        assert!(!lanes.end_asking(), "a fill came meanwhile");
        assert!(lanes.begin_asking());
        assert!(lanes.end_asking());
        assert!(!lanes.is_asking());
    }

    #[test]
    fn a_lane_is_bounded() {
        let mut lanes = Lanes::default();
        for sequence in 0..64 {
            lanes.take(Deed::Place(order(OrderPurpose::Exit, sequence))).unwrap();
        }
        let one_more = order(OrderPurpose::Exit, 64);
        assert_eq!(lanes.take(Deed::Place(one_more)), Err(Full(Job::Place(one_more))));
    }
}
