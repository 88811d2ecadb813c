//! Random numbers of the operating system: ids, tokens, codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhold_domain::Id;
use sha2::{Digest as _, Sha256};

/// Random bytes. Ends the process when the system has none: nothing here can go on safely without.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes once it has booted");
    bytes
}

/// A fresh id.
pub fn id<Kind>() -> Id<Kind> {
    Id::from_bytes(bytes())
}

/// 256 random bits as 43 characters of base64url.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// 256 random bits as 64 hexadecimal digits.
pub fn hex_token() -> String {
    hex(&bytes::<32>())
}

/// What is stored of a token: lower-case hexadecimal SHA-256.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
