//! The bot's memory on disk: every event before it is acted on, and now and then a snapshot.
//!
//! A start is a recovery: [`Journal::open`] gives the newest snapshot and the events after it; replaying them through
//! the engine gives the state at the moment of death. The journal knows lines and checksums; it does not know what
//! the records mean. A torn last line (power lost in the middle of a write) is cut off; damage anywhere else is an
//! error, because guessing about orders is worse than stopping.

mod line;
mod outbox;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use line::LineError;
pub use outbox::{Cause, Outbox, Pending};

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{doing} {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line in the middle of a file is damaged.
    #[error("line {line} of {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// How.
        #[source]
        source: LineError,
    },
    /// Sequence numbers do not follow each other.
    #[error("{path} jumps from event {last} to {next}")]
    Gap {
        /// The file.
        path: PathBuf,
        /// The number before the jump.
        last: u64,
        /// The number after it.
        next: u64,
    },
    /// A value could not be written as JSON.
    #[error("writing a record as JSON")]
    Encode(#[source] serde_json::Error),
}

/// A numbered record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Numbered<T> {
    /// Starts at 1 and has no gaps.
    pub sequence: u64,
    /// What happened.
    pub record: T,
}

/// What a start finds on disk.
#[derive(Debug)]
pub struct Recovered<S, R> {
    /// The newest snapshot and the sequence number of the last event in it.
    pub snapshot: Option<Numbered<S>>,
    /// The events after it, in order.
    pub tail: Vec<Numbered<R>>,
}

/// An open journal. One process writes it at a time: the folder belongs to one bot.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: File,
    path: PathBuf,
    sequence: u64,
}

const SNAPSHOT: &str = "snapshot.json";
const EVENTS: &str = "events.log";

impl Journal {
    /// Opens or creates the journal in `folder` and reads back what it holds.
    pub fn open<S: DeserializeOwned, R: DeserializeOwned>(
        folder: &Path,
    ) -> Result<(Self, Recovered<S, R>), JournalError> {
        let snapshot: Option<Numbered<S>> = read_snapshot(&folder.join(SNAPSHOT))?;
        let path = folder.join(EVENTS);
        let lines: Vec<Numbered<R>> = line::read_all(&path)?;
        let done = snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
        let mut last = None;
        let mut tail = Vec::new();
        for numbered in lines {
            if let Some(last) = last.filter(|last| last + 1 != numbered.sequence) {
                return Err(JournalError::Gap { path, last, next: numbered.sequence });
            }
            last = Some(numbered.sequence);
            if numbered.sequence > done {
                tail.push(numbered);
            }
        }
        if let Some(first) = tail.first().filter(|first| first.sequence != done + 1) {
            return Err(JournalError::Gap { path, last: done, next: first.sequence });
        }
        let sequence = last.unwrap_or(done).max(done);
        let file = open_to_append(&path)?;
        Ok((Self { folder: folder.to_path_buf(), file, path, sequence }, Recovered { snapshot, tail }))
    }

    /// Writes an event and gives its number. After this call the event survives the death of the process; after
    /// [`Journal::sync`] also that of the machine.
    pub fn append<R: Serialize>(&mut self, record: &R) -> Result<u64, JournalError> {
        let sequence = self.sequence + 1;
        let text = serde_json::to_string(&NumberedRef { sequence, record }).map_err(JournalError::Encode)?;
        line::write(&mut self.file, &text).map_err(|source| self.failed("writing", source))?;
        self.sequence = sequence;
        Ok(sequence)
    }

    /// Forces everything appended so far onto the disk. Called before an order leaves.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| self.failed("syncing", source))
    }

    /// The number of the last event; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Stores a snapshot that contains every event so far and starts the event file anew.
    pub fn checkpoint<S: Serialize>(&mut self, state: &S) -> Result<(), JournalError> {
        let text = serde_json::to_string(&NumberedRef { sequence: self.sequence, record: state })
            .map_err(JournalError::Encode)?;
        replace(&self.folder, SNAPSHOT, &line::render(&text))?;
        // Events up to here are in the snapshot; a crash before this line only leaves some that are skipped on open.
        replace(&self.folder, EVENTS, "")?;
        self.file = open_to_append(&self.path)?;
        Ok(())
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> JournalError {
        JournalError::File { doing, path: self.path.clone(), source }
    }
}

