//! Every refusal is a problem document (RFC 9457) with a stable code. None repeats what was sent.
//!
//! Handlers return [`Problem`]; [`crate::http::edge`] adds the request id and writes the body.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyhold_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// One of several things that are wrong with a field or document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// Where, as a path or JSON pointer.
    pub path: String,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// A refusal on its way out. Boxed, because nearly every function may return one and nearly none does.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Refusal>);

/// What a refusal says.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) pointer: Option<String>,
    pub(crate) next_step: Option<&'static str>,
    pub(crate) problems: Vec<FieldProblem>,
    pub(crate) retry_after_s: Option<u64>,
}

/// The document as sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDocument {
    /// Always `about:blank`: the code tells more.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// A few words.
    pub title: &'static str,
    /// The HTTP status again.
    pub status: u16,
    /// Stable code in capitals.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
    /// JSON pointer of the field, without its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<&'static str>,
    /// Everything that is wrong, when it is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FieldProblem>,
    /// Names this answer in the log.
    pub request_id: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Refused");
        Self(Box::new(Refusal {
            status,
            code,
            title,
            detail: detail.into(),
            pointer: None,
            next_step: None,
            problems: Vec::new(),
            retry_after_s: None,
        }))
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// The answer for what is not there and for what is somebody else's: the same bytes.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.")
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "Sign in first.")
    }

    pub(crate) fn reauth_required() -> Self {
        Self::new(StatusCode::FORBIDDEN, "REAUTH_REQUIRED", "This needs a fresh proof that it is you.")
            .next("Confirm with your passkey or password, then repeat the request.")
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong on the server.")
            .next("Look for the request id in the server's log.")
    }

    pub(crate) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    pub(crate) fn too_many(retry_after_s: u64) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITED",
            format!("Too many attempts. Try again in {retry_after_s} seconds."),
        );
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    pub(crate) fn next(mut self, step: &'static str) -> Self {
        self.next_step = Some(step);
        self
    }

    pub(crate) fn with(mut self, problems: Vec<FieldProblem>) -> Self {
        self.problems = problems;
        self
    }

    /// The document with the request's id.
    pub(crate) fn document(self, request_id: String) -> ProblemDocument {
        let refusal = *self.0;
        ProblemDocument {
            kind: "about:blank",
            title: refusal.title,
            status: refusal.status.as_u16(),
            code: refusal.code,
            detail: refusal.detail,
            pointer: refusal.pointer,
            next_step: refusal.next_step,
            problems: refusal.problems,
            request_id,
        }
    }
}

impl std::ops::Deref for Problem {
    type Target = Refusal;
    fn deref(&self) -> &Refusal {
        &self.0
    }
}

impl std::ops::DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Refusal {
        &mut self.0
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem; the edge writes the document.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(),
            StoreError::Taken => Self::conflict("TAKEN", "It exists already."),
            StoreError::Referenced => Self::conflict("IN_USE", "Something else still uses it."),
            StoreError::Unusable(_)
            | StoreError::TooNew { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Database { .. }
            | StoreError::CheckpointBusy
            | StoreError::Folder(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::internal()
            }
        }
    }
}
