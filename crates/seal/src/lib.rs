//! The public half of the vault: what is needed to seal an exchange credential so that only one bot can open it.
//!
//! ```text
//!  PlainSecret ──pad──▶ AES-256-GCM under a random single-use data key, context as associated data ──▶ Envelope
//!  data key ──HPKE to the keeper's public key, same context──▶ SealedDataKey
//!  keeper: SealedDataKey ──▶ WrappedDataKey (kept by the server) ──▶ LeaseAnswer (to one bot)
//! ```
//!
//! This crate refuses to know any private key: it can make all of these blobs' forms, but open none of them. Opening
//! is `keyhold-unseal`, which the server never links. The same format in TypeScript is `web/src/lib/seal/`; every
//! byte is described in `docs/formats/envelope.md`, and `testdata/envelopes/` holds vectors that both must reproduce.

mod blob;
mod context;
mod duplicate;
mod entropy;
mod envelope;
mod error;
mod hint;
mod inspect;
mod keys;
pub mod schedule;
mod seal;
mod secret;

pub use blob::{BlobError, LeaseAnswer, SealedDataKey, WrapFormat, WrappedDataKey};
pub use context::{CONTEXT_BYTES, Context, ContextError};
pub use duplicate::{FINGERPRINT_KEY_BYTES, KeyFingerprint, fingerprint};
pub use entropy::{EntropySource, EntropyUnavailable, FixedEntropy};
pub use envelope::{Envelope, PaddedSize};
pub use error::SealError;
pub use hint::hint;
pub use inspect::{Field, Input, Inspection, Suspicion, Trimmed, inspect};
pub use keys::{BotPublicKey, KeeperKeyId, KeeperPublicKey};
pub use seal::{Sealed, hpke_seal, seal};
pub use secret::{PlainSecret, SECRET_LAYOUT_VERSION};
