//! The fake OKX as its clients see it: signatures, times, keys, limits, faults.

use std::sync::Arc;

use keyhold_domain::{Exchange, Timestamp};
use keyhold_fake_venues::config::{CandleSource, KeyConfig, RateLimits, VenueConfig};
use keyhold_fake_venues::parse_instrument_at;
use serde_json::{Value, json};

use crate::client::{Bench, candles, config};

const BALANCE: &str = "/api/v5/account/balance";

fn okx(key: KeyConfig, limits: RateLimits, now: i64) -> VenueConfig {
    let rows = vec![[50_000, 50_010, 49_990, 50_000]; 10];
    let mut config = config(&CandleSource::Recorded(candles(&rows)), 5);
    config.venue = Exchange::Okx;
    for (market, name) in config.markets.iter_mut().zip(["BTC-USDT-SWAP=linear", "BTC-USD-SWAP=inverse"]) {
        market.instrument = parse_instrument_at(Exchange::Okx, name).unwrap();
    }
    config.rate_limits = limits;
    config.accounts[0].keys.push(key);
    config.clock = Arc::new(move || Timestamp::from_ms(now));
    config
}

fn key(name: &str, secret: &str, passphrase: &str) -> KeyConfig {
    let words = vec!["Order".to_owned(), "Position".to_owned()];
    KeyConfig {
        key: name.to_owned(),
        secret: secret.to_owned(),
        passphrase: Some(passphrase.to_owned()),
        read_only: false,
        permissions: [("ContractTrade".to_owned(), words)].into(),
        ips: Vec::new(),
        expires_at_ms: 0,
    }
}

/// The derived vector of the specification: the secret of OKX's documentation.
const VECTOR: (&str, &str, &str) = (
    "22582BD0CFF14C41EDBF1AB98506286D",
    "2020-12-08T09:08:57.715Z",
    "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=",
);

async fn balance(bench: &Bench, at: &str, sign: &str, passphrase: &str) -> (u16, Value) {
    let headers = [
        ("OK-ACCESS-KEY", "K".to_owned()),
        ("OK-ACCESS-TIMESTAMP", at.to_owned()),
        ("OK-ACCESS-SIGN", sign.to_owned()),
        ("OK-ACCESS-PASSPHRASE", passphrase.to_owned()),
    ];
    let (head, body) = bench.send("GET", BALANCE, "ccy=BTC", "", &headers).await.unwrap();
    (head.status().as_u16(), body)
}

#[tokio::test]
async fn signatures_passphrases_and_times_are_checked() {
    let (secret, at, sign) = VECTOR;
    let sent: i64 = at.parse::<Timestamp>().unwrap().ms();
    for (off, code) in [(0, "0"), (30_000, "0"), (-30_000, "0"), (30_001, "50102"), (-30_001, "50102")] {
        let now = sent + off;
        let bench = Bench::with_own_clock(okx(key("K", secret, "P"), RateLimits::Enforced, now)).await;
        let (status, body) = balance(&bench, at, sign, "P").await;
        assert_eq!((body["code"].as_str(), status == 200), (Some(code), code == "0"), "{off}");
    }
    let bench = Bench::with_own_clock(okx(key("K", secret, "P"), RateLimits::Enforced, sent)).await;
    assert_eq!(balance(&bench, at, sign, "Q").await.1["code"], "50105");
    assert_eq!(balance(&bench, at, "x", "P").await.1["code"], "50113");
    assert_eq!(balance(&bench, "yesterday", sign, "P").await.1["code"], "50112");
    let (head, body) = bench.send("GET", BALANCE, "", "", &[]).await.unwrap();
    assert_eq!((head.status().as_u16(), body["code"].as_str()), (401, Some("50103")));
}

#[tokio::test]
async fn ten_balances_in_two_seconds_and_no_more() {
    let (secret, at, sign) = VECTOR;
    let now = at.parse::<Timestamp>().unwrap().ms();
    let bench = Bench::with_own_clock(okx(key("K", secret, "P"), RateLimits::Enforced, now)).await;
    for _ in 0..10 {
        assert_eq!(balance(&bench, at, sign, "P").await.0, 200);
    }
    let (status, body) = balance(&bench, at, sign, "P").await;
    assert_eq!((status, body["code"].as_str()), (429, Some("50011")));
    bench.control("script", &json!({ "path": BALANCE, "fate": "status", "status": 503 }));
    let (status, body) = balance(&bench, at, sign, "P").await;
    assert_eq!((status, body["code"].as_str()), (503, Some("50001")));
}

/// Calls ccxt knows and this venue does not simulate.
const NOT_SIMULATED: [&str; 3] = [
    "/api/v5/account/position/margin-balance",
    "/api/v5/trade/close-position",
    "/api/v5/market/mark-price-candles",
];

#[tokio::test]
async fn every_signature_of_an_independent_client_is_accepted() {
    let beside = || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("KEYHOLD_SHARED").map_or_else(beside, std::path::PathBuf::from);
    let Ok(text) = std::fs::read_to_string(shared.join("conformance/venues/request/okx.json")) else {
        eprintln!("SKIPPED: ../shared is absent");
        return;
    };
    let cases: Value = serde_json::from_str(&text).unwrap();
    let word = |name: &str| cases["pinned"][name].as_str().unwrap().to_owned();
    let now = cases["pinned"]["milliseconds"].as_i64().unwrap();
    let known = key(&word("apiKey"), &word("secret"), &word("password"));
    let bench = Bench::with_own_clock(okx(known, RateLimits::Off, now)).await;
    let mut sent = 0;
    for case in cases["methods"].as_object().unwrap().values().flat_map(|cases| cases.as_array().unwrap()) {
        let url = case["url"].as_str().unwrap().split_once(".com").unwrap().1;
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        if NOT_SIMULATED.contains(&path) {
            continue;
        }
        let headers = case["headers"].as_object().into_iter().flatten();
        let headers: Vec<(&str, String)> =
            headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned())).collect();
        let body = case["output"].as_str().unwrap_or("");
        let verb = case["httpMethod"].as_str().unwrap();
        let (_, answer) = bench.send(verb, path, query, body, &headers).await.unwrap();
        let code = answer["code"].as_str().unwrap_or("none");
        assert!(!code.starts_with("501") && code != "50404" && code != "none", "{}: {answer}", case["id"]);
        sent += 1;
    }
    assert!(sent > 100, "only {sent} requests were sent");
}
