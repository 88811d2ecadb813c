//! How the process is told who it is: options on the command line, the launch token on standard input.
//!
//! The token never stands in the arguments or the environment, where any process of the same user can read it.

use std::io::Read;
use std::path::PathBuf;

use keyhold_domain::{BotId, DeploymentId};

use crate::check::CheckOptions;

/// Starting one bot process. Launched by the server; not for people.
#[derive(Debug, clap::Parser)]
#[command(name = "keyhold-bot", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

/// What this program does.
#[derive(Debug, clap::Subcommand)]
pub enum CliCommand {
    /// Trade until stopped.
    Run(Options),
    /// Test one key against its venue and end.
    Verify(Options),
    /// Put up the walls around nothing, try what must fail, print what held as JSON and end.
    Check(CheckOptions),
}

/// Options of both.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The bot's id.
    #[arg(long)]
    pub bot: BotId,
    /// The id of this run.
    #[arg(long)]
    pub deployment: DeploymentId,
    /// The server's uplink socket.
    #[arg(long)]
    pub uplink: PathBuf,
    /// The keeper's socket.
    #[arg(long)]
    pub keeper: PathBuf,
    /// The bot's own folder: journal and snapshot.
    #[arg(long)]
    pub folder: PathBuf,
    /// A port of a simulated venue on this machine that may be dialed besides those of exchanges.
    #[arg(long = "simulated-port")]
    pub simulated_ports: Vec<u16>,
    /// What to do where the kernel lacks a protection.
    #[arg(long, value_enum, default_value_t = IsolationOption::Required)]
    pub isolation: IsolationOption,
    /// Whether host names can be looked up. A bot whose key is simulated needs none: its venue is dialed by address.
    #[arg(long, value_enum, default_value_t = NamesOption::Allowed)]
    pub names: NamesOption,
    /// How much is logged to standard error, in the notation of tracing's filters.
    #[arg(long, default_value = "info")]
    pub log: String,
    /// In which form.
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    pub log_form: LogForm,
}

/// Whether host names can be looked up. Where they can, data can also leave by UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NamesOption {
    /// Yes.
    Allowed,
    /// No.
    Refused,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Whether a missing protection ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IsolationOption {
    /// Start only with every protection in force.
    Required,
    /// Start anyway and say what is missing. Shown to every user.
    Degraded,
}

/// The proof towards the server that this is the process it started.
pub struct LaunchToken(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Standard input could not be read.
    #[error("reading the launch token from standard input")]
    Read(#[source] std::io::Error),
    /// Not 64 hexadecimal digits.
    #[error("standard input does not begin with a launch token: this program is started by the server")]
    Form,
}

const TOKEN_LENGTH: usize = 64;

impl LaunchToken {
    /// Reads the token and ignores what follows it.
    pub fn read(input: &mut impl Read) -> Result<Self, TokenError> {
        let mut bytes = [0_u8; TOKEN_LENGTH];
        input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => TokenError::Form,
            _ => TokenError::Read(error),
        })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| TokenError::Form)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if plain { Ok(Self(text.to_owned())) } else { Err(TokenError::Form) }
    }

    /// For the `Hello` of the uplink.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for LaunchToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaunchToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_is_a_token() {
        let good = "ab".repeat(32);
        assert_eq!(LaunchToken::read(&mut format!("{good}\n").as_bytes()).unwrap().reveal(), good);
        for bad in ["", "ab", &"zz".repeat(32)] {
            assert!(matches!(LaunchToken::read(&mut bad.as_bytes()), Err(TokenError::Form)), "{bad}");
        }
    }
}
