//! Keys that leak, accounts that close, and what a key's owner can see of both, with a real keeper.

use keyhold_domain::ContractType;
use keyhold_protocol::keeper::{Answer, Client as Keeper, Describe, RecordState, Request};
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::keys::add;
use crate::world::{Client, PASSWORD, World};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Whether the keeper could still open any version of a key.
async fn is_openable(world: &World, workspace: &str, key: &str) -> bool {
    let stream = UnixStream::connect(&world.config.keeper).await.unwrap();
    let asked = Describe { workspace: workspace.parse().unwrap(), key: key.parse().unwrap() };
    match Keeper::new(stream).ask(&Request::Describe(asked), LIMIT).await.unwrap() {
        Answer::Described { versions } => versions.iter().any(|version| version.state == RecordState::Live),
        other => panic!("the keeper knows the key: {other:?}"),
    }
}

async fn workspace(client: &mut Client) -> String {
    client.get("/me").await.ok()["workspace"]["id"].as_str().unwrap().to_owned()
}

fn path(key: &Value) -> String {
    format!("/keys/{}", key["id"].as_str().unwrap())
}

fn event<'a>(events: &'a Value, code: &str) -> Option<&'a Value> {
    events["items"].as_array().unwrap().iter().find(|event| event["code"] == code)
}

#[tokio::test]
async fn a_leaked_key_without_a_bot_is_destroyed_at_once() {
    let Some(world) = World::with_keeper("a_leaked_key_without_a_bot").await else { return };
    let mut alice = world.owner().await;
    let key = add(&mut alice, ContractType::Linear, "APIKEYleakleakleakle").await;
    assert_eq!(key["leaked_at"], Value::Null);
    assert!(key["health"]["score"].as_u64().unwrap() > 0, "{key}");
    let (home, id) = (workspace(&mut alice).await, key["id"].as_str().unwrap());
    assert!(is_openable(&world, &home, id).await, "control: before the report it can be opened");
    // No fresh proof is asked for: it only takes away.
    world.later(6 * 60 * 1000);
    let mut bob = world.user("bob@example.org").await;
    bob.post(&format!("{}/leaked", path(&key)), json!({})).await.refused(404, "NOT_FOUND");
    let answer = alice.post(&format!("{}/leaked", path(&key)), json!({})).await.ok();
    assert_eq!(answer, json!({"key": null, "exchange_page": null}), "a paper key has no page at an exchange");
    alice.get(&path(&key)).await.refused(404, "NOT_FOUND");
    assert!(!is_openable(&world, &home, id).await);
    let events = alice.get("/events").await.ok();
    assert!(event(&events, "KEY_LEAKED").is_some() && event(&events, "KEY_DESTROYED").is_some(), "{events}");
    world.end().await;
}

#[tokio::test]
async fn a_leaked_key_in_use_is_off_for_good_and_destroyed_when_its_bot_lets_go() {
    let Some(world) = World::with_keeper("a_leaked_key_in_use").await else { return };
    let mut alice = world.owner().await;
    let key = add(&mut alice, ContractType::Linear, "APIKEYusedusedusedus").await;
    let (home, id) = (workspace(&mut alice).await, key["id"].as_str().unwrap());
    let made = json!({"label": "b", "key_id": id, "start": "running"});
    let bot = alice.post("/bots", made).await.ok();
    let bot_path = format!("/bots/{}", bot["id"].as_str().unwrap());
    alice.wait_for(&bot_path, |bot| bot["status"] == "online").await;

    let custody = alice.get(&format!("{}/custody", path(&key))).await.ok();
    assert_eq!(custody["keeper"]["state"], "openable", "{custody}");
    assert_eq!(custody["record_version"], 1);
    let openings = custody["openings"].as_array().unwrap();
    assert_eq!(custody["opened"], openings.len());
    assert_eq!(openings[0]["purpose"], "run");
    assert_eq!(openings[0]["bot"]["label"], "b");
    assert_eq!(openings.last().unwrap()["purpose"], "test", "its connection test came first");
    assert!(custody["stored_size"].as_u64().unwrap() > 100);

    let answer = alice.post(&format!("{}/leaked", path(&key)), json!({})).await.ok();
    assert_eq!((&answer["key"]["active"], &answer["key"]["health"]["score"]), (&json!(false), &json!(0)));
    assert!(answer["key"]["leaked_at"].is_i64());
    alice.patch(&path(&key), json!({"active": true})).await.refused(409, "KEY_LEAKED");
    assert!(is_openable(&world, &home, id).await, "its bot may have exits to make");
    let events = alice.get("/events").await.ok();
    assert_eq!(event(&events, "KEY_LEAKED").unwrap()["severity"], "critical");

    alice.post(&format!("{bot_path}/stop"), json!({})).await.ok();
    alice.wait_for(&bot_path, |bot| bot["status"] == "stopped").await;
    alice.patch(&bot_path, json!({"key_id": null})).await.ok();
    let deadline = tokio::time::Instant::now() + LIMIT;
    while alice.get(&path(&key)).await.status != 404 {
        assert!(tokio::time::Instant::now() < deadline, "it is destroyed when nobody uses it");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!is_openable(&world, &home, id).await);
    world.end().await;
}

