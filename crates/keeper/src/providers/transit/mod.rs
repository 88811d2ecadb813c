//! The root key under a named key of Vault's or OpenBao's transit engine: without that server nothing opens.
//!
//! ```text
//! enroll   random 32 bytes ──POST /v1/<mount>/encrypt/<key>──▶ ciphertext, kept in the key file
//! start    ciphertext ──POST /v1/<mount>/decrypt/<key>──▶ 32 bytes, under which the root key is wrapped (held.rs)
//! ```
//!
//! The server must listen on this host, as its agent does: a UNIX socket, or `http` on a loopback address. The keeper has
//! no TLS; away from this host it talks to nobody. Documented at
//! <https://developer.hashicorp.com/vault/api-docs/secret/transit> and <https://openbao.org/api-docs/secret/transit/>.

mod http;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhold_os::secret::{LockedBox, SecretBytes, SecretError};
use keyhold_seal::EntropySource;
use serde::{Deserialize, Serialize};

use super::held::{HeldProvider, draw, parameters};
use super::secret_file::{self, PutBy};
use super::{Kind, ProviderError};
use crate::files::FilesError;

use http::{Address, Response};

/// Name of the service manager's credential with the token.
pub const TOKEN_CREDENTIAL: &str = "keyhold-transit-token";
/// How long one question may take, connecting included.
const WITHIN: Duration = Duration::from_secs(10);
/// First byte of what an enrollment keeps.
const VERSION: u8 = 1;
/// Longest ciphertext that is kept, in bytes; 32 encrypted bytes take about 90.
const MOST_CIPHERTEXT: usize = 4096;
/// 32 bytes in base 64.
const ENCODED: usize = 44;

/// Where the server is and who asks; an operator may change both in `providers.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransitPlace {
    /// `unix:/path`, or `http://` with a loopback address and port.
    pub address: String,
    /// File with the token, mode 0600. Without one: the credential [`TOKEN_CREDENTIAL`], else no token (an agent that
    /// adds its own).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

/// Why a transit key did not do its part, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TransitError {
    /// Not on this host.
    #[error(
        "a transit address is unix:/path or http:// with a loopback address and a port; for a server elsewhere run its \
         agent on this host"
    )]
    Address,
    /// Not a name.
    #[error("names of transit mounts and keys have 1 to 100 letters, digits, dots, dashes and underscores")]
    Name,
    /// The token.
    #[error(
        "the file with the token must be there, belong to the keeper's user, and be closed to others (chmod 600)"
    )]
    Token(#[source] FilesError),
    /// Not text.
    #[error("the token has characters that no token has: put the token alone into its file")]
    OddToken,
    /// Nobody listens.
    #[error(
        "nothing answers at the transit address: start the agent, or correct `address` in providers.json"
    )]
    Connect(#[source] std::io::Error),
    /// The connection broke.
    #[error("the connection to the transit server broke: look at its log and try again")]
    Lost(#[source] std::io::Error),
    /// Too late.
    #[error("the transit server did not answer in time: look at its log and try again")]
    Slow,
    /// Not the documented interface.
    #[error("what answers at the transit address does not speak Vault's interface ({0}): correct `address`")]
    Garbage(&'static str),
    /// 503.
    #[error("the transit server is sealed or under maintenance (503): unseal it and try again")]
    Sealed,
    /// 403.
    #[error(
        "the transit server denied it (403): the token has expired, or its policy lacks `update` on encrypt and decrypt of \
         this key"
    )]
    Denied,
    /// 404, or a message to that effect.
    #[error("the transit server has no such mount or key: check both names, or restore the key")]
    NoKey,
    /// A version of the key that is not there or not allowed.
    #[error(
        "the transit key has no such version any more: lower its min_decryption_version, or restore the key from the \
         server's backup"
    )]
    KeyVersion,
    /// Encrypted by another key of the same name.
    #[error("the transit key is not the one that encrypted: restore that key, or open with another provider")]
    OtherKey,
    /// 3xx.
    #[error(
        "the transit server names another address and redirects are not followed: use its agent, or the active node"
    )]
    Redirect,
    /// Any other status.
    #[error("the transit server answered {0}: look at its log")]
    Status(u16),
    /// Secret memory.
    #[error(transparent)]
    Memory(#[from] SecretError),
}

