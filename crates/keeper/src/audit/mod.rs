//! The audit file: what the keeper did, one JSON object per line, each chained to all before it.
//!
//! A line is `{"hash":"<64 hex>","entry":{…}}` with
//! `hash = SHA-256("keyhold/audit/v1" || hash before (32 zeros at first) || the entry's bytes as written)`. Changing,
//! removing or reordering lines breaks the chain. Every thousand entries and every ten minutes an entry carries an
//! Ed25519 signature over all before it (`sign.rs`), so that nobody without the key can write another history
//! (`verify.rs`). Cutting off the end at a signature is noticed only by who kept a later one elsewhere.
//!
//! An entry is durable before its effect: when the file cannot be written, imports, tickets and leases are refused.
//! Releases and shreds proceed, because refusing them would keep a secret alive; their entries wait in memory. Entries
//! hold ids and reasons, never keys, tickets or parts of credentials.

mod chain;
mod entry;
mod history;
mod sign;
mod verify;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use crate::files::{FilesError, StateDir, failed};
use chain::{chained, line_text};

pub use chain::{Chain, ChainError, hex};
pub use entry::{Entry, Event};
pub use history::{HeldLease, History, Stood};
pub use sign::{PublicSegmentKey, SegmentKey, Statement};
pub use verify::{Anchor, Finding, Verified, verify};

/// Entries kept in memory while the file cannot be written; beyond that the oldest are lost and counted.
const MAX_WAITING: usize = 1024;
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
    chain: Chain,
    history: History,
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
        let mut history = History::default();
        let walked = Chain::walk(&file, |_, entry| {
            history.see(entry);
            Ok(())
        });
        let chain = walked.map_err(|error| match error {
            ChainError::Io(source) => failed("reading", &path)(source).into(),
            ChainError::Broken(line) => AuditError::Broken { line },
        })?;
        file.set_len(chain.length).map_err(failed("shortening", &path))?;
        Ok(Self { file, path, chain, history, waiting: VecDeque::new(), lost: 0 })
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
        let entry = Entry { seq: self.chain.entries + 1, ..entry };
        let text = serde_json::to_string(&entry).expect("an entry has only strings and numbers");
        let hash = chained(&self.chain.last, text.as_bytes());
        let line = format!("{}\n", line_text(&hash, &text));
        // At the known end, so that what an earlier failure left there is overwritten.
        let at = self.chain.length;
        let written = self
            .file
            .write_all_at(line.as_bytes(), at)
            .and_then(|()| self.file.set_len(at + line.len() as u64))
            .and_then(|()| self.file.sync_data());
        written.map_err(failed("writing", &self.path))?;
        self.history.see(&entry);
        self.chain = Chain { entries: entry.seq, length: at + line.len() as u64, last: hash };
        Ok(())
    }

    /// Entries in the file.
    pub fn entries(&self) -> u64 {
        self.chain.entries
    }

    /// The hash of the last line: whoever knows it can tell whether the end was cut off.
    pub fn last_hash(&self) -> String {
        hex(&self.chain.last)
    }

    /// Where the chain is.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What the file says of the time before.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Signs all that is in the file, if anything came since the last signature.
    ///
    /// # Errors
    /// [`AuditError::Files`]; nothing is lost, the next signature covers it too.
    pub fn anchor(&mut self, key: &SegmentKey, entry: Entry) -> Result<(), AuditError> {
        self.flush_waiting()?;
        if self.history.since_anchor() == 0 {
            return Ok(());
        }
        let statement = Statement {
            install: key.install(),
            entries: self.chain.entries,
            last: self.chain.last,
            generation: entry.generation.unwrap_or(0),
            keys_generation: entry.keys_generation.unwrap_or(0),
        };
        self.write(Entry { event: Event::Anchor, signature: Some(hex(&key.sign(&statement))), ..entry })
    }
}
