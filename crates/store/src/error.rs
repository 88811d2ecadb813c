//! Why the store could not do what it was asked. No text here contains a stored value.

/// Something went wrong below the API.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such thing in this workspace. Also the answer for things of others.
    #[error("not found")]
    NotFound,
    /// A unique value is taken.
    #[error("the value is already taken")]
    Taken,
    /// Something else still refers to it.
    #[error("it is still referred to")]
    Referenced,
    /// The data folder or database cannot be used as it is.
    #[error("the database cannot be used: {0}")]
    Unusable(&'static str),
    /// The database is newer than this program.
    #[error("the database has schema version {found}, this program knows {known}: use a newer program")]
    TooNew {
        /// Version in the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A stored value cannot be read back.
    #[error("column {column} holds a value that cannot be read")]
    Corrupt {
        /// The column.
        column: &'static str,
    },
    /// The database did not answer as it should.
    #[error("the database failed while {during}")]
    Database {
        /// Name of the statement or step.
        during: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// Ciphertext was removed, but the write-ahead log could not be emptied because readers held on to it.
    #[error("the write-ahead log is still in use; the removal will be complete when it is emptied")]
    CheckpointBusy,
    /// The data folder could not be prepared.
    #[error("preparing the data folder")]
    Folder(#[source] std::io::Error),
}

impl StoreError {
    /// Sorts a driver's error into what callers act on.
    pub(crate) fn from_driver(during: &'static str, source: sqlx::Error) -> Self {
        match source.as_database_error() {
            Some(error) if error.is_unique_violation() => Self::Taken,
            Some(error) if error.is_foreign_key_violation() => Self::Referenced,
            Some(_) | None => Self::Database { during, source },
        }
    }
}
