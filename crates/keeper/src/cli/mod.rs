//! The keeper's command line: what the program can be told, and what each command does.
//!
//! Commands with `--dir` work on the folder of a keeper that is not running, those with `--socket` ask one that is. Nothing
//! secret is ever an argument: passphrases are typed or come through a pipe, tokens and PINs stand in files.

mod asking;
mod folder;
mod outside;
mod typing;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use keyhold_domain::InstallId;
use keyhold_os::pidfd::identities_are_unique;
use keyhold_os::sandbox::IsolationPolicy;
use keyhold_protocol::keeper::{AskError, Refusal};

use crate::adopt;
use crate::audit::{Anchor, Audit, AuditError, Finding, History, PublicSegmentKey, Stood};
use crate::clock::{Clock as _, SystemClock};
use crate::entropy::SystemEntropy;
use crate::files::{FilesError, StateDir};
use crate::isolation::{self, IsolationError};
use crate::keeper::{Custody, Keeper};
use crate::providers::{CREDENTIAL, CredentialProvider, MAX_PASSPHRASE, MIN_PASSPHRASE, ProviderError};
use crate::ring::KeysError;
use crate::sealing::{OpenError, Opener};
use crate::serve::{bind, serve};
use crate::vault::{Reached, Rollback, Vault, VaultError};

use folder::Wanted;
use outside::OutsideArguments;
use typing::MIN_PIN;

/// Holds the root key of a Keyhold installation and hands data keys to proven bots, one at a time.
#[derive(Debug, Parser)]
#[command(name = "keyhold-keeper", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make new keys in an empty folder. Never overwrites any.
    Init {
        /// The keeper's own folder; created with mode 0700.
        #[arg(long)]
        dir: PathBuf,
        /// Id of the installation, 32 hexadecimal digits; drawn at random when absent.
        #[arg(long)]
        install: Option<InstallId>,
        /// Who keeps the root key.
        #[arg(long, value_enum, default_value = "file")]
        provider: ProviderChoice,
        #[command(flatten)]
        outside: OutsideArguments,
    },
    /// Serve on a UNIX socket until SIGTERM.
    Serve(Serve),
    /// Ask a running keeper how it is.
    Status(Socket),
    /// Open the keys of a running keeper. Reads the passphrase if one is enrolled.
    Unseal(Socket),
    /// Make a running keeper forget its keys until they are unsealed.
    Seal(Socket),
    /// Move a running keeper's keys to a new epoch. Bots and users notice nothing.
    RotateKek(Socket),
    /// Draw a new root key in a running keeper. Reads the passphrase if one is enrolled.
    RekeyRoot(Socket),
    /// Have a running keeper open every key and read every slot once.
    VerifyStore(Socket),
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
    /// Let another provider open the keys too.
    Enroll {
        /// The folder of a keeper that is not running.
        #[arg(long)]
        dir: PathBuf,
        /// Which.
        #[arg(long, value_enum)]
        provider: ProviderChoice,
        #[command(flatten)]
        outside: OutsideArguments,
    },
    /// Take a provider out. The last one stays.
    Unenroll {
        /// The folder of a keeper that is not running.
        #[arg(long)]
        dir: PathBuf,
        /// Which.
        #[arg(long, value_enum)]
        provider: ProviderChoice,
    },
    /// Check the audit file and print its length and last hash.
    Audit {
        /// The folder of a keeper that is not running.
        #[arg(long)]
        dir: Option<PathBuf>,
        #[command(subcommand)]
        action: Option<AuditAction>,
    },
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "parsed once; there is only ever one")]
enum AuditAction {
    /// Check a copy of the audit file with nothing but the public key.
    Verify {
        /// The file.
        #[arg(long)]
        file: PathBuf,
        /// The keeper's public key for signatures, as `status` and `audit key` print it.
        #[arg(long)]
        public_key: PublicSegmentKey,
        /// Id of the installation.
        #[arg(long)]
        install: InstallId,
        /// The end of an earlier check, NUMBER:HASH; may be repeated.
        #[arg(long = "anchor")]
        anchors: Vec<Anchor>,
    },
    /// Print the public key of the signatures, from the folder of a keeper that is not running.
    Key {
        /// The folder.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Socket {
    /// The keeper's socket.
    #[arg(long)]
    socket: PathBuf,
}

/// Who can keep a root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProviderChoice {
    /// A file of the keeper's folder, mode 0600.
    File,
    /// A passphrase, typed whenever the keeper starts.
    Passphrase,
    /// The credential `keyhold-root` of the service manager.
    SystemCredential,
    /// A transit key of Vault or OpenBao, by an agent or server on this host.
    Transit,
    /// This machine's TPM 2.0 and its boot state, by way of tpm2-tools.
    Tpm2,
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
    /// Start although a file is older than others say, after a restored backup. Recorded.
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
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The keys did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The audit file is not what it was.
    #[error(transparent)]
    Finding(#[from] Finding),
    /// The running keeper.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It did not do it.
    #[error("the keeper refused: {0:?}")]
    Refused(Refusal),
    /// Nothing usable was typed.
    #[error(
        "a passphrase has 1 to {MAX_PASSPHRASE} bytes, a new one at least {MIN_PASSPHRASE} characters, a new PIN {MIN_PIN}"
    )]
    Passphrase,
    /// An argument is missing.
    #[error("this provider wants {0}")]
    Wanted(&'static str),
    /// What would open the keys is not at hand.
    #[error("the keys stay closed: {0}. Then start the keeper again")]
    Missing(String),
    /// A command without what it works on.
    #[error("say which: --dir, or one of the subcommands")]
    Nothing,
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

/// Carries out a command; `credentials` is the service manager's folder of credentials, if it gave one.
///
/// # Errors
/// [`CliError`].
pub fn run(arguments: Arguments, credentials: Option<&Path>) -> Result<(), CliError> {
    match arguments.command {
        Command::Init { dir, install, provider, outside } => {
            folder::init(&dir, install, &Wanted { provider, outside, credentials })
        }
        Command::Serve(options) => start(&options, credentials),
        Command::Status(Socket { socket }) => asking::status(&socket),
        Command::Unseal(Socket { socket }) => asking::unseal(&socket),
        Command::Seal(Socket { socket }) => asking::seal(&socket),
        Command::RotateKek(Socket { socket }) => asking::rotate_kek(&socket),
        Command::RekeyRoot(Socket { socket }) => asking::rekey_root(&socket),
        Command::VerifyStore(Socket { socket }) => asking::verify_store(&socket),
        Command::Fingerprint { dir } => {
            let dir = StateDir::open(&dir)?;
            say(&Vault::peek(&dir)?.id().fingerprint())
        }
        Command::RotateSealKey { dir } => {
            let dir = StateDir::open(&dir)?;
            let _lock = dir.lock()?;
            Vault::rotate_seal_key(&dir, &mut SystemEntropy)?;
            say("a new key to seal to")
        }
        Command::Enroll { dir, provider, outside } => {
            folder::enroll(&dir, &Wanted { provider, outside, credentials })
        }
        Command::Unenroll { dir, provider } => folder::unenroll(&dir, provider, credentials),
        Command::Audit {
            action: Some(AuditAction::Verify { file, public_key, install, anchors }), ..
        } => folder::audit_verify(&file, install, &public_key, &anchors),
        Command::Audit { action: Some(AuditAction::Key { dir }), .. } => folder::audit_key(&dir, credentials),
        Command::Audit { dir: Some(dir), action: None } => {
            let dir = StateDir::open(&dir)?;
            let _lock = dir.lock()?;
            let audit = Audit::open(&dir)?;
            say(&format!("{} entries, last hash {}", audit.entries(), audit.last_hash()))
        }
        Command::Audit { dir: None, action: None } => Err(CliError::Nothing),
    }
}

/// The service manager's credential, when it gave one.
fn credential(folder: Option<&Path>) -> Result<Option<CredentialProvider>, CliError> {
    match folder {
        Some(folder) if folder.join(CREDENTIAL).exists() => Ok(Some(CredentialProvider::read(folder)?)),
        Some(_) | None => Ok(None),
    }
}

/// Everything that needs the outside comes before the sandbox, everything that opens a key after it.
fn start(options: &Serve, credentials: Option<&Path>) -> Result<(), CliError> {
    let clock = SystemClock::start();
    let dir = StateDir::open(&options.dir)?;
    let _lock = dir.lock()?;
    let (credential, fetched) = (credential(credentials)?, outside::fetched(&dir, credentials)?);
    let (boot, identities) = (adopt::boot_id(), identities_are_unique());
    let audit = Audit::open(&dir)?;
    let survivors = adopt::survivors(audit.history(), boot.as_deref(), identities);
    let listener = bind(&options.socket)?;
    let policy = match options.isolation {
        IsolationChoice::Full => IsolationPolicy::RequireFull,
        IsolationChoice::Degraded => IsolationPolicy::AcceptDegraded,
    };
    let protection = isolation::close(&dir, policy)?;

    let rollback = if options.accept_older_records { Rollback::Accept } else { Rollback::Refuse };
    let mut opener = Opener::new(&dir).with_credential(credential).with_fetched(fetched).with_boot(boot);
    let custody = open(&mut opener, audit.history(), rollback)?;
    let servers = servers(&options.server_uids);
    let keeper = Keeper::begin(custody, opener, audit, servers, protection, SystemEntropy, clock.now())?;
    let own = rustix::process::geteuid().as_raw();
    let mut keeper = keeper.with_operators(BTreeSet::from([0, own])).with_identities(identities);
    keeper.adopt(survivors, clock.now());
    let runtime = runtime()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(listener, keeper, clock)).map_err(system("serving"))
}

