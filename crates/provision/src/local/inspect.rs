//! Asking the bots' program itself what holds on this machine: `keyhold-bot check`, started as a bot is.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keyhold_os::limits::Limits;
use keyhold_os::privileges::{Identity, is_root};
use keyhold_os::spawn::{ChildOptions, OnParentDeath, Session, spawn_as};
use keyhold_protocol::walls::Walls;

use super::launch::{make_bot_folder, own_uid, pin, prepare_folder};
use super::{LocalConfig, LocalError, MAX_BOTS};

/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Starts the program once, as a user that no bot has, and reads what it tells. Blocks until it has ended.
///
/// # Errors
/// [`LocalError`]; [`LocalError::NoAnswer`] with what the program said when it did not start.
pub fn inspect(config: &LocalConfig) -> Result<Walls, LocalError> {
    prepare_folder(&config.folder)?;
    let program = pin(&config.program, &config.folder)?;
    // The user after the last bot's.
    let uid = if is_root() { config.first_uid.saturating_add(MAX_BOTS) } else { own_uid() };
    let folder = config.folder.join(format!("check-{}", std::process::id()));
    make_bot_folder(&folder, uid)?;
    let told = ask(config, &program, &folder, uid);
    fs::remove_dir_all(&folder).map_err(LocalError::file("removing", &folder))?;
    told
}

fn ask(config: &LocalConfig, program: &Path, folder: &Path, uid: u32) -> Result<Walls, LocalError> {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").arg("check");
    command.arg("--uplink").arg(&config.uplink);
    command.arg("--keeper").arg(&config.keeper);
    command.arg("--folder").arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let options = ChildOptions {
        identity: if is_root() { Some(Identity::new(uid, uid)?) } else { None },
        session: Session::New,
        on_parent_death: OnParentDeath::Survive,
        limits: Limits { core_bytes: Some(0), ..Limits::default() },
        descriptors: Vec::new(),
        join_groups: Vec::new(),
    };
    let mut child = spawn_as(&mut command, options)?;
    let (mut told, mut said) = (String::new(), String::new());
    let failed = LocalError::file("reading what is told by", program);
    let mut read = || -> std::io::Result<()> {
        if let Some(output) = child.stdout.take() {
            output.take(LONGEST_ANSWER).read_to_string(&mut told)?;
        }
        if let Some(errors) = child.stderr.take() {
            errors.take(LONGEST_ANSWER).read_to_string(&mut said)?;
        }
        child.wait().map(drop)
    };
    read().map_err(failed)?;
    serde_json::from_str(&told).map_err(|_no_answer| LocalError::NoAnswer(said.trim().to_owned()))
}
