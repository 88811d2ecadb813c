//! The templates that come with the program: read-only, duplicable, checked by tests.
//!
//! Each is a document beside this file, in the same format as a user's. Their composition is in the documents, not here.

use crate::template::Template;

/// A template that comes with the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemTemplate {
    /// Its stable name, for example `trend-follower`.
    pub id: &'static str,
    /// The document.
    pub template: Template,
}

const DOCUMENTS: &[(&str, &str)] = &[
    ("trend-follower", include_str!("trend-follower.json")),
    ("mean-reversion", include_str!("mean-reversion.json")),
    ("volatility-breakout", include_str!("volatility-breakout.json")),
    ("momentum", include_str!("momentum.json")),
    ("trend-pullback", include_str!("trend-pullback.json")),
];

/// All system templates, in the order in which they are offered.
pub fn all() -> Vec<SystemTemplate> {
    DOCUMENTS
        .iter()
        .map(|(id, text)| {
            let template =
                serde_json::from_str(text).expect("the documents are part of the program and tested");
            SystemTemplate { id, template }
        })
        .collect()
}
