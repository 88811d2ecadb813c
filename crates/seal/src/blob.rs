//! The opaque blobs that travel and are stored, and their one text form: base64url without padding.
//!
//! Parsing checks length, magic and that the text is the canonical one, so equal bytes have equal texts. It refuses to
//! know what is inside. The fields are listed in `docs/formats/envelope.md`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A text or byte string is not a blob of the expected kind. Says nothing about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Not base64url without padding, or not in canonical form.
    #[error("not base64url without padding")]
    Encoding,
    /// Wrong number of bytes.
    #[error("wrong length")]
    Length,
    /// Wrong magic, version or suite.
    #[error("unknown format")]
    Format,
}

/// Bytes of a base64url text; at most `limit` bytes are decoded.
pub(crate) fn decode(text: &str, limit: usize) -> Result<Vec<u8>, BlobError> {
    if text.len() > limit.div_ceil(3) * 4 {
        return Err(BlobError::Length);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_quotes_input| BlobError::Encoding)
}

/// The base64url text of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text form and value-free serde for a type that has `as_bytes` and `from_bytes`.
macro_rules! text_form {
    ($name:ident, $limit:expr) => {
        impl $name {
            /// Parses the base64url text.
            ///
            /// # Errors
            /// [`BlobError`](crate::BlobError), which never repeats the input.
            pub fn parse(text: &str) -> Result<Self, $crate::BlobError> {
                Self::from_bytes(&$crate::blob::decode(text, $limit)?)
            }

            /// The base64url text, without padding.
            pub fn to_text(&self) -> String {
                $crate::blob::encode(&self.as_bytes()[..])
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;

macro_rules! fixed_blob {
    ($(#[$doc:meta])* $name:ident, $magic:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// First four bytes.
            pub const MAGIC: [u8; 4] = *$magic;
            /// Total length in bytes.
            pub const BYTES: usize = $bytes;

            /// Takes bytes that carry the right magic.
            ///
            /// # Errors
            /// [`BlobError::Length`], [`BlobError::Format`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
                let bytes: [u8; $bytes] = bytes.try_into().map_err(|_wrong_length| BlobError::Length)?;
                if bytes[..4] == Self::MAGIC { Ok(Self(bytes)) } else { Err(BlobError::Format) }
            }

            /// All bytes, the magic included.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        text_form!($name, $bytes);
    };
}

fixed_blob! {
    /// The data key, sealed (HPKE) to the keeper's public key by whoever sealed the credential. 100 bytes:
    /// magic `KHS1`, keeper key id 16, encapsulated key 32, ciphertext and tag 48.
    ///
    /// It passes through the server once, on its way to the keeper's `import`, and must not be stored.
    SealedDataKey, b"KHS1", 100
}

/// The data key, wrapped by the keeper under a workspace's key and a shred slot; the server keeps it beside the
/// envelope. 68 bytes: magic, slot index u32 big endian, nonce 12, ciphertext and tag 48.
///
/// The magic says what the wrapping key was derived from; see [`WrapFormat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey([u8; Self::BYTES]);

/// What a wrapped data key's wrapping key is derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapFormat {
    /// `KHW1`: the house key and the slot. Written by keepers that had no keys per workspace; still opened.
    House,
    /// `KHW2`: the workspace's own key and the slot. The only one written.
    Workspace,
}

impl WrapFormat {
    /// First four bytes of a blob of this format.
    pub const fn magic(self) -> [u8; 4] {
        match self {
            Self::House => *b"KHW1",
            Self::Workspace => *b"KHW2",
        }
    }
}

impl WrappedDataKey {
    /// Total length in bytes.
    pub const BYTES: usize = 68;

    /// Takes bytes that carry one of the two magics.
    ///
    /// # Errors
    /// [`BlobError::Length`], [`BlobError::Format`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        let bytes: [u8; Self::BYTES] = bytes.try_into().map_err(|_wrong_length| BlobError::Length)?;
        let known = [WrapFormat::House, WrapFormat::Workspace].iter().any(|one| bytes[..4] == one.magic());
        if known { Ok(Self(bytes)) } else { Err(BlobError::Format) }
    }

    /// All bytes, the magic included.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Which of the two formats it is.
    pub fn format(&self) -> WrapFormat {
        if self.0[..4] == WrapFormat::House.magic() { WrapFormat::House } else { WrapFormat::Workspace }
    }
}

text_form!(WrappedDataKey, WrappedDataKey::BYTES);

fixed_blob! {
    /// The data key, sealed (HPKE) by the keeper to the ephemeral key of one bot process. 84 bytes:
    /// magic `KHL1`, encapsulated key 32, ciphertext and tag 48.
    LeaseAnswer, b"KHL1", 84
}
