//! Exchange keys: sealed in the browser, kept as ciphertext, shown as a hint.
//!
//! No answer carries an envelope, and no request a secret. The order of every change is: keeper first when something
//! is destroyed, store first when something is refused.

use axum::extract::State;
use axum::http::StatusCode;
use keyhold_domain::id::kind;
use keyhold_domain::{
    ContractType, Environment, Exchange, InstallId, KeyId, Site, Symbol, Timestamp, WorkspaceId,
};
use keyhold_seal::{Context, Envelope, KeyFingerprint, SealedDataKey};
use keyhold_store::{ApiKey, KeyIntent, NewApiKey, PutKeyRefusal, Verification, VerificationState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::documents::{Named, label};
use crate::api::reference::{check_offered, check_site};
use crate::app::{App, Shared};
use crate::custody::health::{Health, health};
use crate::custody::leaks;
use crate::guide::advice::{Advice, advice};
use crate::http::auth::{Fresh, Session};
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::limits;
use crate::http::problem::{Problem, ProblemDocument};
use crate::random;
use crate::shape;

/// How long a permission to store a key lasts.
const INTENT_MS: i64 = 10 * 60 * 1000;
/// Instruments of one key at most: their number is part of client order ids.
const MAX_INSTRUMENTS: usize = 50;

/// A key without anything secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    #[schema(value_type = String)]
    id: KeyId,
    label: String,
    #[schema(value_type = shape::Exchange)]
    exchange: Exchange,
    /// Always `perpetual`.
    market_type: &'static str,
    #[schema(value_type = shape::Environment)]
    environment: Environment,
    #[schema(value_type = shape::ContractType)]
    contract_type: ContractType,
    /// Where its account was opened.
    #[schema(value_type = shape::Site)]
    site: Site,
    /// First and last characters.
    hint: String,
    /// Eight hexadecimal digits that tell keys with the same hint apart.
    fingerprint_tag: String,
    active: bool,
    #[schema(required)]
    assigned_bot: Option<Named>,
    #[schema(value_type = Vec<String>)]
    instruments: Vec<Symbol>,
    #[schema(value_type = shape::Verification)]
    verification: Verification,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    record_version: u32,
    /// When it was reported as leaked: it stays off, and is destroyed when its bot lets go of it.
    #[schema(value_type = Option<i64>, required)]
    leaked_at: Option<Timestamp>,
    /// Null before the first test.
    #[schema(required)]
    health: Option<Health>,
    egress_addresses: Vec<String>,
    /// What to do about the newest test, in the words of the key's exchange.
    advice: Vec<Advice>,
}

/// Builds the view.
pub(crate) fn view(app: &App, key: ApiKey) -> KeyView {
    let tag = KeyFingerprint::parse(&key.fingerprint)
        .map(|fingerprint| random::hex(&fingerprint.as_bytes()[..4]))
        .unwrap_or_default();
    KeyView {
        health: health(&key, app.clock.now()),
        leaked_at: key.leaked_at,
        id: key.id,
        label: key.label,
        exchange: key.exchange,
        market_type: "perpetual",
        environment: key.environment,
        contract_type: key.contract_type,
        site: key.site,
        hint: key.hint,
        fingerprint_tag: tag,
        active: key.active,
        assigned_bot: key.bot.map(|(id, label)| Named::new(id, label)),
        instruments: key.instruments,
        advice: advice(key.exchange, key.environment, &key.verification),
        verification: key.verification,
        created_at: key.created_at,
        record_version: key.version,
        egress_addresses: app.config.egress_addresses.clone(),
    }
}

/// What a key is for; fixed when it is made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntentBody {
    #[schema(value_type = shape::Exchange)]
    exchange: Exchange,
    #[schema(value_type = shape::Environment)]
    environment: Environment,
    #[schema(value_type = shape::ContractType)]
    contract_type: ContractType,
    /// Where its account was opened: one of the exchange's `hosts`. Null means the site for everybody, and with
    /// `replaces` that of the stored key.
    #[serde(default)]
    site: Option<String>,
    /// The key whose credential is to be replaced.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    replaces: Option<KeyId>,
}

