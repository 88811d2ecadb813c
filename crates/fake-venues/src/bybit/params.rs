//! Parameters of a request, from the query or from a JSON body, read as text.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Decimal, Price, Quantity, Symbol};
use serde_json::Value;

use super::failure::Failure;

/// Named parameters. Unknown names are ignored, as the venue does.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn of_query(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Reads a JSON object; numbers and booleans become text, lists and objects are left out.
    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(body).map_err(|_| Failure::params("body is not JSON"))?;
        let Value::Object(fields) = value else { return Err(Failure::params("body is not an object")) };
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
        self.text(name).ok_or_else(|| Failure::params(format!("{name} is required")))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| Failure::params(format!("{name} is not a valid number"))))
            .transpose()
    }

    pub(crate) fn price(&self, name: &str) -> Result<Option<Price>, Failure> {
        self.number(name)
    }

    pub(crate) fn quantity(&self, name: &str) -> Result<Option<Quantity>, Failure> {
        self.number(name)
    }

    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Failure> {
        self.number(name)
    }

    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, Failure> {
        self.text("symbol")
            .map(|text| text.parse().map_err(|_| Failure::params("symbol invalid")))
            .transpose()
    }

    /// `linear`, `inverse`, or `None` for the categories that are not simulated.
    pub(crate) fn category(&self) -> Result<Option<ContractType>, Failure> {
        match self.require("category")? {
            "linear" => Ok(Some(ContractType::Linear)),
            "inverse" => Ok(Some(ContractType::Inverse)),
            "spot" | "option" => Ok(None),
            _ => Err(Failure::params("category invalid")),
        }
    }
}
