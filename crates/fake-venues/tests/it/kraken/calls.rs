//! Requests as they come over the wire: parameters in query or body, nonces, costs, permissions, charts.

use std::sync::atomic::Ordering;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use keyhold_domain::{Exchange, Timestamp};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::parse_instrument_at;
use keyhold_simulator::exchange::ExchangeConfig;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::net::TcpStream;

use crate::client::{Bench, candles};

pub(super) const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USD = "10000", BTC = "1" }
    [[account.key]]
    key = "TESTKEY"
    secret = "VEVTVFNFQ1JFVA=="
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY"
    secret = "UkVBRFNFQ1JFVA=="
    read_only = true
    [[account.key]]
    key = "FOREIGNKEY"
    secret = "Rk9SRUlHTg=="
    ips = ["203.0.113.7"]
"#;

const SECRET: &str = "VEVTVFNFQ1JFVA==";

pub(super) fn config(source: &CandleSource, history: usize) -> VenueConfig {
    let market = |name: &str| MarketConfig {
        instrument: parse_instrument_at(Exchange::KrakenFutures, name).unwrap(),
        source: source.clone(),
    };
    VenueConfig {
        venue: Exchange::KrakenFutures,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![market("PF_XBTUSD=linear"), market("PI_XBTUSD=inverse")],
        accounts: parse_accounts(ACCOUNTS).unwrap(),
        seed: 7,
        pace: Pace::Lockstep,
        base: keyhold_domain::Timeframe::M1,
        history,
        start: Some(Timestamp::from_ms(1_704_067_200_000)),
        exchange: ExchangeConfig::default(),
        rate_limits: RateLimits::Enforced,
        clock: keyhold_fake_venues::clock::system_clock(),
    }
}

async fn quiet() -> Bench {
    let rows = vec![[50_000, 50_010, 49_990, 50_000]; 60];
    Bench::with(config(&CandleSource::Recorded(candles(&rows)), 20)).await
}

fn authent(secret: &str, text: &str) -> String {
    let secret = BASE64_STANDARD.decode(secret).unwrap();
    let mut mac = Hmac::<Sha512>::new_from_slice(&secret).unwrap();
    mac.update(&Sha256::digest(text));
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A signed request; the path stands without `/derivatives`.
async fn call(
    bench: &Bench,
    verb: &str,
    path: &str,
    (query, body): (&str, &str),
    (key, secret, nonce): (&str, &str, &str),
) -> (u16, Value) {
    let signature = authent(secret, &format!("{query}{body}{nonce}{path}"));
    let prefix = if path.starts_with("/api/v3") { "/derivatives" } else { "" };
    let mark = if query.is_empty() { "" } else { "?" };
    let stream = TcpStream::connect(bench.venue.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(verb)
        .uri(format!("{prefix}{path}{mark}{query}"))
        .header("host", "localhost")
        .header("APIKey", key)
        .header("Authent", signature);
    if !nonce.is_empty() {
        request = request.header("Nonce", nonce);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

const OURS: (&str, &str, &str) = ("TESTKEY", SECRET, "");

#[tokio::test]
async fn parameters_may_stand_in_the_query_or_in_the_body() {
    let bench = quiet().await;
    let order = "symbol=PF_XBTUSD&side=buy&size=0.01&orderType=mkt";
    for parts in [(order, ""), ("", order)] {
        let (status, answer) = call(&bench, "POST", "/api/v3/sendorder", parts, OURS).await;
        assert_eq!((status, answer["sendStatus"]["status"].as_str()), (200, Some("placed")), "{answer}");
        assert_eq!(answer["sendStatus"]["orderEvents"][0]["amount"].to_string(), "0.01");
    }
    let (_, answer) = call(&bench, "GET", "/api/v3/fills", ("", ""), OURS).await;
    assert_eq!(answer["fills"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_nonce_must_grow_when_there_is_one() {
    let bench = quiet().await;
    let mut words = vec![];
    for nonce in ["10", "11", "11", "9", "12"] {
        let key = ("TESTKEY", SECRET, nonce);
        let (_, answer) = call(&bench, "GET", "/api/v3/accounts", ("", ""), key).await;
        words.push(answer["error"].as_str().unwrap_or("none").to_owned());
    }
    assert_eq!(words, ["none", "none", "nonceDuplicate", "nonceBelowThreshold", "none"]);
}

#[tokio::test]
async fn calls_cost_what_they_cost() {
    let bench = quiet().await;
    let cancel = "order_id=nobody";
    for _ in 0..50 {
        let (_, answer) = call(&bench, "POST", "/api/v3/cancelorder", (cancel, ""), OURS).await;
        assert_eq!(answer["cancelStatus"]["status"], "notFound");
    }
    let (status, answer) = call(&bench, "GET", "/api/v3/accounts", ("", ""), OURS).await;
    assert_eq!((status, answer["error"].as_str()), (200, Some("apiLimitExceeded")));
    bench.wall.fetch_add(10_000, Ordering::SeqCst);
    let (_, answer) = call(&bench, "GET", "/api/v3/accounts", ("", ""), OURS).await;
    assert_eq!(answer["result"], "success");
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let bench = quiet().await;
    let order = "symbol=PF_XBTUSD&side=buy&size=0.01&orderType=mkt";
    let cases = [
        (("READKEY", "UkVBRFNFQ1JFVA==", ""), "insufficientPrivileges"),
        (("FOREIGNKEY", "Rk9SRUlHTg==", ""), "authenticationError"),
        (("TESTKEY", "d3Jvbmc=", ""), "authenticationError"),
        (("NOBODY", SECRET, ""), "authenticationError"),
    ];
    for (key, word) in cases {
        let (status, answer) = call(&bench, "POST", "/api/v3/sendorder", (order, ""), key).await;
        assert_eq!((status, answer["error"].as_str()), (200, Some(word)));
    }
    let path = "/api/auth/v1/api-keys/v3/check";
    let (status, answer) = call(&bench, "GET", path, ("", ""), OURS).await;
    assert_eq!((status, answer["permissions"]["general"].as_str()), (200, Some("full_access")));
    assert_eq!(answer["allowedCidrBlocks"][0], "127.0.0.1/32");
    let (status, _) = call(&bench, "GET", path, ("", ""), ("TESTKEY", "d3Jvbmc=", "")).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_order_that_comes_too_late_is_not_handled() {
    let bench = quiet().await;
    let late = Timestamp::from_ms(bench.wall.load(Ordering::SeqCst) - 1).to_string().replace(':', "%3A");
    let order = format!("symbol=PF_XBTUSD&side=buy&size=0.01&orderType=mkt&processBefore={late}");
    let (_, answer) = call(&bench, "POST", "/api/v3/sendorder", (&order, ""), OURS).await;
    assert_eq!(answer["sendStatus"]["status"], "wouldProcessAfterSpecifiedTime");
    let (_, answer) = call(&bench, "GET", "/api/v3/openpositions", ("", ""), OURS).await;
    assert_eq!(answer["openPositions"].as_array().unwrap().len(), 0);
}