/// Opens the keys if that needs nobody; a keeper that was sealed stays so.
fn open(opener: &mut Opener, history: &History, rollback: Rollback) -> Result<Custody, CliError> {
    if history.stood() == Stood::Sealed {
        tracing::warn!("sealed before this start: somebody has to run `keyhold-keeper unseal`");
        return Ok(Custody::Sealed);
    }
    let reached = Reached { records: history.generation(), keys: history.keys_generation() };
    match opener.open(None, reached, rollback, &mut SystemEntropy) {
        Ok(vault) => {
            tracing::info!(fingerprint = vault.public_key().id().fingerprint(), "opened");
            Ok(Custody::Open(Box::new(vault)))
        }
        Err(OpenError::Closed) => {
            tracing::warn!("no provider opened the keys: somebody has to run `keyhold-keeper unseal`");
            Ok(Custody::Sealed)
        }
        // Whoever can type a passphrase can still open it; otherwise the service manager has to start it again later.
        Err(OpenError::Vault(VaultError::Keys(KeysError::NoSuchProvider))) => {
            let missing = opener.missing();
            if opener.providers().iter().any(|kind| kind == "passphrase") {
                tracing::warn!("somebody has to run `keyhold-keeper unseal`: {missing}");
                Ok(Custody::Sealed)
            } else {
                Err(CliError::Missing(missing))
            }
        }
        Err(OpenError::Vault(error)) => Err(error.into()),
    }
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

fn say(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{text}").map_err(system("writing to standard output"))
}
