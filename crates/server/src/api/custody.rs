//! Where a key's secret is: what is stored, who was let at it, and what to do when somebody else may have it.

use axum::extract::State;
use keyhold_domain::id::kind;
use keyhold_domain::{Environment, KeyId, Timestamp};
use keyhold_protocol::keeper::{Leased, RecordState, RecordVersion};
use keyhold_store::{KeyOpening, OpeningPurpose};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::documents::Named;
use crate::api::keys::{self, KeyView};
use crate::api::sessions::Empty;
use crate::app::Shared;
use crate::custody::leaks;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// The custody of one key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustodyView {
    /// The installation's name in every envelope.
    install_id: String,
    record_version: u32,
    /// When the newest version was stored.
    #[schema(value_type = i64)]
    sealed_at: Timestamp,
    /// Length of the stored ciphertext, characters.
    stored_size: u32,
    /// What the keeper itself says; null when it does not answer.
    #[schema(required)]
    keeper: Option<KeeperSays>,
    /// How many processes were let at it so far.
    opened: u64,
    /// The newest of them, newest first; at most 50.
    openings: Vec<OpeningView>,
}

/// The keeper's own words about a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeeperSays {
    /// Of the public key that browsers seal to.
    fingerprint: String,
    /// Whether the newest version can be opened.
    state: KeptState,
    /// Whether a process holds it now.
    in_use: bool,
    /// Versions whose means of opening were destroyed.
    destroyed_versions: usize,
}

/// Whether a key can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeptState {
    /// By a process with a ticket.
    Openable,
    /// By nobody, for ever.
    Destroyed,
}

/// A process that was let at a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpeningView {
    /// The how-manieth, from 1.
    number: u64,
    #[schema(value_type = i64)]
    at: Timestamp,
    record_version: u32,
    purpose: Purpose,
    /// The bot, with its label then; null for a test.
    #[schema(required)]
    bot: Option<Named>,
}

/// What a process was let at a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To trade.
    Run,
    /// To test the connection.
    Test,
}

impl From<KeyOpening> for OpeningView {
    fn from(opening: KeyOpening) -> Self {
        Self {
            number: opening.number,
            at: opening.at,
            record_version: opening.version,
            purpose: match opening.purpose {
                OpeningPurpose::Run => Purpose::Run,
                OpeningPurpose::Test => Purpose::Test,
            },
            bot: opening.bot.map(|(id, label)| Named::new(id, label)),
        }
    }
}

/// What became of a leaked key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeakedView {
    /// The key, as long as a bot needs it for its exits; null when it was destroyed.
    #[schema(required)]
    key: Option<KeyView>,
    /// The page of the exchange where the key is to be deleted as well.
    #[schema(required)]
    exchange_page: Option<String>,
}

/// Where a key's secret is, and who was let at it.
#[utoipa::path(get, path = "/keys/{id}/custody", params(("id" = String, Path)),
    responses((status = 200, body = CustodyView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn custody(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
) -> Result<Json<CustodyView>, Problem> {
    let record = session.workspace.stored_record(id).await?;
    let (opened, openings) = session.workspace.openings(id).await?;
    Ok(Json(CustodyView {
        install_id: app.store.install().id.to_string(),
        record_version: record.version,
        sealed_at: record.sealed_at,
        stored_size: record.size,
        keeper: keeper_says(&app, &session, id).await,
        opened,
        openings: openings.into_iter().map(OpeningView::from).collect(),
    }))
}

async fn keeper_says(app: &Shared, session: &Session, id: KeyId) -> Option<KeeperSays> {
    let asked = async {
        let public = app.keeper.public_key().await?;
        let versions = app.keeper.describe(session.workspace.id(), id).await?;
        Ok::<_, crate::keeper::KeeperError>((public, versions))
    };
    let (public, versions) = match asked.await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(key = %id, error = &error as &dyn std::error::Error, "the keeper said nothing of a key");
            return None;
        }
    };
    let newest: Option<&RecordVersion> = versions.iter().max_by_key(|version| version.version);
    Some(KeeperSays {
        fingerprint: public.fingerprint,
        state: match newest.map(|version| version.state) {
            Some(RecordState::Live) => KeptState::Openable,
            Some(RecordState::Shredded) | None => KeptState::Destroyed,
        },
        in_use: newest.is_some_and(|version| version.leased == Leased::Yes),
        destroyed_versions: versions.iter().filter(|version| version.state == RecordState::Shredded).count(),
    })
}

/// Reports a key as leaked: off at once, destroyed as soon as no bot needs it for its exits. An emergency: no fresh
/// proof of identity is asked for, because it only takes away.
#[utoipa::path(post, path = "/keys/{id}/leaked", params(("id" = String, Path)), request_body = Empty,
    responses((status = 200, body = LeakedView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn leaked(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Key>,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<LeakedView>, Problem> {
    let store = &session.workspace;
    let key = store.key(id).await?;
    let guide = crate::guide::of(key.exchange);
    let exchange_page = match key.environment {
        Environment::Live => Some(guide.guide.pages.revoke.clone()),
        Environment::Testnet => Some(guide.guide.pages.testnet.clone()),
        Environment::Simulated => None,
    };
    let now = app.clock.now();
    leaks::report(&app, store, &key, now).await?;
    // What cannot be destroyed at once, because a test holds it or the keeper is away, the supervisor tries again.
    leaks::sweep(&app, now).await?;
    let left = match store.key(id).await {
        Ok(key) => {
            let view = keys::view(&app, key);
            app.live.publish(store.id(), "key", &view);
            Some(view)
        }
        Err(keyhold_store::StoreError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(LeakedView { key: left, exchange_page }))
}