/// The transit key's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitKey {
    mount: String,
    key: String,
}

impl TransitKey {
    /// A key of a mount; the usual mount is `transit`.
    ///
    /// # Errors
    /// [`TransitError::Name`]: both become parts of a path.
    pub fn new(mount: &str, key: &str) -> Result<Self, TransitError> {
        let plain = |part: &str| {
            let all = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            all && part.bytes().any(|byte| byte != b'.') && part.len() <= 100
        };
        if mount.len() <= 100 && mount.split('/').all(plain) && plain(key) {
            Ok(Self { mount: mount.to_owned(), key: key.to_owned() })
        } else {
            Err(TransitError::Name)
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.mount, self.key)
    }

    fn path(&self, doing: &str) -> String {
        format!("/v1/{}/{doing}/{}", self.mount, self.key)
    }
}

/// A server that can be asked.
#[allow(missing_debug_implementations, reason = "holds a token")]
pub struct Transit {
    address: Address,
    token: Option<SecretBytes>,
    within: Duration,
}

impl Transit {
    /// Reads the token; asks nothing yet. `credentials` is the service manager's folder of credentials.
    ///
    /// # Errors
    /// [`TransitError::Address`], [`TransitError::Token`], [`TransitError::OddToken`].
    pub fn at(place: &TransitPlace, credentials: Option<&Path>) -> Result<Self, TransitError> {
        let address = Address::parse(&place.address)?;
        let given = credentials.map(|folder| folder.join(TOKEN_CREDENTIAL)).filter(|path| path.exists());
        let token = match (&place.token_file, given) {
            (Some(path), _) => Some(secret_file::line(path, PutBy::Operator).map_err(TransitError::Token)?),
            (None, Some(path)) => {
                Some(secret_file::line(&path, PutBy::ServiceManager).map_err(TransitError::Token)?)
            }
            (None, None) => None,
        };
        if token.as_ref().is_some_and(|token| !token.expose().iter().all(u8::is_ascii_graphic)) {
            return Err(TransitError::OddToken);
        }
        Ok(Self { address, token, within: WITHIN })
    }

