//! Which of our crates may name which, read from the manifests.
//!
//! Adding a line here is a decision about the architecture: change ARCHITECTURE.md with it.

use std::collections::BTreeSet;

use crate::{TaskError, paths};

/// `(crate, the crates of ours it may depend on)`; development dependencies are free within the layers' spirit.
pub const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("os", &[]),
    ("engine", &["domain"]),
    ("venues", &["domain"]),
    ("seal", &["domain"]),
    ("unseal", &["domain", "seal", "os"]),
    ("simulator", &["domain", "engine"]),
    ("history", &["domain"]),
    ("protocol", &["domain", "engine", "seal"]),
    ("store", &["domain", "engine", "seal", "protocol"]),
    ("provision", &["domain", "protocol", "os"]),
    ("keeper", &["domain", "seal", "unseal", "protocol", "os"]),
    ("bot", &["domain", "engine", "venues", "seal", "unseal", "protocol", "os"]),
    (
        "server",
        &[
            "domain",
            "engine",
            "simulator",
            "history",
            "venues",
            "seal",
            "store",
            "provision",
            "protocol",
            "os",
        ],
    ),
    ("fake-venues", &["domain", "engine", "simulator"]),
    ("e2e", &["domain", "seal"]),
];

/// One sentence per broken layer; empty when all hold.
pub fn violations() -> Result<Vec<String>, TaskError> {
    let mut found = Vec::new();
    let mut folders = BTreeSet::new();
    let crates = paths::root().join("crates");
    for entry in std::fs::read_dir(&crates).map_err(|error| TaskError::file(&crates, error))? {
        let entry = entry.map_err(|error| TaskError::file(&crates, error))?;
        folders.insert(entry.file_name().to_string_lossy().into_owned());
    }
    for folder in &folders {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| name == folder) else {
            found.push(format!("crates/{folder} has no line in xtask/src/tidy/layers.rs"));
            continue;
        };
        let manifest = crates.join(folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).map_err(|error| TaskError::file(&manifest, error))?;
        for named in named_crates(&text) {
            if !allowed.contains(&named.as_str()) {
                found.push(format!("crates/{folder} may not depend on {named}"));
            }
        }
    }
    Ok(found)
}

/// Our crates in the manifest's ordinary dependencies.
fn named_crates(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section == "dependencies" || section.ends_with(".dependencies") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or("");
            found.extend(name.strip_prefix("keyhold-").map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_dependencies_are_read_and_development_ones_are_not() {
        let manifest = "[dependencies]\nkeyhold-unseal.workspace = true\nserde = \"1\"\n\n[dev-dependencies]\nkeyhold-store.workspace = true\n";
        assert_eq!(named_crates(manifest), vec!["unseal".to_owned()]);
    }
}
