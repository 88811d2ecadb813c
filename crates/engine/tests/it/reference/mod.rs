//! The pages of `docs/reference`: made from the catalog, the scenario tables and the files' own headers; `./x docs` writes
//! them, the ordinary test run compares them.
//!
//! A page says nothing that is not in the program. To change one, change the catalog entry, the scenario or the header.

mod components;
mod others;
mod sources;
mod tables;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The variable under which `./x docs` asks for the pages to be written.
const WRITE: &str = "KEYHOLD_WRITE_DOCS";

/// Path below `docs/reference` and text of every page.
fn pages() -> BTreeMap<String, String> {
    let mut pages = components::pages();
    pages.extend(others::pages());
    pages
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

/// What lies in the folder of component pages, so that none stays behind when its component goes.
fn component_files() -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder().join("components")) else { return BTreeSet::new() };
    entries.map(|entry| format!("components/{}", entry.unwrap().file_name().display())).collect()
}

#[test]
fn the_reference_pages_say_what_the_program_does() {
    let pages = pages();
    let strangers: Vec<_> = component_files().into_iter().filter(|file| !pages.contains_key(file)).collect();
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(folder().join("components")).unwrap();
        for (path, text) in &pages {
            fs::write(folder().join(path), text).unwrap();
        }
        for path in strangers {
            fs::remove_file(folder().join(path)).unwrap();
        }
        return;
    }
    let kept = |path: &str| fs::read_to_string(folder().join(path)).unwrap_or_default();
    let different: Vec<_> =
        pages.iter().filter(|(path, text)| kept(path) != **text).map(|(path, _)| path.clone()).collect();
    assert!(different.is_empty(), "not as the program has it (run ./x docs): {different:?}");
    assert!(strangers.is_empty(), "pages of nothing (run ./x docs): {strangers:?}");
}

#[test]
fn every_component_has_a_page_with_a_worked_example_and_its_arithmetic() {
    let pages = pages();
    for entry in keyhold_engine::catalog::catalog().components {
        let page = pages.get(&format!("components/{}.md", entry.kind)).unwrap();
        assert!(page.contains("## Worked example"), "{} has no scenario", entry.kind);
        assert!(page.contains("| says |"), "{} has no table", entry.kind);
        assert!(page.contains("## How it works"), "{} has no header", entry.kind);
        for role in entry.roles {
            assert!(page.contains(role.help), "{} as {:?}", entry.kind, role.role);
        }
    }
}
