//! The description of the API is kept beside the code, so that a change of it is seen and clients can be made from it.

/// Rewritten with `./x api`, together with the dashboard's types that are made from it.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_kept_description_is_the_one_the_program_gives() {
    let mut made = keyhold_server::api::document().to_pretty_json().unwrap();
    made.push('\n');
    let kept = std::fs::read_to_string(KEPT).unwrap();
    assert!(
        kept == made,
        "crates/server/openapi.json is not what the handlers say: run `./x api` and read the difference"
    );
}
