//! Arguments about transit keys and TPMs, and making both.

use std::path::{Path, PathBuf};

use keyhold_os::secret::SecretBytes;

use super::CliError;
use super::typing::{Typing, passphrase};
use crate::entropy::SystemEntropy;
use crate::files::StateDir;
use crate::providers::tpm::{Pin, Tpm, TpmPlace, written_pin};
use crate::providers::transit::{Transit, TransitKey, TransitPlace};
use crate::providers::{Fetched, HeldProvider, Places, ProviderError, fetch};
use crate::ring::Locked;

/// Where a provider outside is. Secrets are named by their files, never given as arguments.
#[derive(Debug, clap::Args)]
pub(super) struct OutsideArguments {
    /// Transit: the server or its agent on this host, unix:/path or http://127.0.0.1:8200.
    #[arg(long)]
    transit_address: Option<String>,
    /// Transit: name of the key.
    #[arg(long)]
    transit_key: Option<String>,
    /// Transit: where the engine is mounted.
    #[arg(long, default_value = "transit")]
    transit_mount: String,
    /// Transit: file with the token, mode 0600. Without it: the credential `keyhold-transit-token`, else no token.
    #[arg(long)]
    transit_token_file: Option<PathBuf>,
    /// TPM: device:/dev/tpmrm0, or swtpm:path=/socket.
    #[arg(long, default_value = "device:/dev/tpmrm0")]
    tpm2_tcti: String,
    /// TPM: ask for a PIN, and again at every start.
    #[arg(long, conflicts_with = "tpm2_pin_file")]
    tpm2_pin: bool,
    /// TPM: file with a PIN, mode 0600.
    #[arg(long)]
    tpm2_pin_file: Option<PathBuf>,
}

fn absolute(path: Option<&PathBuf>) -> Result<Option<PathBuf>, CliError> {
    let made = path.map(std::path::absolute).transpose();
    made.map_err(super::system("making a path absolute"))
}

impl OutsideArguments {
    /// Enrolls a transit key and writes down where its server is.
    pub(super) fn transit(
        &self,
        dir: &StateDir,
        credentials: Option<&Path>,
    ) -> Result<HeldProvider, CliError> {
        let key = self.transit_key.as_deref().ok_or(CliError::Wanted("--transit-key"))?;
        let key = TransitKey::new(&self.transit_mount, key).map_err(ProviderError::from)?;
        let mut places = Places::read(dir)?;
        let place = match (&self.transit_address, places.transit) {
            (Some(address), _) => {
                let token_file = absolute(self.transit_token_file.as_ref())?;
                TransitPlace { address: address.clone(), token_file }
            }
            (None, Some(known)) => known,
            (None, None) => return Err(CliError::Wanted("--transit-address")),
        };
        let server = Transit::at(&place, credentials).map_err(ProviderError::from)?;
        let made = server.make(&key, &mut SystemEntropy)?;
        places.transit = Some(place);
        places.write(dir)?;
        Ok(made)
    }

    /// Seals to the TPM and writes down which one.
    pub(super) fn tpm(&self, dir: &StateDir, credentials: Option<&Path>) -> Result<HeldProvider, CliError> {
        let place =
            TpmPlace { tcti: self.tpm2_tcti.clone(), pin_file: absolute(self.tpm2_pin_file.as_ref())? };
        let tpm = Tpm::at(&place).map_err(ProviderError::from)?;
        let pin = if self.tpm2_pin {
            Pin::new(&passphrase("New PIN", Typing::NewPin)?).map(Some)
        } else {
            written_pin(&place, credentials)
        };
        let pin = pin.map_err(ProviderError::from)?;
        let made = tpm.make(pin.as_ref(), &mut SystemEntropy)?;
        let mut places = Places::read(dir)?;
        places.tpm2 = Some(place);
        places.write(dir)?;
        Ok(made)
    }
}

/// Asks transit servers and TPMs for what is enrolled with them. Before the sandbox closes.
pub(super) fn fetched(dir: &StateDir, credentials: Option<&Path>) -> Result<Fetched, CliError> {
    let Some(locked) = Locked::read(dir)? else { return Ok(Fetched::default()) };
    // Nothing typed is no PIN; the provider says what is wanted.
    let mut typed = || -> Option<SecretBytes> { passphrase("PIN of the TPM", Typing::Known).ok() };
    let fetched = fetch(dir, locked.providers(), credentials, &mut typed, &mut SystemEntropy);
    for missing in &fetched.missing {
        let (kind, name) = (missing.kind.as_str(), &missing.name);
        let cause = std::error::Error::source(&missing.error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(kind, name, cause, "{}", missing.error);
    }
    Ok(fetched)
}
