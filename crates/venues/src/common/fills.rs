//! Fills of one answer or of many, put into the order in which they happened.

use std::collections::BTreeSet;

use keyhold_domain::Fill;

/// Oldest first, each once, of a venue that lists the newest first. Fills of one instant stay in the venue's order, turned
/// around: ids say nothing about it.
pub fn in_order(mut newest_first: Vec<Fill>) -> Vec<Fill> {
    let mut seen = BTreeSet::new();
    newest_first.retain(|fill| seen.insert(fill.fill_id));
    newest_first.reverse();
    newest_first.sort_by_key(|fill| fill.at);
    newest_first
}
