//! Ids in paths. What is no id is answered like an unknown one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use keyhold_domain::Id;

use crate::app::App;
use crate::http::problem::Problem;

/// The id in the path `/things/{id}/…`.
pub(crate) struct PathId<Kind>(pub(crate) Id<Kind>);

impl<Kind> FromRequestParts<Arc<App>> for PathId<Kind> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        params
            .iter()
            .find(|(name, _)| *name == "id")
            .and_then(|(_, value)| value.parse().ok())
            .map(Self)
            .ok_or_else(Problem::not_found)
    }
}
