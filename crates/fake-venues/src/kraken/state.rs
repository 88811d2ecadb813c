//! What Kraken Futures remembers beyond the neutral state: books as they were sent, orders as they were told, leverage
//! preferences, nonces, challenges and dead-man's switches.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{Decimal, Symbol, Timestamp, VenueOrderId};
use keyhold_simulator::exchange::{AccountId, CancelFilter, ExchangeEvent, Input};

use super::failure::Failure;
use super::{call, failure, socket, stream};
use crate::config::AccountConfig;
use crate::core::{Core, MAX_SMALL};
use crate::protocol::{Answer, Line, Protocol, Request, Sender};
use crate::world::MarketNews;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) books: BTreeMap<Symbol, stream::Book>,
    /// Orders that were told as open, with what was filled of them then.
    pub(crate) told: BTreeMap<VenueOrderId, Decimal>,
    /// Stops whose trigger was told.
    pub(crate) triggered: BTreeSet<VenueOrderId>,
    /// What the stream of fills has told of an order.
    pub(crate) filled: BTreeMap<VenueOrderId, Decimal>,
    /// Orders that ended for another reason than a request of their own.
    pub(crate) reasons: BTreeMap<VenueOrderId, &'static str>,
    /// Instruments whose leverage was set.
    pub(crate) leverage: BTreeMap<(AccountId, Symbol), Decimal>,
    /// The challenge of each socket.
    pub(crate) challenges: BTreeMap<u64, String>,
    /// Running number of messages about accounts.
    pub(crate) sequence: u64,
    nonces: BTreeMap<String, u64>,
    switches: BTreeMap<AccountId, Timestamp>,
    beaten: Timestamp,
}

impl State {
    pub(crate) const fn new(core: Core) -> Self {
        Self {
            core,
            books: BTreeMap::new(),
            told: BTreeMap::new(),
            triggered: BTreeSet::new(),
            filled: BTreeMap::new(),
            reasons: BTreeMap::new(),
            leverage: BTreeMap::new(),
            challenges: BTreeMap::new(),
            sequence: 0,
            nonces: BTreeMap::new(),
            switches: BTreeMap::new(),
            beaten: Timestamp::EPOCH,
        }
    }

    /// A key's nonces grow.
    pub(crate) fn spend_nonce(&mut self, key: &str, sent: u64) -> Result<(), Failure> {
        let last = self.nonces.entry(key.to_owned()).or_default();
        match sent.cmp(last) {
            std::cmp::Ordering::Less => Err(Failure::new("nonceBelowThreshold")),
            std::cmp::Ordering::Equal => Err(Failure::new("nonceDuplicate")),
            std::cmp::Ordering::Greater => {
                *last = sent;
                Ok(())
            }
        }
    }

    /// Sets, moves or switches off (`None`) an account's dead-man's switch.
    pub(crate) fn set_switch(&mut self, account: AccountId, due: Option<Timestamp>) {
        match due {
            Some(due) => drop(self.switches.insert(account, due)),
            None => drop(self.switches.remove(&account)),
        }
    }

    /// Cancels orders of an account for a reason; which ones.
    pub(crate) fn cancel_all(
        &mut self,
        account: AccountId,
        symbol: Option<Symbol>,
        reason: &'static str,
    ) -> Result<Vec<VenueOrderId>, Failure> {
        let open = self.core.world.exchange.open_orders(account);
        let wanted = open.filter(|order| symbol.is_none_or(|symbol| order.symbol == symbol));
        let ids: Vec<VenueOrderId> = wanted.map(|order| order.venue_id).collect();
        self.reasons.extend(ids.iter().map(|id| (*id, reason)));
        self.core.world.apply(&Input::CancelAll { account, symbol, filter: CancelFilter::All })?;
        Ok(ids)
    }

    /// Forgets the oldest of what is remembered of orders; their ids grow.
    fn forget(&mut self) {
        while self.filled.len() > MAX_SMALL {
            self.filled.pop_first();
        }
        while self.reasons.len() > MAX_SMALL {
            self.reasons.pop_first();
        }
        while self.triggered.len() > MAX_SMALL {
            self.triggered.pop_first();
        }
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
        (path.trim_end_matches('/') == "/ws/v1").then(|| Line::plain(socket::CHANNEL))
    }

    fn serve(&mut self, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
        call::answer(self, accounts, request)
    }

    fn gateway(&self, status: u16) -> Answer {
        failure::gateway(status)
    }

    fn greet(&mut self, _sender: Sender) -> Vec<String> {
        vec![serde_json::json!({ "event": "info", "version": 1 }).to_string()]
    }

    fn hear(&mut self, accounts: &[AccountConfig], sender: Sender, text: &str) -> Vec<String> {
        socket::answer(self, accounts, sender, text)
    }

    fn closed(&mut self, number: u64) {
        self.challenges.remove(&number);
    }

    fn beat(&mut self, wall: Timestamp) {
        let due: Vec<AccountId> =
            self.switches.iter().filter(|(_, due)| **due <= wall).map(|(account, _)| *account).collect();
        for account in due {
            self.switches.remove(&account);
            if let Err(failure) = self.cancel_all(account, None, "dead_man_switch") {
                tracing::warn!(?failure, "a dead-man's switch did not cancel");
            }
            self.tell();
        }
        if wall.since_ms(self.beaten) >= 1_000 || wall < self.beaten {
            self.beaten = wall;
            let text = serde_json::json!({ "feed": "heartbeat", "time": wall.ms() }).to_string();
            self.core.hub.publish(socket::CHANNEL, "heartbeat", &text, &mut self.core.trouble);
        }
    }

    fn show(&mut self, news: &MarketNews) {
        stream::publish(self, news);
    }

    fn tell_event(&mut self, event: &ExchangeEvent) {
        stream::tell_event(self, event);
        self.forget();
    }
}
