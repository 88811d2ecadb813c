//! Passkeys: discoverable, with user verification, checked by webauthn-rs.
//!
//! An exchange in progress lies in the store and is taken out when it is finished, whatever the outcome, so that an
//! answer cannot be replayed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhold_domain::{SessionId, UserId};
use keyhold_store::{Actor, Ceremony, CeremonyPurpose, NewPasskey, PasskeyRow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use crate::app::App;
use crate::http::problem::Problem;
use crate::random;

/// How long an exchange may take.
const CEREMONY_MS: i64 = 5 * 60 * 1000;
/// Passkeys of one account at most.
pub(crate) const MAX_PASSKEYS: usize = 20;

/// The checker for one public origin. `None` where passkeys cannot work: on a bare address or without TLS.
pub(crate) fn checker(public_origin: &str) -> Option<Webauthn> {
    let origin = Url::parse(public_origin).ok()?;
    let host = origin.domain()?.to_owned();
    if origin.scheme() != "https" && host != "localhost" {
        return None;
    }
    WebauthnBuilder::new(&host, &origin).ok()?.rp_name("Keyhold").build().ok()
}

/// What was begun: its id and the options for the browser.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    pub(crate) ceremony: String,
    pub(crate) options: serde_json::Value,
}

/// State of a registration, with what it is for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Registering<T> {
    pub(crate) about: T,
    pub(crate) user: UserId,
    state: PasskeyRegistration,
}

fn webauthn(app: &App) -> Result<&Webauthn, Problem> {
    app.webauthn.as_ref().ok_or_else(|| {
        let detail = "Passkeys need a host name and HTTPS (or http://localhost).";
        Problem::conflict("PASSKEYS_UNAVAILABLE", detail).next("Set the public address of the installation.")
    })
}

fn refused() -> Problem {
    let status = axum::http::StatusCode::UNAUTHORIZED;
    Problem::new(status, "PASSKEY_REFUSED", "The passkey's answer was not accepted.")
}

fn text<T: Serialize>(value: &T) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|_own_type| Problem::internal())
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|_own_type| Problem::internal())
}

/// A credential from a browser. The library's error text may quote it and is dropped.
fn credential<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|_quotes_input| {
        Problem::bad_request("INVALID_FIELD", "This is no WebAuthn credential.").at("/credential")
    })
}

async fn remember(
    app: &App,
    purpose: CeremonyPurpose,
    session: Option<SessionId>,
    state: String,
    options: serde_json::Value,
) -> Result<Begun, Problem> {
    let now = app.clock.now();
    let id = random::token();
    let ceremony = Ceremony { id: id.clone(), purpose, session, state, expires_at: now.plus_ms(CEREMONY_MS) };
    app.store
        .add_ceremony(&ceremony, now)
        .await
        .map_err(|_full| Problem::unavailable("BUSY", "Too many sign-ins are under way."))?;
    Ok(Begun { ceremony: id, options })
}

/// For whom a passkey is made.
pub(crate) struct Holder<'a> {
    pub(crate) user: UserId,
    pub(crate) email: &'a str,
    pub(crate) existing: &'a [PasskeyRow],
}

/// Begins making a passkey.
pub(crate) async fn begin_registration<T: Serialize>(
    app: &App,
    purpose: CeremonyPurpose,
    session: Option<SessionId>,
    holder: Holder<'_>,
    about: T,
) -> Result<Begun, Problem> {
    if holder.existing.len() >= MAX_PASSKEYS {
        let detail = format!("An account can have {MAX_PASSKEYS} passkeys.");
        return Err(Problem::conflict("TOO_MANY_PASSKEYS", detail));
    }
    let known =
        holder.existing.iter().map(|row| read::<Passkey>(&row.document).map(|key| key.cred_id().clone()));
    let known = known.collect::<Result<Vec<_>, _>>()?;
    let id = Uuid::from_bytes(holder.user.to_bytes());
    let (challenge, state) = webauthn(app)?
        .start_passkey_registration(id, holder.email, holder.email, Some(known))
        .map_err(|_| Problem::internal())?;
    let mut options = serde_json::to_value(&challenge.public_key).map_err(|_| Problem::internal())?;
    // The library asks for "discouraged"; signing in without typing a name needs a discoverable credential.
    options["authenticatorSelection"]["residentKey"] = "required".into();
    options["authenticatorSelection"]["requireResidentKey"] = true.into();
    let state = text(&Registering { about, user: holder.user, state })?;
    remember(app, purpose, session, state, options).await
}

/// Ends making a passkey: checks the answer and gives what is to be stored.
pub(crate) async fn finish_registration<T: DeserializeOwned>(
    app: &App,
    purpose: CeremonyPurpose,
    session: Option<SessionId>,
    ceremony: &str,
    answer: serde_json::Value,
    name: &str,
) -> Result<(Registering<T>, NewPasskey), Problem> {
    let now = app.clock.now();
    let state = app.store.take_ceremony(ceremony, purpose, session, now).await.map_err(|_| refused())?;
    let registering: Registering<T> = read(&state)?;
    let answer: RegisterPublicKeyCredential = credential(answer)?;
    let passkey =
        webauthn(app)?.finish_passkey_registration(&answer, &registering.state).map_err(|_| refused())?;
    let new = NewPasskey {
        id: random::id(),
        credential_id: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
        name: name.to_owned(),
        document: text(&passkey)?,
        now,
    };
    Ok((registering, new))
}

/// Begins signing in or confirming: the browser offers whatever passkeys it has for us.
pub(crate) async fn begin_authentication(
    app: &App,
    purpose: CeremonyPurpose,
    session: Option<SessionId>,
) -> Result<Begun, Problem> {
    let (challenge, state) =
        webauthn(app)?.start_discoverable_authentication().map_err(|_| Problem::internal())?;
    let options = serde_json::to_value(&challenge.public_key).map_err(|_| Problem::internal())?;
    remember(app, purpose, session, text(&state)?, options).await
}

/// Ends signing in or confirming: who it is.
pub(crate) async fn finish_authentication(
    app: &App,
    purpose: CeremonyPurpose,
    session: Option<SessionId>,
    ceremony: &str,
    answer: serde_json::Value,
) -> Result<Actor, Problem> {
    let now = app.clock.now();
    let state = app.store.take_ceremony(ceremony, purpose, session, now).await.map_err(|_| refused())?;
    let state: DiscoverableAuthentication = read(&state)?;
    let answer: PublicKeyCredential = credential(answer)?;
    let checker = webauthn(app)?;
    let (holder, id) = checker.identify_discoverable_authentication(&answer).map_err(|_| refused())?;
    let id = URL_SAFE_NO_PAD.encode(id);
    let (row, actor) = app.store.passkey_by_credential(&id).await.map_err(|_| refused())?;
    let mut passkey: Passkey = read(&row.document)?;
    let key = DiscoverableKey::from(&passkey);
    let result =
        checker.finish_discoverable_authentication_v2(&answer, state, &key).map_err(|_| refused())?;
    if holder.into_bytes() != row.user.to_bytes() || !result.user_verified() {
        return Err(refused());
    }
    passkey.update_credential(&result);
    let user = app.store.user(&actor).ok_or_else(refused)?;
    user.use_passkey(row.id, &text(&passkey)?, now).await?;
    Ok(actor)
}
