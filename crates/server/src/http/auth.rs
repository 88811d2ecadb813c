//! Who asks. A handler that needs a signed-in user takes [`Session`]; one for a sensitive act takes [`Fresh`].

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use keyhold_store::{Permission, Principal, StoreError, UserStore, WorkspaceStore};

use crate::app::App;
use crate::http::cookie;
use crate::http::problem::Problem;
use crate::random;

/// Somebody who is signed in, with handles to what is theirs.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) principal: Principal,
    pub(crate) workspace: WorkspaceStore,
    pub(crate) user: UserStore,
}

/// Somebody who is signed in and has proved it within the last five minutes.
#[derive(Debug, Clone)]
pub(crate) struct Fresh(pub(crate) Session);

impl Session {
    /// Refuses what the member's role does not allow.
    pub(crate) fn needs(&self, permission: Permission) -> Result<(), Problem> {
        if self.principal.actor.role().may(permission) {
            return Ok(());
        }
        let detail = format!("Your role in this workspace lacks the permission {}.", permission.as_str());
        Err(Problem::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", detail)
            .next("Ask an owner or admin of the workspace."))
    }
}

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = cookie::token(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let idle = app.config.sessions.idle_ms;
        let found = app.store.principal(&random::hash(token), app.clock.now(), idle).await?;
        let principal = found.ok_or_else(Problem::unauthenticated)?;
        let workspace = app.store.workspace(&principal.actor);
        let user = app.store.user(&principal.actor).ok_or(StoreError::NotFound)?;
        Ok(Self { principal, workspace, user })
    }
}

impl OptionalFromRequestParts<Arc<App>> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Self>, Problem> {
        match <Self as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await {
            Ok(session) => Ok(Some(session)),
            Err(problem) if problem.code == "UNAUTHENTICATED" => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

impl FromRequestParts<Arc<App>> for Fresh {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let session = <Session as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        match session.principal.reverified_until {
            Some(until) if until > app.clock.now() => Ok(Self(session)),
            Some(_) | None => Err(Problem::reauth_required()),
        }
    }
}
