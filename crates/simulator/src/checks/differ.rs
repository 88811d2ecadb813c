//! How two records of the same candle differ, in the words of their documents.

use std::collections::BTreeSet;

use keyhold_engine::decision::Decision;
use serde::Serialize;
use serde_json::Value;

/// Fields that are listed of one pair.
const MOST: usize = 20;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which, for example `readings[0].reading.value`.
    pub path: String,
    /// What one says; null when it has no such field.
    pub a: Value,
    /// What the other says.
    pub b: Value,
}

/// The fields in which two documents differ, in the order of the first.
pub(crate) fn differences(a: &Value, b: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", a, b, &mut found);
    found
}

/// The fields in which two decisions differ; at most twenty.
pub(super) fn decisions(a: &Decision, b: &Decision) -> Vec<Difference> {
    let value = |decision: &Decision| serde_json::to_value(decision).unwrap_or_default();
    let mut found = differences(&value(a), &value(b));
    found.truncate(MOST);
    found
}

fn walk(path: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            // In alphabetical order: that of the maps depends on a feature that another crate may turn on.
            let names: BTreeSet<&str> = left.keys().chain(right.keys()).map(String::as_str).collect();
            for name in names {
                let inner = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                let get =
                    |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                walk(&inner, &get(left), &get(right), found);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for index in 0..left.len().max(right.len()) {
                let get = |entries: &[Value]| entries.get(index).cloned().unwrap_or_default();
                walk(&format!("{path}[{index}]"), &get(left), &get(right), found);
            }
        }
        _ if a == b => {}
        _ => found.push(Difference { path: path.to_owned(), a: a.clone(), b: b.clone() }),
    }
}

/// A number that tells records apart: FNV-1a over the record's text (Fowler, Noll, Vo). Equal records have equal
/// numbers; different ones share one with a probability of 2⁻⁶⁴.
pub(super) fn fingerprint(decision: &Decision) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing into a hash does not fail, and every number in a decision is finite.
    let written = serde_json::to_writer(&mut hash, decision);
    debug_assert!(written.is_ok(), "a decision has a JSON form");
    hash.0
}

struct Fnv(u64);

impl std::io::Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_paths() {
        let a = json!({"a": 1, "list": [{"x": 1}, {"x": 2}], "gone": true});
        let b = json!({"a": 1, "list": [{"x": 1}, {"x": 3}, {"x": 4}], "new": null});
        let paths: Vec<_> = differences(&a, &b).into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["gone", "list[1].x", "list[2]"]);
        assert_eq!(differences(&a, &a), []);
    }
}
