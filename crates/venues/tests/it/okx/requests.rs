//! All recorded requests: ours must mean the same, and every signature must verify.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use keyhold_domain::{OrderPurpose, Timestamp};
use keyhold_venues::okx::render::{self, Unsigned};
use keyhold_venues::okx::{bodies, endpoints};
use keyhold_venues::signer::{
    CancelOrder, HttpRequest, Intent, OrderRef, SignedRequest, SignerRefusal, Verb,
};
use serde_json::{Value, json};

use super::request_cases::{Call, map};
use super::{key, order_id};
use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, hmac_sha256, shared_json};

/// What is ours to say otherwise in the query: method, parameter, and why that is as good.
const OTHER_QUERIES: &[(&str, &str, &str)] = &[
    ("fetchTradingFee", "uly", "the documented name is instFamily"),
    ("fetchOpenInterest", "uly", "the instrument is named anyway"),
    ("fetchFundingHistory", "ctType", "rows of other contracts are left out afterwards"),
    ("fetchFundingHistory", "ccy", "rows of other contracts are left out afterwards"),
];

/// What we add to narrow a list to perpetual contracts, where the case does not.
const NARROWING: (&str, &str) = ("instType", "SWAP");

type Fields = BTreeMap<String, Value>;

/// Path, query and the rows of the body: OKX takes some bodies as lists.
#[derive(Debug, PartialEq)]
struct Meant {
    verb: String,
    path: String,
    query: BTreeMap<String, String>,
    rows: Vec<Fields>,
}

fn meant(verb: &str, url: &str, body: &str) -> Meant {
    let url: url::Url = url.parse().unwrap();
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let rows = match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(rows)) => rows.into_iter().map(|row| serde_json::from_value(row).unwrap()).collect(),
        Ok(row @ Value::Object(_)) => vec![serde_json::from_value(row).unwrap()],
        Ok(_) | Err(_) => vec![],
    };
    Meant { verb: verb.to_owned(), path: url.path().to_owned(), query, rows }
}

/// The recorded request in our way of saying it: single orders go to their own call, numbers are texts, the broker's tag
/// is left out, and defaults that ccxt writes need not be written.
fn wanted(method: &str, case: &Value) -> Meant {
    let request = match (method, case["requests"].as_array()) {
        ("fetchMarkets", Some(all)) => {
            let swaps = all.iter().find(|one| one["url"].as_str().unwrap().ends_with("instType=SWAP"));
            swaps.unwrap()
        }
        _ => case,
    };
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let body = if request["output"].is_string() { text("output") } else { text("body") };
    let mut meant = meant(text("httpMethod"), text("url"), body);
    if method == "createOrder" && meant.path == "/api/v5/trade/batch-orders" {
        endpoints::PLACE.path.clone_into(&mut meant.path);
    }
    for row in &mut meant.rows {
        row.remove("tag");
        // Net mode is the only one we trade in, and net is then the default.
        if row.get("posSide") == Some(&json!("net")) {
            row.remove("posSide");
        }
        if row.contains_key("clOrdId") {
            row.insert("clOrdId".to_owned(), json!(order_id(OrderPurpose::Entry).to_string()));
        }
        for number in ["lever", "timeOut"] {
            if let Some(value) = row.get_mut(number) {
                *value = json!(value.to_string());
            }
        }
    }
    for (_, parameter, _) in OTHER_QUERIES.iter().filter(|(of, ..)| *of == method) {
        if let Some(value) = meant.query.remove(*parameter)
            && method == "fetchTradingFee"
        {
            meant.query.insert("instFamily".to_owned(), value);
        }
    }
    if meant.query.contains_key("clOrdId") {
        meant.query.insert("clOrdId".to_owned(), order_id(OrderPurpose::Entry).to_string());
    }
    meant
}

