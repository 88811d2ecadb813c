//! `keyhold-keeper`: starts protected, then does what `keyhold_keeper::cli` says.

use std::process::ExitCode;

use clap::Parser as _;
use keyhold_keeper::{cli, isolation, log};

#[global_allocator]
static HEAP: keyhold_os::allocator::ZeroizingAllocator = keyhold_os::allocator::ZeroizingAllocator;

/// sysexits(3): a protection could not be had, so nothing was started.
const CANNOT_PROTECT: u8 = 78;

fn main() -> ExitCode {
    // Before the environment goes: where the service manager put its credentials. A path, nothing secret.
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    let hardened = isolation::harden();
    log::start().expect("nothing before this line sets up a log");
    if let Err(error) = hardened {
        report(&error);
        return ExitCode::from(CANNOT_PROTECT);
    }
    match cli::run(cli::Arguments::parse(), credentials.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            match error {
                cli::CliError::Isolation(_) => ExitCode::from(CANNOT_PROTECT),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// One line with the whole chain of causes.
fn report(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    tracing::error!("{text}");
}
