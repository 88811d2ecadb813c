//! Launch tickets: who may ask for a lease, once, soon, and as whom. Held in memory only, and only as hashes.

use std::collections::BTreeMap;
use std::time::Duration;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::Ticket;
use sha2::{Digest as _, Sha256};

/// Most tickets outstanding at once.
pub const MAX_TICKETS: usize = 1024;

/// What a ticket is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Owner of bot and key.
    pub workspace: WorkspaceId,
    /// The bot.
    pub bot: BotId,
    /// The key it may lease.
    pub key: KeyId,
    /// The user it must run as.
    pub uid: u32,
    /// When it ends, on the monotonic clock.
    pub expires: Duration,
}

/// The tickets outstanding.
#[derive(Debug, Default)]
pub struct Tickets {
    by_hash: BTreeMap<[u8; 32], Grant>,
}

/// There are [`MAX_TICKETS`] tickets already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many launch tickets are outstanding")]
pub struct TooManyTickets;

/// Why a ticket was not accepted; for the audit file only, the peer is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketFault {
    /// Never issued, used before, or expired long ago.
    Unknown,
    /// Issued, but its time is over.
    Expired,
}

impl Tickets {
    /// Records a ticket.
    ///
    /// # Errors
    /// [`TooManyTickets`].
    pub fn issue(&mut self, ticket: &Ticket, grant: Grant, now: Duration) -> Result<(), TooManyTickets> {
        self.by_hash.retain(|_, old| old.expires > now);
        if self.by_hash.len() >= MAX_TICKETS {
            return Err(TooManyTickets);
        }
        self.by_hash.insert(hash(ticket), grant);
        Ok(())
    }

    /// Takes a ticket out. Whatever the checks that follow say, it is used up: a ticket that turned up in the wrong
    /// hands is worth nothing afterwards.
    ///
    /// # Errors
    /// [`TicketFault`].
    pub fn redeem(&mut self, ticket: &Ticket, now: Duration) -> Result<Grant, TicketFault> {
        let grant = self.by_hash.remove(&hash(ticket)).ok_or(TicketFault::Unknown)?;
        if grant.expires > now { Ok(grant) } else { Err(TicketFault::Expired) }
    }
}

/// Looking up by hash makes the time of a comparison depend on the hash only, which an attacker cannot steer.
fn hash(ticket: &Ticket) -> [u8; 32] {
    Sha256::new().chain_update(b"keyhold/ticket/v1").chain_update(ticket.as_bytes()).finalize().into()
}
