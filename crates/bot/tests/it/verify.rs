//! The test of a key: each trouble has its own step and code.

use keyhold_domain::ReasonCode;
use keyhold_protocol::uplink::{KeyCheckResult, KeyCheckStep, KeyVerdict};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::market::TRADER;
use crate::rig::Rig;

async fn verdict(rig: &mut Rig) -> KeyVerdict {
    rig.start("verify");
    rig.ended().await;
    rig.until("the verdict", || rig.server.heard(|heard| heard.verdict.clone())).await
}

fn failure(verdict: &KeyVerdict) -> Option<(KeyCheckStep, ReasonCode)> {
    verdict.checks.iter().find_map(|check| match check.result {
        KeyCheckResult::Failed(code) => Some((check.step, code)),
        KeyCheckResult::Passed | KeyCheckResult::Warning(_) | KeyCheckResult::NotReached => None,
    })
}

fn warnings(verdict: &KeyVerdict) -> Vec<KeyCheckStep> {
    let warned = |result| matches!(result, KeyCheckResult::Warning(_));
    verdict.checks.iter().filter(|check| warned(check.result)).map(|check| check.step).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_key_passes_every_step_in_order() {
    let mut rig = Rig::trading(50).await;
    let verdict = verdict(&mut rig).await;
    assert_eq!(failure(&verdict), None, "{:?}", verdict.checks);
    assert_eq!(warnings(&verdict), [], "{:?}", verdict.checks);
    let steps: Vec<_> = verdict.checks.iter().map(|check| check.step).collect();
    assert!(steps.is_sorted() && steps.len() == 10, "{steps:?}");
    let told = rig.server.heard(|heard| heard.checks.clone());
    assert!(told.len() >= 9, "steps are told as they end: {told:?}");
    assert_eq!(verdict.instruments.len(), 1);
    assert!(verdict.account.unwrap().balances.iter().any(|balance| balance.asset.as_str() == "USDT"));
    assert!(verdict.facts.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_key_fails_with_its_own_code() {
    use KeyCheckStep::{Address, Expiry, KeyKnown, Permissions, Signature};
    let secret = |name: &str| format!("{}-{name}", crate::market::MARKER);
    let cases = [
        ("NOSUCHKEY-00", secret("trade"), KeyKnown, ReasonCode::KeyInvalid),
        (TRADER.0, secret("wrong"), Signature, ReasonCode::KeyBadSecret),
        ("FOREIGNKEY-2b2b", secret("foreign"), Address, ReasonCode::KeyIpBlocked),
        ("EXPIREDKEY-9d9d", secret("expired"), Expiry, ReasonCode::KeyExpired),
        ("READKEY-0b6f21", secret("read"), Permissions, ReasonCode::KeyNoTradePermission),
        ("NOORDERKEY-51d0", secret("noorder"), Permissions, ReasonCode::KeyNoTradePermission),
        ("WITHDRAWKEY-90ee", secret("withdraw"), Permissions, ReasonCode::KeyWithdrawalEnabled),
        ("ODDKEY-7e7e", secret("odd"), Permissions, ReasonCode::KeyUnknownPermission),
    ];
    for (seed, (key, secret, step, code)) in (60..).zip(cases) {
        let mut rig = Rig::with_key(seed, (key, &secret)).await;
        let verdict = verdict(&mut rig).await;
        assert_eq!(failure(&verdict), Some((step, code)), "{key}: {:?}", verdict.checks);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_in_trouble_fails_with_its_own_code() {
    use KeyCheckStep::{Balance, Clock, Reachable};
    let script = |path: &str, status: u16| {
        let fate = json!({ "path": path, "fate": "status", "status": status, "times": 50 });
        ("script", fate)
    };
    let cases = [
        (("down", json!(null)), Reachable, ReasonCode::ExchangeDown),
        (("maintenance", json!({ "on": true })), Reachable, ReasonCode::ExchangeMaintenance),
        (("clock", json!({ "skew_ms": -42_000 })), Clock, ReasonCode::ClockSkew),
        (script("/v5/account/wallet-balance", 500), Balance, ReasonCode::BalanceUnavailable),
    ];
    for (seed, ((name, body), step, code)) in (80..).zip(cases) {
        let mut rig = Rig::trading(seed).await;
        rig.control(name, &body);
        let verdict = verdict(&mut rig).await;
        assert_eq!(failure(&verdict), Some((step, code)), "{name}: {:?}", verdict.checks);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_to_transfer_and_free_addresses_are_warnings() {
    let secret = |name: &str| format!("{}-{name}", crate::market::MARKER);
    let mut rig = Rig::with_key(90, ("TRANSFERKEY-1c3d", &secret("transfer"))).await;
    let found = verdict(&mut rig).await;
    assert_eq!(failure(&found), None);
    assert_eq!(warnings(&found), [KeyCheckStep::Address, KeyCheckStep::Permissions]);
    let mut rig = Rig::with_key(91, ("OPENKEY-77aa01", &secret("open"))).await;
    let found = verdict(&mut rig).await;
    assert_eq!((failure(&found), warnings(&found)), (None, vec![KeyCheckStep::Address]));
}

/// The words of a gateway that serves no clients of this country, whatever they ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_region_has_its_own_code() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let text = "configured to block access from your country";
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            );
            let mut request = [0; 1_024];
            if stream.read(&mut request).await.is_ok() {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let mut rig = Rig::trading(92).await;
    rig.port = Some(address.port());
    rig.server.assign(|assignment| {
        let endpoints = &mut assignment.account.as_mut().unwrap().endpoints;
        endpoints.rest = Some(format!("http://{address}"));
        endpoints.stream = None;
    });
    let verdict = verdict(&mut rig).await;
    let expected = (KeyCheckStep::Reachable, ReasonCode::RegionForbidden);
    assert_eq!(failure(&verdict), Some(expected), "{:?}", verdict.checks);
}
