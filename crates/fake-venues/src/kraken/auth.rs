//! Who asks, and may they? Signatures, nonces, addresses and permissions, as Kraken Futures documents them.
//!
//! The signed text is the parameters as they were sent (query or body), the nonce and the path without `/derivatives`.
//! A nonce may be left out; when it is sent it must grow.

use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyhold_domain::Timestamp;
use keyhold_simulator::exchange::AccountId;
use sha2::{Digest as _, Sha256, Sha512};

use super::failure::Failure;
use super::state::State;
use crate::config::{AccountConfig, KeyConfig, Right, find_key};
use crate::protocol::Request;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Any valid key, also one that may do nothing.
    Known,
    /// A key that may read.
    Read,
    /// A key with full access.
    Full,
}

/// Base64 of HMAC-SHA-512 over the SHA-256 of the text; `None` when the secret is not base64.
pub(crate) fn sign(secret: &str, text: &[u8]) -> Option<String> {
    let secret = BASE64_STANDARD.decode(secret).ok()?;
    let mut mac = Hmac::<Sha512>::new_from_slice(&secret).expect("HMAC takes keys of any length");
    mac.update(&Sha256::digest(text));
    Some(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Checks a signed request.
pub(crate) fn check<'a>(
    state: &mut State,
    accounts: &'a [AccountConfig],
    request: &Request<'_>,
) -> Result<(AccountId, &'a KeyConfig), Failure> {
    let (account, key) = find_key(accounts, request.header("apikey")).ok_or_else(Failure::authentication)?;
    let nonce = request.header("nonce");
    let path = request.path.strip_prefix("/derivatives").unwrap_or(request.path);
    let mut text = request.query.as_bytes().to_vec();
    text.extend_from_slice(request.body);
    text.extend_from_slice(nonce.as_bytes());
    text.extend_from_slice(path.as_bytes());
    if sign(&key.secret, &text).as_deref() != Some(request.header("authent")) {
        return Err(Failure::authentication());
    }
    if !nonce.is_empty() {
        let sent: u64 = nonce.parse().map_err(|_| Failure::argument("invalidArgument", "nonce"))?;
        state.spend_nonce(&key.key, sent)?;
    }
    Ok((account, key))
}

/// Checks the answer to a challenge.
pub(crate) fn check_challenge<'a>(
    accounts: &'a [AccountConfig],
    [key, challenge, signature]: [&str; 3],
) -> Option<(AccountId, &'a KeyConfig)> {
    let (account, found) = find_key(accounts, key)?;
    (sign(&found.secret, challenge.as_bytes()).as_deref() == Some(signature)).then_some((account, found))
}

/// Address, expiry and permission. Kraken does not say which error a foreign address gets; here it is the one for
/// everything that is wrong with a key.
pub(crate) fn permit(key: &KeyConfig, access: Access, peer: IpAddr, now: Timestamp) -> Result<(), Failure> {
    let expired = key.expires_at_ms > 0 && key.expires_at_ms <= now.ms();
    if !key.allows(peer) || expired {
        return Err(Failure::authentication());
    }
    match access {
        Access::Public | Access::Known => Ok(()),
        Access::Read if key.has(Right::Read) => Ok(()),
        Access::Full if key.has(Right::Read) && key.has(Right::Order) => Ok(()),
        Access::Read | Access::Full => Err(Failure::permission()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "7zxMEF5p/Z8l2p2U7Ghv6x14Af+Fx+92tPgUdVQ748FOIrEoT9bgT+bTRfXc5pz8na+hL/QdrCVG7bh9KpT0eMTm";

    /// The official vector of the challenge and a derived one of a request.
    #[test]
    fn the_signatures_are_those_that_clients_send() {
        let cases = [
            (
                "c100b894-1729-464d-ace1-52dbce11db42",
                "4JEpF3ix66GA2B+ooK128Ift4XQVtc137N9yeg4Kqsn9PI0Kpzbysl9M1IeCEdjg0zl00wkVqcsnG4bmnlMb3A==",
            ),
            (
                "symbol=PI_XBTUSD&side=buy&orderType=lmt&size=100&limitPrice=50000.51234567890/api/v3/sendorder",
                "DTL3/QyhCwqdp14MHGUjRWXgJoBL/3oqv/34AkoZuQSLP55mQjrYUYY+3gEHVaHYWc5c5WFXUu4TCi27Iv2bSw==",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(sign(SECRET, text.as_bytes()).as_deref(), Some(expected));
        }
        assert_eq!(sign("not base64!", b""), None);
    }
}
