//! What protects this installation on this machine: the findings of `keyhold doctor`, for everybody who has a key here.

use axum::extract::State;
use keyhold_domain::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::doctor::{Finding, examine};
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// Looking starts a process that tries to break out of a bot's walls; it is not done for every reader.
const FRESH_MS: i64 = 5 * 60 * 1000;

/// The newest look.
#[derive(Debug, Default)]
pub(crate) struct Look(Mutex<Option<ProtectionsView>>);

/// Every protection as it was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProtectionsView {
    /// When; it is looked again after five minutes.
    #[schema(value_type = i64)]
    looked_at: Timestamp,
    /// Version of the server that looked.
    version: &'static str,
    findings: Vec<Finding>,
}

/// Which protections are in force on the machine of this server, which are degraded or absent, and what that means. The
/// walls are tried, not assumed.
#[utoipa::path(get, path = "/protections",
    responses((status = 200, body = ProtectionsView), (status = 401, body = ProblemDocument)))]
pub(crate) async fn protections(
    State(app): State<Shared>,
    _session: Session,
) -> Result<Json<ProtectionsView>, Problem> {
    // Held while it is looked, so that many readers start one look.
    let mut newest = app.look.0.lock().await;
    let now = app.clock.now();
    if let Some(view) = newest.as_ref().filter(|view| now.since_ms(view.looked_at) < FRESH_MS) {
        return Ok(Json(view.clone()));
    }
    let findings = examine(&app.config).await;
    let view = ProtectionsView { looked_at: now, version: env!("CARGO_PKG_VERSION"), findings };
    Ok(Json(newest.insert(view).clone()))
}
