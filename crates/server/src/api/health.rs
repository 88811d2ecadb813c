//! For supervisors and load balancers.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::Shared;

/// The process answers.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// It can work: database and keeper answer.
pub(crate) async fn ready(State(app): State<Shared>) -> (StatusCode, &'static str) {
    if app.store.ping().await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n");
    }
    match app.keeper.status().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the keeper does not answer\n"),
    }
}
