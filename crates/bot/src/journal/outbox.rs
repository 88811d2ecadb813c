//! Reports that the server has not acknowledged yet.
//!
//! A report belongs to the event that caused it: the n-th report of event e. Replaying the journal produces the same
//! causes again, and those already in the outbox are not added twice. Numbers therefore have no gaps and no doubles
//! over any number of crashes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use keyhold_domain::Timestamp;
use keyhold_protocol::uplink::Report;
use serde::{Deserialize, Serialize};

use super::{JournalError, line, replace};

/// Which report of which event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// The event's number in the journal.
    pub event: u64,
    /// 0 for the first report it caused.
    pub index: u32,
}

/// A report that waits for its acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The number the server knows it by.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What caused it.
    pub cause: Cause,
    /// What happened.
    pub body: Report,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Pending(Box<Pending>),
    /// Everything up to `acknowledged` is stored by the server; `cause` is the newest cause that got a number.
    Mark {
        acknowledged: u64,
        last_number: u64,
        last_cause: Option<Cause>,
    },
}

/// The reports of one deployment, in order.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    file: File,
    waiting: VecDeque<Pending>,
    acknowledged: u64,
    last_number: u64,
    last_cause: Option<Cause>,
    acknowledged_since_compaction: u32,
}

const REPORTS: &str = "reports.log";
/// The file is rewritten after this many acknowledged reports.
const COMPACT_AFTER: u32 = 1_024;

