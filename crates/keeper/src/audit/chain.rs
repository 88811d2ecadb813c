//! The chain itself: how a line is written, how lines hang together, and walking a file without holding it in memory.
//!
//! Needs no secret and no other file; `verify.rs` and the running keeper use the same walk.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use super::entry::Entry;

const PREFIX: &str = "{\"hash\":\"";
const MIDDLE: &str = "\",\"entry\":";
/// Longest line read back, in bytes.
const MAX_LINE: usize = 4096;

/// Where a file stops being a chain.
#[derive(Debug)]
pub enum ChainError {
    /// It cannot be read.
    Io(std::io::Error),
    /// This line, from 1, does not continue the one before.
    Broken(u64),
}

/// The state of a walk.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// Whole lines so far.
    pub entries: u64,
    /// Bytes of these.
    pub length: u64,
    /// Hash of the last.
    pub last: [u8; 32],
}

impl Chain {
    /// Walks a file line by line, and shows each entry to `see` with the chain as it was before it.
    ///
    /// # Errors
    /// [`ChainError`]. Part of a line at the end is not looked at.
    pub fn walk(
        file: &File,
        mut see: impl FnMut(&Self, &Entry) -> Result<(), ChainError>,
    ) -> Result<Self, ChainError> {
        let mut chain = Self::default();
        let mut line = Vec::with_capacity(MAX_LINE);
        let mut chunk = vec![0u8; 64 * 1024];
        let mut position = 0;
        loop {
            let count = file.read_at(&mut chunk, position).map_err(ChainError::Io)?;
            if count == 0 {
                return Ok(chain);
            }
            position += count as u64;
            for byte in &chunk[..count] {
                if *byte == b'\n' {
                    chain.accept(&line, &mut see)?;
                    line.clear();
                } else if line.len() < MAX_LINE {
                    line.push(*byte);
                } else {
                    return Err(ChainError::Broken(chain.entries + 1));
                }
            }
        }
    }

    fn accept(
        &mut self,
        line: &[u8],
        see: &mut impl FnMut(&Self, &Entry) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        let number = self.entries + 1;
        let broken = || ChainError::Broken(number);
        let text = entry_text(line).ok_or_else(broken)?;
        let hash = chained(&self.last, text.as_bytes());
        let entry: Entry = serde_json::from_str(text).map_err(|_quotes| broken())?;
        if line != line_text(&hash, text).as_bytes() || entry.seq != number {
            return Err(broken());
        }
        see(self, &entry)?;
        self.entries = number;
        self.last = hash;
        self.length += line.len() as u64 + 1;
        Ok(())
    }
}

pub(super) fn chained(before: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"keyhold/audit/v1").chain_update(before).chain_update(entry).finalize().into()
}

pub(super) fn line_text(hash: &[u8; 32], entry: &str) -> String {
    format!("{PREFIX}{}{MIDDLE}{entry}}}", hex(hash))
}

/// The entry's own text within a line.
pub(super) fn entry_text(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    text.get(PREFIX.len() + 64 + MIDDLE.len()..)?.strip_suffix('}')
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits"));
        }
        text
    })
}
