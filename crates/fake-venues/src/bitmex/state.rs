//! What BitMEX remembers beyond the neutral state: books as they were sent, orders that were told, dead-man's switches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keyhold_domain::{Timestamp, VenueOrderId};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, Input};
use serde_json::Value;

use super::books::Levels;
use super::trade::ALL_ORDERS;
use super::{call, failure, socket, stream};
use crate::config::AccountConfig;
use crate::core::{Core, MAX_SMALL};
use crate::hub::Channel;
use crate::protocol::{Answer, Line, Protocol, Request, Sender};
use crate::world::MarketNews;

/// The one stream.
pub(crate) const REALTIME: Channel = Channel("realtime");

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    /// The levels of each book topic as they were last sent.
    pub(crate) books: BTreeMap<String, Levels>,
    /// Rows of orders as they were last told, by which changes are known.
    told: BTreeMap<VenueOrderId, Value>,
    told_sequence: VecDeque<VenueOrderId>,
    switches: BTreeMap<AccountId, Timestamp>,
}

impl State {
    pub(crate) const fn new(core: Core) -> Self {
        Self {
            core,
            books: BTreeMap::new(),
            told: BTreeMap::new(),
            told_sequence: VecDeque::new(),
            switches: BTreeMap::new(),
        }
    }

    /// Notes an order's row as told; gives what was told before.
    pub(crate) fn note(&mut self, order: VenueOrderId, row: Value) -> Option<Value> {
        let before = self.told.insert(order, row);
        if before.is_none() {
            self.told_sequence.push_back(order);
        }
        if self.told_sequence.len() > MAX_SMALL
            && let Some(oldest) = self.told_sequence.pop_front()
        {
            self.told.remove(&oldest);
        }
        before
    }

    /// Sets or clears the dead-man's switch of an account.
    pub(crate) fn switch(&mut self, account: AccountId, at: Option<Timestamp>) {
        match at {
            Some(at) => self.switches.insert(account, at),
            None => self.switches.remove(&account),
        };
    }
}

impl Protocol for State {
    fn core(&self) -> &Core {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    fn line_of(&self, path: &str, query: &str) -> Option<Line> {
        socket::line_of(path, query)
    }

    fn serve(&mut self, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
        call::answer(self, accounts, request)
    }

    fn gateway(&self, status: u16) -> Answer {
        failure::gateway(status)
    }

    fn greet(&mut self, sender: Sender) -> Vec<String> {
        vec![socket::welcome(sender)]
    }

    fn hear(&mut self, accounts: &[AccountConfig], sender: Sender, text: &str) -> Vec<String> {
        socket::answer(self, accounts, sender, text)
    }

    fn beat(&mut self, wall: Timestamp) {
        let due: BTreeSet<AccountId> =
            self.switches.iter().filter(|(_, at)| **at <= wall).map(|(account, _)| *account).collect();
        for account in due {
            self.switches.remove(&account);
            let all = Input::CancelAll { account, symbol: None, filter: ALL_ORDERS };
            if let Err(refusal) = self.core.world.apply(&all) {
                tracing::warn!(%refusal, "the dead-man's switch canceled nothing");
            }
            self.tell();
        }
    }

    fn show(&mut self, news: &MarketNews) {
        stream::publish(self, news);
    }

    fn tell_event(&mut self, event: &ExchangeEvent) {
        stream::tell_event(self, event);
    }
}
