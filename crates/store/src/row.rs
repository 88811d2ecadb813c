//! Values on their way into a statement and out of a row.
//!
//! Columns are either TEXT or BIGINT (see the migrations), so two kinds of value, each with or without NULL, are all
//! that is needed; richer types have one text form, which is parsed here and reported as corrupt when it does not.

use keyhold_domain::{Id, ShortText, Timestamp};
use serde::de::DeserializeOwned;
use sqlx::Row as _;

use crate::StoreError;

/// One argument of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}
impl From<&String> for Arg {
    fn from(value: &String) -> Self {
        Self::Text(Some(value.clone()))
    }
}
impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}
impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}
impl From<Option<&str>> for Arg {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}
impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<u32> for Arg {
    fn from(value: u32) -> Self {
        Self::Int(Some(value.into()))
    }
}
impl From<Timestamp> for Arg {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.ms()))
    }
}
impl From<Option<Timestamp>> for Arg {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::ms))
    }
}
impl<Kind> From<Id<Kind>> for Arg {
    fn from(value: Id<Kind>) -> Self {
        Self::Text(Some(value.to_string()))
    }
}
impl<Kind> From<Option<Id<Kind>>> for Arg {
    fn from(value: Option<Id<Kind>>) -> Self {
        Self::Text(value.map(|id| id.to_string()))
    }
}
impl<const N: usize> From<ShortText<N>> for Arg {
    fn from(value: ShortText<N>) -> Self {
        Self::Text(Some(value.to_string()))
    }
}

/// The arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::row::Arg::from($value)),*] };
}
pub(crate) use args;

/// One row of an answer.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

impl Row {
    pub(crate) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|_quotes_nothing_useful| StoreError::Corrupt { column })
    }

    pub(crate) fn optional_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|_quotes_nothing_useful| StoreError::Corrupt { column })
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.optional_text(column)?.ok_or(StoreError::Corrupt { column })
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.optional_int(column)?.ok_or(StoreError::Corrupt { column })
    }

    /// A count or version that fits 32 bits.
    pub(crate) fn small(&self, column: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.int(column)?).map_err(|_| StoreError::Corrupt { column })
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    pub(crate) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_int(column)?.map(Timestamp::from_ms))
    }

    /// A value with one text form: an id, a word, a symbol.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| StoreError::Corrupt { column })
    }

    pub(crate) fn optional_parsed<T: std::str::FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.optional_text(column)?
            .map(|text| text.parse().map_err(|_| StoreError::Corrupt { column }))
            .transpose()
    }

    /// A JSON document.
    pub(crate) fn document<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|_| StoreError::Corrupt { column })
    }
}

/// The text of a JSON document on its way into a column.
pub(crate) fn to_document<T: serde::Serialize>(
    value: &T,
    column: &'static str,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { column })
}
