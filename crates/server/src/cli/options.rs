//! Options that stand above the environment, which stands above the settings file.
//!
//! Environment: `KEYHOLD_CONFIG` names the file, `KEYHOLD_DATA`, `KEYHOLD_LISTEN`, `KEYHOLD_PUBLIC_ORIGIN`,
//! `KEYHOLD_KEEPER`, `KEYHOLD_BOT_PROGRAM`, `KEYHOLD_RUN` override it, and `KEYHOLD_DATABASE_URL` or
//! `KEYHOLD_DATABASE_URL_FILE` name a PostgreSQL database.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use keyhold_domain::Exchange;

use crate::config::{
    Config, ConfigError, File, Front, Isolation, Registration, SessionLimits, SimulatedVenue,
};

/// Where the server listens unless told otherwise.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 7400);

/// Settings on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Options {
    /// Settings file (TOML).
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder; made when absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Address and port of HTTP; loopback unless a proxy is declared.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// What stands before the server.
    #[arg(long, value_enum)]
    front: Option<Front>,
    /// The address users type, for example https://keyhold.example.org.
    #[arg(long)]
    public_origin: Option<String>,
    /// Whether strangers may make accounts.
    #[arg(long, value_enum)]
    registration: Option<Registration>,
    /// The keeper's socket.
    #[arg(long)]
    keeper: Option<PathBuf>,
    /// The keyhold-bot program; the one beside this program by default.
    #[arg(long)]
    bot_program: Option<PathBuf>,
    /// Folder for sockets and bots' folders.
    #[arg(long)]
    run: Option<PathBuf>,
    /// What bots may run without.
    #[arg(long, value_enum)]
    isolation: Option<Isolation>,
    /// A simulated venue, as exchange=rest,stream (for example bybit=http://127.0.0.1:7500,ws://127.0.0.1:7500).
    #[arg(long = "simulated")]
    simulated: Vec<String>,
    /// An address from which bots reach exchanges, for allow-lists. Without one, `serve` tells the machine's own if that
    /// is a public one.
    #[arg(long = "egress-address")]
    egress_addresses: Vec<String>,
    /// What bots log, in the notation of tracing's filters.
    #[arg(long)]
    bot_log: Option<String>,
}

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// The database URL carries a password, so it comes from the environment or a file of its own.
fn database_url() -> Result<Option<String>, ConfigError> {
    if let Some(url) = environment("KEYHOLD_DATABASE_URL") {
        return Ok(Some(url));
    }
    let Some(path) = environment::<PathBuf>("KEYHOLD_DATABASE_URL_FILE") else { return Ok(None) };
    let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::Read(path, error))?;
    Ok(Some(text.trim().to_owned()))
}

fn beside_this_program(name: &str) -> PathBuf {
    let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    folder.unwrap_or_default().join(name)
}

fn simulated(text: &str) -> Option<SimulatedVenue> {
    let (exchange, addresses) = text.split_once('=')?;
    let (rest, stream) = addresses.split_once(',')?;
    Some(SimulatedVenue {
        exchange: exchange.parse::<Exchange>().ok()?,
        rest: rest.to_owned(),
        stream: stream.to_owned(),
        demo_key: None,
        demo_key_counterpart: None,
        demo_passphrase: None,
    })
}

impl Options {
    /// The settings in force.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(super) fn config(self) -> Result<Config, ConfigError> {
        let path = self.config.or_else(|| environment("KEYHOLD_CONFIG"));
        let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let data: PathBuf = self
            .data
            .or_else(|| environment("KEYHOLD_DATA"))
            .or(file.data)
            .unwrap_or_else(|| PathBuf::from("keyhold-data"));
        let data = std::path::absolute(&data).map_err(|error| ConfigError::Read(data, error))?;
        let listen = self
            .listen
            .or_else(|| environment("KEYHOLD_LISTEN"))
            .or(file.listen)
            .unwrap_or_else(|| SocketAddr::from(LISTEN));
        let mut venues: Vec<SimulatedVenue> = file.simulated;
        for text in &self.simulated {
            venues.push(simulated(text).ok_or(ConfigError::Simulated)?);
        }
        let keeper = self.keeper.or_else(|| environment("KEYHOLD_KEEPER")).or(file.keeper);
        let program = self.bot_program.or_else(|| environment("KEYHOLD_BOT_PROGRAM")).or(file.bot_program);
        let origin =
            self.public_origin.or_else(|| environment("KEYHOLD_PUBLIC_ORIGIN")).or(file.public_origin);
        let run = self.run.or_else(|| environment("KEYHOLD_RUN")).or(file.run);
        let config = Config {
            database_url: database_url()?,
            front: self.front.or(file.front).unwrap_or_default(),
            public_origin: origin.unwrap_or_else(|| format!("http://localhost:{}", listen.port())),
            registration: self.registration.or(file.registration).unwrap_or_default(),
            keeper: keeper.unwrap_or_else(|| data.join("keeper").join("keeper.sock")),
            bot_program: program.unwrap_or_else(|| beside_this_program("keyhold-bot")),
            run: run.unwrap_or_else(|| data.join("run")),
            isolation: self.isolation.or(file.isolation).unwrap_or_default(),
            first_uid: file.first_uid.unwrap_or(keyhold_provision::local::FIRST_UID),
            simulated: venues,
            egress_addresses: if self.egress_addresses.is_empty() {
                file.egress_addresses
            } else {
                self.egress_addresses
            },
            sessions: SessionLimits::default(),
            bot_log: self.bot_log.or(file.bot_log).unwrap_or_else(|| "info".to_owned()),
            data,
            listen,
        };
        config.checked()
    }
}
