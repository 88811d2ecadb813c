//! Who is signed in.

use axum::extract::State;
use keyhold_domain::{InstallId, SessionId, Timestamp, UserId, WorkspaceId};
use keyhold_store::Principal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// The signed-in user, their workspace and this session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    user: MyUser,
    workspace: MyWorkspace,
    session: MySession,
    /// Part of every envelope's context.
    #[schema(value_type = String)]
    install_id: InstallId,
}

/// The user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyUser {
    #[schema(value_type = String)]
    id: UserId,
    email: String,
    has_password: bool,
    passkeys: i64,
    admin: bool,
}

/// The workspace acted in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyWorkspace {
    #[schema(value_type = String)]
    id: WorkspaceId,
    name: String,
    kind: String,
}

/// This session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MySession {
    #[schema(value_type = String)]
    id: SessionId,
    /// Until when sensitive acts need no further proof.
    #[schema(value_type = Option<i64>, required)]
    reverified_until: Option<Timestamp>,
}

/// Builds the answer.
pub(crate) async fn me(app: &App, principal: &Principal) -> Result<Me, Problem> {
    let user = app.store.user(&principal.actor).ok_or_else(Problem::unauthenticated)?;
    let found = user.me().await?;
    let now = app.clock.now();
    Ok(Me {
        user: MyUser {
            id: principal.user,
            email: found.email,
            has_password: found.has_password,
            passkeys: found.passkeys,
            admin: found.admin,
        },
        workspace: MyWorkspace {
            id: principal.actor.workspace(),
            name: found.workspace_name,
            kind: found.workspace_kind,
        },
        session: MySession {
            id: principal.session,
            reverified_until: principal.reverified_until.filter(|until| *until > now),
        },
        install_id: app.store.install().id,
    })
}

/// Who is signed in.
#[utoipa::path(get, path = "/me", responses((status = 200, body = Me), (status = 401, body = ProblemDocument)))]
pub(crate) async fn get_me(State(app): State<Shared>, session: Session) -> Result<Json<Me>, Problem> {
    me(&app, &session.principal).await.map(Json)
}
