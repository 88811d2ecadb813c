//! What a program tells of the walls around itself when nothing is at stake: `keyhold-bot check` prints it, whoever
//! inspects the machine reads it. Words are those of `keyhold-os`; nobody should decide by a word that is new to him.

use serde::{Deserialize, Serialize};

/// The walls as they stand on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// How secrets are kept in memory: `sealed`, `locked` or `plain`.
    pub memory: String,
    /// Version of the kernel's interface for files and ports that is in force; absent without one.
    pub landlock: Option<u32>,
    /// How many system calls are left; absent when all are.
    pub system_calls: Option<u32>,
    /// What the profile asks for and the machine does not give.
    pub missing: Vec<String>,
    /// What is granted more widely than it should be, because the kernel has no finer rule.
    pub limitations: Vec<String>,
    /// What was tried inside, and how it ended.
    pub probes: Vec<Probe>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What was tried.
    pub name: String,
    /// `refused`, `refused before`, `ALLOWED` or `nothing to try`.
    pub outcome: String,
}
