//! The scenario tables as text: what a trader reads is what the tests run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// One table with what is said above it.
pub(super) struct Table {
    pub(super) kind: String,
    pub(super) role: String,
    /// The comment directly above, as one paragraph.
    pub(super) says: String,
    /// The lines between the title and the table, for example the parameters.
    pub(super) settings: Vec<String>,
    /// The rows, the first with the names of the columns.
    pub(super) rows: Vec<String>,
}

/// All tables of all files, in the order of files and lines.
pub(super) fn all() -> Vec<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/components");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| read(&fs::read_to_string(file).unwrap())).collect()
}

fn read(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix("component ") {
            let (kind, role) = title.split_once(" as ").unwrap();
            let says = std::mem::take(&mut comment).join(" ");
            let (kind, role) = (kind.to_owned(), role.to_owned());
            tables.push(Table { kind, role, says, settings: Vec::new(), rows: Vec::new() });
        } else if let Some(said) = line.strip_prefix('#') {
            comment.push(said.trim());
        } else if line.is_empty() {
            comment.clear();
        } else if let Some(table) = tables.last_mut() {
            let place = if line.starts_with('|') { &mut table.rows } else { &mut table.settings };
            place.push(line.to_owned());
        }
    }
    tables
}

impl Table {
    /// As Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("As {}", self.role.replace('_', " "));
        for setting in &self.settings {
            write!(text, ", {setting}").unwrap();
        }
        text.push_str(".\n\n");
        if !self.says.is_empty() {
            text = format!("{text}{}\n\n", self.says);
        }
        for (index, row) in self.rows.iter().enumerate() {
            writeln!(text, "{}", cells(row)).unwrap();
            if index == 0 {
                let columns = row.trim_matches('|').split('|').count();
                writeln!(text, "|{}", "---|".repeat(columns)).unwrap();
            }
        }
        text
    }
}

fn cells(row: &str) -> String {
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    format!("| {} |", cells.join(" | "))
}
