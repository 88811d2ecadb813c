//! Signing in and out, confirming who one is, and the list of signed-in devices.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use keyhold_domain::{SessionId, Timestamp};
use keyhold_store::{CeremonyPurpose, SessionMethod, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::password::Checked;
use crate::account::session::{self, Client};
use crate::account::{passkey, rules};
use crate::api::claim::{CeremonyAnswer, FinishBody, check_email, check_password, created, new_user};
use crate::api::me::Me;
use crate::app::{App, Shared};
use crate::config::Registration;
use crate::http::address::ClientAddress;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::{cookie, limits};
use crate::shape;

/// E-mail and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    email: String,
    password: String,
}

/// The password again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    password: String,
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Empty {}

/// How long sensitive acts need no further proof.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reverified {
    #[schema(value_type = i64)]
    reverified_until: Timestamp,
}

/// A signed-in device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEntry {
    #[schema(value_type = String)]
    id: SessionId,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = i64)]
    last_seen_at: Timestamp,
    user_agent: String,
    address: String,
    #[schema(value_type = shape::SessionMethod)]
    method: String,
    current: bool,
}

fn refused() -> Problem {
    let detail = "E-mail or password is wrong.";
    Problem::new(StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED", detail)
}

/// Takes an attempt from the limits of address and account.
fn attempt(app: &App, email: &str, address: &str) -> Result<(), Problem> {
    let now = app.clock.now();
    let account = email.trim().to_lowercase();
    let both = format!("{account} {address}");
    app.limiter.take("address", address, limits::ADDRESS, now)?;
    app.limiter.take("account", &both, limits::ACCOUNT, now)?;
    app.limiter.take("account anywhere", &account, limits::ACCOUNT_ANYWHERE, now)
}

/// Makes an account, if the installation is open.
#[utoipa::path(post, path = "/register", request_body = Credentials,
    responses((status = 201, body = Me), (status = 403, body = ProblemDocument)))]
pub(crate) async fn register(
    State(app): State<Shared>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    if app.config.registration == Registration::Closed {
        let detail = "This installation takes no new accounts.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "REGISTRATION_CLOSED", detail));
    }
    app.limiter.take("register", &address.0, limits::REGISTER, app.clock.now())?;
    let email = check_email(&body.email)?;
    check_password(&body.password, &email, rules::Beside::Nothing)?;
    let hash = app.passwords.hash(body.password).await?;
    let actor =
        app.store.register(&new_user(&app, email, Some(hash))).await.map_err(|error| match error {
            StoreError::Taken => {
                Problem::conflict("EMAIL_TAKEN", "This address cannot be used for a new account.")
                    .at("/email")
            }
            other => other.into(),
        })?;
    crate::api::templates::put_system_templates(&app.store.workspace(&actor), app.clock.now()).await?;
    let client = Client::new(&headers, address);
    Ok(created(session::begin(&app, &actor, SessionMethod::Password, &client).await?))
}

/// Signs in with a password.
#[utoipa::path(post, path = "/session", request_body = Credentials,
    responses((status = 200, body = Me), (status = 401, body = ProblemDocument)))]
pub(crate) async fn sign_in(
    State(app): State<Shared>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Credentials>,
) -> Result<Response, Problem> {
    attempt(&app, &body.email, &address.0)?;
    let found = app.store.sign_in(&body.email).await?;
    let (actor, hash) = found.map_or((None, None), |(actor, hash)| (Some(actor), hash));
    // The same work for unknown addresses and for accounts without a password.
    match (app.passwords.check(body.password, hash).await?, actor) {
        (Checked::Right, Some(actor)) => {
            let client = Client::new(&headers, address);
            session::begin(&app, &actor, SessionMethod::Password, &client).await
        }
        (Checked::Right | Checked::Wrong, _) => Err(refused()),
    }
}

/// Signs out.
#[utoipa::path(delete, path = "/session", responses((status = 204), (status = 401, body = ProblemDocument)))]
pub(crate) async fn sign_out(State(app): State<Shared>, session: Session) -> Result<Response, Problem> {
    session::end(&app, &session.principal).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookie::clear(response.headers_mut());
    Ok(response)
}

/// Begins signing in with a passkey.
#[utoipa::path(post, path = "/session/passkey/begin", request_body = Empty,
    responses((status = 200, body = CeremonyAnswer)))]
