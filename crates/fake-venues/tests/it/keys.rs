//! Who may do what: signatures, times, addresses, permissions, limits.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::client::{Bench, NOON, sign};

const WALLET: (&str, &str, &str) = ("GET", "/v5/account/wallet-balance", "accountType=UNIFIED");
const ORDER: &str =
    r#"{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Market","qty":"0.01"}"#;

async fn wallet_code(bench: &Bench, key: (&str, &str), at: i64) -> i64 {
    let (verb, path, query) = WALLET;
    bench.try_call(verb, path, query, "", key, at).await.unwrap().1["retCode"].as_i64().unwrap()
}

async fn order_code(bench: &Bench, key: (&str, &str)) -> i64 {
    bench.call("POST", "/v5/order/create", "", ORDER, key).await.1["retCode"].as_i64().unwrap()
}

#[tokio::test]
async fn keys_signatures_and_times_are_checked() {
    let bench = Bench::quiet().await;
    let good = ("TESTKEY", "TESTSECRET");
    assert_eq!(wallet_code(&bench, good, NOON).await, 0);
    assert_eq!(wallet_code(&bench, ("NOKEY", "TESTSECRET"), NOON).await, 10003);
    assert_eq!(wallet_code(&bench, ("TESTKEY", "WRONG"), NOON).await, 10004);
    // server - window <= timestamp < server + 1000
    assert_eq!(wallet_code(&bench, good, NOON - 5_000).await, 0);
    assert_eq!(wallet_code(&bench, good, NOON - 5_001).await, 10002);
    assert_eq!(wallet_code(&bench, good, NOON + 999).await, 0);
    assert_eq!(wallet_code(&bench, good, NOON + 1_000).await, 10002);
    assert_eq!(wallet_code(&bench, ("EXPIREDKEY", "EXPIREDSECRET"), NOON).await, 33004);
    let (head, body) = bench.send("GET", "/v5/account/info", "", "", &[]).await.unwrap();
    assert_eq!((head.status().as_u16(), body["retCode"].as_i64()), (401, Some(10003)));
}

#[tokio::test]
async fn a_changed_body_or_query_is_noticed() {
    let bench = Bench::quiet().await;
    let signature = sign("TESTSECRET", &format!("{NOON}TESTKEY5000{ORDER}"));
    let headers = [
        ("X-BAPI-API-KEY", "TESTKEY".to_owned()),
        ("X-BAPI-TIMESTAMP", NOON.to_string()),
        ("X-BAPI-RECV-WINDOW", "5000".to_owned()),
        ("X-BAPI-SIGN", signature),
    ];
    let larger = ORDER.replace("0.01", "0.02");
    let (_, body) = bench.send("POST", "/v5/order/create", "", &larger, &headers).await.unwrap();
    assert_eq!(body["retCode"], 10004);
    assert_eq!(bench.truth()["fills"], json!([]), "a refused order must not execute");
    let (_, body) = bench.send("POST", "/v5/order/create", "", ORDER, &headers).await.unwrap();
    assert_eq!(body["retCode"], 0);
}

#[tokio::test]
async fn addresses_and_permissions_are_checked() {
    let bench = Bench::quiet().await;
    assert_eq!(wallet_code(&bench, ("FOREIGNKEY", "FOREIGNSECRET"), NOON).await, 10010);
    bench.control("peer", &json!({ "address": "203.0.113.7" }));
    assert_eq!(wallet_code(&bench, ("FOREIGNKEY", "FOREIGNSECRET"), NOON).await, 0);
    assert_eq!(wallet_code(&bench, ("TESTKEY", "TESTSECRET"), NOON).await, 10010);
    bench.control("peer", &json!({ "address": null }));
    assert_eq!(order_code(&bench, ("READKEY", "READSECRET")).await, 10005);
    assert_eq!(order_code(&bench, ("NOORDERKEY", "NOORDERSECRET")).await, 10005);
    assert_eq!(wallet_code(&bench, ("READKEY", "READSECRET"), NOON).await, 0);
    assert_eq!(order_code(&bench, ("HEDGEKEY", "HEDGESECRET")).await, 10001);
}

#[tokio::test]
async fn a_key_tells_its_own_rights() {
    let bench = Bench::quiet().await;
    let (_, facts) = bench.call("GET", "/v5/user/query-api", "", "", ("WITHDRAWKEY", "WITHDRAWSECRET")).await;
    assert_eq!(facts["result"]["permissions"]["Wallet"], json!(["Withdraw"]));
    assert_eq!(facts["result"]["ips"], json!(["*"]));
    assert_eq!(facts["result"]["readOnly"], 0);
    let facts = bench.get("/v5/user/query-api", "").await;
    assert_eq!(facts["result"]["permissions"]["Wallet"], json!([]));
    assert_eq!(facts["result"]["ips"], json!(["127.0.0.1"]));
}

#[tokio::test]
async fn ten_orders_a_second_and_no_more() {
    let bench = Bench::quiet().await;
    for left in (0..10).rev() {
        let key = ("TESTKEY", "TESTSECRET");
        let (head, body) = bench.call("POST", "/v5/order/create", "", ORDER, key).await;
        assert_eq!(body["retCode"], 0);
        assert_eq!(head.headers()["x-bapi-limit"], "10");
        assert_eq!(head.headers()["x-bapi-limit-status"], left.to_string());
        assert_eq!(head.headers()["x-bapi-limit-reset-timestamp"], (NOON + 1_000).to_string());
    }
    // Another key of the same account shares the limit.
    assert_eq!(order_code(&bench, ("WITHDRAWKEY", "WITHDRAWSECRET")).await, 10006);
    bench.wall.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(order_code(&bench, ("TESTKEY", "TESTSECRET")).await, 0);
}
