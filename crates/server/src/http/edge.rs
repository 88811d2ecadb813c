//! The outermost layer around every route.
//!
//! Refuses to know bodies: what is logged is method, route template, status, duration and ids, nothing a user typed.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::{forgery, headers};
use crate::random;

/// Wraps a request from first check to last header.
pub(crate) async fn edge(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = random::hex(&random::bytes::<8>());
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/api/");
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());

    let response = match forgery::check(&request, &app.config.public_origin) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = render_problem(response, &id);
    headers::add(
        response.headers_mut(),
        &app.config,
        if is_api { headers::For::Api } else { headers::For::Page },
    );
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let status = response.status().as_u16();
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::error!(%method, route, status, elapsed_ms, request = id, "a request failed");
    } else {
        tracing::debug!(%method, route, status, elapsed_ms, request = id, "a request was answered");
    }
    response
}

/// Writes the document of a problem a handler returned.
fn render_problem(mut response: Response, id: &str) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let retry_after = problem.retry_after_s;
    let document = problem.document(id.to_owned());
    let body = serde_json::to_vec(&document).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