pub(crate) async fn passkey_begin(
    State(app): State<Shared>,
    address: ClientAddress,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CeremonyAnswer>, Problem> {
    app.limiter.take("address", &address.0, limits::ADDRESS, app.clock.now())?;
    let begun = passkey::begin_authentication(&app, CeremonyPurpose::SignIn, None).await?;
    Ok(Json(begun.into()))
}

/// Signs in with a passkey.
#[utoipa::path(post, path = "/session/passkey/finish", request_body = FinishBody,
    responses((status = 200, body = Me), (status = 401, body = ProblemDocument)))]
pub(crate) async fn passkey_finish(
    State(app): State<Shared>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<FinishBody>,
) -> Result<Response, Problem> {
    let purpose = CeremonyPurpose::SignIn;
    let actor = passkey::finish_authentication(&app, purpose, None, &body.ceremony, body.credential).await?;
    let client = Client::new(&headers, address);
    session::begin(&app, &actor, SessionMethod::Passkey, &client).await
}

async fn reverified(app: &App, session: &Session) -> Result<Json<Reverified>, Problem> {
    let until = app.clock.now().plus_ms(app.config.sessions.fresh_ms);
    session.user.set_reverified(session.principal.session, until).await?;
    Ok(Json(Reverified { reverified_until: until }))
}

/// Confirms with the password.
#[utoipa::path(post, path = "/session/reverify", request_body = PasswordBody,
    responses((status = 200, body = Reverified), (status = 403, body = ProblemDocument)))]
pub(crate) async fn reverify(
    State(app): State<Shared>,
    address: ClientAddress,
    session: Session,
    Json(body): Json<PasswordBody>,
) -> Result<Json<Reverified>, Problem> {
    attempt(&app, &session.principal.user.to_string(), &address.0)?;
    let hash = session.user.password_hash().await?;
    match app.passwords.check(body.password, hash).await? {
        Checked::Right => reverified(&app, &session).await,
        Checked::Wrong => {
            let detail = "The password is wrong.";
            Err(Problem::new(StatusCode::FORBIDDEN, "REVERIFY_REFUSED", detail).at("/password"))
        }
    }
}

/// Begins confirming with a passkey.
#[utoipa::path(post, path = "/session/reverify/passkey/begin", request_body = Empty,
    responses((status = 200, body = CeremonyAnswer), (status = 401, body = ProblemDocument)))]
pub(crate) async fn reverify_passkey_begin(
    State(app): State<Shared>,
    session: Session,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CeremonyAnswer>, Problem> {
    let id = Some(session.principal.session);
    let begun = passkey::begin_authentication(&app, CeremonyPurpose::Reverify, id).await?;
    Ok(Json(begun.into()))
}

/// Confirms with a passkey of the same user.
#[utoipa::path(post, path = "/session/reverify/passkey/finish", request_body = FinishBody,
    responses((status = 200, body = Reverified), (status = 401, body = ProblemDocument)))]
pub(crate) async fn reverify_passkey_finish(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<FinishBody>,
) -> Result<Json<Reverified>, Problem> {
    let id = Some(session.principal.session);
    let purpose = CeremonyPurpose::Reverify;
    let actor = passkey::finish_authentication(&app, purpose, id, &body.ceremony, body.credential).await?;
    if actor.user() != Some(session.principal.user) {
        let detail = "This passkey belongs to another account.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "REVERIFY_REFUSED", detail));
    }
    reverified(&app, &session).await
}

/// Devices that are signed in.
#[utoipa::path(get, path = "/sessions",
    responses((status = 200, body = Vec<SessionEntry>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    session: Session,
) -> Result<Json<Vec<SessionEntry>>, Problem> {
    let rows = session.user.sessions(app.clock.now(), app.config.sessions.idle_ms).await?;
    let current = session.principal.session;
    let entries = rows.into_iter().map(|row| SessionEntry {
        id: row.id,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        user_agent: row.user_agent,
        address: row.address,
        method: row.method,
        current: row.id == current,
    });
    Ok(Json(entries.collect()))
}

/// Ends a session; its next request is refused and its stream ends at once.
#[utoipa::path(delete, path = "/sessions/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)))]
pub(crate) async fn end(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<keyhold_domain::id::kind::Session>,
) -> Result<Response, Problem> {
    session.user.end_session(id).await?;
    app.live.end_session(id);
    let mut response = StatusCode::NO_CONTENT.into_response();
    if id == session.principal.session {
        cookie::clear(response.headers_mut());
    }
    Ok(response)
}
