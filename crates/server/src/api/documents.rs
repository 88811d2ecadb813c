//! Small parts that several resources share: labels, names with ids, pages, cursors.

use keyhold_domain::Timestamp;
use keyhold_store::{Before, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::problem::{FieldProblem, Problem};

/// Something with a name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) label: String,
}

impl Named {
    pub(crate) fn new<Kind>(id: keyhold_domain::Id<Kind>, label: impl Into<String>) -> Self {
        Self { id: id.to_string(), label: label.into() }
    }
}

/// A page of a list that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Pass it as `before` for the next page; null at the end.
    #[schema(required)]
    pub(crate) next: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct PageQuery {
    /// 1 to 500; 100 when absent.
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) before: Option<String>,
    /// Only this instrument, where the list has one.
    pub(crate) symbol: Option<String>,
}

impl PageQuery {
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        let before = self.before.as_deref().map(str::parse::<Before>).transpose().map_err(|()| {
            Problem::bad_request("INVALID_CURSOR", "This cursor was not given out here.").at("?before")
        })?;
        Ok(PageRequest::new(self.limit.unwrap_or(100), before))
    }

    pub(crate) fn symbol(&self) -> Result<Option<keyhold_domain::Symbol>, Problem> {
        query_value(self.symbol.as_deref(), "?symbol")
    }
}

/// A value of a query, or nothing.
pub(crate) fn query_value<T: std::str::FromStr>(
    text: Option<&str>,
    pointer: &'static str,
) -> Result<Option<T>, Problem> {
    text.filter(|text| !text.is_empty())
        .map(|text| {
            let refused =
                || Problem::bad_request("INVALID_FIELD", "This value is not known here.").at(pointer);
            text.parse().map_err(|_| refused())
        })
        .transpose()
}

/// A page from rows; `place` gives the cursor of a row.
pub(crate) fn page<R, T>(
    rows: Vec<R>,
    request: &PageRequest,
    place: impl Fn(&R) -> (Timestamp, String),
    item: impl Fn(R) -> T,
) -> Page<T> {
    let full = rows.len() >= request.size();
    let next = rows.last().filter(|_| full).map(|row| {
        let (at, id) = place(row);
        Before { at, id }.to_string()
    });
    Page { items: rows.into_iter().map(item).collect(), next }
}

/// A label: 1 to 80 characters on one line.
pub(crate) fn label(text: &str, pointer: &'static str) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=80).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let detail = "A name has 1 to 80 characters on one line.";
    Err(Problem::bad_request("INVALID_LABEL", detail).at(pointer))
}

/// The engine's problems, as the API shows them.
pub(crate) fn engine_problems(problems: &[keyhold_engine::problem::Problem]) -> Vec<FieldProblem> {
    problems
        .iter()
        .map(|problem| FieldProblem {
            path: problem.path.clone(),
            code: problem.code.to_owned(),
            message: problem.message.clone(),
            remedy: problem.remedy.clone(),
        })
        .collect()
}
