//! The ways to sign in: passkeys and the password. Changing them needs a fresh proof and ends all other sessions.

use axum::extract::State;
use axum::http::StatusCode;
use keyhold_domain::id::kind;
use keyhold_domain::{PasskeyId, Timestamp};
use keyhold_store::{CeremonyPurpose, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::passkey::{self, Holder};
use crate::account::password::Checked;
use crate::account::rules;
use crate::api::claim::{CeremonyAnswer, FinishBody, check_password, passkey_name};
use crate::api::sessions::Empty;
use crate::app::{App, Shared};
use crate::http::auth::{Fresh, Session};
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PasskeyEntry {
    #[schema(value_type = String)]
    id: PasskeyId,
    name: String,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = Option<i64>, required)]
    last_used_at: Option<Timestamp>,
}

/// A new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameBody {
    name: String,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// Needed when there is one.
    #[serde(default)]
    current_password: Option<String>,
    new_password: String,
}

/// Ends every session but this one, and tells their streams.
async fn end_others(app: &App, session: &Session) -> Result<(), Problem> {
    let now = app.clock.now();
    let rows = session.user.sessions(now, app.config.sessions.idle_ms).await?;
    session.user.end_other_sessions(session.principal.session).await?;
    for other in rows.iter().filter(|row| row.id != session.principal.session) {
        app.live.end_session(other.id);
    }
    Ok(())
}

/// The user's passkeys.
#[utoipa::path(get, path = "/passkeys",
    responses((status = 200, body = Vec<PasskeyEntry>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(session: Session) -> Result<Json<Vec<PasskeyEntry>>, Problem> {
    let rows = session.user.passkeys().await?;
    let entries = rows.into_iter().map(|row| PasskeyEntry {
        id: row.id,
        name: row.name,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    });
    Ok(Json(entries.collect()))
}

/// Begins adding a passkey.
#[utoipa::path(post, path = "/passkeys/begin", request_body = Empty,
    responses((status = 200, body = CeremonyAnswer), (status = 403, body = ProblemDocument)))]
pub(crate) async fn begin(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CeremonyAnswer>, Problem> {
    let existing = session.user.passkeys().await?;
    let email = session.user.me().await?.email;
    let holder = Holder { user: session.principal.user, email: &email, existing: &existing };
    let id = Some(session.principal.session);
    let begun = passkey::begin_registration(&app, CeremonyPurpose::Register, id, holder, ()).await?;
    Ok(Json(begun.into()))
}

/// Adds the passkey that was made.
#[utoipa::path(post, path = "/passkeys/finish", request_body = FinishBody,
    responses((status = 201, body = PasskeyEntry), (status = 403, body = ProblemDocument)))]
pub(crate) async fn finish(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    Json(body): Json<FinishBody>,
) -> Result<(StatusCode, Json<PasskeyEntry>), Problem> {
    let name = passkey_name(body.name)?;
    let id = Some(session.principal.session);
    let purpose = CeremonyPurpose::Register;
    let (_, new) =
        passkey::finish_registration::<()>(&app, purpose, id, &body.ceremony, body.credential, &name).await?;
    session.user.add_passkey(&new).await?;
    end_others(&app, &session).await?;
    let entry = PasskeyEntry { id: new.id, name, created_at: new.now, last_used_at: None };
    Ok((StatusCode::CREATED, Json(entry)))
}

/// Gives a passkey another name.
#[utoipa::path(patch, path = "/passkeys/{id}", params(("id" = String, Path)), request_body = NameBody,
    responses((status = 200, body = PasskeyEntry), (status = 404, body = ProblemDocument)))]
pub(crate) async fn rename(
    Fresh(session): Fresh,
    PathId(id): PathId<kind::Passkey>,
    Json(body): Json<NameBody>,
) -> Result<Json<PasskeyEntry>, Problem> {
    let name = crate::api::documents::label(&body.name, "/name")?;
    session.user.rename_passkey(id, &name).await?;
    let rows = session.user.passkeys().await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or_else(Problem::not_found)?;
    Ok(Json(PasskeyEntry { id, name, created_at: row.created_at, last_used_at: row.last_used_at }))
}

/// Removes a passkey, unless it is the last way to sign in.
#[utoipa::path(delete, path = "/passkeys/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    PathId(id): PathId<kind::Passkey>,
) -> Result<StatusCode, Problem> {
    session.user.remove_passkey(id).await.map_err(|error| match error {
        StoreError::Referenced => {
            let detail = "This passkey is the only way to sign in to this account.";
            Problem::conflict("LAST_SIGN_IN_METHOD", detail)
                .next("Set a password or add another passkey first.")
        }
        other => other.into(),
    })?;
    end_others(&app, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets or changes the password.
#[utoipa::path(post, path = "/password", request_body = NewPassword,
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
pub(crate) async fn password(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    Json(body): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let me = session.user.me().await?;
    if me.has_password {
        let hash = session.user.password_hash().await?;
        let current = body.current_password.unwrap_or_default();
        if app.passwords.check(current, hash).await? == Checked::Wrong {
            let detail = "The current password is wrong.";
            let problem = Problem::new(StatusCode::FORBIDDEN, "REVERIFY_REFUSED", detail);
            return Err(problem.at("/current_password"));
        }
    }
    let beside = if me.passkeys > 0 { rules::Beside::Passkey } else { rules::Beside::Nothing };
    check_password(&body.new_password, &me.email, beside)?;
    let hash = app.passwords.hash(body.new_password).await?;
    session.user.set_password_hash(&hash).await?;
    end_others(&app, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