#[tokio::test]
async fn a_closed_account_is_gone_with_its_keys_and_sessions() {
    let Some(world) = World::with_keeper("a_closed_account").await else { return };
    let mut alice = world.owner().await;
    let mut bob = world.user("bob@example.org").await;
    let key = add(&mut bob, ContractType::Linear, "APIKEYclosecloseclos").await;
    let (home, id) = (workspace(&mut bob).await, key["id"].as_str().unwrap());
    let bot = bob.post("/bots", json!({"label": "bobs", "key_id": id, "start": "paused"})).await.ok();
    let bot_path = format!("/bots/{}", bot["id"].as_str().unwrap());
    bob.wait_for(&bot_path, |bot| bot["status"] == "paused").await;
    let close = |email: &str| json!({ "email": email });

    alice.post("/me/close", close("alice@example.org")).await.refused(409, "LAST_ADMIN");
    bob.post("/me/close", close("alice@example.org")).await.refused(422, "CONFIRMATION_WRONG");
    let refused = bob.post("/me/close", close("bob@example.org")).await;
    refused.refused(409, "BOT_RUNNING");
    assert!(refused.text.contains("bobs"), "it names the bots: {}", refused.text);
    assert!(is_openable(&world, &home, id).await, "a refusal destroys nothing");
    assert_eq!(bob.get(&path(&key)).await.ok()["active"], true, "and changes nothing");

    bob.post(&format!("{bot_path}/stop"), json!({})).await.ok();
    bob.wait_for(&bot_path, |bot| bot["status"] == "stopped").await;
    let mut elsewhere = world.client();
    elsewhere.post("/session", json!({"email": "bob@example.org", "password": PASSWORD})).await.ok();
    let mut old = bob.clone();
    assert_eq!(bob.post("/me/close", close(" Bob@Example.org ")).await.status, 204);
    assert!(bob.cookie.is_none(), "the browser forgets the session");
    old.get("/me").await.refused(401, "UNAUTHENTICATED");
    elsewhere.get("/me").await.refused(401, "UNAUTHENTICATED");
    let again = json!({"email": "bob@example.org", "password": PASSWORD});
    assert_eq!(world.client().post("/session", again.clone()).await.status, 401);
    assert!(!is_openable(&world, &home, id).await);

    // The last one out leaves the installation unclaimed.
    assert_eq!(alice.post("/me/close", close("alice@example.org")).await.status, 204);
    assert_eq!(world.client().get("/setup").await.ok()["state"], "unclaimed");
    world.end().await;
}

#[tokio::test]
async fn everybody_with_a_key_sees_what_protects_it_and_what_does_not() {
    let world = World::start().await;
    world.owner().await;
    let mut bob = world.user("bob@example.org").await;
    let view = bob.get("/protections").await.ok();
    let findings = view["findings"].as_array().unwrap();
    let walls = findings.iter().find(|finding| finding["protection"] == "walls").unwrap();
    assert_eq!(
        walls["standing"], "absent",
        "the stand-in for the bot's program cannot show its walls: {walls}"
    );
    for told in ["found", "means", "remedy"] {
        assert!(walls[told].as_str().is_some_and(|text| text.len() > 10), "{told}: {walls}");
    }
    assert!(findings.iter().any(|finding| finding["area"] == "data"), "{view}");
    assert_eq!(bob.get("/protections").await.ok(), view, "one look serves many readers");
    world.later(6 * 60 * 1000);
    assert!(bob.get("/protections").await.ok()["looked_at"].as_i64() > view["looked_at"].as_i64());
}
