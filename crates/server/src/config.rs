//! Settings: a file, overridden by the environment, overridden by the command line.
//!
//! The file is TOML and every name in it must be known. No secret has a place here: the database URL may carry a
//! password and is therefore taken from the environment or a file of its own, never from the settings file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use keyhold_domain::Exchange;
use keyhold_provision::local::{IsolationPolicy, LocalConfig};
use serde::Deserialize;

/// What stands before the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// Nothing: only loopback addresses are allowed, because this server speaks no TLS itself.
    #[default]
    Direct,
    /// A reverse proxy that ends TLS and sets `X-Forwarded-For`.
    Proxy,
}

/// Whether strangers may make accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Yes.
    Open,
    /// No: one user per installation.
    #[default]
    Closed,
}

/// What bots may run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Nothing.
    #[default]
    Required,
    /// Missing protections are shown and tolerated.
    Degraded,
}

impl From<Isolation> for IsolationPolicy {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Required => Self::Required,
            Isolation::Degraded => Self::Degraded,
        }
    }
}

/// A venue run by Keyhold itself: paper trading.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedVenue {
    /// Which exchange it plays.
    pub exchange: Exchange,
    /// `http://127.0.0.1:port`.
    pub rest: String,
    /// `ws://127.0.0.1:port`.
    pub stream: String,
    /// The key of a paper account, offered to every user. It opens nothing but this venue.
    pub demo_key: Option<String>,
    /// Its counterpart.
    pub demo_key_counterpart: Option<String>,
    /// Its passphrase, where the exchange issues one.
    pub demo_passphrase: Option<String>,
}

/// How long sessions last, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without a request.
    pub idle_ms: i64,
    /// In all.
    pub absolute_ms: i64,
    /// After a proof of identity, for sensitive acts.
    pub fresh_ms: i64,
}

impl Default for SessionLimits {
    /// An hour, a day, five minutes.
    fn default() -> Self {
        Self { idle_ms: 3_600_000, absolute_ms: 86_400_000, fresh_ms: 300_000 }
    }
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Everything that must be kept lies here.
    pub data: PathBuf,
    /// `postgres://…`; SQLite in `data` when absent.
    pub database_url: Option<String>,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// What stands before it.
    pub front: Front,
    /// The address users type: scheme, host, port, no path.
    pub public_origin: String,
    /// Whether strangers may make accounts.
    pub registration: Registration,
    /// The keeper's socket.
    pub keeper: PathBuf,
    /// The `keyhold-bot` program.
    pub bot_program: PathBuf,
    /// Sockets and the bots' folders.
    pub run: PathBuf,
    /// What bots may run without.
    pub isolation: Isolation,
    /// First user id for bots when the server is root.
    pub first_uid: u32,
    /// Paper venues.
    pub simulated: Vec<SimulatedVenue>,
    /// Addresses from which this machine's bots reach exchanges, for allow-lists.
    pub egress_addresses: Vec<String>,
    /// How long sessions last.
    pub sessions: SessionLimits,
    /// What bots log.
    pub bot_log: String,
}

/// The settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// See [`Config`].
    pub data: Option<PathBuf>,
    /// See [`Config`].
    pub listen: Option<SocketAddr>,
    /// See [`Config`].
    pub front: Option<Front>,
    /// See [`Config`].
    pub public_origin: Option<String>,
    /// See [`Config`].
    pub registration: Option<Registration>,
    /// See [`Config`].
    pub keeper: Option<PathBuf>,
    /// See [`Config`].
    pub bot_program: Option<PathBuf>,
    /// See [`Config`].
    pub run: Option<PathBuf>,
    /// See [`Config`].
    pub isolation: Option<Isolation>,
    /// See [`Config`].
    pub first_uid: Option<u32>,
    /// See [`Config`].
    pub simulated: Vec<SimulatedVenue>,
    /// See [`Config`].
    pub egress_addresses: Vec<String>,
    /// See [`Config`].
    pub bot_log: Option<String>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading the settings file {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not understood. The parser's text is left out where it would quote values.
    #[error("the settings file {path}, line {line}: {problem}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong, without the value.
        problem: &'static str,
    },
    /// The address can be reached from outside, and nothing protects the way there.
    #[error(
        "{0} is not a loopback address and this server speaks no TLS: put a proxy before it and say `front = \"proxy\"`"
    )]
    Exposed(SocketAddr),
    /// A simulated venue on the command line is not `exchange=rest,stream`.
    #[error("a simulated venue is given as exchange=http://host:port,ws://host:port")]
    Simulated,
    /// The public origin is not scheme, host and port.
    #[error("the public origin must look like https://host or http://localhost:port, without a path")]
    Origin,
}

impl File {
    /// Reads a settings file.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::Parse`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.to_owned(), error))?;
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
            let problem = "not TOML, an unknown name, or a value of the wrong kind";
            ConfigError::Parse { path: path.to_owned(), line, problem }
        })
    }
}

impl Config {
    /// Refuses settings that would expose the server or break passkeys silently.
    ///
    /// # Errors
    /// [`ConfigError::Exposed`], [`ConfigError::Origin`].
    pub fn checked(self) -> Result<Self, ConfigError> {
        if self.front == Front::Direct && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Exposed(self.listen));
        }
        let origin = url::Url::parse(&self.public_origin).map_err(|_quotes_input| ConfigError::Origin)?;
        let plain = matches!(origin.scheme(), "http" | "https")
            && origin.host_str().is_some()
            && origin.origin().ascii_serialization() == self.public_origin;
        if plain { Ok(self) } else { Err(ConfigError::Origin) }
    }

    /// The uplink socket.
    pub fn uplink(&self) -> PathBuf {
        self.run.join("uplink.sock")
    }

    /// Where and how bots are started.
    pub fn local(&self) -> LocalConfig {
        LocalConfig {
            program: self.bot_program.clone(),
            folder: self.run.clone(),
            uplink: self.uplink(),
            keeper: self.keeper.clone(),
            simulated_ports: self.simulated_ports(),
            isolation: self.isolation.into(),
            first_uid: self.first_uid,
            log: self.bot_log.clone(),
        }
    }

    /// The paper venue that plays an exchange.
    pub fn simulated(&self, exchange: Exchange) -> Option<&SimulatedVenue> {
        self.simulated.iter().find(|venue| venue.exchange == exchange)
    }

    /// Ports of all paper venues, for the bots' sandbox.
    pub fn simulated_ports(&self) -> Vec<u16> {
        let addresses = self.simulated.iter().flat_map(|venue| [&venue.rest, &venue.stream]);
        let mut ports: Vec<u16> = addresses
            .filter_map(|address| url::Url::parse(address).ok())
            .filter_map(|address| address.port_or_known_default())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_their_line_and_not_their_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyhold.toml");
        std::fs::write(&path, "registration = \"open\"\nmaster_key = \"hunter2\"\n").unwrap();
        let text = File::read(&path).unwrap_err().to_string();
        assert!(text.contains("line 2"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        std::fs::write(&path, "registration = \"open\"\n").unwrap();
        assert_eq!(File::read(&path).unwrap().registration, Some(Registration::Open));
    }
}
