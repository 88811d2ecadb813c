//! All recorded requests: ours must mean the same, and every signature must verify.

use std::collections::BTreeMap;

use keyhold_domain::Timestamp;
use keyhold_venues::bitmex::endpoints::Endpoint;
use keyhold_venues::bitmex::render::{self, Unsigned};
use keyhold_venues::bitmex::stream;
use keyhold_venues::signer::{HttpRequest, SignedRequest, Verb};
use serde_json::Value;

use super::cases::{Mapped, map};
use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, hex, hmac_sha256, order_id, shared_json};

struct Pinned {
    key: TestKey,
    at: Timestamp,
}

fn pinned(file: &Value) -> Pinned {
    let text = |name: &str| file["pinned"][name].as_str().unwrap();
    let at = Timestamp::from_ms(file["pinned"]["milliseconds"].as_i64().unwrap());
    Pinned { key: TestKey::new(text("apiKey"), text("secret")), at }
}

/// A request's verb, path, parameters and body.
#[derive(Debug, PartialEq)]
struct Meaning {
    verb: String,
    path: String,
    query: BTreeMap<String, String>,
    body: BTreeMap<String, Value>,
}

fn meaning(verb: &str, url: &str, body: &str) -> Meaning {
    let url: url::Url = url.parse().unwrap();
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let body = if body.is_empty() { BTreeMap::new() } else { serde_json::from_str(body).unwrap() };
    Meaning { verb: verb.to_owned(), path: url.path().to_owned(), query, body }
}

/// Our request made comparable: what we spell out and ccxt leaves to BitMEX's default, and the name of every order.
fn comparable(request: &HttpRequest, wanted: &Meaning) -> Meaning {
    let url = format!("https://www.bitmex.com{}", request.path_and_query);
    let mut ours = meaning(request.verb.as_str(), &url, &request.body);
    if ours.body.get("timeInForce").is_some_and(|word| word == "GoodTillCancel")
        && !wanted.body.contains_key("timeInForce")
    {
        ours.body.remove("timeInForce");
    }
    if let Some(words) = ours.body.remove("execInst") {
        // BitMEX takes the mark price unless told otherwise.
        let words: Vec<&str> =
            words.as_str().unwrap().split(',').filter(|word| *word != "MarkPrice").collect();
        if !words.is_empty() {
            ours.body.insert("execInst".to_owned(), words.join(",").into());
        }
    }
    match wanted.body.get("clOrdID") {
        // ccxt was given a name of its own; ours must stand in its place.
        Some(theirs) if ours.body.get("clOrdID") == Some(&order_id(1).to_string().into()) => {
            ours.body.insert("clOrdID".to_owned(), theirs.clone());
        }
        None if wanted.verb == "POST" && wanted.path.ends_with("/order") => {
            assert!(ours.body.remove("clOrdID").is_some(), "an order of ours without its name");
        }
        Some(_) | None => {}
    }
    ours
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// The signature over the bytes that would be sent, computed a second way.
fn assert_signed(id: &str, request: &HttpRequest, pinned: &Pinned) {
    let expires = (pinned.at.ms() / 1_000 + 5).to_string();
    let text = format!("{}{}{expires}{}", request.verb.as_str(), request.path_and_query, request.body);
    let expected = hex(&hmac_sha256(pinned.key.secret.as_bytes(), text.as_bytes()));
    assert_eq!(header(request, "api-signature"), expected, "{id}");
    assert_eq!(header(request, "api-key"), pinned.key.name, "{id}");
    assert_eq!(header(request, "api-expires"), expires, "{id}");
}

fn verb_of(word: &str) -> Verb {
    [Verb::Get, Verb::Post, Verb::Put, Verb::Delete].into_iter().find(|verb| verb.as_str() == word).unwrap()
}

/// Our signing over other bytes.
fn signature(verb: &str, path_and_query: &str, expires: i64, body: &str, key: &TestKey) -> String {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let path: &'static str = Box::leak(path.to_owned().into_boxed_str());
    let endpoint = Endpoint::new(verb_of(verb), path, "testing");
    let unsigned = Unsigned { endpoint, query: query.to_owned(), body: body.to_owned() };
    header(&render::sign_unsigned(&unsigned, expires, key), "api-signature").to_owned()
}

#[test]
pub(crate) fn our_requests_mean_what_the_recorded_ones_mean() {
    let Some(file) = shared_json("conformance/venues/request/bitmex.json") else { return };
    let pinned = pinned(&file);
    let (mut same, mut suspect, mut signatures) = (0, 0, 0);
    let mut not_offered: BTreeMap<String, usize> = BTreeMap::new();
    for (method, cases) in file["methods"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let text = |name: &str| case[name].as_str().unwrap_or_default();
            let (id, url) = (text("id"), text("url"));
            let path = url.trim_start_matches("https://www.bitmex.com");
            let expires = text_of(&case["headers"]["api-expires"]).parse().unwrap();
            let ours = signature(text("httpMethod"), path, expires, text("output"), &pinned.key);
            assert_eq!(ours, text_of(&case["headers"]["api-signature"]), "{id}");
            signatures += 1;
            if !case["suspect"].is_null() {
                suspect += 1;
                continue;
            }
            let mapped = map(method, case["input"].as_array().unwrap());
            let mapped =
                mapped.unwrap_or_else(|| panic!("{id}: neither offered nor in the table of what is not"));
            let mut wanted = meaning(text("httpMethod"), url, text("output"));
            wanted.body.remove("text");
            match mapped {
                Mapped::NotOffered(why) => {
                    *not_offered.entry(format!("{method}: {why}")).or_default() += 1;
                    continue;
                }
                Mapped::Public(query) => {
                    let request = render::plain(&render::render_market(&query));
                    assert_eq!(comparable(&request, &wanted), wanted, "{id}");
                }
                Mapped::Private(intent) => {
                    let SignedRequest::Http(request) = render::sign(&intent, pinned.at, &pinned.key).unwrap()
                    else {
                        panic!("no case logs in")
                    };
                    assert_eq!(comparable(&request, &wanted), wanted, "{id}");
                    assert_signed(id, &request, &pinned);
                }
            }
            same += 1;
        }
    }
    let refused: usize = not_offered.values().sum();
    println!("requests: {same} the same, {refused} not offered, {suspect} suspect");
    counts::tell("bitmex", Kind::Request, Count { run: same, not_offered: refused, suspect });
    println!("recorded signatures verified: {signatures}");
    for (what, count) in &not_offered {
        println!("  not offered ({count}): {what}");
    }
    assert!(same >= 80, "only {same} cases were compared");
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
pub(crate) fn signing_vectors_come_out() {
    let Some(file) = shared_json("conformance/venues/signing-vectors.json") else { return };
    let vectors = file["vectors"].as_array().unwrap().iter().filter(|vector| vector["venue"] == "bitmex");
    let mut count = 0;
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let key = TestKey::new(text("api_key"), text("secret"));
        let to_sign = text("string_to_sign");
        // All were printed for the same minute of 2018.
        let (place, expires) = to_sign.match_indices("15180642").next().unwrap();
        let (head, tail) = (&to_sign[..place], &to_sign[place + expires.len() + 2..]);
        let expires: i64 = to_sign[place..place + expires.len() + 2].parse().unwrap();
        let ours = if text("kind") == "ws" {
            let frame: Value = serde_json::from_str(&render::login_frame(expires, &key)).unwrap();
            assert_eq!((&frame["args"][0], &frame["args"][1]), (&key.name.clone().into(), &expires.into()));
            text_of(&frame["args"][2]).to_owned()
        } else {
            let (verb, path) = head.split_at(head.find('/').unwrap());
            signature(verb, path, expires, tail, &key)
        };
        assert_eq!(ours, text("signature"), "{to_sign}");
        count += 1;
    }
    println!("signing vectors: {count}");
    counts::tell("bitmex", Kind::Vector, Count::run(count));
    assert_eq!(count, 4);
}

