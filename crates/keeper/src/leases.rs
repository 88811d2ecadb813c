//! Who holds which key now, and how often a bot may ask. In memory: a restarted keeper knows of no lease.
//!
//! A lease lives as long as its process. A closed connection alone does not end it, since the process may still hold
//! the credential; the word of the process that it wiped it (`release`) or its end does.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use keyhold_domain::{BotId, KeyId};
use keyhold_protocol::keeper::LeaseId;

/// Most leases at once.
pub const MAX_LEASES: usize = 4096;
/// Leases of one bot within [`WINDOW`].
pub const PER_BOT: usize = 5;
/// Leases of all bots within [`WINDOW`].
pub const IN_ALL: usize = 60;
/// The window of both limits.
pub const WINDOW: Duration = Duration::from_mins(1);

/// A lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Its number.
    pub id: LeaseId,
    /// The bot that holds it.
    pub bot: BotId,
    /// The process.
    pub pid: u32,
}

/// Why a lease is not possible now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseFault {
    /// Another process holds the key.
    KeyInUse,
    /// Too many leases within a minute.
    RateLimited,
    /// The table is full.
    Full,
}

/// The leases held, and the recent ones for the rate limits.
#[derive(Debug, Default)]
pub struct Leases {
    held: BTreeMap<KeyId, Lease>,
    recent: VecDeque<(Duration, BotId)>,
}

impl Leases {
    /// Takes the lease of a key. Refusals because of the rate do not count towards it, all else does.
    ///
    /// # Errors
    /// [`LeaseFault`].
    pub fn take(&mut self, key: KeyId, lease: Lease, now: Duration) -> Result<(), LeaseFault> {
        while self.recent.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.recent.pop_front();
        }
        let of_bot = self.recent.iter().filter(|(_, bot)| *bot == lease.bot).count();
        if of_bot >= PER_BOT || self.recent.len() >= IN_ALL {
            return Err(LeaseFault::RateLimited);
        }
        self.recent.push_back((now, lease.bot));
        if self.held.contains_key(&key) {
            return Err(LeaseFault::KeyInUse);
        }
        if self.held.len() >= MAX_LEASES {
            return Err(LeaseFault::Full);
        }
        self.held.insert(key, lease);
        Ok(())
    }

    /// Ends a lease, if it is still the one held.
    pub fn end(&mut self, key: KeyId, id: LeaseId) -> Option<Lease> {
        match self.held.get(&key) {
            Some(lease) if lease.id == id => self.held.remove(&key),
            Some(_) | None => None,
        }
    }

    /// The lease of a key.
    pub fn of(&self, key: KeyId) -> Option<&Lease> {
        self.held.get(&key)
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.held.len()
    }
}
