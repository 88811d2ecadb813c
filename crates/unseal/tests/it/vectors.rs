//! The files under `testdata/envelopes/`: regenerated to the same bytes, opened, refused, and checked from outside.

use keyhold_seal::{Envelope, LeaseAnswer};
use serde_json::Value;

use crate::{generator, open_answer, refused};

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(generator::folder().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn regenerating_gives_the_same_bytes() {
    for (name, value) in generator::files() {
        let stored = std::fs::read_to_string(generator::folder().join(name)).unwrap();
        assert_eq!(
            stored,
            generator::text(&value),
            "{name}: run `cargo run -p keyhold-unseal --example vectors`"
        );
    }
}

#[test]
fn stored_envelopes_open_with_stored_answers() {
    let cases = read("seal.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), generator::plans().len());
    for (case, plan) in cases.iter().zip(generator::plans()) {
        let envelope = Envelope::parse(case["envelope"].as_str().unwrap()).unwrap();
        let answer = LeaseAnswer::parse(case["bot"]["answer"].as_str().unwrap()).unwrap();
        let credential = open_answer(&answer, &envelope, &plan.context).expect("opens");
        assert_eq!(credential.api_key(), case["api_key"].as_str().unwrap());
        let access = keyhold_unseal::capability::PassphraseAccess::for_request_header();
        assert_eq!(credential.passphrase(&access), case["passphrase"].as_str());
    }
}

#[test]
fn malformed_envelopes_are_refused_where_the_vectors_say() {
    let file = read("malformed.json");
    let plan = &generator::plans()[0];
    let stored = read("seal.json");
    let answer = LeaseAnswer::parse(stored["cases"][0]["bot"]["answer"].as_str().unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let parsed = Envelope::parse(case["envelope"].as_str().unwrap());
        match case["stage"].as_str().unwrap() {
            "parse" => assert!(parsed.is_err(), "{}", case["name"]),
            "open" => {
                let envelope = parsed.unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
                assert!(refused(&open_answer(&answer, &envelope, &plan.context)), "{}", case["name"]);
            }
            other => panic!("unknown stage {other}"),
        }
    }
}

/// Python's `cryptography` (OpenSSL), written from the format's page, opens what we seal.
#[test]
fn a_second_implementation_agrees() {
    let script = generator::folder().join("check.py");
    let run = match std::process::Command::new("python3").arg(script).output() {
        Ok(run) => run,
        Err(_no_python) => return eprintln!("NOT PROVEN ON THIS HOST: python3 is absent"),
    };
    if run.status.code() == Some(77) {
        return eprintln!("NOT PROVEN ON THIS HOST: python3 has no `cryptography`");
    }
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
