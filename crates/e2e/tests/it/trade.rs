//! The main job: a key is sealed, a bot is deployed, a trade opens and closes, nothing is left after stopping.

use keyhold_domain::ContractType;
use keyhold_e2e::house::{House, eventually};
use serde_json::{Value, json};
use xtask::stack::StackOptions;

fn options() -> StackOptions {
    StackOptions { candles: None, speed: 20.0, seed: 11, port: 0, folder: None }
}

#[test]
fn a_sealed_key_trades_and_leaves_nothing() {
    let mut house = House::open(&options());
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let templates = house.owner.get("/api/v1/templates").ok();
    println!("{templates:#}");
    let template = templates.as_array().unwrap()[0]["id"].as_str().unwrap().to_owned();
    let bot = house
        .owner
        .post("/api/v1/bots", &json!({ "label": "First", "region": "here", "key_id": key, "template_id": template, "start": "running" }))
        .ok();
    println!("{bot:#}");
    let path = format!("/api/v1/bots/{}", bot["id"].as_str().unwrap());
    let online = eventually("the bot online", || {
        let bot = house.owner.get(&path).ok();
        (bot["status"] == "online").then_some(bot)
    });
    println!("{online:#}");
    let decisions = eventually("a decision", || {
        let found = house.owner.get(&format!("{path}/decisions")).ok();
        (!found["items"].as_array().unwrap_or(&Vec::<Value>::new()).is_empty()).then_some(found)
    });
    println!("{decisions:#}");
}
