//! What OKX remembers beyond the neutral state: books as they were sent, and dead man's switches.

use std::collections::BTreeMap;

use keyhold_domain::Timestamp;
use keyhold_simulator::exchange::{AccountId, CancelFilter, ExchangeEvent, Input};

use super::{call, failure, socket, stream};
use crate::config::AccountConfig;
use crate::core::Core;
use crate::protocol::{Answer, Line, Protocol, Request, Sender};
use crate::world::MarketNews;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) books: BTreeMap<String, stream::Book>,
    /// When an account's orders are canceled unless it calls again.
    pub(crate) switches: BTreeMap<AccountId, Timestamp>,
}

impl State {
    pub(crate) const fn new(core: Core) -> Self {
        Self { core, books: BTreeMap::new(), switches: BTreeMap::new() }
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

    /// Orders that wait for a trigger stay, as the documentation leaves them out.
    fn beat(&mut self, wall: Timestamp) {
        let due: Vec<AccountId> =
            self.switches.iter().filter(|(_, at)| **at <= wall).map(|(account, _)| *account).collect();
        for account in due {
            self.switches.remove(&account);
            let input = Input::CancelAll { account, symbol: None, filter: CancelFilter::Active };
            if let Err(refusal) = self.core.world.apply(&input) {
                tracing::warn!(%refusal, "a dead man's switch did not cancel");
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
