//! Proof that the sandbox holds: tries what must fail and reports what happened.
//!
//! Every probe runs once before the sandbox closes and once inside. Only "possible before, refused now" proves the
//! sandbox; "refused before" is as safe but is the doing of somebody else (file permissions, a missing capability) and is
//! reported as such. No probe changes anything or needs anything to exist: each is made so that the kernel, if it lets the
//! call through at all, fails it for another reason that can be told apart.

mod attempts;

use std::fmt;

use crate::sandbox::{Missing, Profile};

use attempts::{Attempt, Surroundings};

/// How well the process is isolated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// Everything the profile asks for is in force, and every probe was refused.
    Full,
    /// Something is missing. Go on only on the operator's explicit word, and show it.
    Degraded(Vec<Missing>),
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Possible before, refused inside: the sandbox's doing.
    Refused,
    /// Refused before already, and still.
    RefusedBefore,
    /// Possible inside. The sandbox does not hold.
    Allowed,
    /// Nothing here to try it on, for instance the file does not exist.
    NothingToTry,
}

impl Outcome {
    /// The word for status pages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::RefusedBefore => "refused before",
            Self::Allowed => "ALLOWED",
            Self::NothingToTry => "nothing to try",
        }
    }
}

/// Declares the probes with their names, so that none can be forgotten in a list.
macro_rules! probes {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal,)+) => {
        /// What is tried.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ProbeId { $($(#[doc = $doc])+ $id,)+ }

        impl ProbeId {
            /// All probes, in the order they are run.
            pub const ALL: &'static [Self] = &[$(Self::$id,)+];

            /// The word for status pages and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$id => $name,)+ }
            }
        }
    };
}

probes! {
    /// Read a world-readable file outside the grants.
    ReadOutside = "read_file_outside",
    /// Read `/etc/shadow`.
    ReadShadow = "read_shadow",
    /// Read the memory of process 1 through `/proc`.
    ReadMemoryOfInit = "read_memory_of_init",
    /// Create a file in a directory outside the grants.
    CreateOutside = "create_file_outside",
    /// Connect by TCP to a port outside the grants.
    ConnectOutside = "tcp_connect_outside",
    /// Listen for TCP connections.
    Listen = "tcp_listen",
    /// Make a Multipath TCP socket, which Landlock does not see.
    MultipathTcp = "mptcp_socket",
    /// Send data with the connection request, which Landlock does not see.
    FastOpenSend = "tcp_fastopen_send",
    /// Ask for the same as a socket option.
    FastOpenOption = "tcp_fastopen_option",
    /// Make a UDP socket (tried when name resolution is off).
    Udp = "udp_socket",
    /// Make a UNIX stream socket (tried when connecting is refused).
    Unix = "unix_socket",
    /// Make a UNIX datagram socket.
    UnixDatagram = "unix_datagram_socket",
    /// Make a raw IP socket.
    RawIp = "raw_socket",
    /// Make a packet socket.
    Packet = "packet_socket",
    /// Make a netlink socket.
    Netlink = "netlink_socket",
    /// Make a socket to the hypervisor.
    Vsock = "vsock_socket",
    /// Make a socket of the kernel's crypto interface.
    KernelCrypto = "alg_socket",
    /// Run a program.
    Execute = "execve",
    /// Run a program by descriptor.
    ExecuteAt = "execveat",
    /// Fork.
    Fork = "fork",
    /// Fork through the call whose arguments no filter can see.
    Fork3 = "fork_clone3",
    /// Trace another process.
    Trace = "ptrace",
    /// Read another process's memory.
    ReadProcess = "process_vm_readv",
    /// Take another process's descriptor.
    TakeDescriptor = "pidfd_getfd",
    /// Signal the parent process.
    SignalParent = "signal_parent",
    /// Queue work in the kernel past all filters.
    IoUring = "io_uring",
    /// Load a program into the kernel.
    Bpf = "bpf",
    /// Measure other processes.
    Perf = "perf_event_open",
    /// Handle other threads' page faults.
    UserFault = "userfaultfd",
    /// Use the kernel's key rings.
    KeyRing = "keyctl",
    /// Make new namespaces.
    Namespaces = "unshare",
    /// Enter existing namespaces.
    EnterNamespace = "setns",
    /// Mount a file system.
    Mount = "mount",
    /// Open a file by handle, past directory permissions.
    OpenByHandle = "open_by_handle_at",
    /// Map memory that can be executed.
    ExecutableMemory = "executable_memory",
    /// Become dumpable again.
    BecomeDumpable = "become_dumpable",
    /// Raise a resource limit.
    SetLimit = "set_resource_limit",
}

/// What was tried and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    results: Vec<(ProbeId, Outcome)>,
}

impl Report {
    /// All probes with their outcomes, in the order they were run.
    pub fn results(&self) -> &[(ProbeId, Outcome)] {
        &self.results
    }

    /// The outcome of one probe; `None` when the profile permits what it tries.
    pub fn outcome(&self, probe: ProbeId) -> Option<Outcome> {
        self.results.iter().find_map(|(id, outcome)| (*id == probe).then_some(*outcome))
    }

    /// Probes that succeeded although they must not.
    pub fn allowed(&self) -> impl Iterator<Item = ProbeId> {
        self.with(Outcome::Allowed)
    }

    /// Probes that ended this way.
    pub fn with(&self, wanted: Outcome) -> impl Iterator<Item = ProbeId> {
        self.results.iter().filter_map(move |(id, outcome)| (*outcome == wanted).then_some(*id))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.results
            .iter()
            .try_for_each(|(id, outcome)| writeln!(out, "{}: {}", id.as_str(), outcome.as_str()))
    }
}

/// What was possible before the sandbox closed.
#[derive(Debug)]
pub(crate) struct Baseline {
    surroundings: Surroundings,
    before: Vec<(ProbeId, Attempt)>,
}

impl Baseline {
    pub(crate) fn take(profile: &Profile) -> Self {
        let surroundings = Surroundings::of(profile);
        let before = ProbeId::ALL
            .iter()
            .filter(|id| attempts::must_fail(**id, profile))
            .map(|id| (*id, attempts::attempt(*id, &surroundings)))
            .collect();
        Self { surroundings, before }
    }

    pub(crate) fn test(&self) -> Report {
        let results = self
            .before
            .iter()
            .map(|(id, before)| (*id, judge(*before, attempts::attempt(*id, &self.surroundings))))
            .collect();
        Report { results }
    }
}

fn judge(before: Attempt, inside: Attempt) -> Outcome {
    match (before, inside) {
        (_, Attempt::Possible) => Outcome::Allowed,
        (Attempt::NothingThere, _) | (_, Attempt::NothingThere) => Outcome::NothingToTry,
        (Attempt::Possible, Attempt::Refused) => Outcome::Refused,
        (Attempt::Refused, Attempt::Refused) => Outcome::RefusedBefore,
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Outcome, judge};

    #[test]
    fn only_a_change_from_possible_to_refused_counts_as_the_sandbox() {
        assert_eq!(judge(Attempt::Possible, Attempt::Refused), Outcome::Refused);
        assert_eq!(judge(Attempt::Refused, Attempt::Refused), Outcome::RefusedBefore);
        assert_eq!(judge(Attempt::Refused, Attempt::Possible), Outcome::Allowed);
        assert_eq!(judge(Attempt::NothingThere, Attempt::Possible), Outcome::Allowed);
        assert_eq!(judge(Attempt::NothingThere, Attempt::NothingThere), Outcome::NothingToTry);
    }
}
