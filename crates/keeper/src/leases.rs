//! Who holds which key now, and how often a bot may ask. In memory; a restarted keeper fills it from the audit file.
//!
//! A lease lives as long as its process. A closed connection alone does not end it, since the process may still hold
//! the credential; the word of the process that it wiped it (`release`) or its end does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// What the kernel calls it, unique until the next boot; unknown on kernels before 6.9.
    pub process: Option<u64>,
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
    /// Those of the keeper before this one, whose connections are gone.
    adopted: BTreeSet<LeaseId>,
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

    /// Takes over a lease that an earlier keeper gave. The newest of a key wins; it counts towards no rate.
    pub fn adopt(&mut self, key: KeyId, lease: Lease) {
        self.adopted.insert(lease.id);
        self.held.insert(key, lease);
    }

    /// The lease of a key that a keeper before this one gave to this very process for this bot. It lost its connection
    /// with that keeper and may take the lease anew; whoever has its number now is it, or it is gone.
    pub fn own_of_before(&self, key: KeyId, bot: BotId, pid: u32) -> Option<Lease> {
        let lease = self.held.get(&key)?;
        let own = lease.bot == bot && lease.pid == pid && self.adopted.contains(&lease.id);
        own.then_some(*lease)
    }

    /// All that are held.
    pub fn held(&self) -> impl Iterator<Item = (KeyId, Lease)> {
        self.held.iter().map(|(key, lease)| (*key, *lease))
    }

    /// Ends a lease, if it is still the one held.
    pub fn end(&mut self, key: KeyId, id: LeaseId) -> Option<Lease> {
        match self.held.get(&key) {
            Some(lease) if lease.id == id => {
                self.adopted.remove(&id);
                self.held.remove(&key)
            }
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