#[derive(Serialize)]
struct NumberedRef<'a, T> {
    sequence: u64,
    record: &'a T,
}

fn read_snapshot<S: DeserializeOwned>(path: &Path) -> Result<Option<Numbered<S>>, JournalError> {
    let mut found: Vec<Numbered<S>> = line::read_all(path)?;
    Ok(found.pop())
}

fn open_to_append(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|source| JournalError::File {
        doing: "opening",
        path: path.to_path_buf(),
        source,
    })
}

/// Writes a whole file so that a crash leaves either the old or the new one.
fn replace(folder: &Path, name: &str, text: &str) -> Result<(), JournalError> {
    let path = folder.join(name);
    let failed = |doing: &'static str| {
        let path = path.clone();
        move |source| JournalError::File { doing, path, source }
    };
    let fresh = folder.join(format!("{name}.new"));
    let mut file = File::create(&fresh).map_err(failed("creating"))?;
    file.write_all(text.as_bytes()).map_err(failed("writing"))?;
    file.sync_all().map_err(failed("syncing"))?;
    std::fs::rename(&fresh, &path).map_err(failed("replacing"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("syncing the folder of"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> (Journal, Recovered<String, String>) {
        Journal::open(folder).unwrap()
    }

    #[test]
    fn events_survive_and_continue_after_a_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, found) = open(folder.path());
        assert!(found.snapshot.is_none() && found.tail.is_empty());
        journal.append(&"a").unwrap();
        journal.append(&"b").unwrap();
        journal.checkpoint(&"state after b").unwrap();
        assert_eq!(journal.append(&"c").unwrap(), 3);
        drop(journal);
        let (journal, found) = open(folder.path());
        assert_eq!(found.snapshot.unwrap(), Numbered { sequence: 2, record: "state after b".to_owned() });
        assert_eq!(found.tail, vec![Numbered { sequence: 3, record: "c".to_owned() }]);
        assert_eq!(journal.sequence(), 3);
    }

    #[test]
    fn a_crash_between_snapshot_and_new_event_file_repeats_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path());
        journal.append(&"a").unwrap();
        let events = std::fs::read(folder.path().join(EVENTS)).unwrap();
        journal.checkpoint(&"s").unwrap();
        std::fs::write(folder.path().join(EVENTS), events).unwrap();
        let (mut journal, found) = open(folder.path());
        assert_eq!(found.tail, vec![]);
        assert_eq!(journal.append(&"b").unwrap(), 2);
    }

    /// Every possible cut of the last line is survived; the lines before it are kept.
    #[test]
    fn a_torn_last_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path());
        journal.append(&"first").unwrap();
        let whole = std::fs::metadata(folder.path().join(EVENTS)).unwrap().len();
        journal.append(&"second").unwrap();
        drop(journal);
        let bytes = std::fs::read(folder.path().join(EVENTS)).unwrap();
        for cut in usize::try_from(whole).unwrap()..bytes.len() {
            std::fs::write(folder.path().join(EVENTS), &bytes[..cut]).unwrap();
            let (mut journal, found) = open(folder.path());
            assert_eq!(found.tail.len(), 1, "cut at {cut}");
            assert_eq!(journal.append(&"again").unwrap(), 2);
            drop(journal);
            let (_, found) = open(folder.path());
            assert_eq!(found.tail.len(), 2, "the line after a cut one is readable, cut at {cut}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path());
        journal.append(&"first").unwrap();
        journal.append(&"second").unwrap();
        drop(journal);
        let path = folder.path().join(EVENTS);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = Journal::open::<String, String>(folder.path()).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 1, .. }), "{error}");
    }
}
