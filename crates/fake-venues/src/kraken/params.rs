//! Parameters of a request: from the query, from a form in the body, or from both.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Quantity, Symbol};

use super::failure::Failure;

/// Named parameters. Unknown names are ignored, as the venue does.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn of(query: &str, body: &[u8]) -> Self {
        let parse = |text: &[u8]| url::form_urlencoded::parse(text).into_owned().collect::<Vec<_>>();
        Self(parse(query.as_bytes()).into_iter().chain(parse(body)).collect())
    }

    /// A parameter that is present and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn require(&self, name: &'static str) -> Result<&str, Failure> {
        self.text(name).ok_or_else(|| Failure::argument("requiredArgumentMissing", name))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        let wrong = |_| Failure::argument("invalidArgument", name);
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    pub(crate) fn price(&self, name: &'static str) -> Result<Option<Price>, Failure> {
        self.number(name)
    }

    pub(crate) fn quantity(&self, name: &'static str) -> Result<Option<Quantity>, Failure> {
        self.number(name)
    }

    pub(crate) fn decimal(&self, name: &'static str) -> Result<Option<Decimal>, Failure> {
        self.number(name)
    }

    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, Failure> {
        self.text("symbol").map(named).transpose()
    }
}

/// An instrument by its name, which may be written small.
pub(crate) fn named(text: &str) -> Result<Symbol, Failure> {
    text.to_ascii_uppercase().parse().map_err(|_| Failure::argument("invalidArgument", "symbol"))
}
