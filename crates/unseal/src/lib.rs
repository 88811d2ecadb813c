//! The private half of the vault: re-wrapping a data key (the keeper's work) and opening a credential (a bot's work).
//!
//! ```text
//! keeper  rewrap::import   SealedDataKey ──▶ WrappedDataKey     never sees an envelope
//!         rewrap::lease    WrappedDataKey ──▶ LeaseAnswer
//! bot     open::EphemeralKey, open::DataKey   LeaseAnswer, Envelope ──▶ Credential
//! ```
//!
//! `rewrap` is named only in the keeper, `open` only in the bot, and the server links neither. Every failure that an
//! attacker could learn from is one error, [`Unopenable`]. Keys and credentials live in locked memory
//! (`keyhold_os::secret`). The format is `docs/formats/envelope.md`.

pub mod capability;
mod credential;
mod error;
mod hpke_open;
pub mod open;
pub mod rewrap;

pub use credential::{Credential, MacAlgorithm, NotBase64};
pub use error::{RewrapError, Unopenable};
