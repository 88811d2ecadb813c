//! Parameters of a request: of the query and of the JSON body alike, as BitMEX takes both.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Symbol, Timestamp};
use serde_json::Value;

use super::failure::Failure;

/// The parameters by name.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, Value>);

impl Params {
    /// Reads query and body; a body must be a JSON object or a form.
    pub(crate) fn of(query: &str, body: &[u8]) -> Result<Self, Failure> {
        let pairs = |text: &[u8]| -> Vec<(String, Value)> {
            url::form_urlencoded::parse(text)
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect()
        };
        let mut found: BTreeMap<String, Value> = pairs(query.as_bytes()).into_iter().collect();
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => found.extend(fields),
            Ok(_) => return Err(Failure::invalid("body must be an object")),
            Err(_) if body.first() == Some(&b'{') => {
                return Err(Failure::invalid("Unexpected token in JSON"));
            }
            Err(_) => found.extend(pairs(body)),
        }
        Ok(Self(found))
    }

    /// A value that is there.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// True unless it is absent or says no.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        match self.value(name) {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(_) | None => false,
        }
    }

    /// A number, written as number or as text.
    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Failure> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let read = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(&text));
        read.map(Some).map_err(|_| Failure::invalid(format!("{name} is not a number")))
    }

    pub(crate) fn price(&self, name: &str) -> Result<Option<Price>, Failure> {
        let wrong = |_| Failure::invalid(format!("Invalid {name}"));
        self.decimal(name)?.map(|value| Price::new(value).map_err(wrong)).transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, Failure> {
        let wrong = || Failure::invalid(format!("{name} is not a whole number"));
        self.decimal(name)?.map(|value| usize::try_from(value).map_err(|_| wrong())).transpose()
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let wrong = |_| Failure::invalid(format!("{name} is not a time"));
        self.text(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The instrument that is meant; BitMEX also takes `XBTUSD:8h` and the like, which nobody needs here.
    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, Failure> {
        let wrong = |_| Failure::invalid("symbol is invalid");
        self.text("symbol").map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// One name or several.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::Array(list)) => {
                list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
            }
            Some(Value::String(text)) => match serde_json::from_str::<Vec<String>>(text) {
                Ok(list) => list,
                Err(_) => text.split(',').filter(|text| !text.is_empty()).map(ToOwned::to_owned).collect(),
            },
            Some(_) | None => Vec::new(),
        }
    }

    /// The `filter`: an object, or its text.
    pub(crate) fn filter(&self) -> Result<Filter, Failure> {
        let wrong = || Failure::invalid("filter is not valid JSON");
        let fields = match self.value("filter") {
            None => return Ok(Filter::default()),
            Some(Value::Object(fields)) => fields.clone(),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
        };
        Ok(Filter(fields))
    }
}

/// Values that rows must have.
#[derive(Debug, Default)]
pub(crate) struct Filter(serde_json::Map<String, Value>);

impl Filter {
    /// Whether a row has them all. A list of values means any of them; `open` means orders that rest.
    pub(crate) fn fits(&self, row: &Value) -> bool {
        self.0.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
            ("open", Value::Bool(open)) => {
                let rests = matches!(row["ordStatus"].as_str(), Some("New" | "PartiallyFilled"));
                rests == *open
            }
            (_, Value::Array(list)) => list.contains(&row[name]),
            (_, wanted) => row[name] == *wanted,
        })
    }
}
