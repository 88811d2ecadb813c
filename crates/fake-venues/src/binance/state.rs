//! What Binance remembers beyond the neutral state: listen keys, dead man's switches, numbers of book updates.

use std::collections::BTreeMap;

use keyhold_domain::{Symbol, Timestamp};
use keyhold_simulator::exchange::{AccountId, CancelFilter, ExchangeEvent, Input};

use super::{call, failure, socket, stream};
use crate::config::AccountConfig;
use crate::core::Core;
use crate::protocol::{Answer, Line, Protocol, Request, Sender};
use crate::world::MarketNews;

/// A listen key lives for an hour.
pub(crate) const KEY_LIFE_MS: i64 = 3_600_000;

/// The key of a private stream.
#[derive(Debug, Clone)]
pub(crate) struct ListenKey {
    pub(crate) text: String,
    pub(crate) until: Timestamp,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    /// One per account, as the venue hands out.
    pub(crate) keys: BTreeMap<AccountId, ListenKey>,
    /// When an account's resting orders of an instrument end.
    pub(crate) switches: BTreeMap<(AccountId, Symbol), Timestamp>,
    /// The last number of each book that was sent.
    pub(crate) books: BTreeMap<Symbol, i64>,
}

impl State {
    pub(crate) const fn new(core: Core) -> Self {
        Self { core, keys: BTreeMap::new(), switches: BTreeMap::new(), books: BTreeMap::new() }
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
        socket::line_of(self, path, query)
    }

    fn serve(&mut self, accounts: &[AccountConfig], request: &Request<'_>) -> Answer {
        call::answer(self, accounts, request)
    }

    fn gateway(&self, status: u16) -> Answer {
        failure::gateway(status)
    }

    fn hear(&mut self, _accounts: &[AccountConfig], sender: Sender, text: &str) -> Vec<String> {
        socket::answer(self, sender, text)
    }

    fn beat(&mut self, wall: Timestamp) {
        let dead: Vec<AccountId> =
            self.keys.iter().filter(|(_, key)| key.until <= wall).map(|(account, _)| *account).collect();
        for account in dead {
            if let Some(key) = self.keys.remove(&account) {
                stream::tell_expired(self, account, &key.text);
            }
        }
        let due: Vec<(AccountId, Symbol)> =
            self.switches.iter().filter(|(_, at)| **at <= wall).map(|(whose, _)| *whose).collect();
        for (account, symbol) in due {
            self.switches.remove(&(account, symbol));
            // Whether conditional orders end, too, is not documented; here they stay.
            let input = Input::CancelAll { account, symbol: Some(symbol), filter: CancelFilter::Active };
            if let Err(refusal) = self.core.world.apply(&input) {
                tracing::warn!(%refusal, "a dead man's switch did not end its orders");
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
