//! Beginning and ending sessions: a random token in a cookie, its hash in the store.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use keyhold_store::{Actor, NewSession, Principal, SessionMethod};

use crate::app::App;
use crate::http::address::ClientAddress;
use crate::http::cookie;
use crate::http::json::Json;
use crate::http::problem::Problem;
use crate::random;

/// Begins a session and answers the session cookie with `Me`.
pub(crate) async fn begin(
    app: &Arc<App>,
    actor: &Actor,
    method: SessionMethod,
    client: &Client,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let token = random::token();
    let new = NewSession {
        id: random::id(),
        token_hash: random::hash(&token),
        method,
        user_agent: client.user_agent.clone(),
        address: client.address.clone(),
        now,
        expires_at: now.plus_ms(app.config.sessions.absolute_ms),
        reverified_until: now.plus_ms(app.config.sessions.fresh_ms),
    };
    let principal = app.store.add_session(actor, &new).await?;
    let me = crate::api::me::me(app, &principal).await?;
    let mut response = Json(me).into_response();
    cookie::set(response.headers_mut(), &token, app.config.sessions.absolute_ms / 1000);
    Ok(response)
}

/// Ends one session; streams that belong to it end at once.
pub(crate) async fn end(app: &App, principal: &Principal) -> Result<(), Problem> {
    let user = app.store.user(&principal.actor).ok_or_else(Problem::unauthenticated)?;
    user.end_session(principal.session).await?;
    app.live.end_session(principal.session);
    Ok(())
}

/// What is noted of the device that signs in.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) user_agent: String,
    pub(crate) address: String,
}

impl Client {
    /// From a request's headers and address.
    pub(crate) fn new(headers: &HeaderMap, address: ClientAddress) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self { user_agent: agent.unwrap_or("unknown").to_owned(), address: address.0 }
    }
}
