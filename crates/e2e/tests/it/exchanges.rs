//! The main job at exchanges other than Bybit, each in its own protocol: from a sealed key to a closed trade.

use keyhold_domain::{ContractType, Exchange};
use keyhold_e2e::house::{House, eventually};
use keyhold_e2e::trader::{is_flat, list, resting_stops};
use serde_json::json;

/// Seals a key, tests it, deploys a bot, waits for a trade and stops the bot.
fn a_sealed_key_trades_at(exchange: Exchange, symbol: &str) {
    let mut house = House::stepping_at(exchange, "info");
    let key = house.add_sound_key("good", ContractType::Linear, symbol);
    let stored = house.owner.get(&format!("/api/v1/keys/{key}")).ok();
    assert_eq!(stored["exchange"], exchange.as_str());
    let template = house.add_wave_rider();
    let bot = house.deploy("Trader", &key, &template, 1);

    let entered = house.play_to_entry(&bot);
    assert_eq!(resting_stops(&entered).len(), 1, "{}", entered["open_orders"]);
    let shown = eventually("the position at the server", || {
        let positions = house.owner.get("/api/v1/positions").ok();
        positions.get(0).filter(|position| position["stop_at_venue"] == "venue").cloned()
    });
    assert_eq!((&shown["bot_id"], &shown["symbol"]), (&json!(bot.id), &json!(symbol)));

    house.play_to_exit(&bot);
    let trades = house.await_trades(1);
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["exit_reason"], "EXIT_TIME_STOP", "{}", trades[0]);
    assert_eq!((&trades[0]["symbol"], &trades[0]["environment"]), (&json!(symbol), &json!("simulated")));
    let detail = house.owner.get(&format!("/api/v1/trades/{}", trades[0]["id"].as_str().unwrap())).ok();
    assert_eq!(detail["decision"]["code"], "ENTERED", "{detail}");
    let truth = house.truth(&bot);
    assert_eq!(list(&detail["fills"]).len(), list(&truth["fills"]).len());
    // The stop went with the position.
    eventually("no order to be left", || list(&house.truth(&bot)["open_orders"]).is_empty().then_some(()));

    house.owner.post(&format!("{}/stop", bot.path), &json!({})).ok();
    eventually("the bot to be stopped", || (house.bot(&bot)["status"] == "stopped").then_some(()));
    assert!(is_flat(&house.truth(&bot)));
}

#[test]
fn a_key_with_a_passphrase_trades_at_okx() {
    a_sealed_key_trades_at(Exchange::Okx, "BTC-USDT-SWAP");
}

#[test]
fn a_sealed_key_trades_at_kraken_futures() {
    a_sealed_key_trades_at(Exchange::KrakenFutures, "PF_XBTUSD");
}

#[test]
fn a_sealed_key_trades_at_binance() {
    a_sealed_key_trades_at(Exchange::Binance, "BTCUSDT");
}

#[test]
fn a_sealed_key_trades_at_bitmex() {
    a_sealed_key_trades_at(Exchange::Bitmex, "XBTUSDT");
}
