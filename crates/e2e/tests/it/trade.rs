//! The main job: a key is sealed, a bot is deployed, trades open and close, nothing is left after stopping.

use keyhold_domain::ContractType;
use keyhold_e2e::house::{House, eventually};
use keyhold_e2e::trader::{is_flat, list};
use serde_json::json;

#[test]
fn a_sealed_key_trades_and_leaves_nothing() {
    let mut house = House::stepping();
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let before = eventually("the key's test to be gone", || {
        let traces = house.traces(&[]);
        (traces.processes.is_empty() && traces.files.is_empty()).then_some(traces)
    });
    let template = house.add_wave_rider();
    let bot = house.deploy("First", &key, &template, 1);
    let instance = house.instance(&bot.id).unwrap();
    let users = [instance.uid];

    // The control for what is looked for at the end: now all of it is there.
    let running = house.traces(&users);
    assert_eq!(running.processes, [instance.pid]);
    assert_eq!(running.files, [bot.id.clone(), format!("{}.json", bot.id)]);
    assert!(running.lines > before.lines && running.dialed > 0, "{running:?}");

    // A trade opens, is shown with its stop at the exchange, and closes by its time stop.
    house.play_to_entry(&bot);
    let shown = eventually("the position at the server", || {
        let positions = house.owner.get("/api/v1/positions").ok();
        positions.get(0).filter(|position| position["stop_at_venue"] == "venue").cloned()
    });
    assert_eq!((&shown["bot_id"], &shown["symbol"]), (&json!(bot.id), &json!("BTCUSDT")));
    house.play_to_exit(&bot);
    let trades = house.await_trades(1);
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["exit_reason"], "EXIT_TIME_STOP", "{}", trades[0]);
    assert_eq!(trades[0]["environment"], "simulated");
    let detail = house.owner.get(&format!("/api/v1/trades/{}", trades[0]["id"].as_str().unwrap())).ok();
    assert_eq!(detail["decision"]["code"], "ENTERED", "{detail}");
    assert_eq!(list(&detail["fills"]).len(), list(&house.truth(&bot)["fills"]).len());

    // Another opens; stopping asks what to do with it and then closes it.
    house.play_to_entry(&bot);
    eventually("the position at the server", || {
        (!list(&house.owner.get("/api/v1/positions").ok()).is_empty()).then_some(())
    });
    let asked = house.owner.post(&format!("{}/stop", bot.path), &json!({}));
    assert_eq!((asked.status, asked.code()), (409, "POSITIONS_CHOICE_REQUIRED"));
    house.owner.post(&format!("{}/stop", bot.path), &json!({ "positions": "close" })).ok();
    eventually("the bot to be stopped", || (house.bot(&bot)["status"] == "stopped").then_some(()));
    let truth = house.truth(&bot);
    assert!(is_flat(&truth) && list(&truth["open_orders"]).is_empty(), "{}", truth["open_orders"]);
    let trades = house.await_trades(2);
    assert_eq!(trades.len(), 2);
    assert_eq!(trades[0]["exit_reason"], "EXIT_FLATTEN", "{}", trades[0]);

    // Nothing is left of it but what the server keeps.
    assert!(!std::path::Path::new(&format!("/proc/{}", instance.pid)).exists());
    assert_eq!(house.traces(&users), before);
    let kept = house.bot(&bot);
    assert_eq!((&kept["template"]["id"], &kept["key"]["id"]), (&json!(template), &json!(key)));
}
