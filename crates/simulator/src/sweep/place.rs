//! A place in a template or in settings, named by a path such as `components[0].parameters.fast`.
//!
//! Paths are those that problems carry: they begin with `settings.` in the settings and with nothing in the template.

use serde_json::Value;

/// The document in which a place lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Template,
    Settings,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) document: Document,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl Place {
    /// Reads a path; `None` when it is none.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (document, rest) = match path.strip_prefix("settings.") {
            Some(rest) => (Document::Settings, rest),
            None => (Document::Template, path),
        };
        let mut steps = Vec::new();
        for part in rest.split('.') {
            let (name, mut indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(word) {
                return None;
            }
            steps.push(Step::Field(name.to_owned()));
            while !indices.is_empty() {
                let (index, rest) = indices.strip_prefix('[')?.split_once(']')?;
                if !index.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                steps.push(Step::Index(index.parse().ok()?));
                indices = rest;
            }
        }
        Some(Self { document, steps })
    }

    /// Puts a value there. `false` when there is no such place; only a last field may be new.
    pub(super) fn set(&self, root: &mut Value, value: Value) -> Found {
        let Some((last, way)) = self.steps.split_last() else { return Found::No };
        let mut at = root;
        for step in way {
            let next = match step {
                Step::Field(name) => at.get_mut(name.as_str()),
                Step::Index(index) => at.get_mut(*index),
            };
            let Some(next) = next else { return Found::No };
            at = next;
        }
        match (last, at) {
            (Step::Field(name), Value::Object(fields)) => {
                fields.insert(name.clone(), value);
                Found::Yes
            }
            (Step::Index(index), Value::Array(entries)) => match entries.get_mut(*index) {
                Some(entry) => {
                    *entry = value;
                    Found::Yes
                }
                None => Found::No,
            },
            (Step::Field(_) | Step::Index(_), _) => Found::No,
        }
    }
}

/// Whether there is such a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_places() {
        let mut root = json!({"components": [{"parameters": {}}], "name": "x"});
        let mut set = |path: &str| Place::parse(path).unwrap().set(&mut root, json!(5));
        assert_eq!(set("components[0].parameters.fast"), Found::Yes);
        assert_eq!(set("name"), Found::Yes);
        assert_eq!(set("components[1].parameters.fast"), Found::No);
        assert_eq!(set("name.parameters"), Found::No);
        assert_eq!(set("exits[0]"), Found::No);
        assert_eq!(root["components"][0]["parameters"]["fast"], 5);
        assert_eq!(Place::parse("settings.leverage").unwrap().document, Document::Settings);
        for wrong in ["", ".", "a..b", "a[", "a[]b", "a[-1]", "a[1]x", "a b"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
