//! Where a request comes from, as text for session lists and rate limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::app::App;
use crate::config::Front;

/// The client's address; `local` when it cannot be told.
#[derive(Debug, Clone)]
pub(crate) struct ClientAddress(pub(crate) String);

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
        // Only a declared proxy is believed, and of its list only the last entry, which is its own observation.
        let forwarded = match app.config.front {
            Front::Direct => None,
            Front::Proxy => parts
                .headers
                .get("x-forwarded-for")
                .and_then(|value| value.to_str().ok())
                .and_then(|list| list.rsplit(',').next())
                .and_then(|last| last.trim().parse::<std::net::IpAddr>().ok())
                .map(|address| address.to_string()),
        };
        Ok(Self(forwarded.or(peer).unwrap_or_else(|| "local".to_owned())))
    }
}
