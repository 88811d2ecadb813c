//! The masked hint of an API key: what people may see of it after it was sealed.
//!
//! Only ever computed from the public key id, never from a secret or passphrase. Mirrored in TypeScript.

/// First and last characters of an API key: 4 and 4 from 16 characters on, 3 and 3 from 12, 2 and 2 from 8, 1 and 1
/// from 4, none below. Never more than half of the key.
///
/// ```
/// assert_eq!(keyhold_seal::hint("ABCDEFGHIJKLMNOPQRST"), "ABCD…QRST");
/// assert_eq!(keyhold_seal::hint("ABCDEFGHIJ"), "AB…IJ");
/// ```
pub fn hint(api_key: &str) -> String {
    let characters: Vec<char> = api_key.chars().collect();
    let shown = match characters.len() {
        16.. => 4,
        12..=15 => 3,
        8..=11 => 2,
        4..=7 => 1,
        _ => 0,
    };
    let head = characters.iter().take(shown);
    let tail = characters.iter().skip(characters.len() - shown);
    head.chain(std::iter::once(&'…')).chain(tail).collect()
}
