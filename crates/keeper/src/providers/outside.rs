//! Fetches what transit servers and TPMs keep, before the sandbox closes: afterwards there is no network and no other program.
//!
//! One that cannot is no error here: another may do. What it said is kept for the log, the status and whoever unseals.

use std::path::Path;

use keyhold_os::secret::SecretBytes;
use keyhold_seal::EntropySource;

use super::places::Places;
use super::tpm::{Pin, Tpm, written_pin};
use super::transit::Transit;
use super::{Enrollment, HeldProvider, Kind, ProviderError};
use crate::files::StateDir;

/// What was fetched and what was not.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Fetched {
    /// Ready to open.
    pub held: Vec<HeldProvider>,
    /// Not, and why.
    pub missing: Vec<Missing>,
}

/// An enrolled provider that is not at hand.
#[derive(Debug)]
pub struct Missing {
    /// Of which kind.
    pub kind: Kind,
    /// Which of that kind.
    pub name: String,
    /// Why, and what to do about it.
    pub error: ProviderError,
}

/// Fetches the secret of every enrollment that is kept outside. `typed` is asked for a PIN that stands nowhere.
pub fn fetch(
    dir: &StateDir,
    enrolled: &[Enrollment],
    credentials: Option<&Path>,
    typed: &mut dyn FnMut() -> Option<SecretBytes>,
    entropy: &mut dyn EntropySource,
) -> Fetched {
    let mut fetched = Fetched::default();
    for one in enrolled {
        let outcome = match one.kind {
            Kind::Transit => transit(dir, one, credentials),
            Kind::Tpm2 => tpm(dir, one, credentials, typed, entropy),
            Kind::File | Kind::Passphrase | Kind::SystemCredential | Kind::Pkcs11 => continue,
        };
        match outcome {
            Ok(held) => fetched.held.push(held),
            Err(error) => fetched.missing.push(Missing { kind: one.kind, name: one.name.clone(), error }),
        }
    }
    fetched
}

fn no_place(kind: Kind) -> ProviderError {
    let reason = "providers.json does not say where it is".to_owned();
    ProviderError::Unavailable { provider: kind.as_str(), reason }
}

fn transit(
    dir: &StateDir,
    of: &Enrollment,
    credentials: Option<&Path>,
) -> Result<HeldProvider, ProviderError> {
    let place = Places::read(dir)?.transit.ok_or_else(|| no_place(Kind::Transit))?;
    Transit::at(&place, credentials)?.fetch(&of.blob)
}

fn tpm(
    dir: &StateDir,
    of: &Enrollment,
    credentials: Option<&Path>,
    typed: &mut dyn FnMut() -> Option<SecretBytes>,
    entropy: &mut dyn EntropySource,
) -> Result<HeldProvider, ProviderError> {
    let place = Places::read(dir)?.tpm2.ok_or_else(|| no_place(Kind::Tpm2))?;
    let pin = || match written_pin(&place, credentials)? {
        Some(written) => Ok(Some(written)),
        None => typed().map(|typed| Pin::new(&typed)).transpose(),
    };
    Tpm::at(&place)?.fetch(&of.blob, pin, entropy)
}
