//! From the command line to the running loop: token, log, walls, runtime. The order is the protection.

use std::error::Error;
use std::process::ExitCode;

use keyhold_protocol::uplink::{BotMessage, Isolation, Purpose, UPLINK_VERSION};

use crate::check::CheckOptions;
use crate::launch::{Cli, CliCommand, LaunchToken, Options, TokenError};
use crate::{confine, log};

/// The start was refused: the environment is not one in which a secret may be opened. As in sysexits(3), `EX_CONFIG`.
const REFUSED: u8 = 78;
/// The program ended because of an error.
const FAILED: u8 = 1;

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Log(#[from] log::LogError),
    #[error(transparent)]
    Confine(#[from] confine::ConfineError),
    #[error("starting the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
}

/// Everything after hardening.
pub fn start(cli: Cli) -> ExitCode {
    let (options, purpose) = match cli.command {
        CliCommand::Run(options) => (options, Purpose::Run),
        CliCommand::Verify(options) => (options, Purpose::Verify),
        CliCommand::Check(options) => return check(options),
    };
    match prepare(&options) {
        Ok((hello, runtime)) => {
            let hello = hello.for_purpose(&options, purpose);
            match runtime.block_on(work(options, purpose, hello)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!("{}", chain(error.as_ref()));
                    ExitCode::from(FAILED)
                }
            }
        }
        Err(error) => refuse(&error),
    }
}

/// Tells of the walls on standard output.
fn check(options: CheckOptions) -> ExitCode {
    use std::io::Write as _;
    let walls = match crate::check::check(options) {
        Ok(walls) => walls,
        Err(error) => return refuse(&error),
    };
    let text = serde_json::to_string(&walls).expect("words and numbers");
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_nobody_reads) => ExitCode::from(FAILED),
    }
}

/// Says why the program does not start, on standard error.
pub fn refuse(error: &dyn Error) -> ExitCode {
    use std::io::Write as _;
    // Logging may not have begun. Nobody is left to tell when standard error is closed.
    let told = writeln!(std::io::stderr(), "keyhold-bot does not start: {}", chain(error));
    drop(told);
    ExitCode::from(REFUSED)
}

/// What the greeting needs besides the options.
struct Greeting {
    token: LaunchToken,
    isolation: Isolation,
}

impl Greeting {
    fn for_purpose(self, options: &Options, purpose: Purpose) -> BotMessage {
        BotMessage::Hello {
            version: UPLINK_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            bot: options.bot,
            deployment: options.deployment,
            token: self.token.reveal().to_owned(),
            purpose,
            isolation: self.isolation,
        }
    }
}

/// The order matters: the token is read before the sandbox closes, and threads may exist only after it has.
fn prepare(options: &Options) -> Result<(Greeting, tokio::runtime::Runtime), StartError> {
    let token = LaunchToken::read(&mut std::io::stdin().lock())?;
    log::start(options)?;
    let isolation = confine::confine(options)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    Ok((Greeting { token, isolation }, runtime))
}

async fn work(options: Options, purpose: Purpose, hello: BotMessage) -> Result<(), Box<dyn Error>> {
    match purpose {
        Purpose::Run => crate::run::run(options, hello).await.map_err(Into::into),
        Purpose::Verify => crate::verify::verify(options, hello).await.map_err(Into::into),
    }
}

/// An error with its causes, each once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
