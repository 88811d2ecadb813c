//! Reads JSON bodies. A body that does not fit is answered with a code and the place, never with its content.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyhold_protocol::frame::{FrameError, MalformedCode, parse_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::plaintext;
use crate::http::problem::Problem;

/// Largest body: templates with many components are the largest documents.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// How long a client may take to send it.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// A JSON body, in or out.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &Arc<App>) -> Result<Self, Problem> {
        let too_large = || {
            let detail = "The request is larger than 256 KiB or broke off.";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail)
        };
        let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "The body took too long.");
        let reading = to_bytes(request.into_body(), MAX_BODY_BYTES);
        let body = tokio::time::timeout(READ_LIMIT, reading)
            .await
            .map_err(|_elapsed| late())?
            .map_err(|_may_quote| too_large())?;
        let any: serde_json::Value = parse_json(&body).map_err(malformed)?;
        if plaintext::is_present(&any) {
            let detail = "The request carries a credential in clear. It was not read, stored or logged.";
            return Err(Problem::bad_request("PLAINTEXT_SECRET_REFUSED", detail).next(
                "Seal it first: use the dashboard or the command line. Replace a secret that was sent.",
            ));
        }
        parse_json(&body).map(Self).map_err(malformed)
    }
}

fn malformed(error: FrameError) -> Problem {
    let FrameError::Malformed { code, pointer } = error else { return Problem::internal() };
    match code {
        MalformedCode::Syntax => Problem::bad_request("NOT_JSON", "The body is not JSON.").at(pointer),
        MalformedCode::Shape => {
            Problem::bad_request("INVALID_FIELD", "A field is missing, unknown or of the wrong kind.")
                .at(pointer)
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}
