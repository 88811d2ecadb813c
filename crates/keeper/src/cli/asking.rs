//! Commands that ask a running keeper.

use std::path::Path;
use std::time::Duration;

use keyhold_protocol::keeper::{
    Answer, Client, Passphrase, ProviderState, Refusal, RekeyRoot, Request, Unseal,
};

use super::typing::{Typing, passphrase};
use super::{CliError, runtime, say, system};

/// How long an answer may take; stretching a passphrase takes a second or two.
const WITHIN: Duration = Duration::from_mins(1);

fn ask(socket: &Path, request: &Request) -> Result<Answer, CliError> {
    let answer = runtime()?.block_on(async {
        let stream = tokio::net::UnixStream::connect(socket).await.map_err(system("connecting"))?;
        Ok::<Answer, CliError>(Client::new(stream).ask(request, WITHIN).await?)
    })?;
    match answer {
        Answer::Refused { code, pointer: _ } => Err(CliError::Refused(code)),
        other => Ok(other),
    }
}

fn done(answer: &Answer, text: &str) -> Result<(), CliError> {
    match answer {
        Answer::Done => say(text),
        _ => Err(CliError::OddAnswer),
    }
}

pub(super) fn status(socket: &Path) -> Result<(), CliError> {
    let text = match ask(socket, &Request::Status)? {
        Answer::Status(status) => serde_json::to_string_pretty(&status),
        Answer::Sealed(sealed) => serde_json::to_string_pretty(&Answer::Sealed(sealed)),
        _ => return Err(CliError::OddAnswer),
    };
    say(&text.expect("a status has only strings and numbers"))
}

/// Reads the passphrase when the keeper has one enrolled.
fn wanted(socket: &Path) -> Result<Option<Passphrase>, CliError> {
    let providers = match ask(socket, &Request::Status)? {
        Answer::Status(status) => status.providers,
        Answer::Sealed(sealed) => sealed.providers,
        _ => return Err(CliError::OddAnswer),
    };
    if !providers.iter().any(|kind| kind == "passphrase") {
        return Ok(None);
    }
    let typed = passphrase("Passphrase", Typing::Known)?;
    let text = std::str::from_utf8(typed.expose()).map_err(|_not_text| CliError::Passphrase)?;
    Ok(Some(Passphrase::new(text.to_owned())))
}

pub(super) fn unseal(socket: &Path) -> Result<(), CliError> {
    let passphrase = wanted(socket)?;
    match ask(socket, &Request::Unseal(Unseal { passphrase })) {
        Err(CliError::Refused(Refusal::ProviderUnavailable)) => Err(CliError::Missing(missing(socket)?)),
        other => done(&other?, "unsealed"),
    }
}

/// What the keeper says about the providers that are not at hand.
fn missing(socket: &Path) -> Result<String, CliError> {
    let health = match ask(socket, &Request::Status)? {
        Answer::Status(status) => status.health,
        Answer::Sealed(sealed) => sealed.health,
        _ => return Err(CliError::OddAnswer),
    };
    let lacking = health.iter().filter(|one| one.state == ProviderState::Unavailable);
    Ok(lacking.map(|one| format!("{} {}: {}", one.kind, one.name, one.reason)).collect::<Vec<_>>().join("; "))
}

pub(super) fn seal(socket: &Path) -> Result<(), CliError> {
    done(&ask(socket, &Request::Seal)?, "sealed")
}

pub(super) fn rekey_root(socket: &Path) -> Result<(), CliError> {
    let passphrase = wanted(socket)?;
    done(&ask(socket, &Request::RekeyRoot(RekeyRoot { passphrase }))?, "the root key is new")
}

/// Step by step, so that the keeper answers others in between.
pub(super) fn rotate_kek(socket: &Path) -> Result<(), CliError> {
    loop {
        match ask(socket, &Request::RotateKek)? {
            Answer::Rotated { epoch, remaining: 0 } => return say(&format!("epoch {epoch}")),
            Answer::Rotated { .. } => {}
            _ => return Err(CliError::OddAnswer),
        }
    }
}

pub(super) fn verify_store(socket: &Path) -> Result<(), CliError> {
    match ask(socket, &Request::VerifyStore)? {
        Answer::Verified(report) => {
            let text = serde_json::to_string_pretty(&report);
            say(&text.expect("a report has only numbers"))
        }
        _ => Err(CliError::OddAnswer),
    }
}
