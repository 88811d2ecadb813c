//! What the audit file says of the time before this start: which leases were not given back, whether somebody sealed
//! the keeper, how many guesses failed, and how far the other files had come.
//!
//! The file is written before an answer is given, so it is the one place that knows of every lease, also after kill -9.

use std::collections::BTreeMap;

use keyhold_domain::{BotId, KeyId};
use keyhold_protocol::keeper::LeaseId;

use super::entry::{Entry, Event};

/// A lease of which no end was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The key.
    pub key: KeyId,
    /// The bot.
    pub bot: BotId,
    /// Number of the process.
    pub pid: u32,
    /// What the kernel calls it, unique until the next boot; unknown on kernels before 6.9.
    pub process: Option<u64>,
    /// The boot during which it was given; unknown in files from before this was written.
    pub boot: Option<String>,
}

/// Whether somebody sealed the keeper and nobody unsealed it since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stood {
    /// The keys may be opened at a start.
    #[default]
    Open,
    /// Somebody has to unseal them.
    Sealed,
}

/// The past, as far as it matters.
#[derive(Debug, Clone, Default)]
pub struct History {
    leases: BTreeMap<LeaseId, HeldLease>,
    boot: Option<String>,
    stood: Stood,
    failed_guesses: u32,
    generation: u64,
    keys_generation: u64,
    since_anchor: u64,
    anchored_at_ms: u64,
}

impl History {
    /// Takes an entry in, in order.
    pub(super) fn see(&mut self, entry: &Entry) {
        self.generation = self.generation.max(entry.generation.unwrap_or(0));
        self.keys_generation = self.keys_generation.max(entry.keys_generation.unwrap_or(0));
        self.since_anchor += 1;
        match entry.event {
            Event::Started => self.boot.clone_from(&entry.boot),
            Event::Lease => {
                if let (Some(lease), Some(key), Some(bot), Some(pid)) =
                    (entry.lease, entry.key, entry.bot, entry.pid)
                {
                    let (process, boot) = (entry.process, self.boot.clone());
                    self.leases.insert(lease, HeldLease { key, bot, pid, process, boot });
                }
            }
            Event::Release => {
                if let Some(lease) = entry.lease {
                    self.leases.remove(&lease);
                }
            }
            Event::Sealed | Event::Intrusion => self.stood = Stood::Sealed,
            Event::Unsealed => (self.stood, self.failed_guesses) = (Stood::Open, 0),
            Event::UnsealFailed => self.failed_guesses = self.failed_guesses.saturating_add(1),
            Event::Anchor => (self.since_anchor, self.anchored_at_ms) = (0, entry.at_ms),
            // On the operator's word, an older file counts as the newest.
            Event::RollbackAccepted => {
                self.generation = entry.generation.unwrap_or(0);
                self.keys_generation = entry.keys_generation.unwrap_or(0);
            }
            Event::Stopped
            | Event::Import
            | Event::Ticket
            | Event::Shred
            | Event::Refused
            | Event::Assign
            | Event::Unassign
            | Event::Activate
            | Event::Deactivate
            | Event::Canary
            | Event::Exposure
            | Event::Leaked
            | Event::ShredTenant
            | Event::Rotate
            | Event::Rekey
            | Event::Provider
            | Event::Alarm
            | Event::Lost => {}
        }
    }

    /// Leases of which no end was recorded.
    pub fn leases(&self) -> impl Iterator<Item = (LeaseId, &HeldLease)> {
        self.leases.iter().map(|(id, lease)| (*id, lease))
    }

    /// Whether somebody sealed the keeper.
    pub fn stood(&self) -> Stood {
        self.stood
    }

    /// Attempts to unseal that failed since the last that did not.
    pub fn failed_guesses(&self) -> u32 {
        self.failed_guesses
    }

    /// The highest generation of the record table that was written down.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The highest generation of the key file that was written down.
    pub fn keys_generation(&self) -> u64 {
        self.keys_generation
    }

    /// Entries since the last signature.
    pub fn since_anchor(&self) -> u64 {
        self.since_anchor
    }

    /// When the last signature was made, in milliseconds since 1970-01-01 UTC.
    pub fn anchored_at_ms(&self) -> u64 {
        self.anchored_at_ms
    }
}