/// Everything needed to seal a credential for this installation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntentView {
    #[schema(value_type = String)]
    key_id: KeyId,
    record_version: u32,
    #[schema(value_type = String)]
    install_id: InstallId,
    #[schema(value_type = String)]
    workspace_id: WorkspaceId,
    keeper: KeeperView,
    /// Key of the fingerprint, base64url.
    fingerprint_key: String,
    egress_addresses: Vec<String>,
    #[schema(value_type = i64)]
    expires_at: Timestamp,
}

/// The key to seal to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeeperView {
    key_id: String,
    public_key: String,
    /// The id for people to compare with the one the keeper printed.
    fingerprint: String,
}

/// A sealed credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedBody {
    label: String,
    #[schema(value_type = String)]
    envelope: Envelope,
    #[schema(value_type = String)]
    sealed_data_key: SealedDataKey,
    hint: String,
    #[schema(value_type = String)]
    fingerprint: KeyFingerprint,
}

/// What is to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyChange {
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    active: Option<bool>,
}

/// Instruments in the order wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SymbolsBody {
    #[schema(value_type = Vec<String>)]
    symbols: Vec<Symbol>,
}

async fn answer(app: &App, session: &Session, id: KeyId) -> Result<Json<KeyView>, Problem> {
    let view = view(app, session.workspace.key(id).await?);
    app.live.publish(session.workspace.id(), "key", &view);
    Ok(Json(view))
}

