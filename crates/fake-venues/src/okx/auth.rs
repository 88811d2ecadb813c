//! Who asks, and may they? Signatures, passphrases, times, addresses and permissions, as the v5 documentation states
//! them.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use keyhold_domain::Timestamp;
use keyhold_simulator::exchange::AccountId;
use sha2::Sha256;

use super::failure::Failure;
use crate::config::{AccountConfig, KeyConfig, Right, find_key};
use crate::protocol::{Request, Verb};

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Any valid key.
    Read,
    /// A key that may trade.
    Trade,
}

/// How far a time stamp may be off, in milliseconds.
const WINDOW_MS: i64 = 30_000;

/// What a login is signed for.
const LOGIN_PATH: &str = "GET/users/self/verify";

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let part = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let value = part(0) << 16 | part(1) << 8 | part(2);
        for letter in 0..4_usize {
            if letter > chunk.len() {
                text.push('=');
                continue;
            }
            let sextet = (value >> (18 - 6 * letter)) & 63;
            text.push(char::from(LETTERS[usize::try_from(sextet).unwrap_or(0)]));
        }
    }
    text
}

/// Base64 of HMAC-SHA256.
pub(crate) fn sign(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text);
    base64(&mac.finalize().into_bytes())
}

const fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Delete => "DELETE",
    }
}

/// Checks a signed request: time, verb, path with query and body are signed.
pub(crate) fn check<'a>(
    accounts: &'a [AccountConfig],
    request: &Request<'_>,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let name = request.header("ok-access-key");
    if name.is_empty() {
        return Err(Failure::no_key());
    }
    let (account, key) = find_key(accounts, name).ok_or_else(Failure::bad_key)?;
    let stamp = request.header("ok-access-timestamp");
    let sent: Timestamp = stamp.parse().map_err(|_| Failure::bad_time())?;
    if request.wall.since_ms(sent).abs() > WINDOW_MS {
        return Err(Failure::clock());
    }
    let separator = if request.query.is_empty() { "" } else { "?" };
    let head = format!("{stamp}{}{}{separator}{}", word(request.verb), request.path, request.query);
    let mut text = head.into_bytes();
    text.extend_from_slice(request.body);
    if sign(&key.secret, &text) != request.header("ok-access-sign") {
        return Err(Failure::bad_signature());
    }
    if key.passphrase.as_deref().unwrap_or_default() != request.header("ok-access-passphrase") {
        return Err(Failure::bad_passphrase());
    }
    if let Ok(latest) = request.header("exptime").parse::<i64>()
        && latest < request.wall.ms()
    {
        return Err(Failure::late());
    }
    Ok((account, key))
}

/// Checks the login of a private stream. The time is in seconds.
pub(crate) fn check_login<'a>(
    accounts: &'a [AccountConfig],
    [name, passphrase, stamp, signature]: [&str; 4],
    now: Timestamp,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let (account, key) =
        find_key(accounts, name).ok_or_else(|| Failure::new(60_005, "Invalid OK-ACCESS-KEY"))?;
    let seconds: i64 = stamp.parse().map_err(|_| Failure::new(60_004, "Invalid timestamp"))?;
    if (now.ms() / 1_000 - seconds).abs() > WINDOW_MS / 1_000 {
        return Err(Failure::new(60_006, "Timestamp request expired"));
    }
    if sign(&key.secret, format!("{stamp}{LOGIN_PATH}").as_bytes()) != signature {
        return Err(Failure::new(60_007, "Invalid sign"));
    }
    if key.passphrase.as_deref().unwrap_or_default() != passphrase {
        return Err(Failure::new(60_024, "Wrong passphrase"));
    }
    Ok((account, key))
}

/// Address, expiry and permission.
pub(crate) fn permit(key: &KeyConfig, access: Access, peer: IpAddr, now: Timestamp) -> Result<(), Failure> {
    if !key.allows(peer) {
        return Err(Failure::address(peer));
    }
    if key.expires_at_ms > 0 && key.expires_at_ms <= now.ms() {
        return Err(Failure::expired());
    }
    let granted = match access {
        Access::Public | Access::Read => true,
        Access::Trade => key.has(Right::Order),
    };
    if granted { Ok(()) } else { Err(Failure::permission()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derived vector of the specification for the sample secret of OKX's documentation.
    #[test]
    fn the_signature_is_the_one_clients_send() {
        let text = "2020-12-08T09:08:57.715ZGET/api/v5/account/balance?ccy=BTC";
        let signature = "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=";
        assert_eq!(sign("22582BD0CFF14C41EDBF1AB98506286D", text.as_bytes()), signature);
    }

    #[test]
    fn base64_pads_what_is_left() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
