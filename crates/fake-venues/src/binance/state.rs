//! What Binance remembers beyond the neutral state: listen keys, dead man's switches, numbers of book updates.

use std::collections::BTreeMap;

use std::net::IpAddr;

use keyhold_domain::{Asset, ContractType, Symbol, Timestamp};
use keyhold_simulator::exchange::{AccountId, CancelFilter, ExchangeEvent, Input};

use super::book::Book;
use super::call::Strikes;
use super::told::{self, Memory};
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
    /// One per account and product, as the venue hands out.
    pub(crate) keys: BTreeMap<(AccountId, ContractType), ListenKey>,
    /// How many were made.
    pub(crate) keys_made: u64,
    /// When an account's resting orders of an instrument end.
    pub(crate) switches: BTreeMap<(AccountId, Symbol), Timestamp>,
    /// The books as they were told last.
    pub(crate) books: BTreeMap<Symbol, Book>,
    /// What accounts know of their orders.
    pub(crate) told: Memory,
    /// Addresses that went on after they were told to wait.
    pub(crate) strikes: BTreeMap<IpAddr, Strikes>,
}

impl State {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            core,
            keys: BTreeMap::new(),
            keys_made: 0,
            switches: BTreeMap::new(),
            books: BTreeMap::new(),
            told: Memory::default(),
            strikes: BTreeMap::new(),
        }
    }

    /// The product in whose wallet an asset lies: coins that inverse contracts settle in are COIN-M's.
    pub(crate) fn product_of(&self, asset: Asset) -> ContractType {
        let settles = |kind: ContractType| {
            let instruments = self.core.world.feeds.iter().map(|feed| &feed.instrument);
            instruments.filter(|instrument| instrument.contract_type == kind).any(|it| it.settle == asset)
        };
        let inverse = settles(ContractType::Inverse) && !settles(ContractType::Linear);
        if inverse { ContractType::Inverse } else { ContractType::Linear }
    }

    fn end_keys_until(&mut self, wall: Timestamp) {
        let dead = self.keys.iter().filter(|(_, key)| key.until <= wall);
        let dead: Vec<_> = dead.map(|(whose, key)| (*whose, key.text.clone())).collect();
        for (whose, text) in dead {
            told::tell_expired(self, whose, &text);
            let _expired = self.end_key(whose);
        }
    }

    /// A listen key is no more: its sockets stay open and hear nothing, whoever has them. Source: "Event: User Data Stream
    /// Expired" of the futures documentation.
    pub(crate) fn end_key(&mut self, whose: (AccountId, ContractType)) -> Option<ListenKey> {
        let key = self.keys.remove(&whose)?;
        self.core.hub.hush(whose.0, told::topic(whose.1));
        Some(key)
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

    fn listen_keys(&self) -> BTreeMap<String, Timestamp> {
        let named = |((account, product), key): (&(AccountId, ContractType), &ListenKey)| {
            (format!("{} {product}", account.0), key.until)
        };
        self.keys.iter().map(named).collect()
    }

    fn expire_listen_keys(&mut self) {
        self.end_keys_until(Timestamp::from_ms(i64::MAX));
    }

    fn beat(&mut self, wall: Timestamp) {
        self.end_keys_until(wall);
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
        told::tell_event(self, event);
    }
}
