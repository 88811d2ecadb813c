//! The first minutes of an installation: is it claimed, and claiming it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyhold_store::{CeremonyPurpose, Claim, NewUser, SessionMethod, SetupState, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::account::passkey::{self, Begun, Holder};
use crate::account::session::{self, Client};
use crate::account::{claim as code, rules};
use crate::api::me::Me;
use crate::app::{App, Shared};
use crate::config::Registration;
use crate::http::address::ClientAddress;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::random;
use crate::shape;

/// What anybody may know of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Setup {
    #[schema(value_type = shape::SetupState)]
    state: &'static str,
    #[schema(value_type = shape::RegistrationState)]
    registration: &'static str,
    version: &'static str,
    public_origin: String,
    /// Whether passkeys can work under the public origin.
    passkeys: bool,
}

/// Claiming with a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimBody {
    code: String,
    email: String,
    password: String,
}

/// Claiming with a passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimPasskeyBody {
    code: String,
    email: String,
}

/// A browser's answer that makes a passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishBody {
    pub(crate) ceremony: String,
    #[schema(value_type = serde_json::Value)]
    pub(crate) credential: serde_json::Value,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// What a browser needs to make or use a passkey.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CeremonyAnswer {
    ceremony: String,
    #[schema(value_type = serde_json::Value)]
    options: serde_json::Value,
}

impl From<Begun> for CeremonyAnswer {
    fn from(begun: Begun) -> Self {
        Self { ceremony: begun.ceremony, options: begun.options }
    }
}

#[derive(Serialize, Deserialize)]
struct AboutClaim {
    code_hash: String,
    email: String,
}

/// An address with one `@` and something around it; the proof that it works is a message sent to it.
pub(crate) fn check_email(email: &str) -> Result<String, Problem> {
    let email = email.trim();
    let refused = || Problem::bad_request("INVALID_EMAIL", "This is no e-mail address.").at("/email");
    let (name, host) = email.split_once('@').ok_or_else(refused)?;
    let plain = !name.is_empty()
        && host.len() >= 3
        && host.contains('.')
        && !host.contains('@')
        && email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if plain { Ok(email.to_owned()) } else { Err(refused()) }
}

/// Refuses a weak password with every rule that failed.
pub(crate) fn check_password(password: &str, email: &str, beside: rules::Beside) -> Result<(), Problem> {
    let problems = rules::problems(password, email, beside);
    if problems.is_empty() {
        return Ok(());
    }
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let problem = Problem::new(status, "PASSWORD_WEAK", "The password is too easy to guess.");
    Err(problem.at("/password").with(problems))
}

/// A passkey's name: the user's, or one that says when it is.
pub(crate) fn passkey_name(name: Option<String>) -> Result<String, Problem> {
    let name = name.unwrap_or_else(|| "Passkey".to_owned());
    crate::api::documents::label(&name, "/name")
}

/// Whether the installation is claimed and open.
#[utoipa::path(get, path = "/setup", responses((status = 200, body = Setup)))]
pub(crate) async fn setup(State(app): State<Shared>) -> Result<Json<Setup>, Problem> {
    let state = match app.store.setup_state().await? {
        SetupState::Unclaimed => "unclaimed",
        SetupState::Claimed => "claimed",
    };
    let registration = match app.config.registration {
        Registration::Open => "open",
        Registration::Closed => "closed",
    };
    Ok(Json(Setup {
        state,
        registration,
        version: env!("CARGO_PKG_VERSION"),
        public_origin: app.config.public_origin.clone(),
        passkeys: app.webauthn.is_some(),
    }))
}

/// Takes possession with the one-time code and a password.
#[utoipa::path(post, path = "/claim", request_body = ClaimBody,
    responses((status = 201, body = Me), (status = 403, body = ProblemDocument)))]
pub(crate) async fn claim(
    State(app): State<Shared>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<ClaimBody>,
) -> Result<Response, Problem> {
    let code_hash = code::check(&app, &body.code).await?;
    let email = check_email(&body.email)?;
    check_password(&body.password, &email, rules::Beside::Nothing)?;
    let password_hash = Some(app.passwords.hash(body.password).await?);
    let claim = Claim { code_hash, user: new_user(&app, email, password_hash) };
    let actor = take(&app, &claim).await?;
    let client = Client::new(&headers, address);
    Ok(created(session::begin(&app, &actor, SessionMethod::Password, &client).await?))
}

/// Uses the code up and gives the new workspace its built-in templates.
async fn take(app: &App, claim: &Claim) -> Result<keyhold_store::Actor, Problem> {
    let actor = app.store.claim(claim).await.map_err(|error| match error {
        StoreError::NotFound => code::refused(),
        other => other.into(),
    })?;
    crate::api::templates::put_system_templates(&app.store.workspace(&actor), app.clock.now()).await?;
    tracing::info!("the installation was claimed");
    Ok(actor)
}

pub(crate) fn new_user(app: &App, email: String, password_hash: Option<String>) -> NewUser {
    NewUser { id: random::id(), workspace: random::id(), email, password_hash, now: app.clock.now() }
}

/// The same answer with status 201.
pub(crate) fn created(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// Begins claiming with a passkey.
#[utoipa::path(post, path = "/claim/passkey/begin", request_body = ClaimPasskeyBody,
    responses((status = 200, body = CeremonyAnswer), (status = 403, body = ProblemDocument)))]
pub(crate) async fn passkey_begin(
    State(app): State<Shared>,
    Json(body): Json<ClaimPasskeyBody>,
) -> Result<Json<CeremonyAnswer>, Problem> {
    let code_hash = code::check(&app, &body.code).await?;
    let email = check_email(&body.email)?;
    let holder = Holder { user: random::id(), email: &email, existing: &[] };
    let about = AboutClaim { code_hash, email: email.clone() };
    let begun = passkey::begin_registration(&app, CeremonyPurpose::Claim, None, holder, about).await?;
    Ok(Json(begun.into()))
}

/// Takes possession with the passkey that was made.
#[utoipa::path(post, path = "/claim/passkey/finish", request_body = FinishBody,
    responses((status = 201, body = Me), (status = 403, body = ProblemDocument)))]
pub(crate) async fn passkey_finish(
    State(app): State<Shared>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<FinishBody>,
) -> Result<Response, Problem> {
    let name = passkey_name(body.name)?;
    let purpose = CeremonyPurpose::Claim;
    let (made, passkey) = passkey::finish_registration::<AboutClaim>(
        &app,
        purpose,
        None,
        &body.ceremony,
        body.credential,
        &name,
    )
    .await?;
    let mut user = new_user(&app, made.about.email, None);
    user.id = made.user;
    let actor = take(&app, &Claim { code_hash: made.about.code_hash, user }).await?;
    let store = app.store.user(&actor).ok_or_else(Problem::internal)?;
    store.add_passkey(&passkey).await?;
    let client = Client::new(&headers, address);
    Ok(created(session::begin(&app, &actor, SessionMethod::Passkey, &client).await?))
}
