//! The keeper's command line.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use keyhold_domain::InstallId;
use keyhold_os::sandbox::IsolationPolicy;
use keyhold_protocol::keeper::{Answer, AskError, Client, Request};

use crate::audit::{Audit, AuditError};
use crate::clock::{Clock as _, SystemClock};
use crate::entropy::{SystemEntropy, random};
use crate::files::{FilesError, StateDir};
use crate::isolation::{self, IsolationError};
use crate::keeper::Keeper;
use crate::serve::{bind, serve};
use crate::vault::{Rollback, Vault, VaultError};

/// Holds the root key of a Keyhold installation and hands data keys to proven bots, one at a time.
#[derive(Debug, Parser)]
#[command(name = "keyhold-keeper", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new root key in an empty folder. Never overwrites one.
    Init {
        /// The keeper's own folder; created with mode 0700.
        #[arg(long)]
        dir: PathBuf,
        /// Id of the installation, 32 hexadecimal digits; drawn at random when absent.
        #[arg(long)]
        install: Option<InstallId>,
    },
    /// Serve on a UNIX socket until SIGTERM.
    Serve(Serve),
    /// Ask a running keeper how it is.
    Status {
        /// Its socket.
        #[arg(long)]
        socket: PathBuf,
    },
    /// Print the fingerprint of the key to seal to, from the folder itself.
    Fingerprint {
        /// The keeper's folder.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Draw a new key to seal to. Keys being added at that moment must be entered again.
    RotateSealKey {
        /// The folder of a keeper that is not running.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Check the audit file and print its length and last hash.
    Audit {
        /// The folder of a keeper that is not running.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// The keeper's folder.
    #[arg(long)]
    dir: PathBuf,
    /// Where to listen.
    #[arg(long)]
    socket: PathBuf,
    /// User the server runs as; may be repeated. Default: this user and root.
    #[arg(long = "server-uid")]
    server_uids: Vec<u32>,
    /// What to do on a kernel that cannot isolate the process fully.
    #[arg(long, value_enum, default_value = "full")]
    isolation: IsolationChoice,
    /// Start although the record table is older than the slots, after a restored backup.
    #[arg(long)]
    accept_older_records: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IsolationChoice {
    /// Refuse to start.
    Full,
    /// Start, and show it to every user.
    Degraded,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The audit file.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The sandbox.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// The running keeper.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Another answer than the question has.
    #[error("the keeper answered something else")]
    OddAnswer,
    /// The system.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> CliError {
    move |source| CliError::System { doing, source }
}

/// Carries out a command.
///
/// # Errors
/// [`CliError`].
pub fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.command {
        Command::Init { dir, install } => init(&dir, install),
        Command::Serve(options) => start(&options),
        Command::Status { socket } => status(&socket),
        Command::Fingerprint { dir } => {
            let dir = StateDir::open(&dir)?;
            say(&Vault::peek(&dir)?.id().fingerprint())
        }
        Command::RotateSealKey { dir } => {
            let dir = StateDir::open(&dir)?;
            let _lock = dir.lock()?;
            Vault::rotate_seal_key(&dir, &mut SystemEntropy)?;
            say(&Vault::peek(&dir)?.id().fingerprint())
        }
        Command::Audit { dir } => {
            let dir = StateDir::open(&dir)?;
            let _lock = dir.lock()?;
            let audit = Audit::open(&dir)?;
            say(&format!("{} entries, last hash {}", audit.entries(), audit.last_hash()))
        }
    }
}

fn init(dir: &Path, install: Option<InstallId>) -> Result<(), CliError> {
    let dir = StateDir::create(dir)?;
    let _lock = dir.lock()?;
    let drawn = || random(&mut SystemEntropy).map(InstallId::from_bytes).map_err(|_none| FilesError::Entropy);
    let install = install.map_or_else(drawn, Ok)?;
    Vault::create(&dir, install, &mut SystemEntropy)?;
    say(&format!("install {install}\nfingerprint {}", Vault::peek(&dir)?.id().fingerprint()))
}

/// Everything that needs the outside comes before the sandbox, everything that touches a key after it.
fn start(options: &Serve) -> Result<(), CliError> {
    let clock = SystemClock::start();
    let dir = StateDir::open(&options.dir)?;
    let _lock = dir.lock()?;
    let listener = bind(&options.socket)?;
    let policy = match options.isolation {
        IsolationChoice::Full => IsolationPolicy::RequireFull,
        IsolationChoice::Degraded => IsolationPolicy::AcceptDegraded,
    };
    let protection = isolation::close(&dir, policy)?;

    let rollback = if options.accept_older_records { Rollback::Accept } else { Rollback::Refuse };
    let audit = Audit::open(&dir)?;
    let vault = Vault::open(&dir, rollback, &mut SystemEntropy)?;
    tracing::info!(fingerprint = vault.public_key().id().fingerprint(), "opened");
    let servers = servers(&options.server_uids);
    let keeper = Keeper::start(vault, audit, servers, protection, SystemEntropy, clock.now())?;
    let runtime = runtime()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(listener, keeper, clock)).map_err(system("serving"))
}

fn servers(named: &[u32]) -> BTreeSet<u32> {
    if named.is_empty() {
        BTreeSet::from([0, rustix::process::geteuid().as_raw()])
    } else {
        named.iter().copied().collect()
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system("starting the runtime"))
}

fn status(socket: &Path) -> Result<(), CliError> {
    let within = Duration::from_secs(10);
    let answer = runtime()?.block_on(async {
        let stream = tokio::net::UnixStream::connect(socket).await.map_err(system("connecting"))?;
        Ok::<Answer, CliError>(Client::new(stream).ask(&Request::Status, within).await?)
    })?;
    match answer {
        Answer::Status(status) => {
            let text = serde_json::to_string_pretty(&status);
            say(&text.expect("a status has only strings and numbers"))
        }
        _ => Err(CliError::OddAnswer),
    }
}

fn say(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{text}").map_err(system("writing to standard output"))
}