fn ours(call: &Call, at: Timestamp, key: &TestKey) -> HttpRequest {
    match call {
        Call::Public(query) => render::plain(&render::render_market(query)),
        Call::Private(intent) => match render::sign(intent, at, key).unwrap() {
            SignedRequest::Http(request) => request,
            SignedRequest::Login(_) => panic!("no case logs in"),
        },
    }
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// The signature over the bytes that would be sent, computed a second way.
fn assert_signed(id: &str, request: &HttpRequest, key: &TestKey) {
    let at = "2024-10-27T03:33:20.123Z";
    let text = format!("{at}{}{}{}", request.verb.as_str(), request.path_and_query, request.body);
    let expected = BASE64_STANDARD.encode(hmac_sha256(key.secret.as_bytes(), text.as_bytes()));
    assert_eq!(header(request, "ok-access-sign"), Some(expected.as_str()), "{id}");
    assert_eq!(header(request, "ok-access-key"), Some(key.name.as_str()), "{id}");
    assert_eq!(header(request, "ok-access-timestamp"), Some(at), "{id}");
    assert_eq!(header(request, "ok-access-passphrase"), key.passphrase.as_deref(), "{id}");
}

/// Our signing over ccxt's bytes gives ccxt's signature.
fn recorded_signature_verifies(id: &str, case: &Value, at: Timestamp, key: &TestKey) -> bool {
    let Some(expected) = case["headers"]["OK-ACCESS-SIGN"].as_str() else { return false };
    let url: url::Url = case["url"].as_str().unwrap().parse().unwrap();
    let posted = case["httpMethod"] == "POST";
    // Only the path of an endpoint is a constant; the cases name many that we do not have.
    let path: &'static str = Box::leak(url.path().to_owned().into_boxed_str());
    let endpoint = endpoints::ALL.iter().find(|one| one.path == path).copied().unwrap_or(endpoints::PLACE);
    let verb = if posted { Verb::Post } else { Verb::Get };
    let endpoint = keyhold_venues::common::endpoint::Endpoint { verb, path, ..endpoint };
    let query = url.query().unwrap_or_default().to_owned();
    let body = case["output"].as_str().unwrap_or_default().to_owned();
    let signed = render::sign_unsigned(&Unsigned { endpoint, query, body }, at, key).unwrap();
    assert_eq!(header(&signed, "ok-access-sign"), Some(expected), "{id}");
    true
}

#[test]
pub(crate) fn our_requests_mean_what_the_recorded_ones_mean() {
    let Some(file) = shared_json("conformance/venues/request/okx.json") else { return };
    let text = |name: &str| file["pinned"][name].as_str().unwrap();
    let at = Timestamp::from_ms(file["pinned"]["milliseconds"].as_i64().unwrap());
    let key = key(text("apiKey"), text("secret"), text("password"));
    let (mut same, mut suspect, mut signatures) = (0, 0, 0);
    let mut not_offered: BTreeMap<String, usize> = BTreeMap::new();
    for (method, cases) in file["methods"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let id = case["id"].as_str().unwrap();
            signatures += usize::from(recorded_signature_verifies(id, case, at, &key));
            if !case["suspect"].is_null() {
                suspect += 1;
                continue;
            }
            let url: url::Url = case["url"].as_str().unwrap().parse().unwrap();
            let mapped = map(method, case["input"].as_array().unwrap(), &url);
            let mapped =
                mapped.unwrap_or_else(|| panic!("{id}: neither offered nor in the table of what is not"));
            match mapped {
                Err(why) => *not_offered.entry(format!("{method}: {why}")).or_default() += 1,
                Ok(call) => {
                    let request = ours(&call, at, &key);
                    let url = format!("https://www.okx.com{}", request.path_and_query);
                    let mut ours = meant(request.verb.as_str(), &url, &request.body);
                    let wanted = wanted(method, case);
                    if !wanted.query.contains_key(NARROWING.0)
                        && ours.query.get(NARROWING.0).is_some_and(|value| value == NARROWING.1)
                    {
                        ours.query.remove(NARROWING.0);
                    }
                    let named = wanted.rows.iter().any(|row| row.contains_key("clOrdId"));
                    assert!(named || method != "createOrder", "{id}: an order without a name");
                    assert_eq!(ours, wanted, "{id}");
                    if matches!(call, Call::Private(_)) {
                        assert_signed(id, &request, &key);
                    }
                    same += 1;
                }
            }
        }
    }
    let refused: usize = not_offered.values().sum();
    println!("requests: {same} the same, {refused} not offered, {suspect} suspect");
    counts::tell("okx", Kind::Request, Count { run: same, not_offered: refused, suspect });
    println!("recorded signatures verified: {signatures}");
    for (what, count) in &not_offered {
        println!("  not offered ({count}): {what}");
    }
    assert!(same >= 60, "only {same} cases were compared");
    assert!(signatures >= 90, "only {signatures} signatures were recorded");
}

