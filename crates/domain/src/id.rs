//! Typed ids: one type per kind of thing, so that a bot's id cannot be passed where a key's is wanted.
//!
//! An id is 128 bits. Programs draw them at random; tests and derived records compute them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use crate::serde_by_text;

/// An identifier of a `Kind`. Text form: 32 lower-case hexadecimal digits.
///
/// ```
/// use keyhold_domain::BotId;
/// let id = BotId::from_u128(7);
/// assert_eq!(id.to_string(), "00000000000000000000000000000007");
/// assert_eq!(id.to_string().parse::<BotId>().unwrap(), id);
/// ```
pub struct Id<Kind> {
    value: u128,
    kind: PhantomData<fn() -> Kind>,
}

/// The text was not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an id: 32 lower-case hexadecimal digits are expected")]
pub struct IdError;

impl<Kind> Id<Kind> {
    /// The id with this value.
    pub const fn from_u128(value: u128) -> Self {
        Self { value, kind: PhantomData }
    }

    /// The id with these big-endian bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_u128(u128::from_be_bytes(bytes))
    }

    /// Big-endian bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.value.to_be_bytes()
    }

    /// The value as a number.
    pub const fn to_u128(self) -> u128 {
        self.value
    }
}

impl<Kind> Clone for Id<Kind> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Kind> Copy for Id<Kind> {}
impl<Kind> PartialEq for Id<Kind> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<Kind> Eq for Id<Kind> {}
impl<Kind> PartialOrd for Id<Kind> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<Kind> Ord for Id<Kind> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}
impl<Kind> Hash for Id<Kind> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}
impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.value)
    }
}
impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.value)
    }
}
impl<Kind> FromStr for Id<Kind> {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(IdError);
        }
        u128::from_str_radix(text, 16).map(Self::from_u128).map_err(|_| IdError)
    }
}

/// The kinds of things that have ids. They are names only and have no values.
pub mod kind {
    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
        )+};
    }
    kinds! {
        /// One installation of Keyhold.
        Install,
        /// A workspace: what a user or an organization owns, wholly apart from others.
        Workspace,
        /// A person who signs in.
        User,
        /// One signed-in device.
        Session,
        /// A WebAuthn credential.
        Passkey,
        /// A stored exchange key.
        Key,
        /// A strategy template.
        Template,
        /// A bot.
        Bot,
        /// One run of a bot, from deploy to stop.
        Deployment,
        /// A directive on its way to a bot.
        Command,
        /// A completed round trip.
        Trade,
        /// An entry of the activity feed.
        Event,
        /// Work in the background: a backtest, or candles being fetched.
        Job,
    }
}

/// Id of an installation.
pub type InstallId = Id<kind::Install>;
/// Id of a workspace.
pub type WorkspaceId = Id<kind::Workspace>;
/// Id of a user.
pub type UserId = Id<kind::User>;
/// Id of a session.
pub type SessionId = Id<kind::Session>;
/// Id of a passkey.
pub type PasskeyId = Id<kind::Passkey>;
/// Id of a stored exchange key.
pub type KeyId = Id<kind::Key>;
/// Id of a template.
pub type TemplateId = Id<kind::Template>;
/// Id of a bot.
pub type BotId = Id<kind::Bot>;
/// Id of a deployment.
pub type DeploymentId = Id<kind::Deployment>;
/// Id of a command.
pub type CommandId = Id<kind::Command>;
/// Id of a trade.
pub type TradeId = Id<kind::Trade>;
/// Id of an activity entry.
pub type EventId = Id<kind::Event>;
/// Id of work in the background.
pub type JobId = Id<kind::Job>;

impl<Kind> serde::Serialize for Id<Kind> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, Kind> serde::Deserialize<'de> for Id<Kind> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

serde_by_text!(crate::order::ClientOrderId);
