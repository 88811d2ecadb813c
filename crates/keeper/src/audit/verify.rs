//! Checks an audit file with nothing but its public key: for whoever does not trust the keeper's host.
//!
//! Noticed: a changed, removed, inserted or moved line (the chain breaks), another history written by somebody without
//! the key (signatures fail), and an end cut off before an anchor that was kept elsewhere. Not noticed: an end cut off
//! after the last anchor that somebody kept.

use std::fs::File;
use std::str::FromStr;

use keyhold_domain::InstallId;

use super::chain::{Chain, ChainError, hex};
use super::entry::Event;
use super::sign::{PublicSegmentKey, Statement, unhex};

/// A point of the chain that somebody wrote down: `ENTRIES:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Lines up to it.
    pub entries: u64,
    /// Hash of the last of these.
    pub hash: [u8; 32],
}

/// The text is not an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an anchor: NUMBER:HASH with 64 hexadecimal digits")]
pub struct AnchorError;

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let (entries, hash) = text.split_once(':').ok_or(AnchorError)?;
        let entries = entries.parse().map_err(|_not_a_number| AnchorError)?;
        Ok(Self { entries, hash: unhex(hash).ok_or(AnchorError)? })
    }
}

impl std::fmt::Display for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.entries, hex(&self.hash))
    }
}

/// What a sound file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whole lines.
    pub entries: u64,
    /// Signatures that hold.
    pub signatures: u64,
    /// Lines after the last signature: chained, but anybody could have written them.
    pub unsigned: u64,
    /// The end, to be kept elsewhere.
    pub end: Anchor,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// It cannot be read.
    #[error("reading the audit file")]
    Io(#[source] std::io::Error),
    /// A line does not continue the one before: changed, removed, inserted or moved.
    #[error("line {line} does not continue the chain")]
    Broken {
        /// The line, from 1.
        line: u64,
    },
    /// A signature does not hold: written by somebody without the key, or of another installation.
    #[error("the signature in line {line} does not hold")]
    Forged {
        /// The line, from 1.
        line: u64,
    },
    /// There is no signature at all.
    #[error("the file carries no signature")]
    Unsigned,
    /// It ends before an anchor that was kept elsewhere.
    #[error("the file ends at line {found}, before the anchor at line {kept}: its end was cut off")]
    Truncated {
        /// Lines there are.
        found: u64,
        /// Lines there were.
        kept: u64,
    },
    /// It has another line where the anchor was.
    #[error("line {line} is not the one that was anchored: this is another history")]
    Another {
        /// The line, from 1.
        line: u64,
    },
}

/// Checks a file.
///
/// # Errors
/// [`Finding`], the first.
pub fn verify(
    file: &File,
    install: InstallId,
    key: &PublicSegmentKey,
    kept: &[Anchor],
) -> Result<Verified, Finding> {
    let (mut signatures, mut signed_up_to, mut forged) = (0, 0, None);
    let mut another = kept.iter().find(|anchor| anchor.entries == 0 && anchor.hash != [0; 32]).map(|_| 0);
    let mut at = |chain: &Chain| {
        let differs = |anchor: &&Anchor| anchor.entries == chain.entries && anchor.hash != chain.last;
        another = another.or(kept.iter().find(differs).map(|anchor| anchor.entries));
    };
    let walked = Chain::walk(file, |before, entry| {
        at(before);
        if entry.event != Event::Anchor {
            return Ok(());
        }
        let statement = Statement {
            install,
            entries: before.entries,
            last: before.last,
            generation: entry.generation.unwrap_or(0),
            keys_generation: entry.keys_generation.unwrap_or(0),
        };
        if key.verify(&statement, entry.signature.as_deref().unwrap_or("")).is_err() {
            forged = Some(entry.seq);
            return Err(ChainError::Broken(entry.seq));
        }
        signatures += 1;
        signed_up_to = entry.seq;
        Ok(())
    });
    let chain = match (walked, forged) {
        (_, Some(line)) => return Err(Finding::Forged { line }),
        (Err(ChainError::Io(source)), None) => return Err(Finding::Io(source)),
        (Err(ChainError::Broken(line)), None) => return Err(Finding::Broken { line }),
        (Ok(chain), None) => chain,
    };
    at(&chain);
    if let Some(line) = another {
        return Err(Finding::Another { line });
    }
    if let Some(cut) = kept.iter().find(|anchor| anchor.entries > chain.entries) {
        return Err(Finding::Truncated { found: chain.entries, kept: cut.entries });
    }
    if signatures == 0 {
        return Err(Finding::Unsigned);
    }
    let end = Anchor { entries: chain.entries, hash: chain.last };
    Ok(Verified { entries: chain.entries, signatures, unsigned: chain.entries - signed_up_to, end })
}
