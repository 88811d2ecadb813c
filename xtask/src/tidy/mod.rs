//! Rules that the compiler does not know: layers, links, sizes, file headers. They run inside the tests.

pub mod layers;
pub mod links;
pub mod text;

use std::path::{Path, PathBuf};

use crate::TaskError;

/// Every file below `folder` with this extension, sorted, without build output and packages.
pub fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, TaskError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| TaskError::file(&folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| TaskError::file(&folder, error))?;
            let path = entry.path();
            let name = entry.file_name();
            let skipped = [".git", "target", "node_modules", "dist"].iter().any(|skip| name == *skip);
            if path.is_dir() && !skipped {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
