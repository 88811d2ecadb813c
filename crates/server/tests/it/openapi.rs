//! The description of the API is kept beside the code, so that a change of it is seen and clients can be made from it.

/// Rewritten with `KEYHOLD_UPDATE_OPENAPI=1 cargo test -p keyhold-server --test it openapi`.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_kept_description_is_the_one_the_program_gives() {
    let mut made = keyhold_server::api::document().to_pretty_json().unwrap();
    made.push('\n');
    if std::env::var("KEYHOLD_UPDATE_OPENAPI").is_ok() {
        std::fs::write(KEPT, &made).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap();
    assert!(
        kept == made,
        "crates/server/openapi.json is not current: see this test's file for how to renew it"
    );
}
