//! Rules about the text of our files: a header that says what a file is for, a size one can read, one place for unsafe
//! code, and who may name the functions that open secrets.

use std::path::Path;

use crate::{TaskError, paths};

/// The largest file, in lines.
pub const MAX_LINES: usize = 600;

/// Files that may be longer, each with its reason.
pub const LONG_FILES: &[(&str, &str)] = &[
    ("crates/domain/src/reason.rs", "one list of codes with one line of documentation each"),
    ("crates/protocol/src/uplink.rs", "the whole wire contract is read in one place"),
];

/// One sentence per breach; empty when all rules hold.
pub fn violations() -> Result<Vec<String>, TaskError> {
    let root = paths::root();
    let mut found = Vec::new();
    for folder in ["crates", "xtask"] {
        for file in super::files(&root.join(folder), "rs")? {
            let text = std::fs::read_to_string(&file).map_err(|error| TaskError::file(&file, error))?;
            let name = file.strip_prefix(&root).unwrap_or(&file);
            check(name, &text, &mut found);
        }
    }
    Ok(found)
}

fn check(file: &Path, text: &str, found: &mut Vec<String>) {
    let name = file.display().to_string();
    let is_source = name.contains("/src/");
    // What the compiler must refuse is shown as short as it can be.
    let compile_fail_case = name.contains("/tests/ui/");
    if !text.starts_with("//!") && !compile_fail_case {
        found.push(format!("{name} does not open with `//!`"));
    }
    let lines = text.lines().count();
    if is_source && lines > MAX_LINES && !LONG_FILES.iter().any(|(long, _)| *long == name) {
        found.push(format!("{name} has {lines} lines; {MAX_LINES} is the limit"));
    }
    for (phrase, allowed) in NAMED_ONLY_IN {
        let here = allowed.iter().any(|prefix| name.starts_with(prefix));
        if is_source && !here && text.contains(phrase) {
            found.push(format!("{name} names `{phrase}`, which only {} may", allowed.join(" and ")));
        }
    }
}

/// `(text, the folders whose sources may hold it)`.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("unsafe {", &["crates/os/", "xtask/src/tidy/"]),
    ("unseal::rewrap", &["crates/keeper/", "crates/unseal/", "xtask/src/tidy/"]),
    ("unseal::open", &["crates/bot/", "crates/unseal/", "xtask/src/tidy/"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaches_are_found() {
        let mut found = Vec::new();
        check(Path::new("crates/engine/src/a.rs"), "fn main() { unsafe { work() } }", &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
        found.clear();
        let long = format!("//! Long.\n{}", "\n".repeat(MAX_LINES + 1));
        check(Path::new("crates/engine/src/b.rs"), &long, &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
