//! Reading a passphrase: from the terminal without showing it, or the first line of a pipe.

use std::io::{IsTerminal as _, Write as _};

use keyhold_os::secret::SecretBytes;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::CliError;
use crate::providers::{MAX_PASSPHRASE, MIN_PASSPHRASE};

/// Shortest new PIN in characters.
pub(super) const MIN_PIN: usize = 6;

/// Whether a passphrase is chosen or repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// An existing one.
    Known,
    /// A new one: must be long enough.
    New,
    /// A new PIN: shorter, since a TPM counts wrong ones.
    NewPin,
}

/// Reads one line of standard input straight into secret memory, without its line end.
pub(super) fn passphrase(prompt: &str, typing: Typing) -> Result<SecretBytes, CliError> {
    let input = std::io::stdin();
    let before = if input.is_terminal() { tcgetattr(&input).ok() } else { None };
    if let Some(before) = &before {
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &quiet).map_err(|errno| CliError::System {
            doing: "switching the terminal's echo off",
            source: errno.into(),
        })?;
        // Without a prompt it works as well.
        write!(std::io::stderr(), "{prompt}: ").ok();
    }
    let line = line(&input);
    if let Some(before) = &before {
        tcsetattr(&input, OptionalActions::Flush, before).ok();
        writeln!(std::io::stderr()).ok();
    }
    let line = line?;
    let characters = std::str::from_utf8(line.expose()).map_or(0, |text| text.chars().count());
    let least = match typing {
        Typing::Known => 1,
        Typing::New => MIN_PASSPHRASE,
        Typing::NewPin => MIN_PIN,
    };
    if characters < least { Err(CliError::Passphrase) } else { Ok(line) }
}

fn line(input: &std::io::Stdin) -> Result<SecretBytes, CliError> {
    let failed = |source| CliError::System { doing: "reading the passphrase", source };
    let mut line = SecretBytes::zeroed(MAX_PASSPHRASE + 1).map_err(crate::files::FilesError::Memory)?;
    let mut length = 0;
    while length <= MAX_PASSPHRASE {
        // Byte by byte past the library's buffer, which would keep a copy.
        let read = rustix::io::read(input, &mut line.expose_mut()[length..=length]);
        match read.map_err(|errno| failed(errno.into()))? {
            1 if line.expose()[length] != b'\n' => length += 1,
            _ => {
                line.truncate(length);
                return Ok(line);
            }
        }
    }
    Err(CliError::Passphrase)
}
