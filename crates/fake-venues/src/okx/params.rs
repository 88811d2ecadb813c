//! Parameters of a request, from the query or from a JSON body, read as text. Some bodies are lists.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Symbol};
use serde_json::Value;

use super::failure::Failure;

/// Named parameters. Unknown names are ignored, as the venue does.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn of_query(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The object of a body, or each of a list. Numbers and booleans become text, lists and objects are left out.
    pub(crate) fn of_body(body: &[u8]) -> Result<Vec<Self>, Failure> {
        match serde_json::from_slice(body) {
            Ok(Value::Array(rows)) => rows.into_iter().map(Self::of_value).collect(),
            Ok(row) => Ok(vec![Self::of_value(row)?]),
            Err(_) => Err(Failure { status: 400, ..Failure::new(50_002, "JSON syntax error") }),
        }
    }

    fn of_value(value: Value) -> Result<Self, Failure> {
        let Value::Object(fields) = value else { return Err(Failure::params("body")) };
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        Ok(Self(fields.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()))
    }

    /// A parameter that is present and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Failure> {
        self.text(name).ok_or_else(|| Failure::params(name))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.text(name).map(|text| text.parse().map_err(|_| Failure::params(name))).transpose()
    }

    pub(crate) fn price(&self, name: &str) -> Result<Option<Price>, Failure> {
        self.number(name)
    }

    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Failure> {
        self.number(name)
    }

    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, Failure> {
        self.number("instId")
    }
}
