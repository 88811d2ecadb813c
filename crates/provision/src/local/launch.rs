//! Starting one process: its folder, its user, its limits, its token.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_os::limits::Limits;
use keyhold_os::privileges::{Identity, is_root};
use keyhold_os::spawn::{ChildOptions, OnParentDeath, Session, spawn_as};
use sha2::{Digest, Sha256};

use super::record::{self, Record};
use super::{IsolationPolicy, LocalConfig, LocalError};

/// What the process is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Trade until stopped.
    Run,
    /// Test a key and end.
    Verify,
}

/// One start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The bot.
    pub bot: BotId,
    /// The run.
    pub deployment: DeploymentId,
    /// What to do.
    pub mode: Mode,
    /// The user to run as; from [`super::Local::choose_uid`].
    pub uid: u32,
    /// The launch token: 64 hexadecimal digits, written to the process's standard input.
    pub token: &'a str,
    /// How many restarts in a row this makes.
    pub restarts: u32,
}

pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Makes the run folder. Others may pass through it to what is theirs, and list nothing.
pub(super) fn prepare_folder(folder: &Path) -> Result<(), LocalError> {
    for path in [folder.to_path_buf(), folder.join("bots"), folder.join("programs")] {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&path)
            .map_err(LocalError::file("creating", &path))?;
        let passable = fs::Permissions::from_mode(0o711);
        fs::set_permissions(&path, passable).map_err(LocalError::file("opening to passers", &path))?;
    }
    Ok(())
}

/// Copies the program into the run folder under its digest, once.
pub(super) fn pin(program: &Path, folder: &Path) -> Result<PathBuf, LocalError> {
    let bytes = fs::read(program).map_err(LocalError::file("reading", program))?;
    let digest = Sha256::digest(&bytes);
    let digest = u128::from_be_bytes(digest[..16].try_into().expect("a SHA-256 digest has 32 bytes"));
    let pinned = folder.join("programs").join(format!("keyhold-bot-{digest:032x}"));
    if pinned.exists() {
        return Ok(pinned);
    }
    let fresh = pinned.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&fresh)?;
        file.write_all(&bytes)?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        fs::rename(&fresh, &pinned)
    };
    write().map_err(LocalError::file("pinning the program as", &pinned))?;
    Ok(pinned)
}

/// Starts the process and writes its record.
pub(super) fn start(
    config: &LocalConfig,
    program: &Path,
    folder: &Path,
    launch: &Launch<'_>,
    now: Timestamp,
) -> Result<(Child, Record), LocalError> {
    make_bot_folder(folder, launch.uid)?;
    let log = open_log(&folder.join("log"))?;
    let mut command = command(config, program, folder, launch);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    let identity = if is_root() { Some(Identity::new(launch.uid, launch.uid)?) } else { None };
    let options = ChildOptions {
        identity,
        session: Session::New,
        // Bots outlive the server; a verification is bounded by its own time limit.
        on_parent_death: OnParentDeath::Survive,
        limits: Limits {
            core_bytes: Some(0),
            open_files: Some(256),
            file_bytes: Some(256 << 20),
            ..Limits::default()
        },
        descriptors: Vec::new(),
        join_groups: Vec::new(),
    };
    let mut child = spawn_as(&mut command, options)?;
    let handed = child.stdin.take().map_or(Ok(()), |mut input| writeln!(input, "{}", launch.token));
    if let Err(error) = handed {
        // Without its token the process ends by itself; reap it.
        child.kill().and_then(|()| child.wait()).map_err(LocalError::Token)?;
        return Err(LocalError::Token(error));
    }
    let record = Record {
        bot: launch.bot,
        deployment: launch.deployment,
        pid: child.id(),
        start_ticks: keyhold_os::peer::start_ticks(child.id()).ok(),
        uid: launch.uid,
        started_at: now,
        restarts: launch.restarts,
    };
    record::write(&record_path(folder), &record)?;
    Ok((child, record))
}

/// Records stand beside the bots' folders, where no bot can write.
pub(super) fn record_path(folder: &Path) -> PathBuf {
    folder.with_extension("json")
}

pub(super) fn make_bot_folder(folder: &Path, uid: u32) -> Result<(), LocalError> {
    let failed = |doing| LocalError::file(doing, folder);
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("creating")(error)),
    }
    if is_root() {
        chown(folder, Some(uid), Some(uid)).map_err(failed("giving the bot's user"))?;
    }
    Ok(())
}

fn open_log(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(LocalError::file("opening", path))
}

fn command(config: &LocalConfig, program: &Path, folder: &Path, launch: &Launch<'_>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/");
    command.arg(match launch.mode {
        Mode::Run => "run",
        Mode::Verify => "verify",
    });
    command.args(["--bot", &launch.bot.to_string(), "--deployment", &launch.deployment.to_string()]);
    command.arg("--uplink").arg(&config.uplink);
    command.arg("--keeper").arg(&config.keeper);
    command.arg("--folder").arg(folder);
    for port in &config.simulated_ports {
        command.args(["--simulated-port", &port.to_string()]);
    }
    command.args([
        "--isolation",
        match config.isolation {
            IsolationPolicy::Required => "required",
            IsolationPolicy::Degraded => "degraded",
        },
    ]);
    command.args(["--log", &config.log]);
    command
}
