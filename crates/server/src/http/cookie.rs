//! The session cookie. `__Host-` binds it to this host and to secure contexts; browsers count http://localhost as one.

use axum::http::{HeaderMap, HeaderValue, header};

const NAME: &str = "__Host-sid";
/// Longest token looked at, in bytes.
const MAX_TOKEN: usize = 128;

/// The token a request carries. None when it carries several: somebody is trying something.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, value)| *name == NAME && value.len() <= MAX_TOKEN)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(token), None) => Some(token),
        (None | Some(_), _) => None,
    }
}

/// Hands the token to the browser for `max_age_s` seconds.
pub(crate) fn set(headers: &mut HeaderMap, token: &str, max_age_s: i64) {
    let text = format!("{NAME}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={max_age_s}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Takes it away, with whatever else the browser keeps of us.
pub(crate) fn clear(headers: &mut HeaderMap) {
    set(headers, "", 0);
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\", \"cookies\", \"storage\""));
}