    /// With another bound on the time of one question.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// A new enrollment: draws a secret, has it encrypted, and has it decrypted once as a proof that the next start can.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn make(
        &self,
        key: &TransitKey,
        entropy: &mut dyn EntropySource,
    ) -> Result<HeldProvider, ProviderError> {
        let secret = draw(entropy)?;
        let ciphertext = self.encrypt(key, &secret)?;
        if self.decrypt(key, &ciphertext)?.expose() != secret.expose() {
            return Err(TransitError::Garbage("it decrypts to something else than it encrypted").into());
        }
        let mut kept = vec![VERSION];
        for part in [&key.mount, &key.key] {
            kept.push(u8::try_from(part.len()).map_err(|_long| TransitError::Name)?);
            kept.extend_from_slice(part.as_bytes());
        }
        kept.extend_from_slice(ciphertext.as_bytes());
        Ok(HeldProvider::new(Kind::Transit, key.name(), kept, secret))
    }

    /// The provider of an enrollment, by its blob.
    ///
    /// # Errors
    /// [`ProviderError::Unopenable`] when the blob is not one of [`make`](Self::make)'s; [`ProviderError::Transit`].
    pub fn fetch(&self, blob: &[u8]) -> Result<HeldProvider, ProviderError> {
        let kept = parameters(blob)?;
        let (key, ciphertext) = read(kept).ok_or(ProviderError::Unopenable)?;
        let secret = self.decrypt(&key, ciphertext)?;
        Ok(HeldProvider::new(Kind::Transit, key.name(), kept.to_vec(), secret))
    }

    fn encrypt(&self, key: &TransitKey, secret: &LockedBox<32>) -> Result<String, TransitError> {
        const BEFORE: &[u8] = b"{\"plaintext\":\"";
        const AFTER: &[u8] = b"\"}";
        let mut body = SecretBytes::zeroed(BEFORE.len() + ENCODED + AFTER.len())?;
        let (before, rest) = body.expose_mut().split_at_mut(BEFORE.len());
        let (encoded, after) = rest.split_at_mut(ENCODED);
        before.copy_from_slice(BEFORE);
        after.copy_from_slice(AFTER);
        STANDARD.encode_slice(secret.expose(), encoded).expect("32 bytes are 44 in base 64");
        let answer = self.ask(&key.path("encrypt"), body.expose())?;
        let ciphertext = read_data(&answer)?.ciphertext.ok_or(TransitError::Garbage("no ciphertext"))?;
        if plain_ciphertext(&ciphertext) {
            Ok(ciphertext.into_owned())
        } else {
            Err(TransitError::Garbage("an odd ciphertext"))
        }
    }

    fn decrypt(&self, key: &TransitKey, ciphertext: &str) -> Result<LockedBox<32>, TransitError> {
        let body = format!("{{\"ciphertext\":\"{ciphertext}\"}}");
        let answer = self.ask(&key.path("decrypt"), body.as_bytes())?;
        let encoded = read_data(&answer)?.plaintext.ok_or(TransitError::Garbage("no plaintext"))?;
        // One byte more than wanted, so that a longer secret is seen.
        let mut decoded = LockedBox::<33>::zeroed()?;
        let length = STANDARD.decode_slice(encoded.as_bytes(), decoded.expose_mut());
        if length != Ok(32) {
            return Err(TransitError::OtherKey);
        }
        let mut secret = LockedBox::<32>::zeroed()?;
        secret.expose_mut().copy_from_slice(&decoded.expose()[..32]);
        Ok(secret)
    }

    fn ask(&self, path: &str, body: &[u8]) -> Result<Response, TransitError> {
        let answer = http::post(&self.address, path, self.token.as_ref(), body, self.within)?;
        match answer.status {
            200 => Ok(answer),
            status => Err(refusal(status, answer.body())),
        }
    }
}

fn plain_ciphertext(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":+/=-_".contains(&byte);
    (1..=MOST_CIPHERTEXT).contains(&text.len()) && text.bytes().all(plain)
}

/// What an enrollment keeps: version u8 | length u8, mount | length u8, key | ciphertext.
fn read(kept: &[u8]) -> Option<(TransitKey, &str)> {
    fn part(bytes: &[u8]) -> Option<(&str, &[u8])> {
        let (length, rest) = bytes.split_first()?;
        let (part, rest) = rest.split_at_checked(usize::from(*length))?;
        Some((std::str::from_utf8(part).ok()?, rest))
    }
    let (mount, rest) = part(kept.strip_prefix(&[VERSION])?)?;
    let (key, ciphertext) = part(rest)?;
    let ciphertext = std::str::from_utf8(ciphertext).ok().filter(|text| plain_ciphertext(text))?;
    Some((TransitKey::new(mount, key).ok()?, ciphertext))
}

/// The parts of an answer that matter. Borrowed from secret memory where JSON allows; the rest is wiped by the allocator.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    ciphertext: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    plaintext: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

fn read_data(answer: &Response) -> Result<Data<'_>, TransitError> {
    let read = serde_json::from_slice::<Wire<'_>>(answer.body());
    // The parser's error may quote the answer.
    read.map(|wire| wire.data).map_err(|_quotes| TransitError::Garbage("not the documented JSON"))
}

/// What a status and its messages mean. The words are those of the servers' own sources; an unknown one is told by its status.
fn refusal(status: u16, body: &[u8]) -> TransitError {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let said =
        serde_json::from_slice::<Errors>(body).map_or_else(|_other| String::new(), |it| it.errors.join(" "));
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match status {
        300..=399 => TransitError::Redirect,
        403 => TransitError::Denied,
        404 => TransitError::NoKey,
        503 => TransitError::Sealed,
        _ if says(&["version is too new", "too old"]) => TransitError::KeyVersion,
        _ if says(&["key not found"]) => TransitError::NoKey,
        _ if says(&["invalid ciphertext", "message authentication failed", "unable to decrypt"]) => {
            TransitError::OtherKey
        }
        other => TransitError::Status(other),
    }
}