#[test]
pub(crate) fn signing_vectors_come_out() {
    let Some(file) = shared_json("conformance/venues/signing-vectors.json") else { return };
    let vectors = file["vectors"].as_array().unwrap().iter().filter(|vector| vector["venue"] == "okx");
    let mut count = 0;
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let key = key("K", text("api_secret"), "P");
        let to_sign = text("string_to_sign");
        let signature = if text("kind") == "ws login" {
            let seconds: i64 = to_sign.strip_suffix("GET/users/self/verify").unwrap().parse().unwrap();
            let frame = render::login_frame(Timestamp::from_ms(seconds * 1_000 + 999), &key).unwrap();
            let frame: Value = serde_json::from_str(&frame).unwrap();
            assert_eq!(frame["args"][0]["timestamp"], seconds.to_string());
            frame["args"][0]["sign"].as_str().unwrap().to_owned()
        } else {
            let (at, rest) = to_sign.split_at("2020-12-08T09:08:57.715Z".len());
            let (endpoint, query, body) = match rest.strip_prefix("GET") {
                Some(path) => (endpoints::BALANCE, path.split_once('?').unwrap().1, ""),
                None => (endpoints::PLACE, "", &rest[rest.find('{').unwrap()..]),
            };
            let unsigned = Unsigned { endpoint, query: query.to_owned(), body: body.to_owned() };
            let signed = render::sign_unsigned(&unsigned, at.parse().unwrap(), &key).unwrap();
            header(&signed, "ok-access-sign").unwrap().to_owned()
        };
        assert_eq!(signature, text("signature"), "{}", text("kind"));
        count += 1;
    }
    println!("signing vectors: {count}");
    counts::tell("okx", Kind::Vector, Count::run(count));
    assert_eq!(count, 3);
}

/// ccxt's stops are marked suspect for their name; these are what the documentation asks for.
#[test]
fn stops_go_to_their_own_book_under_their_own_name() {
    let Some(Ok(Call::Private(Intent::PlaceIn(order, margin)))) = map(
        "createOrder",
        &[
            json!("BTC/USDT:USDT"),
            json!("market"),
            json!("sell"),
            json!(1.25),
            json!(null),
            json!({
                "reduceOnly": true, "marginMode": "isolated",
            }),
        ],
        &"https://www.okx.com/".parse().unwrap(),
    ) else {
        panic!("an order")
    };
    let id = order_id(OrderPurpose::ProtectiveStop);
    let kind = keyhold_domain::OrderKind::StopMarket {
        trigger: "48000.5".parse().unwrap(),
        direction: keyhold_domain::TriggerDirection::Falls,
        source: keyhold_domain::TriggerSource::Mark,
    };
    let (book, body) = bodies::place(&keyhold_domain::NewOrder { kind, client_id: id, ..order }, margin);
    assert_eq!(book, bodies::Book::Stops);
    let expected = json!({
        "instId": "BTC-USDT-SWAP", "tdMode": "isolated", "side": "sell", "ordType": "conditional", "sz": "1.25",
        "algoClOrdId": id.to_string(), "reduceOnly": true, "slTriggerPx": "48000.5", "slOrdPx": "-1",
        "slTriggerPxType": "mark",
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let (book, body) = bodies::cancel(&CancelOrder { order: OrderRef::Client(id), symbol: order.symbol });
    assert_eq!(book, bodies::Book::Stops);
    let expected = json!([{ "instId": "BTC-USDT-SWAP", "algoClOrdId": id.to_string() }]);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
}

#[test]
fn what_okx_cannot_be_told_is_not_signed() {
    let key = key("K", "S", "P");
    let at = Timestamp::from_ms(1_730_000_000_123);
    let symbol = "BTC-USDT-SWAP".parse().unwrap();
    let seconds = |n| Some(std::time::Duration::from_secs(n));
    let switch = |after| render::sign(&Intent::DeadMansSwitch { symbol, after }, at, &key);
    assert!(switch(None).is_ok() && switch(seconds(10)).is_ok() && switch(seconds(120)).is_ok());
    assert_eq!(switch(seconds(9)), Err(SignerRefusal::NotOffered));
    assert_eq!(switch(seconds(121)), Err(SignerRefusal::NotOffered));
    let bare = TestKey::new("K", "S");
    assert_eq!(render::sign(&Intent::StreamLogin, at, &bare), Err(SignerRefusal::UnfitSecret));
}
