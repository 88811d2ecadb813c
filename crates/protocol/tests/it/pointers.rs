//! Parse errors name the place and never the value.

use keyhold_protocol::frame::Message;
use keyhold_protocol::frame::{FrameError, parse_json};
use keyhold_protocol::keeper::Request;

const MARKER: &str = "made-up-secret-9f8e7d";

fn complaint(text: &str) -> (String, String) {
    let error = parse_json::<Message<Request>>(text.as_bytes()).unwrap_err();
    let whole = format!("{error} {error:?}");
    let FrameError::Malformed { code, pointer } = error else { panic!("another kind of error") };
    assert!(!whole.contains("9f8e7d"), "{whole}");
    (code.to_string(), pointer)
}

/// The control: serde alone does repeat values and field names.
#[test]
fn serde_would_have_leaked() {
    let text = format!(r#"{{"v":1,"id":1,"body":{{"verb":"{MARKER}"}}}}"#);
    let error = serde_json::from_str::<Message<Request>>(&text).unwrap_err();
    assert!(error.to_string().contains(MARKER));
}

#[test]
fn a_secret_in_any_place_is_not_repeated() {
    let shape = "MESSAGE_SHAPE";
    let cases = [
        (format!(r#"{{"v":1,"id":1,"body":{{"verb":"{MARKER}"}}}}"#), shape, "/body/verb"),
        (format!(r#"{{"v":1,"id":"{MARKER}","body":{{"verb":"status"}}}}"#), shape, "/id"),
        (format!(r#"{{"v":1,"id":1,"{MARKER}":1,"body":{{"verb":"status"}}}}"#), shape, "/?"),
        (
            format!(r#"{{"v":1,"id":1,"body":{{"verb":"describe","args":{{"workspace":"{MARKER}"}}}}}}"#),
            shape,
            "/body/args/workspace",
        ),
        (
            format!(r#"{{"v":1,"id":1,"body":{{"verb":"describe","args":{{"{MARKER}":3}}}}}}"#),
            shape,
            "/body/args/?",
        ),
        (format!(r#"{{"v":1,"id":1,"body":"{MARKER}"#), "MESSAGE_NOT_JSON", "/body"),
        (MARKER.to_owned(), "MESSAGE_NOT_JSON", ""),
    ];
    for (text, code, pointer) in cases {
        let (found_code, found_pointer) = complaint(&text);
        assert_eq!(found_code, code, "{text}");
        assert!(pointer.starts_with(&found_pointer), "{text}: {found_pointer} instead of {pointer}");
    }
}

#[test]
fn depth_and_odd_names_stay_bounded() {
    let deep = format!("{}1{}", r#"{"a":["#.repeat(400), "]}".repeat(400));
    assert!(keyhold_protocol::pointer::locate(deep.as_bytes(), 1, 2000).len() < 100);
    assert_eq!(keyhold_protocol::pointer::locate(br#"{"a":[1,{"Key9":2"#, 1, 17), "/a/1/?");
    assert_eq!(keyhold_protocol::pointer::locate(b"{\n \"abc\": [1,\n 2,", 3, 2), "/abc/1");
    assert_eq!(keyhold_protocol::pointer::locate(br#"{"a\"b":1"#, 1, 9), "/?");
    assert_eq!(keyhold_protocol::pointer::locate(b"", 0, 0), "");
}
