//! Why a bot does or does not trade. Loads what the chain is computed from; the chain itself is [`super::chain`].

use axum::extract::State;
use keyhold_domain::id::kind;
use keyhold_domain::time::DAY_MS;
use keyhold_store::PageRequest;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

use super::chain::{Facts, WhyStep, chain};
use crate::api::bot_view::status_of;
use crate::api::documents::query_value;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;

/// Which market.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct WhyQuery {
    /// The market of the newest decision when absent, else the key's first.
    symbol: Option<String>,
}

/// Every condition for an entry in the order in which they are looked at, complete even behind the first that blocks.
#[utoipa::path(get, path = "/bots/{id}/why", params(("id" = String, Path), WhyQuery),
    responses((status = 200, body = Vec<WhyStep>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn why(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<WhyQuery>,
) -> Result<Json<Vec<WhyStep>>, Problem> {
    let store = &session.workspace;
    let bot = store.bot(id).await?;
    let now = app.clock.now();
    let key = match &bot.key {
        Some(key) => Some(store.key(key.id).await?),
        None => None,
    };
    let template = match &bot.template {
        Some((template, _, _)) => Some(store.template(*template).await?.document),
        None => None,
    };
    let asked = query_value(query.symbol.as_deref(), "?symbol")?;
    let newest = store.decisions(id, asked, &PageRequest::new(1, None)).await?.into_iter().next();
    let newest = newest.map(|row| row.report);
    let first = key.as_ref().and_then(|key| key.instruments.first().copied());
    let symbol = asked.or(newest.as_ref().map(|report| report.symbol)).or(first);
    let counts = match symbol {
        Some(symbol) => store.headline_counts(id, symbol, now.plus_ms(-DAY_MS)).await?,
        None => BTreeMap::new(),
    };
    Ok(Json(chain(&Facts {
        bot: &bot,
        status: status_of(&app, &bot, now),
        key: key.as_ref(),
        template: template.as_ref(),
        symbol,
        newest: newest.as_ref(),
        counts: &counts,
        now,
    })))
}
