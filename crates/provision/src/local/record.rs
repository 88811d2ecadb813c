//! What is remembered of a process on disk, so that the next server can adopt it.
//!
//! A process id alone may have been given to somebody else; together with the start time the kernel tells it is not.

use std::fs;
use std::io;
use std::path::Path;

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_os::pidfd::PidFd;
use serde::{Deserialize, Serialize};

use super::LocalError;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) bot: BotId,
    pub(super) deployment: DeploymentId,
    pub(super) pid: u32,
    pub(super) start_ticks: Option<u64>,
    pub(super) uid: u32,
    pub(super) started_at: Timestamp,
    pub(super) restarts: u32,
}

pub(super) fn write(path: &Path, record: &Record) -> Result<(), LocalError> {
    let text = serde_json::to_string(record)
        .map_err(|error| LocalError::file("describing", path)(io::Error::other(error)))?;
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path)).map_err(LocalError::file("writing", path))
}

/// Every record in the folder. A file that is not a record is an error: guessing about processes is not on.
pub(super) fn read_all(folder: &Path) -> Result<Vec<Record>, LocalError> {
    let mut records = Vec::new();
    for entry in fs::read_dir(folder).map_err(LocalError::file("listing", folder))? {
        let path = entry.map_err(LocalError::file("listing", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read(&path).map_err(LocalError::file("reading", &path))?;
            let record = serde_json::from_slice(&text)
                .map_err(|error| LocalError::file("understanding", &path)(io::Error::other(error)))?;
            records.push(record);
        }
    }
    Ok(records)
}

/// A handle on the recorded process; `None` when it is gone or its number belongs to another process now.
pub(super) fn adopt(record: &Record) -> Option<PidFd> {
    let handle = PidFd::open(record.pid).ok()?;
    let ticks = keyhold_os::peer::start_ticks(record.pid).ok();
    (ticks.is_some() && ticks == record.start_ticks).then_some(handle)
}
