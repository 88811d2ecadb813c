//! The root key sealed to this machine's TPM 2.0 and its boot state (PCR 7), optionally with a PIN.
//!
//! ```text
//! primary key (from the TPM's owner seed, the same each time)
//!   └─ with a PIN: storage key whose authorization is the PIN; the TPM counts wrong ones
//!        └─ 32 random bytes, policy PCR 7 of the SHA-256 bank ──unseal──▶ the root key is wrapped under them (held.rs)
//! ```
//!
//! The work is done by tpm2-tools (Debian's package of that name), run before the sandbox closes. Secrets go to them and come from
//! them through pipes. In a folder in memory (mode 0700, overwritten and removed) lie key contexts and blobs, which the TPM
//! encrypted, and while enrolling with a PIN its hash. Nothing of it touches a disk, unless the machine swaps. The programs
//! hold the 32 bytes in ordinary memory for as long as they run, and between processor and TPM they are not encrypted.

mod folder;
mod tool;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyhold_os::secret::{LockedBox, SecretBytes, SecretError};
use keyhold_seal::EntropySource;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::held::{HeldProvider, draw, parameters};
use super::secret_file::{self, PutBy};
use super::{Kind, ProviderError};
use crate::files::FilesError;

use folder::WorkFolder;
use tool::Tools;

pub use tool::PROGRAM;

/// Name of the service manager's credential with the PIN.
pub const PIN_CREDENTIAL: &str = "keyhold-tpm2-pin";
/// How long all programs of one enrollment or start may take. Discrete TPMs take a second for a key.
const WITHIN: Duration = Duration::from_secs(30);
/// First byte of what an enrollment keeps.
const VERSION: u8 = 1;
/// The enrollment's name: there is one.
const NAME: &str = "pcr7";
const PCR: &str = "sha256:7";
/// `TPM_CC_PolicyPCR`, then a selection list of one: SHA-256 (0x000B), three bytes of selection, PCR 7.
const POLICY_PCR: [u8; 14] = [0, 0, 0x01, 0x7F, 0, 0, 0, 1, 0x00, 0x0B, 3, 0x80, 0, 0];
const PARENT: &str = "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth";
/// Guessing is the PIN's matter; what is sealed has no authorization of its own but the policy.
const SEALED: &str = "fixedtpm|fixedparent|noda";

/// Which TPM, and where its PIN is; an operator may change both in `providers.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmPlace {
    /// `device:/dev/tpmrm0`, or `swtpm:path=/socket` for a TPM in software.
    pub tcti: String,
    /// File with the PIN, mode 0600. Without one: the credential [`PIN_CREDENTIAL`], else somebody types it at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_file: Option<PathBuf>,
}

