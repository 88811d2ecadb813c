//! All recorded requests of both products: ours must mean the same, and every signature must verify.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Exchange, Timestamp};
use keyhold_venues::binance::{market_stream, render};
use keyhold_venues::signer::{HttpRequest, Intent, SignedRequest, StreamToken};
use keyhold_venues::{Endpoints, sign_with};
use serde_json::Value;

use super::request_cases::{Call, Mapped, map};
use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, hex, hmac_sha256, order_id, shared_json};

/// What we spell out and ccxt leaves to Binance's documented default.
const SPELLED_OUT_DEFAULTS: &[(&str, &str)] = &[("workingType", "CONTRACT_PRICE")];

/// Names, times and signatures; they are checked by themselves.
const SKIPPED: &[&str] =
    &["newClientOrderId", "clientAlgoId", "newOrderRespType", "recvWindow", "timestamp", "signature"];

/// What ccxt adds when the case names none; both are ours to choose.
const CHOSEN_BY_CCXT: &[(&str, &str)] = &[("fetchOHLCV", "limit"), ("fetchOHLCV", "endTime")];

struct Pinned {
    key: TestKey,
    at: Timestamp,
}

fn pinned(file: &Value) -> Pinned {
    let text = |name: &str| file["pinned"][name].as_str().unwrap();
    let at = Timestamp::from_ms(file["pinned"]["milliseconds"].as_i64().unwrap());
    Pinned { key: TestKey::new(text("apiKey"), text("secret")), at }
}

type Form = BTreeMap<String, String>;

