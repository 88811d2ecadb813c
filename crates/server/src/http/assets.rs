//! The dashboard's files, embedded when it was built before the server was.
//!
//! File names with a hash never change and are kept for ever; `index.html` is asked for each time. A path that is no
//! file is the page itself, which has its own router.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;

#[derive(rust_embed::Embed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dashboard;

/// Shown when the dashboard was not built. Plain: the content security policy allows no inline style.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Keyhold</title>\
    <h1>Keyhold is running</h1><p>The dashboard was not built into this program. Run <code>npm ci</code> and \
    <code>npm run build</code> in <code>web/</code>, then build again. The API is under <code>/api/v1</code>.</p></html>";

/// Answers everything that is no API route.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return Problem::not_found().into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "Only reading is possible here.";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail).into_response();
    }
    let name = path.trim_start_matches('/');
    match Dashboard::get(name).filter(|_| !name.is_empty()) {
        Some(file) => answer(name, file.data.into_owned()),
        // A missing script must not be answered with a page: a file has a suffix, a route has none.
        None if name.rsplit('/').next().is_some_and(|last| last.contains('.')) => {
            Problem::not_found().into_response()
        }
        None => match Dashboard::get("index.html") {
            Some(page) => answer("index.html", page.data.into_owned()),
            None => answer("index.html", PLACEHOLDER.as_bytes().to_vec()),
        },
    }
}

fn answer(name: &str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let cache = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// The build puts a hash into the names of everything under `assets/`.
fn is_hashed(name: &str) -> bool {
    name.starts_with("assets/")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