/// Why a TPM did not do its part, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// No tpm2-tools.
    #[error("the program {PROGRAM} is missing: install the package tpm2-tools")]
    Programs,
    /// Not a place of a TPM.
    #[error("a TPM is device:/dev/tpmrm0 (through the kernel's resource manager) or swtpm:path=/socket")]
    Place,
    /// Removed, switched off, or another device.
    #[error("no TPM answers: switch it on in the firmware, or correct `tcti` in providers.json")]
    Gone,
    /// Moved disk, exchanged board, or a cleared TPM.
    #[error(
        "this TPM did not seal these keys, or it was cleared: open with another provider and enroll tpm2 anew on this machine"
    )]
    OtherTpm,
    /// PCR 7 has another value.
    #[error(
        "the machine did not boot as it did when the keys were sealed (PCR 7: secure boot and its certificates): boot it as \
         before, or open with another provider and enroll tpm2 anew"
    )]
    OtherBoot,
    /// The PIN.
    #[error("wrong PIN; the TPM counts wrong ones and locks")]
    WrongPin,
    /// Too many wrong ones.
    #[error(
        "the TPM is locked after wrong PINs: wait as long as it demands (tpm2 getcap properties-variable) and try again"
    )]
    Locked,
    /// There is none to be had.
    #[error(
        "a PIN is enrolled and none was given: name `pin_file` in providers.json, give the credential keyhold-tpm2-pin, or type it"
    )]
    PinWanted,
    /// The file with the PIN.
    #[error(
        "the file with the PIN must be there, belong to the keeper's user, and be closed to others (chmod 600)"
    )]
    Pin(#[source] FilesError),
    /// Too late.
    #[error("the TPM did not answer in time: try again, and look at the kernel's log")]
    Slow,
    /// No tmpfs.
    #[error("neither /dev/shm nor /run is a writable file system in memory: mount a tmpfs on /dev/shm")]
    NoMemoryFolder,
    /// No random bytes.
    #[error("no random bytes are available")]
    Entropy,
    /// Something else that a program said.
    #[error("tpm2 {tool} failed with code {code:#x} (tpm2 rc_decode explains it)")]
    Tool {
        /// Which.
        tool: String,
        /// The TPM's or the library's code; zero when it said none.
        code: u32,
    },
    /// Not what it is documented to do.
    #[error("a program of tpm2-tools did something unexpected: {0}")]
    Odd(&'static str),
    /// A system call.
    #[error("running a program of tpm2-tools")]
    Run(#[source] std::io::Error),
    /// Secret memory.
    #[error(transparent)]
    Memory(#[from] SecretError),
}

/// A PIN as the TPM gets it: half a hash, since authorizations are at most 32 bytes.
#[allow(missing_debug_implementations, reason = "holds a PIN")]
pub struct Pin(LockedBox<32>);

impl Pin {
    /// From what was typed.
    ///
    /// # Errors
    /// [`TpmError::Memory`].
    pub fn new(typed: &SecretBytes) -> Result<Self, TpmError> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hash = LockedBox::<32>::zeroed()?;
        let digest = Sha256::new().chain_update(b"keyhold/tpm2-pin/v1").chain_update(typed.expose());
        digest.finalize_into(hash.expose_mut().into());
        let mut text = LockedBox::<32>::zeroed()?;
        for (at, byte) in hash.expose()[..16].iter().enumerate() {
            text.expose_mut()[2 * at] = DIGITS[usize::from(byte >> 4)];
            text.expose_mut()[2 * at + 1] = DIGITS[usize::from(byte & 15)];
        }
        Ok(Self(text))
    }
}

/// What an enrollment keeps: public and private parts as the TPM gave them out.
struct Kept<'a> {
    parent: Option<[&'a [u8]; 2]>,
    sealed: [&'a [u8]; 2],
}

/// A TPM that can be asked.
#[derive(Debug)]
pub struct Tpm<'a> {
    place: &'a TpmPlace,
    program: PathBuf,
    within: Duration,
}

impl<'a> Tpm<'a> {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// [`TpmError::Place`]; [`TpmError::Gone`] when the device is not there.
    pub fn at(place: &'a TpmPlace) -> Result<Self, TpmError> {
        let device = place.tcti.strip_prefix("device:").filter(|path| path.starts_with("/dev/tpmrm"));
        let socket = place.tcti.strip_prefix("swtpm:path=").filter(|path| path.starts_with('/'));
        let path = device.or(socket).filter(|path| !path.contains(',')).ok_or(TpmError::Place)?;
        if !Path::new(path).exists() {
            return Err(TpmError::Gone);
        }
        Ok(Self { place, program: PathBuf::from(PROGRAM), within: WITHIN })
    }

    /// With another program and another bound on the time.
    #[must_use]
    pub fn with(self, program: &Path, within: Duration) -> Self {
        Self { program: program.to_owned(), within, ..self }
    }

    fn tools<'b>(&'b self, folder: &'b WorkFolder) -> Tools<'b> {
        let until = Instant::now() + self.within;
        Tools { program: &self.program, folder: folder.path(), tcti: &self.place.tcti, until }
    }

    /// Runs a tool. A TPM without the kernel's resource manager keeps what tools load until told otherwise, and has room for three.
    fn run(&self, tools: Tools<'_>, arguments: &[&str], input: &[u8]) -> Result<SecretBytes, TpmError> {
        let output = tools.run(arguments, input);
        if self.place.tcti.starts_with("swtpm:") {
            let flushed = tools.run(&["flushcontext", "-t"], &[]);
            return output.and_then(|output| flushed.map(|_nothing| output));
        }
        output
    }

    fn primary(&self, tools: Tools<'_>) -> Result<(), TpmError> {
        self.run(
            tools,
            &["createprimary", "-Q", "-C", "o", "-g", "sha256", "-G", "ecc", "-c", "primary"],
            &[],
        )?;
        Ok(())
    }

    /// A new enrollment: draws a secret, seals it, and unseals it once as a proof that the next start can.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn make(
        &self,
        pin: Option<&Pin>,
        entropy: &mut dyn EntropySource,
    ) -> Result<HeldProvider, ProviderError> {
        let secret = draw(entropy)?;
        let folder = WorkFolder::make(entropy)?;
        let tools = self.tools(&folder);
        self.primary(tools)?;
        let mut kept = vec![VERSION, u8::from(pin.is_some())];
        let mut authorization: &[&str] = &[];
        let mut parent = "primary";
        if let Some(pin) = pin {
            let create =
                ["create", "-Q", "-C", "primary", "-G", "ecc", "-u", "parent.pub", "-r", "parent.priv"];
            self.run(tools, &[&create[..], &["-p", "file:-", "-a", PARENT]].concat(), pin.0.expose())?;
            let load =
                ["load", "-Q", "-C", "primary", "-u", "parent.pub", "-r", "parent.priv", "-c", "parent"];
            self.run(tools, &load, &[])?;
            keep(&mut kept, &folder, ["parent.pub", "parent.priv"])?;
            // Standard input is taken by the secret; this file holds half a hash of the PIN, in memory, until the end of this call.
            folder.write("authorization", pin.0.expose())?;
            (parent, authorization) = ("parent", &["-P", "file:authorization"]);
        }
        self.run(tools, &["pcrread", "-Q", "-o", "pcr", PCR], &[])?;
        folder.write("policy", &policy(&folder.read("pcr")?)?)?;
        let create = [
            "create",
            "-Q",
            "-C",
            parent,
            "-L",
            "policy",
            "-i",
            "-",
            "-u",
            "sealed.pub",
            "-r",
            "sealed.priv",
        ];
        self.run(tools, &[&create[..], &["-a", SEALED], authorization].concat(), secret.expose())?;
        keep(&mut kept, &folder, ["sealed.pub", "sealed.priv"])?;
        drop(folder);
        if self.unseal(&kept, pin, entropy)?.expose() != secret.expose() {
            return Err(TpmError::Odd("it unsealed something else").into());
        }
        Ok(HeldProvider::new(Kind::Tpm2, NAME.to_owned(), kept, secret))
    }

    /// The provider of an enrollment, by its blob. `pin` is asked for one when the enrollment wants it.
    ///
    /// # Errors
    /// [`ProviderError::Unopenable`] when the blob is not one of [`make`](Self::make)'s; [`ProviderError::Tpm`].
    pub fn fetch(
        &self,
        blob: &[u8],
        pin: impl FnOnce() -> Result<Option<Pin>, TpmError>,
        entropy: &mut dyn EntropySource,
    ) -> Result<HeldProvider, ProviderError> {
        let kept = parameters(blob)?;
        let pin = match read(kept).ok_or(ProviderError::Unopenable)?.parent {
            Some(_) => Some(pin()?.ok_or(TpmError::PinWanted)?),
            None => None,
        };
        let secret = self.unseal(kept, pin.as_ref(), entropy)?;
        Ok(HeldProvider::new(Kind::Tpm2, NAME.to_owned(), kept.to_vec(), secret))
    }

    fn unseal(
        &self,
        kept: &[u8],
        pin: Option<&Pin>,
        entropy: &mut dyn EntropySource,
    ) -> Result<LockedBox<32>, TpmError> {
        let kept = read(kept).ok_or(TpmError::Odd("it sealed nothing"))?;
        let folder = WorkFolder::make(entropy)?;
        let tools = self.tools(&folder);
        self.primary(tools)?;
        folder.write("sealed.pub", kept.sealed[0])?;
        folder.write("sealed.priv", kept.sealed[1])?;
        let load = ["load", "-Q", "-u", "sealed.pub", "-r", "sealed.priv", "-c", "sealed"];
        match (kept.parent, pin) {
            (Some([public, private]), Some(pin)) => {
                folder.write("parent.pub", public)?;
                folder.write("parent.priv", private)?;
                let parent =
                    ["load", "-Q", "-C", "primary", "-u", "parent.pub", "-r", "parent.priv", "-c", "parent"];
                self.run(tools, &parent, &[])?;
                self.run(tools, &[&load[..], &["-C", "parent", "-P", "file:-"]].concat(), pin.0.expose())?;
            }
            (Some(_), None) => return Err(TpmError::PinWanted),
            (None, _) => {
                self.run(tools, &[&load[..], &["-C", "primary"]].concat(), &[])?;
            }
        }
        let output = self.run(tools, &["unseal", "-c", "sealed", "-p", &format!("pcr:{PCR}")], &[])?;
        let bytes = output.expose().first_chunk::<32>().filter(|_| output.len() == 32);
        let mut secret = LockedBox::<32>::zeroed()?;
        secret.expose_mut().copy_from_slice(bytes.ok_or(TpmError::Odd("it unsealed another length"))?);
        Ok(secret)
    }
}

/// The PIN from its file or the service manager, if either has one.
///
/// # Errors
/// [`TpmError::Pin`].
pub fn written_pin(place: &TpmPlace, credentials: Option<&Path>) -> Result<Option<Pin>, TpmError> {
    let given = credentials.map(|folder| folder.join(PIN_CREDENTIAL)).filter(|path| path.exists());
    let line = match (&place.pin_file, given) {
        (Some(path), _) => secret_file::line(path, PutBy::Operator),
        (None, Some(path)) => secret_file::line(&path, PutBy::ServiceManager),
        (None, None) => return Ok(None),
    };
    Pin::new(&line.map_err(TpmError::Pin)?).map(Some)
}

/// Digest of the policy "PCR 7 has this value" (TPM 2.0 Library, part 3, `TPM2_PolicyPCR`).
fn policy(pcr: &[u8]) -> Result<[u8; 32], TpmError> {
    if pcr.len() != 32 {
        return Err(TpmError::Odd("PCR 7 has another length"));
    }
    let digest =
        Sha256::new().chain_update([0; 32]).chain_update(POLICY_PCR).chain_update(Sha256::digest(pcr));
    Ok(digest.finalize().into())
}

fn keep(kept: &mut Vec<u8>, folder: &WorkFolder, names: [&str; 2]) -> Result<(), TpmError> {
    for name in names {
        let content = folder.read(name)?;
        let length = u16::try_from(content.len()).map_err(|_long| TpmError::Odd("its file is too long"))?;
        kept.extend_from_slice(&length.to_be_bytes());
        kept.extend_from_slice(&content);
    }
    Ok(())
}

/// Version u8 | 1 with a PIN, else 0 | then, each with its length u16: with a PIN the parent's public and private part, the
/// sealed object's public and private part.
fn read(kept: &[u8]) -> Option<Kept<'_>> {
    fn pair<'a>(rest: &mut &'a [u8]) -> Option<[&'a [u8]; 2]> {
        let mut parts = [&[][..]; 2];
        for part in &mut parts {
            let (length, after) = rest.split_first_chunk::<2>()?;
            (*part, *rest) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        }
        Some(parts)
    }
    let (with_pin, mut rest) = kept.strip_prefix(&[VERSION])?.split_first()?;
    let parent = match with_pin {
        0 => None,
        1 => Some(pair(&mut rest)?),
        _ => return None,
    };
    let sealed = pair(&mut rest)?;
    rest.is_empty().then_some(Kept { parent, sealed })
}
