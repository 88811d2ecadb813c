//! What the files say about themselves: a component's rule, and formula and source of the indicators it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The headers and imports of the files with components and indicators.
pub(super) struct Sources {
    /// Name of the file without its ending, and its text.
    components: BTreeMap<String, String>,
    indicators: BTreeMap<String, String>,
    /// In which file an indicator's type is.
    homes: BTreeMap<String, String>,
}

impl Sources {
    pub(super) fn read() -> Self {
        let indicators = files("src/indicator");
        let homes = indicators["mod"]
            .split("pub use ")
            .skip(1)
            .filter_map(|rest| rest.split_once(';'))
            .filter_map(|(used, _)| used.split_once("::"))
            .flat_map(|(file, names)| names_in(names).map(move |name| (name, file.to_owned())))
            .collect();
        Self { components: files("src/component"), indicators, homes }
    }

    /// The header of the file that holds the component, and the headers of the indicators it computes with.
    pub(super) fn of(&self, kind: &str) -> (String, Vec<String>) {
        let named = format!("kind: \"{kind}\"");
        let (file, text) = self.components.iter().find(|(_, text)| text.contains(&named)).unwrap();
        let mut used = BTreeSet::new();
        self.collect(file, &mut BTreeSet::new(), &mut used);
        (header(text), used.iter().map(|file| header(&self.indicators[file])).collect())
    }

    /// The files of the indicators that a component's file uses, itself or through a file beside it.
    fn collect(&self, file: &str, seen: &mut BTreeSet<String>, used: &mut BTreeSet<String>) {
        if !seen.insert(file.to_owned()) {
            return;
        }
        let Some(text) = self.components.get(file) else { return };
        for (_, rest) in
            text.match_indices("use crate::indicator::").map(|(at, found)| text[at..].split_at(found.len()))
        {
            // What is only named, such as the type of a value, is somebody else's arithmetic.
            let made = |name: &String| {
                text.contains(&format!("{name}::new(")) || text.contains(&format!("{name}::default("))
            };
            for name in names_in(rest.split(';').next().unwrap()).filter(made) {
                used.extend(self.homes.get(&name).cloned());
            }
        }
        for line in text.lines().filter_map(|line| line.strip_prefix("use super::")) {
            for name in line.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
                if name != "mod" && self.components.contains_key(name) {
                    self.collect(name, seen, used);
                }
            }
        }
    }
}

fn files(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let rust = paths.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    rust.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    })
    .collect()
}

/// The names in `Name` or `{One, Two}`.
fn names_in(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
}

/// The header of a file as paragraphs, without links into the code.
fn header(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraphs = lines.map(|line| if line.is_empty() { "\n\n" } else { line });
    let mut joined = String::new();
    for part in paragraphs {
        if !joined.is_empty() && !joined.ends_with('\n') && part != "\n\n" {
            joined.push(' ');
        }
        joined.push_str(part);
    }
    joined.replace("[`super::", "`").replace("[`crate::", "`").replace("[`", "`").replace("`]", "`")
}
