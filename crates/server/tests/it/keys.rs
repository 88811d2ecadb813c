//! Keys from sealing to deletion, with a real keeper and real test processes.

use base64::Engine as _;
use keyhold_domain::{ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};
use keyhold_seal::{Context, EntropySource, EntropyUnavailable, KeeperPublicKey, PlainSecret};
use serde_json::{Value, json};

use crate::world::{Client, World};

const SECRET: &str = "cAnArY5ecretThatMustBeNowhere0123456789";

struct System;
impl EntropySource for System {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        getrandom::fill(bytes).map_err(|_| EntropyUnavailable)
    }
}

fn context() -> Context {
    Context {
        install: InstallId::from_u128(1),
        workspace: WorkspaceId::from_u128(2),
        key: KeyId::from_u128(3),
        version: 1,
        exchange: Exchange::Bybit,
        environment: Environment::Simulated,
        contract: ContractType::Linear,
    }
}

fn any_sealed() -> keyhold_seal::Sealed {
    let mut point = [0; 32];
    point[0] = 9;
    let keeper = KeeperPublicKey::from_bytes(&point).unwrap();
    let secret = PlainSecret::new("key", "secret", None).unwrap();
    keyhold_seal::seal(&keeper, &context(), secret, &mut System).unwrap()
}

/// An envelope of the right form, sealed to nobody.
pub(crate) fn any_envelope() -> String {
    any_sealed().envelope.to_text()
}

/// A data key of the right form, sealed to nobody.
pub(crate) fn any_data_key() -> String {
    any_sealed().data_key.to_text()
}

/// What a browser does between intent and upload.
fn seal(intent: &Value, contract: ContractType, api_key: &str) -> Value {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let context = Context {
        install: text(&intent["install_id"]).parse().unwrap(),
        workspace: text(&intent["workspace_id"]).parse().unwrap(),
        key: text(&intent["key_id"]).parse().unwrap(),
        version: u32::try_from(intent["record_version"].as_u64().unwrap()).unwrap(),
        exchange: Exchange::Bybit,
        environment: Environment::Simulated,
        contract,
    };
    let keeper = KeeperPublicKey::parse(&text(&intent["keeper"]["public_key"])).unwrap();
    let secret = PlainSecret::new(api_key, SECRET, None).unwrap();
    let sealed = keyhold_seal::seal(&keeper, &context, secret, &mut System).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let fingerprint_key = engine.decode(text(&intent["fingerprint_key"])).unwrap();
    let fingerprint = keyhold_seal::fingerprint(
        &fingerprint_key.try_into().unwrap(),
        Exchange::Bybit,
        Environment::Simulated,
        api_key,
    );
    json!({
        "label": "Bybit main", "envelope": sealed.envelope.to_text(),
        "sealed_data_key": sealed.data_key.to_text(), "hint": keyhold_seal::hint(api_key),
        "fingerprint": fingerprint.to_text()
    })
}

/// Adds a key and waits for its test.
pub(crate) async fn add(client: &mut Client, contract: ContractType, api_key: &str) -> Value {
    let place = json!({"exchange": "bybit", "environment": "simulated", "contract_type": contract});
    let intent = client.post("/keys/intents", place).await.ok();
    let path = format!("/keys/{}", intent["key_id"].as_str().unwrap());
    client.put(&path, seal(&intent, contract, api_key)).await.ok();
    client
        .wait_for(&path, |key| ["ok", "failed"].contains(&key["verification"]["state"].as_str().unwrap()))
        .await
}

/// Whether any file below a folder holds the text.
fn is_in_files(folder: &std::path::Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in_files(&path, needle);
        }
        std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle.as_bytes()))
    })
}

