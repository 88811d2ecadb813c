//! Refuses requests that another site made a browser send.
//!
//! Unsafe methods need `Sec-Fetch-Site: same-origin` (or `none`, a request of the user's own making). Browsers that do
//! not send it, and other clients, need an `Origin` equal to the configured one; a client that sends neither is no
//! browser and carries no cookie it did not mean to. The configured origin is the reference, never the Host header.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};

use crate::http::cookie;
use crate::http::problem::Problem;

/// Lets safe methods and same-origin requests pass.
pub(crate) fn check(request: &Request, origin: &str) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let same = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(found)) => found == origin,
        (None, None) => cookie::token(headers).is_none(),
    };
    if !same {
        let detail = "The request came from another site.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "CROSS_SITE", detail)
            .next("Open the dashboard under its configured public address."));
    }
    let is_json =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
    if is_json {
        Ok(())
    } else {
        let detail = "Requests that change something carry JSON.";
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "JSON_REQUIRED", detail))
    }
}
