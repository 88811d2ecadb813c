//! What an owner of keys is promised: shown never again, one key one bot, no surprises around open positions, and the
//! cause of every failure by its name.

use std::sync::{Arc, Barrier};

use keyhold_domain::ContractType;
use keyhold_e2e::house::{House, Secret, eventually};
use keyhold_e2e::http::{Answer, Client};
use keyhold_e2e::market::TURN;
use keyhold_e2e::scan::Needle;
use keyhold_e2e::trader::{Trader, is_flat, list};
use serde_json::{Value, json};

/// As many characters of a secret in a row as no answer may hold.
const WINDOW: usize = 5;

/// Which part of the secret a text shows.
fn shown_part<'a>(text: &str, secret: &'a str) -> Option<&'a str> {
    let windows = 0..=secret.len() - WINDOW;
    windows.map(|start| &secret[start..start + WINDOW]).find(|window| text.contains(window))
}

fn assert_not_shown(what: &str, text: &str, secret: &str) {
    assert_eq!(shown_part(text, secret), None, "{what} shows a part of the secret");
    assert_eq!(Needle::new(secret).find(text.as_bytes()), None, "{what} shows the secret in another form");
}

/// The things whose ids stand in addresses.
struct Known<'a> {
    key: &'a str,
    bot: Option<&'a Trader>,
    template: &'a str,
    trade: Option<&'a str>,
    fetch: Option<&'a str>,
    backtests: Option<[&'a str; 2]>,
}

/// Reads everything that can be read, with and without conditions, and answers how many addresses gave something.
fn crawl(house: &mut House, known: &Known<'_>, secret: &str) -> usize {
    let description = house.owner.get("/api/openapi.json").ok();
    let bot = known.bot.map_or("", |bot| bot.id.as_str());
    let ids = known.backtests.map_or_else(String::new, |ids| ids.join(","));
    let query = format!(
        "exchange=bybit&environment=simulated&contract_type=linear&bot_id={bot}&symbol=BTCUSDT&timeframe=1m&limit=500\
         &ids={ids}"
    );
    let mut given = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        if methods.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        let id = match path.split('/').nth(3).unwrap_or_default() {
            "keys" => Some(known.key),
            "bots" => known.bot.map(|bot| bot.id.as_str()),
            "templates" => Some(known.template),
            "trades" => known.trade,
            "candles" => known.fetch,
            "backtests" => known.backtests.map(|ids| ids[0]),
            _ => None,
        };
        if path.ends_with("/backtests/compare") && known.backtests.is_none() {
            continue;
        }
        let address = match (path.contains('{'), id) {
            (false, _) => path.clone(),
            (true, Some(id)) => path.replace("{id}", id),
            (true, None) => {
                assert!(known.bot.is_none(), "{path} has an id that this test does not know");
                continue;
            }
        };
        assert!(!address.contains('{'), "{path} has an id that this test does not know");
        let answers = [house.owner.get(&address), house.owner.get(&format!("{address}?{query}"))];
        let gave = answers.iter().any(|answer| answer.status == 200);
        assert!(gave, "{address}: {} {}", answers[1].status, answers[1].body);
        for Answer { headers, body, .. } in answers {
            assert_not_shown(&address, &format!("{headers:?}{body}"), secret);
        }
        given += 1;
    }
    given
}

/// Candles around a trade, fetched from the exchange, and two backtests on them. Answers their ids.
fn fetch_and_backtest(house: &mut House, template: &str, trade: &Value) -> (String, [String; 2]) {
    const MINUTE_MS: i64 = 60_000;
    let minute = |instant: &Value, apart: i64| (instant.as_i64().unwrap() / MINUTE_MS + apart) * MINUTE_MS;
    let market = json!({
        "exchange": "bybit", "environment": "simulated", "contract_type": "linear", "symbol": "BTCUSDT"
    });
    let mut fetch = market.clone();
    fetch["timeframe"] = json!("1m");
    fetch["from"] = json!(minute(&trade["entered_at"], -120));
    fetch["until"] = json!(minute(&trade["exited_at"], 0));
    let fetch = finished(house, "/api/v1/candles/fetches", &fetch);
    let run = json!({
        "template_id": template, "markets": [market], "equity": "10000", "gaps": "accept",
        "from": minute(&trade["entered_at"], -30), "until": minute(&trade["exited_at"], 0),
        "settings": { "format": 1, "sizing": { "mode": "fixed_notional", "quote": "500" }, "leverage": "2" }
    });
    (fetch, [(); 2].map(|()| finished(house, "/api/v1/backtests", &run)))
}

