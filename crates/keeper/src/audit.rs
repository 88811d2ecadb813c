//! The audit file: what the keeper did, one JSON object per line, each chained to all before it.
//!
//! A line is `{"hash":"<64 hex>","entry":{…}}` with
//! `hash = SHA-256("keyhold/audit/v1" || hash before (32 zeros at first) || the entry's bytes as written)`. Changing,
//! removing or reordering lines breaks the chain; cutting off the end does not, so keep the last hash elsewhere.
//!
//! An entry is durable before its effect: when the file cannot be written, imports, tickets and leases are refused.
//! Releases and shreds proceed, because refusing them would keep a secret alive; their entries wait in memory. Entries
//! hold ids and reasons, never keys, tickets or parts of credentials.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::LeaseId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::{FilesError, StateDir, failed};

/// Entries kept in memory while the file cannot be written; beyond that the oldest are lost and counted.
const MAX_WAITING: usize = 1024;
const PREFIX: &str = "{\"hash\":\"";
const MIDDLE: &str = "\",\"entry\":";
/// Longest line read back, in bytes.
const MAX_LINE: usize = 4096;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The keeper started; `detail` names version and isolation.
    Started,
    /// The keeper stopped in order.
    Stopped,
    /// A data key is about to be taken over.
    Import,
    /// A launch ticket is about to be issued.
    Ticket,
    /// A data key is about to be handed to a process.
    Lease,
    /// A lease ended; `detail` says how.
    Release,
    /// Slots were destroyed.
    Shred,
    /// A request was refused; `detail` is the reason.
    Refused,
    /// Entries were lost while the file could not be written; `detail` is their number.
    Lost,
}

/// One entry. Absent fields do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Number, from 1 without gaps; set when written.
    pub seq: u64,
    /// Wall time in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
    /// User id of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Process number of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Owner of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Version of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<BotId>,
    /// The lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// One of the program's own words, never a value from a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Entry {
    /// An entry with nothing but a moment and a kind.
    pub fn new(event: Event, at_ms: u64) -> Self {
        Self {
            seq: 0,
            at_ms,
            event,
            uid: None,
            pid: None,
            workspace: None,
            key: None,
            version: None,
            bot: None,
            lease: None,
            detail: None,
        }
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It cannot be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A line does not fit to those before it.
    #[error("line {line} of the audit file does not continue the chain")]
    Broken {
        /// The first such line, from 1.
        line: u64,
    },
}

/// The open file, at its end.
#[derive(Debug)]
pub struct Audit {
    file: File,
    path: PathBuf,
    /// Bytes of whole, durable lines.
    length: u64,
    entries: u64,
    last: [u8; 32],
    waiting: VecDeque<Entry>,
    lost: u64,
}

impl Audit {
    /// Opens or creates the file and checks the whole chain. Part of a line at the end, left by a crash, was never
    /// answered for and is cut off.
    ///
    /// # Errors
    /// [`AuditError::Broken`] for a line that does not belong; move the file away to start a new chain.
    pub fn open(dir: &StateDir) -> Result<Self, AuditError> {
        let path = dir.file("audit.jsonl");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed("opening", &path))?;
        let mut audit =
            Self { file, path, length: 0, entries: 0, last: [0; 32], waiting: VecDeque::new(), lost: 0 };
        audit.check()?;
        audit.file.set_len(audit.length).map_err(failed("shortening", &audit.path))?;
        Ok(audit)
    }

    /// Walks the file line by line, without holding it in memory.
    fn check(&mut self) -> Result<(), AuditError> {
        let mut line = Vec::with_capacity(MAX_LINE);
        let mut chunk = vec![0u8; 64 * 1024];
        let mut position = 0;
        loop {
            let count = self.file.read_at(&mut chunk, position).map_err(failed("reading", &self.path))?;
            if count == 0 {
                return Ok(());
            }
            position += count as u64;
            for byte in &chunk[..count] {
                if *byte == b'\n' {
                    self.accept(&line)?;
                    line.clear();
                } else if line.len() < MAX_LINE {
                    line.push(*byte);
                } else {
                    return Err(AuditError::Broken { line: self.entries + 1 });
                }
            }
        }
    }

    fn accept(&mut self, line: &[u8]) -> Result<(), AuditError> {
        let number = self.entries + 1;
        let entry = entry_text(line).ok_or(AuditError::Broken { line: number })?;
        let hash = chained(&self.last, entry.as_bytes());
        let parsed: Option<Entry> = serde_json::from_str(entry).ok();
        if line != line_text(&hash, entry).as_bytes() || parsed.is_none_or(|entry| entry.seq != number) {
            return Err(AuditError::Broken { line: number });
        }
        self.entries = number;
        self.last = hash;
        self.length += line.len() as u64 + 1;
        Ok(())
    }

    /// Makes an entry durable, after those that wait.
    ///
    /// # Errors
    /// [`AuditError::Files`]: it is not recorded, so what it announces must not happen.
    pub fn record(&mut self, entry: Entry) -> Result<(), AuditError> {
        self.flush_waiting()?;
        self.write(entry)
    }

    /// Makes an entry durable, or keeps it in memory until that works.
    pub fn record_when_possible(&mut self, entry: Entry) {
        if self.flush_waiting().and_then(|()| self.write(entry.clone())).is_ok() {
            return;
        }
        tracing::error!("the audit file cannot be written; an entry waits in memory");
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(entry);
    }

    fn flush_waiting(&mut self) -> Result<(), AuditError> {
        if self.lost > 0 {
            let at_ms = self.waiting.front().map_or(0, |entry| entry.at_ms);
            let detail = Some(self.lost.to_string());
            self.write(Entry { detail, ..Entry::new(Event::Lost, at_ms) })?;
            self.lost = 0;
        }
        while let Some(entry) = self.waiting.front().cloned() {
            self.write(entry)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn write(&mut self, entry: Entry) -> Result<(), AuditError> {
        let entry = Entry { seq: self.entries + 1, ..entry };
        let text = serde_json::to_string(&entry).expect("an entry has only strings and numbers");
        let hash = chained(&self.last, text.as_bytes());
        let line = format!("{}\n", line_text(&hash, &text));
        // At the known end, so that what an earlier failure left there is overwritten.
        let written = self
            .file
            .write_all_at(line.as_bytes(), self.length)
            .and_then(|()| self.file.set_len(self.length + line.len() as u64))
            .and_then(|()| self.file.sync_data());
        written.map_err(failed("writing", &self.path))?;
        self.entries = entry.seq;
        self.last = hash;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Entries in the file.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The hash of the last line: whoever knows it can tell whether the end was cut off.
    pub fn last_hash(&self) -> String {
        hex(&self.last)
    }
}

fn chained(before: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"keyhold/audit/v1").chain_update(before).chain_update(entry).finalize().into()
}

fn line_text(hash: &[u8; 32], entry: &str) -> String {
    format!("{PREFIX}{}{MIDDLE}{entry}}}", hex(hash))
}

/// The entry's own text within a line.
fn entry_text(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    text.get(PREFIX.len() + 64 + MIDDLE.len()..)?.strip_suffix('}')
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits"));
        }
        text
    })
}
