//! Who asks, and may they? Signatures, times, addresses and permissions, as BitMEX's "API Key Usage" page states them.

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
    /// A key with the permission `order`.
    Order,
}

/// Lower-case hexadecimal HMAC-SHA256.
pub(crate) fn sign(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text);
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    mac.finalize().into_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

const fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Delete => "DELETE",
    }
}

/// Key, expiry and signature of a request or a login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) key: &'a str,
    pub(crate) expires: &'a str,
    pub(crate) signature: &'a str,
}

/// Checks a signature over `signed` followed by the expiry and the body.
fn check<'a>(
    accounts: &'a [AccountConfig],
    credentials: Credentials<'_>,
    (signed, body): (&str, &[u8]),
    now: Timestamp,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let Credentials { key, expires, signature } = credentials;
    if key.is_empty() {
        return Err(Failure::missing_key());
    }
    let (account, found) = find_key(accounts, key).ok_or_else(Failure::bad_key)?;
    let until: i64 = expires.parse().map_err(|_| Failure::invalid("'expires' is a required arg."))?;
    // Refused once it is past, in whole seconds.
    if until < now.ms().div_euclid(1_000) {
        return Err(Failure::expired(now.ms().div_euclid(1_000)));
    }
    let mut text = format!("{signed}{expires}").into_bytes();
    text.extend_from_slice(body);
    if sign(&found.secret, &text) != signature.to_ascii_lowercase() {
        return Err(Failure::bad_signature());
    }
    Ok((account, found))
}

/// Checks a signed request. `None` for one that brings no key and needs none.
pub(crate) fn check_request<'a>(
    accounts: &'a [AccountConfig],
    request: &Request<'_>,
    access: Access,
) -> Result<Option<(AccountId, &'a KeyConfig)>, Failure> {
    let credentials = Credentials {
        key: request.header("api-key"),
        expires: request.header("api-expires"),
        signature: request.header("api-signature"),
    };
    if access == Access::Public && credentials.key.is_empty() {
        return Ok(None);
    }
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let signed = format!("{}{}{query}", word(request.verb), request.path);
    let (account, key) = check(accounts, credentials, (&signed, request.body), request.wall)?;
    permit(key, access, request.peer, request.wall)?;
    Ok(Some((account, key)))
}

/// Checks the login of a stream: `GET/realtime` and the expiry are signed.
pub(crate) fn check_login<'a>(
    accounts: &'a [AccountConfig],
    credentials: Credentials<'_>,
    peer: IpAddr,
    now: Timestamp,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let (account, key) = check(accounts, credentials, ("GET/realtime", b""), now)?;
    permit(key, Access::Read, peer, now)?;
    Ok((account, key))
}

/// Address, end of life and permission.
fn permit(key: &KeyConfig, access: Access, peer: IpAddr, now: Timestamp) -> Result<(), Failure> {
    if !key.allows(peer) {
        return Err(Failure::address());
    }
    if key.expires_at_ms > 0 && key.expires_at_ms <= now.ms() {
        return Err(Failure::disabled());
    }
    let granted = match access {
        Access::Public | Access::Read => true,
        Access::Order => key.has(Right::Order),
    };
    if granted { Ok(()) } else { Err(Failure::permission()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that BitMEX prints.
    #[test]
    fn the_signature_is_the_documented_one() {
        let secret = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO";
        let body =
            r#"{"symbol":"XBTM15","price":219.0,"clOrdID":"mm_bitmex_1a/oemUeQ4CAJZgP3fjHsA","orderQty":98}"#;
        let cases = [
            (
                "GET/api/v1/instrument1518064236".to_owned(),
                "c7682d435d0cfe87c16098df34ef2eb5a549d4c5a3c2b1f0f77b8af73423bf00",
            ),
            (
                format!("POST/api/v1/order1518064238{body}"),
                "1749cd2ccae4aa49048ae09f0b95110cee706e0944e6a14ad0b3a8cb45bd336b",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(sign(secret, text.as_bytes()), expected);
        }
    }
}