#[test]
pub(crate) fn frames_of_the_stream_are_those_of_another_client() {
    let Some(file) = shared_json("conformance/venues/ws-client-frames/bitmex.json") else { return };
    let mut count = 0;
    for step in file["steps"].as_array().unwrap() {
        for frame in step["frames"].as_array().unwrap() {
            let text = text_of(&frame[1]);
            count += 1;
            if frame[0] == "CONNECT" {
                assert_eq!(text, "/realtime");
                continue;
            }
            let frame: Value = serde_json::from_str(text).unwrap();
            let args = frame["args"].as_array().unwrap();
            match text_of(&frame["op"]) {
                "subscribe" => {
                    let topics: Vec<String> = args.iter().map(|topic| text_of(topic).to_owned()).collect();
                    assert_eq!(stream::subscribe_frame(&topics), text);
                }
                "authKeyExpires" => {
                    let key = TestKey::new(text_of(&args[0]), "TESTSECRET");
                    let mut ours: Value =
                        serde_json::from_str(&render::login_frame(args[1].as_i64().unwrap(), &key)).unwrap();
                    // The secret behind the recorded signature is not told; its form is.
                    assert_eq!(text_of(&ours["args"][2]).len(), text_of(&args[2]).len());
                    ours["args"][2] = args[2].clone();
                    assert_eq!(ours, frame);
                }
                other => panic!("unknown op {other}"),
            }
        }
    }
    println!("frames: {count} the same");
    counts::tell("bitmex", Kind::Frame, Count::run(count));
    assert_eq!(count, 10);
}
