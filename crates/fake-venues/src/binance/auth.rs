//! Who asks, and may they? Signatures, times, addresses and permissions, as the futures documentation states them.

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
    /// A key's name, without a signature.
    Named,
    /// Any valid key, also one that may do nothing.
    Known,
    /// A key that may read.
    Read,
    /// A key that may trade futures.
    Trade,
}

/// Lower-case hexadecimal HMAC-SHA256.
pub(crate) fn sign(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text);
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    mac.finalize().into_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Query and body as they were sent, without what the signature adds. It may stand at the end of either.
fn payload(request: &Request<'_>) -> Option<(Vec<u8>, String)> {
    let body = std::str::from_utf8(request.body).ok()?;
    let parts = |text: &str| -> Option<(String, String)> {
        let (before, signature) = match text.rsplit_once("&signature=") {
            Some((before, signature)) => (before, signature),
            None => ("", text.strip_prefix("signature=")?),
        };
        Some((before.to_owned(), signature.to_owned()))
    };
    match (parts(request.query), parts(body)) {
        (_, Some((body, signature))) => Some((format!("{}{body}", request.query).into_bytes(), signature)),
        (Some((query, signature)), None) => Some((format!("{query}{body}").into_bytes(), signature)),
        (None, None) => None,
    }
}

/// The account and key behind a request, if it may do what it asks for.
pub(crate) fn authorize<'a>(
    accounts: &'a [AccountConfig],
    request: &Request<'_>,
    access: Access,
    times: (Option<i64>, Option<i64>),
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let name = request.header("x-mbx-apikey");
    if name.is_empty() {
        return Err(Failure::no_key());
    }
    let (account, key) = find_key(accounts, name).ok_or_else(Failure::rejected_key)?;
    if access != Access::Named {
        let sent = times.0.ok_or_else(|| Failure::missing("timestamp"))?;
        let window = times.1.unwrap_or(5_000).clamp(0, 60_000);
        let now = request.wall.ms();
        if sent >= now + 1_000 || now - sent > window {
            return Err(Failure::clock());
        }
        let (text, signature) = payload(request).ok_or_else(|| Failure::missing("signature"))?;
        if sign(&key.secret, &text) != signature.to_ascii_lowercase() {
            return Err(Failure::bad_signature());
        }
    }
    permit(key, access, request.peer, request.wall)?;
    Ok((account, key))
}

/// Address, expiry and permission.
fn permit(key: &KeyConfig, access: Access, peer: IpAddr, now: Timestamp) -> Result<(), Failure> {
    let expired = key.expires_at_ms > 0 && key.expires_at_ms <= now.ms();
    let granted = match access {
        Access::Public | Access::Named | Access::Known => true,
        Access::Read => key.has(Right::Read),
        Access::Trade => key.has(Right::Order),
    };
    if key.allows(peer) && !expired && granted { Ok(()) } else { Err(Failure::rejected_key()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The official example of the USD-M documentation.
    #[test]
    fn the_signature_is_the_documented_one() {
        let text = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
        let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
        let expected = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";
        assert_eq!(sign(secret, text.as_bytes()), expected);
    }
}