impl Outbox {
    /// Opens or creates the outbox in `folder`.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(REPORTS);
        let mut outbox = Self {
            folder: folder.to_path_buf(),
            waiting: VecDeque::new(),
            acknowledged: 0,
            last_number: 0,
            last_cause: None,
            acknowledged_since_compaction: 0,
            file: File::open(folder).map_err(|source| JournalError::File {
                doing: "opening",
                path: folder.to_path_buf(),
                source,
            })?,
        };
        for entry in line::read_all::<Entry>(&path)? {
            outbox.restore(entry);
        }
        outbox.file = append_to(&path)?;
        Ok(outbox)
    }

    fn restore(&mut self, entry: Entry) {
        match entry {
            Entry::Pending(pending) => {
                self.last_number = pending.number;
                self.last_cause = Some(pending.cause);
                self.waiting.push_back(*pending);
            }
            Entry::Mark { acknowledged, last_number, last_cause } => {
                self.acknowledged = self.acknowledged.max(acknowledged);
                self.last_number = self.last_number.max(last_number);
                self.last_cause = self.last_cause.max(last_cause);
                self.drop_acknowledged();
            }
        }
    }

    /// Gives the report a number and stores it, unless its cause has one already.
    pub fn add(&mut self, cause: Cause, at: Timestamp, body: Report) -> Result<(), JournalError> {
        if self.last_cause.is_some_and(|last| cause <= last) {
            return Ok(());
        }
        let pending = Pending { number: self.last_number + 1, at, cause, body };
        let entry = Entry::Pending(Box::new(pending));
        self.write(&entry)?;
        self.restore(entry);
        Ok(())
    }

    /// The server has stored everything up to `number`.
    pub fn acknowledge(&mut self, number: u64) -> Result<(), JournalError> {
        if number <= self.acknowledged || number > self.last_number {
            return Ok(());
        }
        let passed = number - self.acknowledged;
        self.acknowledged = number;
        self.drop_acknowledged();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.acknowledged_since_compaction = self.acknowledged_since_compaction.saturating_add(passed);
        if self.acknowledged_since_compaction >= COMPACT_AFTER {
            self.compact()
        } else {
            self.write(&self.mark())
        }
    }

    /// The server has stored more reports of this deployment than this outbox ever numbered: the bot's folder was lost.
    /// What waits gets numbers above those, so that nothing new is taken for something old.
    pub fn continue_after(&mut self, number: u64) -> Result<(), JournalError> {
        if number <= self.last_number {
            return Ok(());
        }
        self.acknowledged = number;
        self.last_number = number;
        for pending in &mut self.waiting {
            self.last_number += 1;
            pending.number = self.last_number;
        }
        self.compact()
    }

    /// Reports after `number`, oldest first.
    pub fn after(&self, number: u64) -> impl Iterator<Item = &Pending> {
        self.waiting.iter().filter(move |pending| pending.number > number)
    }

    /// How many wait.
    pub fn backlog(&self) -> u64 {
        self.last_number - self.acknowledged
    }

    /// The highest acknowledged number.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn mark(&self) -> Entry {
        Entry::Mark {
            acknowledged: self.acknowledged,
            last_number: self.last_number,
            last_cause: self.last_cause,
        }
    }

    fn drop_acknowledged(&mut self) {
        while self.waiting.front().is_some_and(|first| first.number <= self.acknowledged) {
            self.waiting.pop_front();
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry).map_err(JournalError::Encode)?;
        line::write(&mut self.file, &text).map_err(|source| JournalError::File {
            doing: "writing",
            path: self.folder.join(REPORTS),
            source,
        })
    }

    /// Rewrites the file with the mark and what still waits.
    fn compact(&mut self) -> Result<(), JournalError> {
        let mut text = String::new();
        let waiting = self.waiting.iter().map(|pending| Entry::Pending(Box::new(pending.clone())));
        for entry in std::iter::once(self.mark()).chain(waiting) {
            text.push_str(&line::render(&serde_json::to_string(&entry).map_err(JournalError::Encode)?));
        }
        replace(&self.folder, REPORTS, &text)?;
        self.file = append_to(&self.folder.join(REPORTS))?;
        self.acknowledged_since_compaction = 0;
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|source| JournalError::File {
        doing: "opening",
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhold_domain::ReasonCode;
    use keyhold_protocol::uplink::{EventReport, Severity};

    fn report(text: &str) -> Report {
        Report::Event(EventReport {
            severity: Severity::Info,
            code: ReasonCode::NoSignal,
            text: text.to_owned(),
            symbol: None,
        })
    }

    fn add(outbox: &mut Outbox, event: u64, index: u32) {
        outbox.add(Cause { event, index }, Timestamp::EPOCH, report(&format!("{event}.{index}"))).unwrap();
    }

    fn numbers(outbox: &Outbox) -> Vec<u64> {
        outbox.after(0).map(|pending| pending.number).collect()
    }

    #[test]
    fn a_cause_gets_one_number_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(folder.path()).unwrap();
        add(&mut outbox, 1, 0);
        add(&mut outbox, 1, 1);
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        for (event, index) in [(1, 0), (1, 1), (2, 0)] {
            add(&mut outbox, event, index);
        }
        assert_eq!(numbers(&outbox), vec![1, 2, 3]);
    }

    #[test]
    fn a_server_that_knows_more_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(folder.path()).unwrap();
        add(&mut outbox, 1, 0);
        outbox.continue_after(40).unwrap();
        assert_eq!(numbers(&outbox), vec![41]);
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        add(&mut outbox, 2, 0);
        assert_eq!((numbers(&outbox), outbox.backlog()), (vec![41, 42], 2));
    }

    #[test]
    fn acknowledged_reports_are_forgotten_and_their_causes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(folder.path()).unwrap();
        for event in 1..=2_000 {
            add(&mut outbox, event, 0);
        }
        outbox.acknowledge(1_999).unwrap();
        assert_eq!(numbers(&outbox), vec![2_000]);
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!((outbox.acknowledged(), outbox.backlog()), (1_999, 1));
        add(&mut outbox, 2_000, 0);
        add(&mut outbox, 2_001, 0);
        assert_eq!(numbers(&outbox), vec![2_000, 2_001]);
        outbox.acknowledge(5_000).unwrap();
        assert_eq!(outbox.acknowledged(), 1_999, "an acknowledgement of what was never sent is ignored");
    }
}