/// Asks for a job and waits until it is completed.
fn finished(house: &mut House, list: &str, asked: &Value) -> String {
    let id = house.owner.post(list, asked).ok()["id"].as_str().unwrap().to_owned();
    eventually("the job's end", || {
        let job = house.owner.get(&format!("{list}/{id}")).ok();
        let state = job["state"].as_str().unwrap();
        assert!(["queued", "running", "completed"].contains(&state), "{job}");
        (state == "completed").then_some(())
    });
    id
}

#[test]
fn a_secret_is_shown_by_no_address_and_no_event() {
    // The control: the search does find what it looks for.
    assert_eq!(shown_part("…xyz abcde…", "0123456789abcde"), Some("abcde"));
    let mut house = House::stepping();
    let key = house.known("second");
    let events = house.owner.listen("/api/v1/stream");
    let template = house.add_wave_rider();
    let stored = house.put_key("Second", ContractType::Linear, Secret::from(&key));
    assert_not_shown(
        "the answer to storing it",
        &format!("{:?}{}", stored.headers, stored.body),
        &key.secret,
    );
    let id = stored.ok()["id"].as_str().unwrap().to_owned();
    let known = Known { key: &id, bot: None, template: &template, trade: None, fetch: None, backtests: None };
    let at_once = crawl(&mut house, &known, &key.secret);
    assert!(at_once >= 10, "{at_once} addresses");
    house.test_key(&id);
    house.owner.put(&format!("/api/v1/keys/{id}/instruments"), &json!({ "symbols": ["BTCUSDT"] })).ok();
    let bot = house.deploy("Reader", &id, &template, 2);
    house.play_to_entry(&bot);
    house.play_to_exit(&bot);
    let trades = house.await_trades(1);
    let trade = trades[0]["id"].as_str().unwrap();
    let (fetch, backtests) = fetch_and_backtest(&mut house, &template, &trades[0]);
    let known = Known {
        key: &id,
        bot: Some(&bot),
        template: &template,
        trade: Some(trade),
        fetch: Some(&fetch),
        backtests: Some(backtests.each_ref().map(String::as_str)),
    };
    let later = crawl(&mut house, &known, &key.secret);
    assert!(later > at_once, "{later} addresses");
    eprintln!("{later} addresses show nothing of the secret");
    let told = eventually("events", || Some(events.text()).filter(|text| text.contains("event: trade")));
    assert!(told.contains("event: key"), "the key's changes are told");
    assert_not_shown("the stream", &told, &key.secret);
}

