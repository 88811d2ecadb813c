//! What a sandboxed program may still do: the description, in terms of the program's needs.
//!
//! Anything not granted here is refused. How the grants become kernel rules is in `files.rs` and `filter.rs`.

use std::path::PathBuf;

/// What a sandboxed program may still do. [`Profile::default`] grants nothing but computing, threads, and reading and
/// writing on descriptors that are already open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Files and directories (with all below) that may be read. Each must exist.
    pub read_paths: Vec<PathBuf>,
    /// Directories (with all below) in which regular files and directories may be read, written, made, renamed within
    /// one directory and removed. Each must exist.
    pub write_paths: Vec<PathBuf>,
    /// Internet access.
    pub network: Network,
    /// Connecting to UNIX sockets.
    pub unix_connect: UnixConnect,
    /// Accepting connections.
    pub accept: Accept,
}

/// Internet access of a sandboxed program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// None: no internet socket can be made. Sockets that are already open, or are received over one, keep working.
    #[default]
    None,
    /// Outgoing TCP connections to these ports of any host. Listening is refused.
    TcpConnect {
        /// Destination ports.
        ports: Vec<u16>,
        /// Whether host names can be looked up.
        names: NameResolution,
    },
}

/// Whether host names can be looked up in the sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NameResolution {
    /// No: the program connects to addresses.
    #[default]
    Refused,
    /// Yes: the resolver's files can be read, port 53 reached by TCP, and UDP sockets made. The kernel offers no filter
    /// for UDP destinations to an unprivileged process, so data can leave by UDP to any host and port
    /// ([`Limitation::UdpToAnyHost`]).
    Allowed,
}

/// Whether a sandboxed program may connect to UNIX sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UnixConnect {
    /// No such socket can be made (a connected pair can).
    #[default]
    Refused,
    /// To these paths. Kernels before 7.1 cannot tell one path from another, so there every socket the user may reach
    /// can be reached ([`Limitation::AnyUnixSocket`]).
    To(Vec<PathBuf>),
}

/// Whether a sandboxed program may accept connections on a socket that listened before the sandbox closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accept {
    /// No.
    #[default]
    Refused,
    /// Yes. Nothing new can be bound or listened on.
    FromOpenListeners,
}

/// Something the profile grants more widely than it says, because the kernel has no finer rule. To be shown to whoever
/// relies on the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limitation {
    /// Name resolution is on: UDP packets can be sent to any host and port.
    UdpToAnyHost,
    /// UNIX sockets by path are not told apart: file permissions alone decide.
    AnyUnixSocket,
}

impl Limitation {
    /// The word for status pages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UdpToAnyHost => "udp_to_any_host",
            Self::AnyUnixSocket => "any_unix_socket",
        }
    }
}

impl Profile {
    pub(crate) fn resolves_names(&self) -> bool {
        matches!(self.network, Network::TcpConnect { names: NameResolution::Allowed, .. })
    }

    /// TCP ports that may be reached, including the resolver's.
    pub(crate) fn tcp_ports(&self) -> Vec<u16> {
        let Network::TcpConnect { ports, names } = &self.network else { return Vec::new() };
        let resolver = (*names == NameResolution::Allowed).then_some(53);
        ports.iter().copied().chain(resolver).collect()
    }
}
