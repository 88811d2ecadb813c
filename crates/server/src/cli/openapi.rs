//! `keyhold openapi`: the description of the HTTP API, for generating clients and for noticing changes.

/// The document, with one member per line so that a change can be read.
pub(super) fn text() -> String {
    crate::api::document().to_pretty_json().unwrap_or_default()
}