fn form(text: &str) -> Form {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn ours(product: ContractType, call: &Call, pinned: &Pinned) -> HttpRequest {
    match call {
        Call::Public(query) => render::question(product, query).request,
        Call::Private(intent) => {
            match sign_with(Exchange::Binance, product, intent, pinned.at, &pinned.key).unwrap() {
                SignedRequest::Http(request) => request,
                SignedRequest::Login(_) => panic!("no case logs in"),
            }
        }
    }
}

/// Our parameters against those of the case: where they travel and what they say.
fn assert_same(id: &str, method: &str, request: &HttpRequest, case: &Value) {
    let url: url::Url = case["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(request.verb.as_str(), case["httpMethod"].as_str().unwrap(), "{id}");
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((&request.path_and_query, ""));
    assert_eq!(path, url.path(), "{id}");
    let parts = [
        (form(query), form(url.query().unwrap_or_default())),
        (form(&request.body), form(case["output"].as_str().unwrap_or_default())),
    ];
    for (mut ours, mut theirs) in parts {
        // ccxt was given a name of its own; ours must stand in its place.
        for name in ["origClientOrderId", "newClientOrderId", "clientAlgoId"] {
            if theirs.contains_key(name) {
                assert_eq!(ours.get(name), Some(&order_id(1).to_string()), "{id}");
                theirs.insert(name.to_owned(), order_id(1).to_string());
            }
        }
        for name in SKIPPED {
            ours.remove(*name);
            theirs.remove(*name);
        }
        for (name, default) in SPELLED_OUT_DEFAULTS {
            if ours.get(*name).is_some_and(|value| value == default) && !theirs.contains_key(*name) {
                ours.remove(*name);
            }
        }
        for (_, name) in CHOSEN_BY_CCXT.iter().filter(|(of, _)| *of == method) {
            if !ours.contains_key(*name) {
                theirs.remove(*name);
            }
        }
        assert_eq!(ours, theirs, "{id}");
    }
}

/// The signature over the bytes that would be sent, computed a second way.
fn assert_signed(id: &str, request: &HttpRequest, pinned: &Pinned) {
    let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
    let sent = format!("{query}{}", request.body);
    let (text, signature) = sent.rsplit_once("&signature=").unwrap_or_else(|| panic!("{id}: not signed"));
    assert_eq!(signature, hex(&hmac_sha256(pinned.key.secret.as_bytes(), text.as_bytes())), "{id}");
    let form = form(text);
    assert_eq!(form["timestamp"], pinned.at.ms().to_string(), "{id}");
    assert_eq!(form["recvWindow"], "5000", "{id}");
    let key = request.headers.iter().find(|(name, _)| *name == "x-mbx-apikey");
    assert_eq!(key.map(|(_, value)| value.as_str()), Some(pinned.key.name.as_str()), "{id}");
}

/// Our MAC over ccxt's bytes is ccxt's signature.
fn recorded_signature_verifies(id: &str, case: &Value, pinned: &Pinned) -> bool {
    let query = case["url"].as_str().unwrap().split_once('?').map_or("", |(_, query)| query);
    let sent = format!("{query}{}", case["output"].as_str().unwrap_or_default());
    let Some((text, expected)) = sent.rsplit_once("&signature=") else { return false };
    assert_eq!(render::signature(&pinned.key, text), expected, "{id}");
    true
}

fn recorded_requests(product: ContractType, name: &'static str, least: usize) {
    let Some(file) = shared_json(&format!("conformance/venues/request/{name}.json")) else { return };
    let pinned = pinned(&file);
    let (mut same, mut suspect, mut signatures) = (0, 0, 0);
    let mut not_offered: BTreeMap<String, usize> = BTreeMap::new();
    for (method, cases) in file["methods"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let id = case["id"].as_str().unwrap();
            signatures += usize::from(recorded_signature_verifies(id, case, &pinned));
            if !case["suspect"].is_null() {
                suspect += 1;
                continue;
            }
            match map(product, method, case["input"].as_array().unwrap()) {
                Mapped::NotOffered(why) => *not_offered.entry(format!("{method}: {why}")).or_default() += 1,
                Mapped::Offered(call) => {
                    let request = ours(product, &call, &pinned);
                    assert_same(id, method, &request, case);
                    if matches!(call, Call::Private(_)) {
                        assert_signed(id, &request, &pinned);
                    }
                    same += 1;
                }
            }
        }
    }
    let left_out: usize = not_offered.values().sum();
    println!("{name}: {same} the same, {left_out} not offered {not_offered:#?}, {suspect} suspect");
    counts::tell(name, Kind::Request, Count { run: same, not_offered: left_out, suspect });
    println!("{name}: {signatures} recorded signatures verify");
    assert!(same >= least, "{same}");
}

#[test]
pub(crate) fn linear_requests_mean_what_is_recorded() {
    recorded_requests(ContractType::Linear, "binanceusdm", 40);
}

#[test]
pub(crate) fn inverse_requests_mean_what_is_recorded() {
    recorded_requests(ContractType::Inverse, "binancecoinm", 35);
}

#[test]
pub(crate) fn signatures_are_those_of_the_vectors() {
    let Some(file) = shared_json("conformance/venues/signing-vectors.json") else { return };
    let of_binance = |case: &&Value| case["venue"].as_str().is_some_and(|venue| venue.starts_with("binance"));
    let mut count = 0;
    for case in file["vectors"].as_array().unwrap().iter().filter(of_binance) {
        let text = |name: &str| case[name].as_str().unwrap();
        let key = TestKey::new(text("api_key"), text("secret"));
        assert_eq!(render::signature(&key, text("string_to_sign")), text("signature"));
        count += 1;
    }
    for name in ["binance", "binanceusdm"] {
        let own = file["vectors"].as_array().unwrap().iter().filter(|case| case["venue"] == name).count();
        counts::tell(name, Kind::Vector, Count::run(own));
    }
    println!("signing vectors: {count}");
    assert_eq!(count, 3);
}

#[test]
fn a_listen_key_is_asked_for_with_the_keys_name_alone() {
    let key = TestKey::new("NAME", "SECRET");
    for (product, path) in
        [(ContractType::Linear, "/fapi/v1/listenKey"), (ContractType::Inverse, "/dapi/v1/listenKey")]
    {
        for (token, verb) in
            [(StreamToken::Make, "POST"), (StreamToken::Renew, "PUT"), (StreamToken::End, "DELETE")]
        {
            let intent = Intent::StreamToken(token);
            let signed = sign_with(Exchange::Binance, product, &intent, Timestamp::from_ms(1), &key).unwrap();
            let SignedRequest::Http(request) = signed else { panic!("not a request") };
            assert_eq!((request.verb.as_str(), request.path_and_query.as_str()), (verb, path));
            assert_eq!((request.body.as_str(), request.headers.len()), ("", 1));
        }
    }
}

/// Streams that the recorded client listens to and we do not, and what we take instead.
const OTHER_STREAMS: &[(&str, &str)] = &[("trade", "aggTrade at /market")];

fn client_frames(product: ContractType, name: &'static str, symbol: &str) {
    let Some(file) = shared_json(&format!("conformance/venues/ws-client-frames/{name}.json")) else { return };
    let endpoints = Endpoints::simulated(Exchange::Binance, product, "http://127.0.0.1:1").unwrap();
    let bases = [endpoints.public_ws(), endpoints.market_ws(), endpoints.private_ws()];
    let ours = ["depth@", "kline_", "miniTicker", "aggTrade", "markPrice", "bookTicker"];
    let (mut frames, mut paths, mut calls, mut other) = (0, 0, 0, 0);
    for frame in file["steps"].as_array().unwrap().iter().flat_map(|step| step["frames"].as_array().unwrap())
    {
        let text = frame[1].as_str().unwrap();
        match frame[0].as_str().unwrap() {
            "CONNECT" => {
                assert!(
                    bases.iter().any(|base| text.starts_with(&format!("{}/ws", base.prefix()))),
                    "{text}"
                );
                paths += 1;
            }
            "HTTP" => {
                assert_eq!(text.split_once(' ').unwrap().1.rsplit('/').next(), Some("listenKey"));
                calls += 1;
            }
            "RECV" => {
                let theirs: Value = serde_json::from_str(text).unwrap();
                let names: Vec<String> = serde_json::from_value(theirs["params"].clone()).unwrap();
                for name in &names {
                    let kind = name.strip_prefix(&format!("{symbol}@")).unwrap();
                    if OTHER_STREAMS.iter().any(|(word, _)| *word == kind) {
                        other += 1;
                    } else {
                        assert!(ours.iter().any(|start| kind.starts_with(start)), "{kind} is in no table");
                    }
                }
                let number = u32::try_from(theirs["id"].as_u64().unwrap()).unwrap();
                let frame: Value =
                    serde_json::from_str(&market_stream::subscribe_frame(number, &names)).unwrap();
                assert_eq!(frame, theirs);
                frames += 1;
            }
            word => panic!("{word} is in no table"),
        }
    }
    println!("{name}: {frames} stream frames the same ({other} of streams we do not take), {paths} paths");
    counts::tell(name, Kind::Frame, Count::run(frames + paths + calls));
    assert!(frames >= 4 && paths >= 5);
}

#[test]
pub(crate) fn our_frames_mean_what_another_clients_frames_mean() {
    client_frames(ContractType::Linear, "binanceusdm", "btcusdt");
    client_frames(ContractType::Inverse, "binancecoinm", "btcusd_perp");
}
