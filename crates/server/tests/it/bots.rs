//! Bots as real processes: deploy, adopt, pause, crash, stop, delete.

use keyhold_domain::ContractType;
use serde_json::{Value, json};

use crate::world::World;

fn path(bot: &Value) -> String {
    format!("/bots/{}", bot["id"].as_str().unwrap())
}

fn record(world: &World, bot: &Value) -> Option<Value> {
    let file = world.config.run.join("bots").join(format!("{}.json", bot["id"].as_str().unwrap()));
    std::fs::read(file).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

fn is_alive(pid: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_bot_is_deployed_adopted_restarted_and_leaves_nothing() {
    let mut world = World::start().await;
    let mut alice = world.owner().await;
    let bot = alice.post("/bots", json!({"label": "one", "start": "running"})).await.ok();
    assert_eq!(bot["status"], "deploying");
    assert_eq!(bot["missing"], json!(["key", "template"]));
    let online = alice.wait_for(&path(&bot), |bot| bot["status"] == "online").await;
    assert_eq!(online["reason"]["code"], "NO_KEY");
    assert_eq!(online["isolation"]["level"], "degraded");
    let before = record(&world, &bot).unwrap();

    // A restart of the server leaves the process alone and takes it over.
    world.restart().await;
    alice.address = world.client().address;
    assert!(is_alive(&before["pid"]), "the bot survives the server");
    assert_eq!(alice.post(&format!("{}/pause", path(&bot)), json!({})).await.ok()["status"], "completed");
    let paused = alice.wait_for(&path(&bot), |bot| bot["status"] == "paused").await;
    assert_eq!(paused["reason"]["code"], "BOT_PAUSED");
    assert_eq!(record(&world, &bot).unwrap()["pid"], before["pid"]);
    let told = world.config.run.join("bots").join(bot["id"].as_str().unwrap()).join("assignment.json");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(&told).unwrap_or_default().contains("\"entries\":\"paused\"") {
        assert!(tokio::time::Instant::now() < deadline, "the bot is told that it is paused");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    // A killed process is started again, with the same run and folder.
    let pid = before["pid"].as_u64().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while record(&world, &bot).is_none_or(|now| now["pid"] == before["pid"]) {
        assert!(tokio::time::Instant::now() < deadline, "the bot is started again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    alice.delete(&path(&bot)).await.refused(409, "BOT_RUNNING");

    // A stop removes process and folder; the bot can be deployed again and deleted.
    let stopped = alice.post(&format!("{}/stop", path(&bot)), json!({})).await.ok();
    assert_eq!(stopped["type"], "stop");
    alice.wait_for(&path(&bot), |bot| bot["status"] == "stopped").await;
    assert!(record(&world, &bot).is_none(), "no record is left");
    assert!(!world.config.run.join("bots").join(bot["id"].as_str().unwrap()).exists(), "no folder is left");
    let runs = alice.get(&format!("{}/deployments", path(&bot))).await.ok();
    assert_eq!(runs[0]["end_reason"], "stopped");
    alice.post(&format!("{}/deploy", path(&bot)), json!({})).await.ok();
    alice.wait_for(&path(&bot), |bot| bot["status"] == "online").await;
    alice.post(&format!("{}/stop", path(&bot)), json!({})).await.ok();
    alice.wait_for(&path(&bot), |bot| bot["status"] == "stopped").await;
    assert_eq!(alice.delete(&path(&bot)).await.status, 204);
    alice.get(&path(&bot)).await.refused(404, "NOT_FOUND");
    world.end().await;
}

#[tokio::test]
async fn a_program_that_keeps_dying_fails_its_bot() {
    let mut world = World::start().await;
    let mut alice = world.owner().await;
    world.config.bot_program = "/bin/false".into();
    world.restart().await;
    alice.address = world.client().address;
    let bot = alice.post("/bots", json!({"label": "dying", "start": "running"})).await.ok();
    let failed = alice.wait_for(&path(&bot), |bot| bot["status"] == "failed").await;
    assert_eq!(failed["reason"]["code"], "BOT_FAILED");
    let overview = alice.get("/dashboard").await.ok();
    assert_eq!(overview["kpis"]["bots"]["trouble"], 1);
    assert_eq!(overview["attention"][0]["code"], "BOT_FAILED");
    world.end().await;
}

#[tokio::test]
async fn strangers_on_the_uplink_are_refused() {
    use keyhold_protocol::frame::{self, Deadline, FrameLimit, FrameRules};
    use keyhold_protocol::uplink::{BotMessage, Isolation, Purpose, ServerMessage, UPLINK_VERSION};
    let world = World::start().await;
    let mut alice = world.owner().await;
    let bot = alice.post("/bots", json!({"label": "one", "start": "running"})).await.ok();
    let bot = alice.wait_for(&path(&bot), |bot| bot["status"] == "online").await;
    let rules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
    let limit = std::time::Duration::from_secs(5);
    for purpose in [Purpose::Run, Purpose::Verify] {
        let mut stream = tokio::net::UnixStream::connect(world.config.uplink()).await.unwrap();
        let hello = BotMessage::Hello {
            version: UPLINK_VERSION,
            program: "stranger".to_owned(),
            bot: bot["id"].as_str().unwrap().parse().unwrap(),
            deployment: bot["deployment_id"].as_str().unwrap().parse().unwrap(),
            token: "0".repeat(64),
            purpose,
            isolation: Isolation::Full,
        };
        frame::write_message(&mut stream, rules, 1, &hello, limit).await.unwrap();
        let answer =
            frame::read_message::<ServerMessage, _>(&mut stream, rules, Deadline::Within(limit)).await;
        assert!(matches!(answer.unwrap().unwrap().body, ServerMessage::Refused { .. }), "{purpose:?}");
    }
    assert_eq!(alice.get(&path(&bot)).await.ok()["status"], "online", "the real bot is not disturbed");
    world.end().await;
}

#[tokio::test]
async fn keys_follow_their_rules_on_running_bots() {
    let Some(world) = World::with_keeper("keys_follow_their_rules_on_running_bots").await else { return };
    let mut alice = world.owner().await;
    let one = crate::keys::add(&mut alice, ContractType::Linear, "APIKEYoneoneoneoneon").await;
    let two = crate::keys::add(&mut alice, ContractType::Linear, "APIKEYtwotwotwotwotw").await;
    let key_path = format!("/keys/{}", one["id"].as_str().unwrap());
    alice.put(&format!("{key_path}/instruments"), json!({"symbols": ["BTCUSDT"]})).await.ok();
    let templates = alice.get("/templates").await.ok();
    let template = templates[0]["id"].clone();
    let body = json!({"label": "trader", "key_id": one["id"], "template_id": template, "start": "running"});
    let bot = alice.post("/bots", body).await.ok();
    // The stand-in bot reports an open position as soon as it has key and template.
    let bot = alice
        .wait_for(&path(&bot), |bot| bot["positions"].as_array().is_some_and(|all| all.len() == 1))
        .await;
    assert_eq!(bot["positions"][0]["size"], "0.5");

    let other = alice.post("/bots", json!({"label": "other", "key_id": one["id"]})).await;
    other.refused(409, "KEY_ASSIGNED");
    assert!(other.body["detail"].as_str().unwrap().contains("trader"), "the other bot is named");
    for key in [json!(null), two["id"].clone()] {
        alice.patch(&path(&bot), json!({"key_id": key})).await.refused(409, "KEY_LOCKED_BY_POSITION");
    }
    alice.delete(&key_path).await.refused(409, "KEY_ASSIGNED");
    alice.post(&format!("{}/stop", path(&bot)), json!({})).await.refused(409, "POSITIONS_CHOICE_REQUIRED");

    // Switched off, the key stays assigned and the bot is told to enter nothing.
    alice.patch(&key_path, json!({"active": false})).await.ok();
    let folder = world.config.run.join("bots").join(bot["id"].as_str().unwrap());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let told = || std::fs::read_to_string(folder.join("assignment.json")).unwrap_or_default();
    while !told().contains("\"entries\":\"key_inactive\"") {
        assert!(tokio::time::Instant::now() < deadline, "the bot hears of it: {}", told());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(alice.get(&path(&bot)).await.ok()["reason"]["code"], "KEY_INACTIVE");

    // Flattening closes the position and pauses; then the key can be taken away and deleted.
    alice.post(&format!("{}/flatten", path(&bot)), json!({})).await.ok();
    alice.wait_for(&path(&bot), |bot| bot["positions"] == json!([]) && bot["wish"] == "paused").await;
    let commands = format!("{}/commands", path(&bot));
    alice.wait_for(&commands, |commands| commands[0]["status"] == "completed").await;
    alice.patch(&path(&bot), json!({"key_id": null})).await.ok();
    assert_eq!(alice.delete(&key_path).await.status, 204);
    world.end().await;
}
