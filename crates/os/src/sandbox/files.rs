//! The Landlock half of the sandbox: files, TCP ports, abstract sockets and signals.
//!
//! Uses the newest rules that both the kernel and the `landlock` crate know, each as a hard requirement, and says what an
//! older kernel lacks. It is not a boundary for sockets by itself: Multipath TCP and data sent with the connection
//! request (TCP Fast Open) pass its port rules, as do UDP and everything that is not TCP. `filter.rs` closes those.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};

use super::profile::{Network, Profile, UnixConnect};
use super::{Missing, SandboxError};

/// What the C library's resolver reads. Those that do not exist are left out.
const RESOLVER_FILES: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
];

/// Whether and how Landlock is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LandlockStatus {
    /// In force with the rules of this version of the interface (1 to 9).
    Enforced {
        /// Version in use: the smaller of the kernel's and the one this program knows.
        abi: u32,
    },
    /// The kernel was built or booted without it.
    Unavailable,
}

impl LandlockStatus {
    /// What the profile asks for and this version cannot give.
    pub(super) fn missing(self, profile: &Profile) -> Vec<Missing> {
        let Self::Enforced { abi } = self else { return vec![Missing::Landlock] };
        let wants_ports = matches!(profile.network, Network::TcpConnect { .. });
        [
            (abi < 3, Missing::TruncateRule),
            (abi < 4 && wants_ports, Missing::TcpPortRule),
            (abi < 6, Missing::SocketAndSignalScope),
        ]
        .into_iter()
        .filter_map(|(lacks, missing)| lacks.then_some(missing))
        .collect()
    }
}

/// Restricts the calling thread and everything it starts from now on.
pub(super) fn restrict(profile: &Profile) -> Result<LandlockStatus, SandboxError> {
    let abi = supported();
    if abi == ABI::Unsupported {
        return Ok(LandlockStatus::Unavailable);
    }
    let failed = |doing| move |source| SandboxError::Landlock { doing, source: Box::new(source) };
    let ruleset = handled(abi).map_err(failed("choosing what to refuse"))?;
    let ruleset = granted(ruleset, abi, profile)?;
    let status = ruleset.restrict_self().map_err(failed("entering"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(LandlockStatus::Enforced { abi: version(abi) }),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
            Err(SandboxError::NotEnforced("Landlock"))
        }
    }
}

/// Everything the version can refuse.
fn handled(abi: ABI) -> Result<RulesetCreated, landlock::RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    let ports = AccessNet::from_all(abi);
    if !ports.is_empty() {
        ruleset = ruleset.handle_access(ports)?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    ruleset.create()
}

fn granted(mut ruleset: RulesetCreated, abi: ABI, profile: &Profile) -> Result<RulesetCreated, SandboxError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    for path in &profile.read_paths {
        ruleset = grant_path(ruleset, abi, path, read)?;
    }
    if profile.resolves_names() {
        for path in RESOLVER_FILES.map(Path::new).into_iter().filter(|path| path.exists()) {
            ruleset = grant_path(ruleset, abi, path, read)?;
        }
    }
    let write =
        read | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir});
    for path in &profile.write_paths {
        ruleset = grant_path(ruleset, abi, path, write)?;
    }
    if let UnixConnect::To(paths) = &profile.unix_connect
        && tells_unix_sockets_apart(abi)
    {
        for path in paths {
            ruleset = grant_path(ruleset, abi, path, AccessFs::ResolveUnix.into())?;
        }
    }
    if AccessNet::from_all(abi).contains(AccessNet::ConnectTcp) {
        for port in profile.tcp_ports() {
            ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::ConnectTcp)).map_err(|source| {
                SandboxError::Landlock { doing: "granting a TCP port", source: Box::new(source) }
            })?;
        }
    }
    Ok(ruleset)
}

fn grant_path(
    ruleset: RulesetCreated,
    abi: ABI,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, SandboxError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| SandboxError::Path {
        path: PathBuf::from(path),
        source,
    };
    let opened = PathFd::new(path).map_err(|error| failed(Box::new(error)))?;
    // Rights on directories make no sense for a single file and are refused by the crate.
    let kind = if path.is_dir() { AccessFs::from_all(abi) } else { AccessFs::from_file(abi) };
    let access = access & AccessFs::from_all(abi) & kind;
    ruleset.add_rule(PathBeneath::new(opened, access)).map_err(|error| failed(Box::new(error)))
}

pub(super) fn tells_paths_of_unix_sockets_apart() -> bool {
    tells_unix_sockets_apart(supported())
}

fn tells_unix_sockets_apart(abi: ABI) -> bool {
    AccessFs::from_all(abi).contains(AccessFs::ResolveUnix)
}

/// The newest version both sides know.
fn supported() -> ABI {
    // SAFETY: with this flag, and only then, the call takes a null pointer and size zero and returns the version.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    match version {
        ..=0 => ABI::Unsupported,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        9.. => ABI::V9,
    }
}

/// `LANDLOCK_CREATE_RULESET_VERSION`, linux/landlock.h.
const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;

fn version(abi: ABI) -> u32 {
    u32::try_from(abi as i32).unwrap_or(0)
}
