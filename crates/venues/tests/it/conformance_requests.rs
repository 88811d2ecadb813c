//! All recorded requests: ours must mean the same, and every signature must verify.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Timestamp};
use keyhold_venues::bybit::endpoints;
use keyhold_venues::bybit::render::{self, Rendered, Unsigned};
use keyhold_venues::signer::{HttpRequest, SignedRequest};
use serde_json::Value;

use crate::counts::{self, Count, Kind};
use crate::request_cases::{Call, Mapped, map};
use crate::support::{TestKey, hex, hmac_sha256, order_id, shared_json};

/// What we spell out and ccxt leaves to Bybit's documented default: field and value.
const SPELLED_OUT_DEFAULTS: &[(&str, &str)] =
    &[("timeInForce", "GTC"), ("triggerBy", "LastPrice"), ("positionIdx", "0")];

/// What ccxt adds and Bybit does not document for the call: method and parameter.
const UNDOCUMENTED: &[(&str, &str)] = &[("fetchFundingHistory", "size")];

struct Pinned {
    key: TestKey,
    at: Timestamp,
}

#[derive(Default)]
struct Counts {
    same: usize,
    not_offered: BTreeMap<String, usize>,
    suspect: usize,
    signatures: usize,
}

fn pinned(file: &Value) -> Pinned {
    let text = |name: &str| file["pinned"][name].as_str().unwrap();
    let at = Timestamp::from_ms(file["pinned"]["milliseconds"].as_i64().unwrap());
    Pinned { key: TestKey::new(text("apiKey"), text("secret")), at }
}

/// A recorded request: verb, path, parameters, body.
struct Recorded {
    verb: String,
    path: String,
    query: BTreeMap<String, String>,
    body: BTreeMap<String, Value>,
}

fn recorded(verb: &str, url: &str, body: &Value) -> Recorded {
    let url: url::Url = url.parse().unwrap();
    let body = body.as_str().map_or_else(BTreeMap::new, |body| serde_json::from_str(body).unwrap());
    Recorded { verb: verb.to_owned(), path: url.path().to_owned(), query: query_of(&url), body }
}

fn query_of(url: &url::Url) -> BTreeMap<String, String> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn ours(call: &Call, pinned: &Pinned) -> HttpRequest {
    match call {
        Call::Public(product, query) => render::plain(&render::render_market(*product, query)),
        Call::Private(product, intent) => {
            match render::sign(*product, intent, pinned.at, &pinned.key).unwrap() {
                SignedRequest::Http(request) => request,
                SignedRequest::Login(_) => panic!("no case logs in"),
            }
        }
    }
}

/// Our request as if it had been recorded, made comparable: defaults, page sizes and names that ccxt leaves out.
fn comparable(request: &HttpRequest, wanted: &Recorded) -> Recorded {
    let url = format!("https://api.bybit.com{}", request.path_and_query);
    let body = if request.body.is_empty() { Value::Null } else { request.body.clone().into() };
    let mut ours = recorded(request.verb.as_str(), &url, &body);
    for (field, default) in SPELLED_OUT_DEFAULTS {
        let is_default = ours.body.get(*field).is_some_and(|value| plain_text(value) == *default);
        if is_default && !wanted.body.contains_key(*field) {
            ours.body.remove(*field);
        }
    }
    match wanted.body.get("orderLinkId") {
        // ccxt was given a name of its own; ours must stand in its place.
        Some(theirs) if ours.body.get("orderLinkId") == Some(&order_id(1).to_string().into()) => {
            ours.body.insert("orderLinkId".to_owned(), theirs.clone());
        }
        None if wanted.path == endpoints::PLACE.path => {
            assert!(ours.body.remove("orderLinkId").is_some(), "an order of ours without its name");
        }
        Some(_) | None => {}
    }
    ours
}

/// A text without its quotes, a number as it is.
fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn assert_same(id: &str, method: &str, request: &HttpRequest, mut wanted: Recorded) {
    for (_, parameter) in UNDOCUMENTED.iter().filter(|(of, _)| *of == method) {
        wanted.query.remove(*parameter);
    }
    // Page sizes are ours to choose when the case names none; ccxt then writes its own default.
    let ours = comparable(request, &wanted);
    if !ours.query.contains_key("limit") && wanted.path == endpoints::KLINE.path {
        assert_eq!(wanted.query.remove("limit").as_deref(), Some("200"), "{id}");
    }
    assert_eq!(ours.verb, wanted.verb, "{id}");
    assert_eq!(ours.path, wanted.path, "{id}");
    assert_eq!(ours.query, wanted.query, "{id}");
    assert_eq!(ours.body, wanted.body, "{id}");
}

/// The signature over the bytes that would be sent, computed a second way.
fn assert_signed(id: &str, request: &HttpRequest, pinned: &Pinned) {
    let header = |name: &str| {
        request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    };
    let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
    let text = format!("{}{}5000{query}{}", pinned.at.ms(), pinned.key.name, request.body);
    let expected = hex(&hmac_sha256(pinned.key.secret.as_bytes(), text.as_bytes()));
    assert_eq!(header("x-bapi-sign"), Some(expected.as_str()), "{id}");
    assert_eq!(header("x-bapi-api-key"), Some(pinned.key.name.as_str()), "{id}");
    assert_eq!(header("x-bapi-timestamp"), Some(pinned.at.ms().to_string().as_str()), "{id}");
    assert_eq!(header("x-bapi-recv-window"), Some("5000"), "{id}");
}

