//! Who asks, and may they? Signatures, times, addresses and permissions, as the v5 documentation states them.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use keyhold_domain::Timestamp;
use keyhold_simulator::exchange::AccountId;
use sha2::Sha256;

use super::failure::Failure;
use crate::config::{AccountConfig, KeyConfig, Right, find_key};
use crate::protocol::Request;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Any valid key.
    Read,
    /// A key that may place orders.
    Order,
    /// A key that may change positions.
    Position,
}

/// Signature headers of a request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Credentials {
    pub(crate) key: String,
    pub(crate) timestamp: String,
    pub(crate) window: String,
    pub(crate) signature: String,
}

impl Credentials {
    /// As the headers bring them.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let text = |name: &str| request.header(name).to_owned();
        Self {
            key: text("x-bapi-api-key"),
            timestamp: text("x-bapi-timestamp"),
            window: text("x-bapi-recv-window"),
            signature: text("x-bapi-sign"),
        }
    }
}

/// Lower-case hexadecimal HMAC-SHA256.
pub(crate) fn sign(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text);
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    mac.finalize().into_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Checks a signed request whose payload is the raw query (GET) or the raw body (POST).
pub(crate) fn check<'a>(
    accounts: &'a [AccountConfig],
    credentials: &Credentials,
    payload: &[u8],
    now: Timestamp,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    if credentials.key.is_empty() || credentials.signature.is_empty() {
        return Err(Failure { status: 401, ..Failure::bad_key() });
    }
    let (account, key) = find_key(accounts, &credentials.key).ok_or_else(Failure::bad_key)?;
    let sent: i64 = credentials.timestamp.parse().map_err(|_| Failure::clock(0, now.ms(), 0))?;
    let window: i64 = match credentials.window.as_str() {
        "" => 5_000,
        text => text.parse().map_err(|_| Failure::clock(sent, now.ms(), 0))?,
    };
    if sent < now.ms() - window || sent >= now.ms() + 1_000 {
        return Err(Failure::clock(sent, now.ms(), window));
    }
    let mut text = format!("{}{}{}", credentials.timestamp, credentials.key, credentials.window).into_bytes();
    text.extend_from_slice(payload);
    if sign(&key.secret, &text) != credentials.signature.to_ascii_lowercase() {
        return Err(Failure::bad_signature());
    }
    Ok((account, key))
}

/// Checks the login of a private stream: `GET/realtime` and the expiry are signed.
pub(crate) fn check_login<'a>(
    accounts: &'a [AccountConfig],
    [key, expires, signature]: [&str; 3],
    now: Timestamp,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let (account, found) = find_key(accounts, key).ok_or_else(Failure::bad_key)?;
    if expires.parse::<i64>().is_ok_and(|expires| expires < now.ms()) {
        return Err(Failure::new(10004, "Params Error: expires is in the past"));
    }
    if sign(&found.secret, format!("GET/realtime{expires}").as_bytes()) != signature.to_ascii_lowercase() {
        return Err(Failure::bad_signature());
    }
    Ok((account, found))
}

/// Address, expiry and permission.
pub(crate) fn permit(key: &KeyConfig, access: Access, peer: IpAddr, now: Timestamp) -> Result<(), Failure> {
    if !key.allows(peer) {
        return Err(Failure::address());
    }
    if key.expires_at_ms > 0 && key.expires_at_ms <= now.ms() {
        return Err(Failure::expired());
    }
    let granted = match access {
        Access::Public | Access::Read => true,
        Access::Order => key.has(Right::Order),
        Access::Position => key.has(Right::Position),
    };
    if granted { Ok(()) } else { Err(Failure::permission()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derived vector: what ccxt 4.5.90 sends for this key, time and body.
    #[test]
    fn the_signature_is_the_one_clients_send() {
        let body = r#"{"symbol":"BTCUSDT","side":"Buy","orderType":"Limit","price":"50000.5","category":"linear","qty":"0.011"}"#;
        let secret = "c2VjcmV0LWZvci1zdGF0aWMtdGVzdHMtMDEyMzQ1Njc4OWFiY2RlZg==";
        let text = format!("1730000000123AKTESTKEY01234567895000{body}");
        let expected = "04253d25234a2992992b61c91eddaf719fbf2db2684567e8aa291e6cb681d318";
        assert_eq!(sign(secret, text.as_bytes()), expected);
    }
}
