//! Finds fields that would carry an exchange secret in clear. No part of the API takes one: browsers seal it first.
//!
//! A wrong client or a script that sends one anyway is refused; the value is neither parsed further, logged nor
//! repeated.

use serde_json::Value;

/// Field names, without case, `-` and `_`.
const SECRET_NAMES: [&str; 12] = [
    "apisecret",
    "secret",
    "secretkey",
    "apisecretkey",
    "clientsecret",
    "passphrase",
    "apipassphrase",
    "privatekey",
    "apikey",
    "accesskey",
    "apikeysecret",
    "sharedsecret",
];
/// Deeper documents are refused outright by the parser, which stops at 128.
const MAX_DEPTH: usize = 128;

/// Whether any member, at any depth, is named like a secret.
pub(crate) fn is_present(value: &Value) -> bool {
    look(value, MAX_DEPTH)
}

fn look(value: &Value, depth: usize) -> bool {
    if depth == 0 {
        return true;
    }
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_secret_name(name) || look(value, depth - 1))
        }
        Value::Array(items) => items.iter().any(|item| look(item, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|c| *c != '_' && *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_found_at_any_depth_and_spelling() {
        for name in ["api_secret", "apiSecret", "API-SECRET", "secret", "passphrase", "api_key"] {
            assert!(is_present(&json!({ "a": [{ name: "x" }] })), "{name}");
        }
        assert!(!is_present(&json!({"envelope": "x", "sealed_data_key": "y", "key_id": "z"})));
    }
}
