//! A bot at work: deploying it, playing the market candle by candle, reading what server and exchange say of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::house::{House, eventually};
use crate::market::{MINUTE_MS, TURN, settings, wave_rider};

/// A deployed bot.
#[derive(Debug, Clone)]
pub struct Trader {
    /// Its id.
    pub id: String,
    /// Where the API has it.
    pub path: String,
    /// Its account at the exchange.
    pub account: u32,
}

/// The items of a list.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// The account's position in the instrument that the tests trade.
pub fn held(truth: &Value) -> String {
    truth["positions"][0]["size"].as_str().unwrap_or("none").to_owned()
}

/// Whether a truth holds nothing.
pub fn is_flat(truth: &Value) -> bool {
    held(truth) == "0"
}

/// Stops that rest at the exchange and can only reduce.
pub fn resting_stops(truth: &Value) -> Vec<Value> {
    let is_stop = |order: &&Value| order["kind"]["type"] == "stop_market" && order["effect"] == "reduce_only";
    list(&truth["open_orders"]).iter().filter(is_stop).cloned().collect()
}

/// Values of a field, refusing one that occurs twice.
///
/// # Panics
/// When a value occurs twice or is no text.
#[track_caller]
pub fn distinct(items: &[Value], pointer: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for item in items {
        let text = item.pointer(pointer).and_then(Value::as_str).expect("a text to tell it by");
        assert!(seen.insert(text.to_owned()), "{text} is there twice");
    }
    seen
}

impl House {
    /// Stores the strategy that trades on every turn of the wave. Answers its id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn add_wave_rider(&mut self) -> String {
        let template = self.owner.post("/api/v1/templates", &json!({ "document": wave_rider() })).ok();
        template["id"].as_str().expect("an id").to_owned()
    }

    /// Makes a bot and waits until it trades. `account` is the key's account at the exchange.
    ///
    /// # Panics
    /// When it is refused or does not come up.
    pub fn deploy(&mut self, label: &str, key: &str, template: &str, account: u32) -> Trader {
        let body = json!({
            "label": label, "region": "here", "key_id": key, "template_id": template, "settings": settings(),
            "start": "running",
        });
        let bot = self.owner.post("/api/v1/bots", &body).ok();
        let id = bot["id"].as_str().expect("an id").to_owned();
        let trader = Trader { path: format!("/api/v1/bots/{id}"), id, account };
        self.await_phase(&trader, "online");
        trader
    }

    /// What the server says of the bot.
    pub fn bot(&mut self, trader: &Trader) -> Value {
        self.owner.get(&trader.path).ok()
    }

    /// Waits until the bot is known to do this. Answers the bot.
    pub fn await_phase(&mut self, trader: &Trader, phase: &str) -> Value {
        eventually(&format!("phase {phase}"), || {
            let bot = self.bot(trader);
            assert_ne!(bot["status"], "failed", "{bot}");
            (bot["phase"] == phase && bot["status"] != "deploying").then_some(bot)
        })
    }

    /// What the bot's processes have logged.
    pub fn log_of_bot(&self, trader: &Trader) -> String {
        let path = self.folder().join("run").join("bots").join(&trader.id).join("log");
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// What the exchange knows of the bot's account.
    pub fn truth(&self, trader: &Trader) -> Value {
        self.venue("truth", &json!({ "account": trader.account }))
    }

    /// Opening time of the last candle that has closed.
    ///
    /// # Panics
    /// When the exchange does not tell its time.
    pub fn last_closed(&self) -> i64 {
        let status = self.venue("status", &Value::Null);
        status["time_ms"].as_i64().expect("a time") - MINUTE_MS
    }

    /// Waits until the bot's decision on this candle is at the server. Answers it.
    pub fn await_decision(&mut self, trader: &Trader, candle: i64) -> Value {
        let path = format!("{}/decisions?limit=1", trader.path);
        eventually("the decision on the closed candle", || {
            let newest = self.owner.get(&path).ok()["items"][0].clone();
            (newest["at"].as_i64()? >= candle).then_some(newest)
        })
    }

    /// Plays one candle and waits for the bot's decision on it.
    pub fn step(&mut self, trader: &Trader) -> Value {
        self.venue("step", &json!({ "candles": 1 }));
        let closed = self.last_closed();
        self.await_decision(trader, closed)
    }

    /// Plays until the bot has entered and a stop rests at the exchange. Answers what the exchange knows then.
    ///
    /// # Panics
    /// When it does not enter although the averages must have crossed.
    pub fn play_to_entry(&mut self, trader: &Trader) -> Value {
        let entered = (0..=TURN).find(|_| self.step(trader)["code"] == "ENTERED");
        assert!(entered.is_some(), "no entry within {TURN} candles: {}", self.bot(trader));
        eventually("a position with its stop", || {
            let truth = self.truth(trader);
            (!is_flat(&truth) && !resting_stops(&truth).is_empty()).then_some(truth)
        })
    }

    /// Plays until the exchange holds nothing more for the bot.
    ///
    /// # Panics
    /// When it stays in its position although the time stop has come.
    pub fn play_to_exit(&mut self, trader: &Trader) {
        for _ in 0..=TURN {
            let decision = self.step(trader);
            if decision["code"] == "EXIT_TIME_STOP" {
                eventually("the exit", || is_flat(&self.truth(trader)).then_some(()));
                return;
            }
        }
        assert!(is_flat(&self.truth(trader)), "still in the position after {TURN} candles");
    }

    /// Everything of a list that comes in pages, newest first.
    ///
    /// # Panics
    /// When it is no such list.
    pub fn all(&mut self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut page = format!("{path}?limit=200");
        loop {
            let answer = self.owner.get(&page).ok();
            items.extend(list(&answer["items"]).iter().cloned());
            match answer["next"].as_str() {
                Some(next) => page = format!("{path}?limit=200&before={next}"),
                None => return items,
            }
        }
    }

    /// Completed trades, newest first, as soon as there are this many.
    pub fn await_trades(&mut self, count: usize) -> Vec<Value> {
        eventually("the trades", || {
            let trades = self.all("/api/v1/trades");
            (trades.len() >= count).then_some(trades)
        })
    }
}