#[tokio::test]
async fn a_key_lives_from_sealing_to_deletion() {
    let Some(world) = World::with_keeper("a_key_lives_from_sealing_to_deletion").await else { return };
    let mut alice = world.owner().await;
    let key = add(&mut alice, ContractType::Linear, "APIKEYabcdefghijklmn").await;
    assert_eq!(key["verification"]["state"], "ok", "{key}");
    assert_eq!(key["active"], true, "a key that proved itself is ready");
    assert_eq!(key["hint"], "APIK…klmn");
    assert_eq!(key["verification"]["balances"][0]["equity"], "1000");
    let path = format!("/keys/{}", key["id"].as_str().unwrap());

    // The same key again, by anybody, is a duplicate.
    let mut bob = world.user("bob@example.org").await;
    let place = json!({"exchange": "bybit", "environment": "simulated", "contract_type": "linear"});
    let intent = bob.post("/keys/intents", place).await.ok();
    let body = seal(&intent, ContractType::Linear, "APIKEYabcdefghijklmn");
    let refused = bob.put(&format!("/keys/{}", intent["key_id"].as_str().unwrap()), body).await;
    refused.refused(409, "KEY_DUPLICATE");
    bob.get(&path).await.refused(404, "NOT_FOUND");

    // Nothing that can be asked shows the key, the secret or the envelope.
    for list in ["/keys", &path, "/bots", "/events", "/dashboard"] {
        let text = alice.get(list).await.text;
        for needle in [SECRET, "APIKEYabcdefghijklmn", "S0hF", "envelope", "wrapped"] {
            assert!(!text.contains(needle), "{list} shows {needle}");
        }
    }
    assert!(!is_in_files(world.folder.path(), SECRET), "the secret is on disk");
    assert!(!is_in_files(world.folder.path(), "APIKEYabcdefghijklmn"), "the key is on disk");

    // "KHE1" in base64url begins every envelope: found before the deletion, gone after it.
    let data = world.folder.path().join("data");
    assert!(is_in_files(&data, "S0hF"), "control: the envelope is in the database");
    let symbols = alice.put(&format!("{path}/instruments"), json!({"symbols": ["BTCUSDT"]})).await.ok();
    assert_eq!(symbols["instruments"], json!(["BTCUSDT"]));
    let wrong = alice.put(&format!("{path}/instruments"), json!({"symbols": ["BTCUSD"]})).await;
    wrong.refused(409, "KEY_CONTRACT_MISMATCH");
    world.later(6 * 60 * 1000);
    alice.delete(&path).await.refused(403, "REAUTH_REQUIRED");
    alice.post("/session/reverify", json!({"password": crate::world::PASSWORD})).await.ok();
    assert_eq!(alice.delete(&path).await.status, 204);
    alice.get(&path).await.refused(404, "NOT_FOUND");
    assert!(!is_in_files(&data, "S0hF"), "the envelope is gone from database and log");
    world.end().await;
}

#[tokio::test]
async fn a_key_that_can_withdraw_is_never_active() {
    let Some(world) = World::with_keeper("a_key_that_can_withdraw_is_never_active").await else { return };
    let mut alice = world.owner().await;
    // The stand-in verifier finds that inverse keys may withdraw.
    let key = add(&mut alice, ContractType::Inverse, "APIKEYwithdrawmmmmmm").await;
    assert_eq!(key["verification"]["state"], "failed");
    assert_eq!(key["verification"]["code"], "KEY_WITHDRAWAL_ENABLED");
    assert_eq!(key["active"], false);
    let advice = key["advice"].as_array().unwrap();
    assert_eq!(advice[0]["code"], "KEY_WITHDRAWAL_ENABLED", "{advice:?}");
    assert!(advice[0]["text"].as_str().unwrap().contains("clear Withdrawal under Wallet"), "{advice:?}");
    let path = format!("/keys/{}", key["id"].as_str().unwrap());
    alice.patch(&path, json!({"active": true})).await.refused(409, "KEY_WITHDRAWAL_ENABLED");
    let bot = json!({"label": "b", "key_id": key["id"], "start": "running"});
    alice.post("/bots", bot).await.refused(409, "KEY_INACTIVE");
    world.end().await;
}

#[tokio::test]
async fn a_replaced_key_keeps_its_place_and_leaves_no_trace_of_the_old() {
    let Some(world) = World::with_keeper("a_replaced_key").await else { return };
    let mut alice = world.owner().await;
    let key = add(&mut alice, ContractType::Linear, "APIKEYfirstfirstfirs").await;
    let path = format!("/keys/{}", key["id"].as_str().unwrap());
    let place = json!({
        "exchange": "bybit", "environment": "simulated", "contract_type": "linear", "replaces": key["id"]
    });
    let intent = alice.post("/keys/intents", place).await.ok();
    assert_eq!(intent["record_version"], 2);
    alice.put(&path, seal(&intent, ContractType::Linear, "APIKEYsecondsecondse")).await.ok();
    let key = alice.wait_for(&path, |key| key["verification"]["state"] == "ok").await;
    assert_eq!(key["hint"], "APIK…ndse");
    assert_eq!(key["record_version"], 2);
    world.end().await;
}
