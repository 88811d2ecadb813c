//! What the keeper does to itself before it reads its root key.
//!
//! Unreadable for its peers, no environment, no stray descriptors; then a sandbox in which it can accept on the one
//! socket that already listens, use its own folder, and nothing else: no network, no other program, no other file. The
//! sandbox proves itself; a kernel that cannot give all of it stops the start, unless the operator says otherwise.

use keyhold_os::harden::{Descriptors, EarlyOptions, Environment, HardenError, harden_early};
use keyhold_os::limits::Limits;
use keyhold_os::sandbox::{Accept, IsolationPolicy, Profile, SandboxError, enter};
use keyhold_os::secret::{MemoryProtection, SecretError, reserve};
use keyhold_os::self_test::Isolation;
use keyhold_protocol::keeper::Grade;

use crate::files::{FilesError, StateDir};
use crate::keeper::Protection;
use crate::slots;

/// Open descriptors: three per connection and some to spare.
const OPEN_FILES: u64 = 8192;
/// Secret memory reserved before the sandbox closes, in bytes.
const SECRET_BYTES: usize = 128 * 1024;

/// Why the keeper cannot protect itself.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The slot file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Secret memory.
    #[error(transparent)]
    Memory(#[from] SecretError),
}

/// First statement of `main`.
///
/// # Errors
/// [`HardenError`]; the process must exit.
pub fn harden() -> Result<(), HardenError> {
    let limits = Limits { open_files: Some(OPEN_FILES), ..Limits::NO_CORE };
    harden_early(EarlyOptions {
        environment: Environment::Clear,
        descriptors: Descriptors::Keep(&[]),
        limits,
    })?;
    // A panic message may quote a value; its place is enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "the program failed");
    }));
    Ok(())
}

/// Closes the sandbox.
///
/// # Errors
/// [`IsolationError`]; the process must exit.
pub fn close(dir: &StateDir, policy: IsolationPolicy) -> Result<Protection, IsolationError> {
    let deletion = slots::deletion(dir)?;
    let memory = reserve(SECRET_BYTES)?;
    let profile = Profile {
        write_paths: vec![dir.path().to_owned()],
        accept: Accept::FromOpenListeners,
        ..Profile::default()
    };
    let jailed = enter(&profile, policy)?;
    let isolation = match &jailed.isolation {
        Isolation::Full => Grade::Sound,
        Isolation::Degraded(missing) => {
            let missing: Vec<&str> = missing.iter().map(|one| one.as_str()).collect();
            tracing::warn!(missing = missing.join(" "), "the sandbox is incomplete, on the operator's word");
            Grade::Degraded
        }
    };
    if memory == MemoryProtection::Plain {
        tracing::warn!("secrets are in memory that may be swapped: raise the limit on locked memory");
    }
    Ok(Protection { deletion, isolation, memory: memory.as_str().to_owned() })
}