/// Sends one request from many threads at once and answers what came back.
fn at_once(owner: &Client, requests: Vec<(&'static str, String, Value)>) -> Vec<(String, Answer)> {
    let start = Arc::new(Barrier::new(requests.len()));
    let threads: Vec<_> = requests
        .into_iter()
        .map(|(method, path, body)| {
            let (mut owner, start) = (owner.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                let answer = owner.call(method, &path, Some(&body)).unwrap();
                (path, answer)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

const AT_ONCE: usize = 100;

#[test]
fn a_key_serves_one_bot_however_many_ask_at_once() {
    let mut house = House::stepping();
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let bot_with = |label: &str, key: Value| json!({ "label": label, "region": "here", "key_id": key, "start": "paused" });

    // A hundred bots are made with the same key: one comes to be.
    let wanted =
        (0..AT_ONCE).map(|n| ("POST", "/api/v1/bots".to_owned(), bot_with(&format!("Bot {n}"), json!(key))));
    let answers = at_once(&house.owner, wanted.collect());
    let made = answers.iter().filter(|(_, answer)| answer.status == 201).count();
    let refused = answers.iter().filter(|(_, answer)| answer.code() == "KEY_ASSIGNED").count();
    assert_eq!((made, refused), (1, AT_ONCE - 1));
    let bots = house.owner.get("/api/v1/bots").ok();
    assert_eq!(list(&bots).len(), 1, "a refused bot is not made");
    let first = format!("/api/v1/bots/{}", bots[0]["id"].as_str().unwrap());

    // While it is assigned, the key cannot be deleted.
    let deleting = house.owner.delete(&format!("/api/v1/keys/{key}"));
    assert_eq!((deleting.status, deleting.code()), (409, "KEY_ASSIGNED"));

    // Freed, a hundred requests give it to three bots at once: one has it.
    house.owner.patch(&first, &json!({ "key_id": null })).ok();
    let mut paths = vec![first];
    for label in ["Second", "Third"] {
        let bot = house.owner.post("/api/v1/bots", &bot_with(label, Value::Null)).ok();
        paths.push(format!("/api/v1/bots/{}", bot["id"].as_str().unwrap()));
    }
    let give = |path: &String| ("PATCH", path.clone(), json!({ "key_id": key }));
    let answers = at_once(&house.owner, paths.iter().cycle().take(AT_ONCE).map(give).collect());
    let holders: Vec<&String> =
        paths.iter().filter(|path| house.owner.get(path).ok()["key"]["id"] == json!(key)).collect();
    assert_eq!(holders.len(), 1, "one key, one bot");
    for (path, answer) in &answers {
        if path == holders[0] {
            assert_eq!(answer.status, 200, "{}", answer.body);
        } else {
            assert_eq!((answer.status, answer.code()), (409, "KEY_ASSIGNED"), "{}", answer.body);
        }
    }

    // Switched off, it can be assigned to nobody; switched on, it can.
    let holder = holders[0].clone();
    house.owner.patch(&holder, &json!({ "key_id": null })).ok();
    let key_path = format!("/api/v1/keys/{key}");
    house.owner.patch(&key_path, &json!({ "active": false })).ok();
    let change = house.owner.patch(&holder, &json!({ "key_id": key }));
    assert_eq!((change.status, change.code()), (409, "KEY_INACTIVE"));
    let making = house.owner.post("/api/v1/bots", &bot_with("Fourth", json!(key)));
    assert_eq!((making.status, making.code()), (409, "KEY_INACTIVE"));
    house.owner.patch(&key_path, &json!({ "active": true })).ok();
    house.owner.patch(&holder, &json!({ "key_id": key })).ok();

    // Unassigned it is deleted, as soon as the bot's process has let go of it.
    house.owner.patch(&holder, &json!({ "key_id": null })).ok();
    eventually("the key's deletion", || {
        let deleting = house.owner.delete(&key_path);
        assert!(deleting.status == 204 || deleting.code() == "KEY_IN_USE", "{}", deleting.body);
        (deleting.status == 204).then_some(())
    });
    assert_eq!(house.owner.get(&key_path).status, 404);
}

#[test]
fn a_position_locks_its_key_and_a_key_switched_off_lets_exits_through() {
    let mut house = House::stepping();
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let other = house.add_sound_key("second", ContractType::Linear, "BTCUSDT");
    let template = house.add_wave_rider();
    let bot = house.deploy("Locked", &key, &template, 1);
    house.play_to_entry(&bot);
    eventually("the position at the server", || {
        (!list(&house.bot(&bot)["positions"]).is_empty()).then_some(())
    });

    // Nothing about the key can be changed under the position.
    let key_path = format!("/api/v1/keys/{key}");
    for change in [json!({ "key_id": null }), json!({ "key_id": other })] {
        let refused = house.owner.patch(&bot.path, &change);
        assert_eq!((refused.status, refused.code()), (409, "KEY_LOCKED_BY_POSITION"), "{change}");
    }
    let refused = house.owner.put(&format!("{key_path}/instruments"), &json!({ "symbols": [] }));
    assert_eq!((refused.status, refused.code()), (409, "KEY_LOCKED_BY_POSITION"));
    let refused = house.owner.delete(&key_path);
    assert_eq!((refused.status, refused.code()), (409, "KEY_ASSIGNED"));

    // Switched off under the position: the exit comes all the same.
    house.owner.patch(&key_path, &json!({ "active": false })).ok();
    house.await_phase(&bot, "exits_only");
    assert!(!is_flat(&house.truth(&bot)), "the position is still open when the key is off");
    house.play_to_exit(&bot);
    assert_eq!(house.await_trades(1)[0]["exit_reason"], "EXIT_TIME_STOP");

    // And nothing is entered any more, although the signals want to.
    let orders = list(&house.truth(&bot)["orders"]).len();
    let mut wanted = 0;
    for _ in 0..2 * TURN {
        let decision = house.step(&bot);
        assert_ne!(decision["code"], "ENTERED");
        wanted += usize::from(!decision["wanted"].is_null() && decision["code"] == "KEY_INACTIVE");
    }
    assert!(wanted > 0, "the signals wanted to enter, and the key was what stood against it");
    assert_eq!(list(&house.truth(&bot)["orders"]).len(), orders, "no order was sent");

    // The bot and the key are still there: switched on, it enters again.
    house.owner.patch(&key_path, &json!({ "active": true })).ok();
    house.await_phase(&bot, "online");
    house.play_to_entry(&bot);
}

#[test]
fn rights_that_grow_at_the_exchange_switch_a_key_off_and_let_exits_through() {
    let mut house = House::stepping();
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let template = house.add_wave_rider();
    let bot = house.deploy("Watched", &key, &template, 1);
    house.play_to_entry(&bot);
    let key_path = format!("/api/v1/keys/{key}");
    let public = house.known("good").key;
    let rights = |wallet: &[&str]| {
        let all = json!({ "ContractTrade": ["Order", "Position"], "Wallet": wallet });
        json!({ "key": public, "permissions": all, "ips": ["127.0.0.1"] })
    };

    // The control: looked at again with the rights it had, it stays on.
    house.venue("grant", &rights(&[]));
    let looked = house.owner.post(&format!("{key_path}/test"), &json!({})).ok();
    assert_eq!(looked["active"], true);

    // Widened at the exchange: at the next look it is off, and its owner is told.
    house.venue("grant", &rights(&["AccountTransfer"]));
    house.owner.post(&format!("{key_path}/test"), &json!({})).ok();
    let widened = eventually("the key to be off", || {
        let key = house.owner.get(&key_path).ok();
        (key["active"] == false).then_some(key)
    });
    assert_eq!(widened["verification"]["facts"]["transfer"], "yes");
    assert!(widened["health"]["score"].as_u64().unwrap() < 100, "{}", widened["health"]);
    let told = house.all("/api/v1/events");
    let event = told.iter().find(|event| event["code"] == "KEY_RIGHTS_GREW").unwrap();
    assert!(event["text"].as_str().unwrap().contains("move money between accounts"), "{event}");

    // Nothing new is entered, and what is open is closed by its own rule.
    house.await_phase(&bot, "exits_only");
    assert!(!is_flat(&house.truth(&bot)));
    house.play_to_exit(&bot);
    assert_eq!(house.await_trades(1)[0]["exit_reason"], "EXIT_TIME_STOP");

    // Whoever wanted it so switches it on again; looked at again, it stays on.
    house.owner.patch(&key_path, &json!({ "active": true })).ok();
    let looked = house.owner.post(&format!("{key_path}/test"), &json!({})).ok();
    assert_eq!(looked["active"], true, "what has not grown since is no news");
}

#[test]
fn a_secret_in_the_clear_is_refused_and_not_repeated() {
    let mut house = House::stepping();
    let secret = "ClearText-8fKq2Wz7Lm4Xc9Vb1Nt6";
    let good = house.known("good");
    let sealed = house.seal("Good", ContractType::Linear, Secret::from(&good));
    for name in ["api_secret", "secret", "passphrase", "apiSecret", "privateKey"] {
        let mut body = sealed.body.clone();
        body[name] = json!(secret);
        let nested = json!({ "label": "x", "region": "here", "settings": { "exchange": { name: secret } } });
        for answer in [house.owner.put(&sealed.path, &body), house.owner.post("/api/v1/bots", &nested)] {
            assert_eq!(
                (answer.status, answer.code()),
                (400, "PLAINTEXT_SECRET_REFUSED"),
                "{name}: {}",
                answer.body
            );
            assert_not_shown("the refusal", &format!("{:?}{}", answer.headers, answer.body), secret);
        }
    }
    let needle = Needle::new(secret);
    for name in ["keyhold", "keyhold-keeper"] {
        assert_eq!(needle.find(house.stack.log_of(name).as_bytes()), None, "the log of {name}");
    }
    assert_eq!(keyhold_e2e::scan::files(&house.folder().join("data"), &needle).unwrap(), []);
    // The control: without the additional field the same request is taken.
    assert_eq!(house.owner.put(&sealed.path, &sealed.body).status, 201);
}