/// All keys.
#[utoipa::path(get, path = "/keys",
    responses((status = 200, body = Vec<KeyView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(State(app): State<Shared>, session: Session) -> Result<Json<Vec<KeyView>>, Problem> {
    let keys = session.workspace.keys().await?;
    Ok(Json(keys.into_iter().map(|key| view(&app, key)).collect()))
}

/// One key.
#[utoipa::path(get, path = "/keys/{id}", params(("id" = String, Path)),
    responses((status = 200, body = KeyView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
) -> Result<Json<KeyView>, Problem> {
    Ok(Json(view(&app, session.workspace.key(id).await?)))
}

/// Permission to store one sealed key, with what is needed to seal it.
#[utoipa::path(post, path = "/keys/intents", request_body = IntentBody,
    responses((status = 200, body = IntentView), (status = 403, body = ProblemDocument)))]
pub(crate) async fn intent(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    Json(body): Json<IntentBody>,
) -> Result<Json<IntentView>, Problem> {
    check_offered(&app, body.exchange, body.environment, body.contract_type)?;
    let site = check_site(body.exchange, body.environment, body.site.as_deref())?;
    let (key, site, version) = match body.replaces {
        None => (random::id(), site.unwrap_or(Site::Global), 1),
        Some(id) => {
            let stored = session.workspace.key(id).await?;
            let same = (stored.exchange, stored.environment, stored.contract_type)
                == (body.exchange, body.environment, body.contract_type);
            if !same || site.is_some_and(|site| site != stored.site) {
                let detail = "A replacement is for the same exchange, site, environment and contract type.";
                return Err(Problem::conflict("KEY_FIXED", detail).next("Add a new key instead."));
            }
            (id, stored.site, stored.version + 1)
        }
    };
    let now = app.clock.now();
    let intent = KeyIntent {
        key,
        exchange: body.exchange,
        environment: body.environment,
        contract_type: body.contract_type,
        site,
        version,
        expires_at: now.plus_ms(INTENT_MS),
    };
    let keeper = app.keeper.public_key().await?;
    session.workspace.add_intent(&intent, now).await?;
    let install = app.store.install();
    Ok(Json(IntentView {
        key_id: key,
        record_version: version,
        install_id: install.id,
        workspace_id: session.workspace.id(),
        keeper: KeeperView {
            key_id: keeper.key_id.to_text(),
            public_key: keeper.public_key.to_text(),
            fingerprint: keeper.fingerprint,
        },
        fingerprint_key: install.fingerprint_key.clone(),
        egress_addresses: app.config.egress_addresses.clone(),
        expires_at: intent.expires_at,
    }))
}

/// A hint shows at most four characters at each end.
fn check_hint(hint: &str) -> Result<(), Problem> {
    let parts: Vec<&str> = hint.split('…').collect();
    let short = |part: &&str| part.chars().count() <= 4 && part.bytes().all(|b| b.is_ascii_graphic());
    if parts.len() == 2 && parts.iter().all(short) {
        return Ok(());
    }
    let detail = "A hint is at most four characters, an ellipsis and at most four characters.";
    Err(Problem::bad_request("INVALID_HINT", detail).at("/hint"))
}

/// Stores a sealed key: has the keeper take over the data key, keeps envelope and wrapped data key, and begins a
/// connection test.
#[utoipa::path(put, path = "/keys/{id}", params(("id" = String, Path)), request_body = SealedBody,
    responses((status = 201, body = KeyView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn put(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    PathId(id): PathId<kind::Key>,
    Json(body): Json<SealedBody>,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    let label = label(&body.label, "/label")?;
    check_hint(&body.hint)?;
    let turn = app.key_changes.lock().await;
    let now = app.clock.now();
    let store = &session.workspace;
    let intent = store.intent(id, now).await?;
    let context = Context {
        install: app.store.install().id,
        workspace: store.id(),
        key: id,
        version: intent.version,
        exchange: intent.exchange,
        environment: intent.environment,
        contract: intent.contract_type,
    };
    if *body.envelope.context() != context {
        let detail = "The envelope was sealed for something else.";
        return Err(Problem::bad_request("ENVELOPE_CONTEXT", detail).at("/envelope"));
    }
    let duplicate =
        || Problem::conflict("KEY_DUPLICATE", "This API key is stored already.").next("Use that one.");
    let fingerprint = body.fingerprint.to_text();
    if store.is_duplicate(intent.exchange, intent.environment, &fingerprint, id).await? {
        return Err(duplicate());
    }
    let wrapped = app.keeper.import(context, body.sealed_data_key).await?;
    let version = intent.version;
    let new = NewApiKey {
        intent,
        label,
        hint: body.hint,
        fingerprint,
        envelope: body.envelope.to_text(),
        wrapped_data_key: wrapped.to_text(),
        now,
    };
    if let Err(refusal) = store.put_key(&new).await {
        // Nothing refers to what the keeper just took over.
        app.keeper.shred(store.id(), id, Some(version)).await?;
        return Err(match refusal {
            PutKeyRefusal::Duplicate => duplicate(),
            PutKeyRefusal::NoIntent => Problem::not_found(),
            PutKeyRefusal::Store(error) => error.into(),
        });
    }
    if version > 1 {
        app.keeper.shred(store.id(), id, Some(version - 1)).await?;
        if let Err(error) = app.store.empty_log().await {
            // The old ciphertext opens nowhere any more; the log is emptied with the next change.
            tracing::warn!(key = %id, error = &error as &dyn std::error::Error, "old bytes stay in the log");
        }
    }
    drop(turn);
    app.uplinks.changed(store.id());
    if let Err(problem) = app.supervisor.begin_test(&app, store, id).await {
        // The key is stored; its owner can have it tested again.
        tracing::warn!(key = %id, code = problem.code, "the connection test could not begin");
    }
    answer(&app, &session, id).await.map(|view| (StatusCode::CREATED, view))
}

/// Tests the connection and waits for the result.
#[utoipa::path(post, path = "/keys/{id}/test", params(("id" = String, Path)),
    responses((status = 200, body = KeyView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn test(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
) -> Result<Json<KeyView>, Problem> {
    session.workspace.key(id).await?;
    let workspace = session.workspace.id().to_string();
    app.limiter.take("key test", &workspace, limits::KEY_TEST, app.clock.now())?;
    let running = app.supervisor.begin_test(&app, &session.workspace, id).await?;
    running.wait().await;
    answer(&app, &session, id).await
}

/// Renames a key or switches it on or off.
#[utoipa::path(patch, path = "/keys/{id}", params(("id" = String, Path)), request_body = KeyChange,
    responses((status = 200, body = KeyView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn change(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
    Json(body): Json<KeyChange>,
) -> Result<Json<KeyView>, Problem> {
    let store = &session.workspace;
    let key = store.key(id).await?;
    let label = body.label.map(|text| label(&text, "/label")).transpose()?;
    match body.active {
        Some(true) => {
            check_may_be_active(&key)?;
            store.activate_key(id).await?;
        }
        Some(false) => store.deactivate_key(id).await?,
        None => {}
    }
    if let Some(label) = label {
        store.rename_key(id, &label).await?;
    }
    app.uplinks.changed(store.id());
    answer(&app, &session, id).await
}

/// A key is switched on only after a good test, and never when it has leaked or is known to be able to withdraw.
fn check_may_be_active(key: &ApiKey) -> Result<(), Problem> {
    if key.leaked_at.is_some() {
        return Err(Problem::conflict("KEY_LEAKED", "This key was reported as leaked.")
            .next("Make a new key at the exchange, and replace this one by it."));
    }
    let withdraw = key.verification.facts.as_ref().map(|facts| facts.withdraw);
    if withdraw == Some(keyhold_domain::Known::Yes) {
        let detail = "This key may withdraw. Keyhold does not use such keys.";
        return Err(Problem::conflict("KEY_WITHDRAWAL_ENABLED", detail)
            .next("Make a key without withdrawal rights at the exchange and replace this one."));
    }
    if key.verification.state == VerificationState::Ok {
        return Ok(());
    }
    let detail = "The key's connection test has not succeeded.";
    Err(Problem::conflict("KEY_NOT_VERIFIED", detail).next("Test the connection and follow what it says."))
}

/// Sets the instruments a key is used for.
#[utoipa::path(put, path = "/keys/{id}/instruments", params(("id" = String, Path)), request_body = SymbolsBody,
    responses((status = 200, body = KeyView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn instruments(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
    Json(body): Json<SymbolsBody>,
) -> Result<Json<KeyView>, Problem> {
    let store = &session.workspace;
    let key = store.key(id).await?;
    let mut symbols = body.symbols;
    symbols.dedup();
    let unique: std::collections::BTreeSet<Symbol> = symbols.iter().copied().collect();
    if unique.len() != symbols.len() || symbols.len() > MAX_INSTRUMENTS {
        let detail = format!("Up to {MAX_INSTRUMENTS} different instruments can be assigned.");
        return Err(Problem::bad_request("INVALID_FIELD", detail).at("/symbols"));
    }
    if let Some((bot, _)) = &key.bot
        && key.instruments != symbols
    {
        // Places in the list are part of client order ids, so a list in use only grows while a position is open.
        let grows = symbols.starts_with(&key.instruments);
        if !grows && !store.open_symbols(*bot).await?.is_empty() {
            let detail = "The bot has an open position.";
            return Err(Problem::conflict("KEY_LOCKED_BY_POSITION", detail).next("Close it first."));
        }
    }
    let fits = crate::venues::check_symbols(&app, &key, &symbols).await?;
    if let Some((place, symbol)) = fits {
        let detail = format!("{symbol} is no {} contract of this exchange.", key.contract_type);
        return Err(Problem::conflict("KEY_CONTRACT_MISMATCH", detail).at(format!("/symbols/{place}")));
    }
    store.set_key_instruments(id, &symbols).await?;
    app.uplinks.changed(store.id());
    answer(&app, &session, id).await
}

/// Deletes a key at once and for good.
#[utoipa::path(delete, path = "/keys/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    PathId(id): PathId<kind::Key>,
) -> Result<StatusCode, Problem> {
    leaks::destroy(&app, &session.workspace, id, leaks::Reason::Deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}
