//! The HTTP API, one file per resource. Every route is registered here and described by its handler.
//!
//! Handlers translate: request to store call, row to answer. They decide nothing that another program must hold to.

#![allow(unused_qualifications, reason = "the macro that describes routes writes paths in full")]

pub(crate) mod backtest_compare;
pub(crate) mod backtest_view;
pub(crate) mod backtests;
pub(crate) mod bot_view;
pub(crate) mod bots;
pub(crate) mod candle_view;
pub(crate) mod candles;
pub(crate) mod claim;
pub(crate) mod closing;
pub(crate) mod commands;
pub(crate) mod custody;
pub(crate) mod documents;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod passkeys;
pub(crate) mod protections;
pub(crate) mod reference;
pub(crate) mod sessions;
pub(crate) mod templates;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Shared;
use crate::http::problem::Problem;
use crate::http::{assets, edge};

/// The prefix of every route of the API.
pub const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(info(
    title = "Keyhold",
    description = "Amounts are decimal text, times are integer milliseconds UTC, ids are 32 hexadecimal digits. \
        Requests that change something carry JSON and come from the same origin. Refusals are problem documents."
))]
struct Base;

fn accounts() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(claim::setup))
        .routes(routes!(claim::claim))
        .routes(routes!(claim::passkey_begin))
        .routes(routes!(claim::passkey_finish))
        .routes(routes!(me::get_me))
        .routes(routes!(closing::close))
        .routes(routes!(sessions::register))
        .routes(routes!(sessions::sign_in, sessions::sign_out))
        .routes(routes!(sessions::passkey_begin))
        .routes(routes!(sessions::passkey_finish))
        .routes(routes!(sessions::reverify))
        .routes(routes!(sessions::reverify_passkey_begin))
        .routes(routes!(sessions::reverify_passkey_finish))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(passkeys::list))
        .routes(routes!(passkeys::begin))
        .routes(routes!(passkeys::finish))
        .routes(routes!(passkeys::rename, passkeys::remove))
        .routes(routes!(passkeys::password))
}

fn keys_and_templates() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(reference::exchanges))
        .routes(routes!(reference::catalog))
        .routes(routes!(reference::instruments))
        .routes(routes!(protections::protections))
        .routes(routes!(keys::list))
        .routes(routes!(keys::intent))
        .routes(routes!(keys::get, keys::put, keys::change, keys::delete))
        .routes(routes!(keys::test))
        .routes(routes!(keys::instruments))
        .routes(routes!(custody::custody))
        .routes(routes!(custody::leaked))
        .routes(routes!(templates::list, templates::create))
        .routes(routes!(templates::check))
        .routes(routes!(templates::get, templates::save, templates::delete))
}

fn bots() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(bots::list, bots::create))
        .routes(routes!(bots::get, bots::change, bots::delete))
        .routes(routes!(commands::pause))
        .routes(routes!(commands::resume))
        .routes(routes!(commands::flatten))
        .routes(routes!(commands::stop))
        .routes(routes!(commands::deploy))
        .routes(routes!(commands::list))
}

fn laboratory() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(candles::list))
        .routes(routes!(candles::fetches, candles::fetch))
        .routes(routes!(candles::get_fetch, candles::delete_fetch))
        .routes(routes!(candles::cancel_fetch))
        .routes(routes!(backtests::list, backtests::create))
        .routes(routes!(backtests::check))
        .routes(routes!(backtest_compare::compare))
        .routes(routes!(backtests::get, backtests::delete))
        .routes(routes!(backtests::cancel))
        .routes(routes!(backtests::result))
        .routes(routes!(backtests::trades))
        .routes(routes!(backtests::export))
}

fn described() -> (Router<Shared>, Document) {
    let all = OpenApiRouter::new()
        .merge(accounts())
        .merge(keys_and_templates())
        .merge(bots())
        .merge(laboratory())
        .merge(crate::watch::routes());
    OpenApiRouter::with_openapi(Base::openapi()).nest(PREFIX, all).split_for_parts()
}

/// The description of every route.
pub fn document() -> Document {
    described().1
}

/// The whole service.
pub(crate) fn router(app: Shared) -> Router {
    let (api, document) = described();
    let text: Arc<str> = document.to_json().unwrap_or_default().into();
    let description = move || {
        let text = Arc::clone(&text);
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], text.to_string()) }
    };
    let other = || async {
        let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
        Problem::new(status, "METHOD_NOT_ALLOWED", "This address knows other methods.").into_response()
    };
    Router::new()
        .merge(api)
        .route("/api/openapi.json", get(description))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(assets::serve)
        .method_not_allowed_fallback(other)
        .layer(from_fn_with_state(Arc::clone(&app), edge::edge))
        .with_state(app)
}
