//! Requests that ccxt signed, sent as they were captured: the venue must accept every signature.

use std::path::PathBuf;
use std::sync::Arc;

use keyhold_domain::Timestamp;
use keyhold_fake_venues::config::{CandleSource, KeyConfig, RateLimits};
use serde_json::Value;

use crate::client::{Bench, candles, config};

fn shared() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("KEYHOLD_SHARED").map_or_else(beside, PathBuf::from)
}

/// Calls ccxt knows and this venue does not simulate.
const NOT_SIMULATED: [&str; 4] = [
    "/v5/order/create-batch",
    "/v5/order/cancel-batch",
    "/v5/order/disconnected-cancel-all",
    "/v5/account/transaction-log",
];

#[tokio::test]
async fn every_signature_of_an_independent_client_is_accepted() {
    let path = shared().join("conformance/venues/request/bybit.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: ../shared is absent");
        return;
    };
    let cases: Value = serde_json::from_str(&text).unwrap();
    let pinned = &cases["pinned"];
    let word = |name: &str| pinned[name].as_str().unwrap().to_owned();
    let rows = vec![[50_000, 50_010, 49_990, 50_000]; 10];
    let mut config = config(&CandleSource::Recorded(candles(&rows)), 5);
    config.rate_limits = RateLimits::Off;
    let permissions = config.accounts[0].keys[0].permissions.clone();
    config.accounts[0].keys.push(KeyConfig {
        key: word("apiKey"),
        secret: word("secret"),
        passphrase: None,
        read_only: false,
        permissions,
        ips: Vec::new(),
        expires_at_ms: 0,
    });
    let now = pinned["milliseconds"].as_i64().unwrap();
    config.clock = Arc::new(move || Timestamp::from_ms(now));
    let bench = Bench::with(config).await;
    let mut sent = 0;
    for case in cases["methods"].as_object().unwrap().values().flat_map(|cases| cases.as_array().unwrap()) {
        let url = case["url"].as_str().unwrap().split_once(".com").unwrap().1;
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        if NOT_SIMULATED.contains(&path) {
            continue;
        }
        let headers: Vec<(&str, String)> = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()))
            .collect();
        let body = case["output"].as_str().unwrap_or("");
        let verb = case["httpMethod"].as_str().unwrap();
        let (head, answer) = bench.send(verb, path, query, body, &headers).await.unwrap();
        let id = &case["id"];
        assert_eq!(head.status().as_u16(), 200, "{id}: {answer}");
        let code = answer["retCode"].as_i64().unwrap();
        assert!(![10002, 10003, 10004, 10005, 10010].contains(&code), "{id}: {answer}");
        sent += 1;
    }
    assert!(sent > 100, "only {sent} requests were sent");
}
