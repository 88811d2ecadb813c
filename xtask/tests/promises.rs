//! docs/security/promises.md and custody.md name a test for every promise. A test that is renamed or removed is noticed here.

use std::collections::BTreeSet;

use xtask::paths;

/// Names in the text, as file and test: what stands between back quotes with `::` between.
fn proofs(text: &str) -> BTreeSet<(&str, &str)> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|quoted| quoted.split_once(".rs::").or(quoted.split_once(".mjs::")))
        .collect()
}

/// Whether a file has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    if let Ok(text) = std::fs::read_to_string(paths::root().join(format!("{file}.rs"))) {
        // A function of a test module, or of a property-testing macro, with an attribute above.
        return text.contains(&format!("fn {name}("));
    }
    let journey = std::fs::read_to_string(paths::root().join(format!("{file}.mjs"))).unwrap_or_default();
    journey.contains(&format!("test('{name}'"))
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page =
        std::fs::read_to_string(paths::root().join("docs/security/promises.md")).expect("the page exists");
    let missing: Vec<_> = proofs(&page).into_iter().filter(|(file, name)| !has_test(file, name)).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
    for number in 1..=26 {
        let row = page.lines().find(|line| line.starts_with(&format!("| C{number} |")));
        let row = row.unwrap_or_default();
        assert!(!proofs(row).is_empty() || row.contains("*not yet*"), "C{number} has no proof: {row}");
    }
}

/// Where the short names of custody.md are: its first paragraph says so.
const SHORT: &[&str] = &[
    "crates/keeper/tests/it",
    "crates/keeper/src",
    "crates/unseal/tests/it",
    "crates/os/tests/it",
    "crates/os/src/secret",
];

/// Names in a line of the table, as module and test.
fn short_proofs(line: &str) -> Vec<(&str, &str)> {
    line.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::")).collect()
}

#[test]
fn what_the_keeper_promises_names_tests_that_exist() {
    let page =
        std::fs::read_to_string(paths::root().join("docs/security/custody.md")).expect("the page exists");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
    let mut count = 0;
    for row in rows {
        let proofs = short_proofs(row);
        assert!(!proofs.is_empty(), "no test is named: {row}");
        for (module, name) in proofs {
            let there = SHORT.iter().any(|folder| has_test(&format!("{folder}/{module}"), name));
            assert!(there, "{module}::{name} is named and not there");
            count += 1;
        }
    }
    assert!(count > 30, "the table is read: {count}");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(!has_test("crates/unseal/tests/it/flips", "every_bit_of_the_moon"));
    assert!(!has_test("crates/unseal/tests/it/nowhere", "every_bit_of_an_envelope"));
    assert!(has_test("crates/unseal/tests/it/flips", "every_bit_of_an_envelope"));
    assert_eq!(
        short_proofs("| a | `x/y.rs` | k `one::two`, `three::four` |"),
        [("one", "two"), ("three", "four")]
    );
    assert!(has_test("web/e2e/journeys/sessions.test", "sessions begin and end"));
}