/// Our signing over ccxt's bytes gives ccxt's signature.
fn recorded_signature_verifies(id: &str, case: &Value, pinned: &Pinned) -> bool {
    let Some(expected) = case["headers"]["X-BAPI-SIGN"].as_str() else { return false };
    let query = case["url"].as_str().unwrap().split_once('?').map_or("", |(_, query)| query).to_owned();
    let body = case["output"].as_str().unwrap_or_default().to_owned();
    let endpoint = if case["httpMethod"] == "POST" { endpoints::PLACE } else { endpoints::WALLET };
    let signed = render::sign_unsigned(&Unsigned { endpoint, query, body }, pinned.at, &pinned.key);
    let ours = signed.headers.iter().find(|(name, _)| *name == "x-bapi-sign").unwrap();
    assert_eq!(ours.1, expected, "{id}");
    true
}

/// The recorded request that a call of ours answers to: the last one, or for lists over several categories its own.
fn wanted_for(case: &Value, call: &Call) -> Recorded {
    let product = match call {
        Call::Public(product, _) | Call::Private(product, _) => *product,
    };
    if case["method"] == "fetchMarkets" {
        let category = format!("category={}&limit=1000", render::category(product));
        let requests = case["requests"].as_array().unwrap();
        let own = requests.iter().find(|one| one["url"].as_str().unwrap().ends_with(&category)).unwrap();
        return recorded(own["httpMethod"].as_str().unwrap(), own["url"].as_str().unwrap(), &own["body"]);
    }
    let text = |name: &str| case[name].as_str().unwrap();
    recorded(text("httpMethod"), text("url"), &case["output"])
}

fn run_case(method: &str, case: &Value, pinned: &Pinned, counts: &mut Counts) {
    let id = case["id"].as_str().unwrap();
    counts.signatures += usize::from(recorded_signature_verifies(id, case, pinned));
    if !case["suspect"].is_null() {
        counts.suspect += 1;
        return;
    }
    let url: url::Url = case["url"].as_str().unwrap().parse().unwrap();
    let mapped = map(method, case["input"].as_array().unwrap(), &url);
    match mapped.unwrap_or_else(|| panic!("{id}: neither offered nor in the table of what is not")) {
        Mapped::NotOffered(why) => *counts.not_offered.entry(format!("{method}: {why}")).or_default() += 1,
        Mapped::Offered(calls) => {
            for call in &calls {
                let request = ours(call, pinned);
                assert_same(id, method, &request, wanted_for(case, call));
                if matches!(call, Call::Private(..)) {
                    assert_signed(id, &request, pinned);
                }
            }
            counts.same += 1;
        }
    }
}

#[test]
pub(crate) fn our_requests_mean_what_the_recorded_ones_mean() {
    let Some(file) = shared_json("conformance/venues/request/bybit.json") else { return };
    let pinned = pinned(&file);
    let mut counts = Counts::default();
    for (method, cases) in file["methods"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            run_case(method, case, &pinned, &mut counts);
        }
    }
    let refused: usize = counts.not_offered.values().sum();
    println!("requests: {} the same, {refused} not offered, {} suspect", counts.same, counts.suspect);
    let Counts { same: run, suspect, .. } = counts;
    counts::tell("bybit", Kind::Request, Count { run, not_offered: refused, suspect });
    println!("recorded signatures verified: {}", counts.signatures);
    for (what, count) in &counts.not_offered {
        println!("  not offered ({count}): {what}");
    }
    assert!(counts.same >= 80, "only {} cases were compared", counts.same);
}

#[test]
pub(crate) fn signing_vectors_come_out() {
    let Some(file) = shared_json("conformance/venues/signing-vectors.json") else { return };
    let vectors = file["vectors"].as_array().unwrap().iter().filter(|vector| vector["venue"] == "bybit");
    let mut count = 0;
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let key = TestKey::new(text("api_key"), text("secret"));
        let to_sign = text("string_to_sign");
        let signature = if text("kind") == "ws auth" {
            let expires = to_sign.trim_start_matches("GET/realtime").parse().unwrap();
            let frame: Value =
                serde_json::from_str(&render::login_frame(Timestamp::from_ms(expires), &key)).unwrap();
            assert_eq!(frame["args"][1], expires);
            frame["args"][2].as_str().unwrap().to_owned()
        } else {
            let (at, payload) = to_sign.split_once(&format!("{}5000", key.name)).unwrap();
            let posted = text("kind") == "rest POST";
            let (query, body) = if posted { ("", payload) } else { (payload, "") };
            let endpoint = if posted { endpoints::PLACE } else { endpoints::WALLET };
            let unsigned = Unsigned { endpoint, query: query.to_owned(), body: body.to_owned() };
            let signed = render::sign_unsigned(&unsigned, Timestamp::from_ms(at.parse().unwrap()), &key);
            signed.headers.into_iter().find(|(name, _)| *name == "x-bapi-sign").unwrap().1
        };
        assert_eq!(signature, text("signature"), "{}", text("kind"));
        count += 1;
    }
    println!("signing vectors: {count}");
    counts::tell("bybit", Kind::Vector, Count::run(count));
    assert_eq!(count, 3);
}

#[test]
fn inverse_perpetuals_have_no_position_mode_to_set() {
    let intent = keyhold_venues::Intent::UseOneWayMode { symbol: "BTCUSDT".parse().unwrap() };
    let linear = render::render(ContractType::Linear, &intent).unwrap();
    assert!(matches!(linear, Rendered::Request(unsigned) if unsigned.endpoint == endpoints::POSITION_MODE));
    assert!(render::render(ContractType::Inverse, &intent).is_err());
}
