//! `providers.json` of the keeper's folder: where the transit server and the TPM are. Nothing secret, and for an operator to edit.
//!
//! What must not change by itself, the transit key's name and the sealed blobs, is in the key file instead.

use serde::{Deserialize, Serialize};

use super::tpm::TpmPlace;
use super::transit::TransitPlace;
use crate::files::{FilesError, StateDir, failed};

/// The file's name.
const FILE: &str = "providers.json";

/// Where the providers outside are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// The transit server, one for all transit keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit: Option<TransitPlace>,
    /// The TPM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm2: Option<TpmPlace>,
}

impl Places {
    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// [`FilesError::Io`]; [`FilesError::Format`] when it is not what is written here.
    pub fn read(dir: &StateDir) -> Result<Self, FilesError> {
        let path = dir.file(FILE);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_error| FilesError::Format { path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed("reading", &path)(error)),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn write(&self, dir: &StateDir) -> Result<(), FilesError> {
        let text = serde_json::to_vec_pretty(self).expect("it has only texts");
        dir.replace(FILE, &text)
    }
}
