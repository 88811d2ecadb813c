//! The walls between our programs, checked on what cargo links and on the text of our files.

use xtask::tidy::{layers, links, text};

fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn dependencies_point_down_the_layers() {
    none(&layers::violations().expect("the manifests can be read"));
}

#[test]
fn programs_link_only_what_their_trust_allows() {
    none(&links::violations().expect("cargo tree answers"));
}

#[test]
fn the_link_check_sees_what_a_program_links() {
    // A control: a check that saw nothing would pass for ever.
    let keeper = links::linked_packages("keyhold-keeper").expect("cargo tree answers");
    assert!(keeper.iter().any(|name| name == "keyhold-unseal"), "{keeper:?}");
}

#[test]
fn files_have_a_header_and_a_readable_size() {
    none(&text::violations().expect("the sources can be read"));
}
