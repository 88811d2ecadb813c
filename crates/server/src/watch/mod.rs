//! What people watch: trades, positions, equity, the dashboard, the activity feed, a bot's decisions, orders, fills,
//! runs and chart, why it does or does not trade, and the stream of live updates. Everything here only reads.
//!
//! To mount: `.merge(crate::watch::routes())` beside the other groups of routes under `/api/v1`. Whoever stores a bot's
//! report calls [`tell::tell`] afterwards, so that the stream sends what the reads give. Bots and commands are in
//! `api::bots`, keys in `api::keys`, reference data in `api::reference`; the ring of events is `crate::live`.
//!
//! Start reading at [`routes`]. What is computed is pure and apart from what is loaded: [`kpis`], [`attention`],
//! [`equity`] for the dashboard, [`chain`] and [`verdicts`] for the reasons.

#![allow(unused_qualifications, reason = "the macro that describes routes writes paths in full")]

pub(crate) mod activity;
pub(crate) mod attention;
#[cfg(test)]
mod attention_test;
pub(crate) mod candles;
pub(crate) mod chain;
#[cfg(test)]
mod chain_test;
#[cfg(test)]
mod codes_test;
pub(crate) mod dashboard;
pub(crate) mod decisions;
pub(crate) mod equity;
pub(crate) mod kpis;
pub(crate) mod positions;
#[cfg(test)]
mod samples;
pub(crate) mod stream;
pub(crate) mod tell;
#[cfg(test)]
mod tell_test;
pub(crate) mod trades;
pub(crate) mod values;
pub(crate) mod verdicts;
pub(crate) mod why;

use std::sync::Arc;

use axum::Extension;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Shared;

/// Every route of this part.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(trades::list))
        .routes(routes!(trades::get))
        .routes(routes!(positions::list))
        .routes(routes!(equity::equity))
        .routes(routes!(dashboard::dashboard))
        .routes(routes!(activity::events))
        .routes(routes!(decisions::decisions))
        .routes(routes!(decisions::orders))
        .routes(routes!(decisions::fills))
        .routes(routes!(decisions::deployments))
        .routes(routes!(decisions::events))
        .routes(routes!(why::why))
        .routes(routes!(candles::candles))
        .routes(routes!(stream::stream))
        .layer(Extension(Arc::new(candles::Kept::default())))
        .layer(Extension(Arc::new(stream::Places::default())))
}
