//! Trades, positions, equity, the dashboard, the activity feed, the chart and the chain of reasons, over reports that are
//! stored as if a bot had sent them.

use keyhold_domain::{
    BotId, Candle, ClientOrderId, DeploymentId, EventId, Fill, Id, KeyId, Liquidity, Money, NewOrder,
    OrderKind, OrderPurpose, OrderStatus, ReasonCode, Side, TemplateId, Timeframe, Timestamp, TradeId,
    order::PositionEffect,
};
use keyhold_protocol::uplink::{
    DecisionReport, EquityReport, EventReport, FillReport, OrderOutcome, OrderReport, PositionReport, Report,
    Severity, StopPlace, TradeReport,
};
use keyhold_store::{
    KeyIntent, KeySwitch, NewApiKey, NewBot, Store, StoreOptions, Stored, Verification, VerificationState,
    Wish, WorkspaceStore,
};
use serde_json::{Value, json};

use crate::world::{Client, World};

const BOT: BotId = BotId::from_u128(0x0b07_0000_0000_0000_0000_0000_0000_0001);
const RUN: DeploymentId = DeploymentId::from_u128(0x0d);
const KEY: KeyId = KeyId::from_u128(0x4e);

/// A second handle on the server's database file, for what only a bot or a keeper can put there.
struct Back {
    mine: WorkspaceStore,
    store: Store,
    number: u64,
    now: Timestamp,
}

fn now() -> Timestamp {
    keyhold_server::clock::Clock::System.now()
}

impl Back {
    /// Alice's workspace with a key and a stopped bot.
    async fn of(world: &World, alice: &mut Client) -> Self {
        let me = alice.get("/me").await.ok();
        let options = StoreOptions {
            folder: world.config.data.clone(),
            url: None,
            now: now(),
            install: Id::from_u128(1),
            fingerprint_key: "A".repeat(43),
        };
        let store = Store::open(&options).await.unwrap();
        let mine = store.system().workspace(me["workspace"]["id"].as_str().unwrap().parse().unwrap());
        let back = Self { mine, store, number: 0, now: now() };
        back.add_key().await;
        back.add_bot().await;
        back
    }

    async fn add_key(&self) {
        let intent = KeyIntent {
            key: KEY,
            exchange: keyhold_domain::Exchange::Bybit,
            environment: keyhold_domain::Environment::Simulated,
            contract_type: keyhold_domain::ContractType::Linear,
            site: keyhold_domain::Site::Global,
            version: 1,
            expires_at: self.now.plus_ms(600_000),
        };
        self.mine.add_intent(&intent, self.now).await.unwrap();
        let new = NewApiKey {
            intent,
            label: "Bybit paper".to_owned(),
            hint: "ABCD…WXYZ".to_owned(),
            fingerprint: "B".repeat(43),
            envelope: "e".to_owned(),
            wrapped_data_key: "w".to_owned(),
            now: self.now,
        };
        self.mine.put_key(&new).await.unwrap();
        let verification = Verification { state: VerificationState::Ok, ..Verification::UNVERIFIED };
        self.mine.set_verification(KEY, &verification, KeySwitch::Leave).await.unwrap();
        self.mine.activate_key(KEY).await.unwrap();
        self.mine.set_key_instruments(KEY, &["BTCUSDT".parse().unwrap()]).await.unwrap();
    }

    async fn add_bot(&self) {
        let new = NewBot {
            id: BOT,
            label: "BTC Trend".to_owned(),
            region: "local".to_owned(),
            wish: Wish::Stopped,
            key: Some(KEY),
            template: None,
            settings: json!({ "format": 1 }),
            deployment: RUN,
            now: self.now,
        };
        self.mine.add_bot(&new).await.unwrap();
    }

    async fn report(&mut self, at: Timestamp, report: &Report) {
        let run = self.store.system().deployment(RUN).await.unwrap();
        self.number += 1;
        let event = EventId::from_u128(u128::from(self.number) + 0xe0);
        self.mine.ingest(&run, &Stored { number: self.number, at, report, event }).await.unwrap();
    }
}

fn order_name(sequence: u32, purpose: OrderPurpose) -> ClientOrderId {
    ClientOrderId::new(BOT, 0, 1, sequence, purpose).unwrap()
}

fn candle(open_time: Timestamp) -> Candle {
    let price = |text: &str| text.parse().unwrap();
    Candle {
        open_time,
        open: price("100"),
        high: price("111"),
        low: price("99"),
        close: price("100"),
        volume: "12.50".parse().unwrap(),
    }
}

fn decision(open_time: Timestamp, code: ReasonCode) -> Report {
    Report::Decision(DecisionReport {
        symbol: "BTCUSDT".parse().unwrap(),
        candle: candle(open_time),
        timeframe: Timeframe::M1,
        template: TemplateId::from_u128(9),
        template_version: 1,
        code,
        wanted: Some(Side::Buy),
        score: "2".to_owned(),
        threshold: "2".to_owned(),
        record: json!({}),
    })
}

fn fill(id: &str, order: ClientOrderId, side: Side, price: &str, at: Timestamp) -> Report {
    let asset = "USDT".parse().unwrap();
    Report::Fill(FillReport {
        fill: Fill {
            fill_id: id.parse().unwrap(),
            client_id: Some(order),
            venue_order_id: "v1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side,
            price: price.parse().unwrap(),
            quantity: "0.1".parse().unwrap(),
            fee: Money::new("0.0050".parse().unwrap(), asset),
            liquidity: Liquidity::Taker,
            at,
        },
        purpose: Some(order.purpose()),
        decision_price: None,
    })
}

fn order(name: ClientOrderId, side: Side, reason: ReasonCode, at: Timestamp) -> Report {
    Report::Order(OrderReport {
        order: NewOrder {
            client_id: name,
            symbol: "BTCUSDT".parse().unwrap(),
            side,
            kind: OrderKind::Market,
            quantity: "0.2".parse().unwrap(),
            effect: PositionEffect::Increase,
            purpose: name.purpose(),
        },
        venue_id: Some("v1".parse().unwrap()),
        status: Some(OrderStatus::Filled),
        outcome: OrderOutcome::Accepted,
        filled: "0.20".parse().unwrap(),
        average_price: None,
        refusal: None,
        reason,
        decision: None,
        decided_at: at,
        sent_at: Some(at),
        acknowledged_at: None,
    })
}

fn trade(id: u128, net: &str, entered_at: Timestamp, exited_at: Timestamp) -> Report {
    Report::Trade(Box::new(TradeReport {
        id: TradeId::from_u128(id),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "0.2".parse().unwrap(),
        entry_price: "100.5".parse().unwrap(),
        exit_price: "110".parse().unwrap(),
        entered_at,
        exited_at,
        gross: net.parse().unwrap(),
        fees: "0".parse().unwrap(),
        funding: "0".parse().unwrap(),
        net: net.parse().unwrap(),
        settle: "USDT".parse().unwrap(),
        exit_reason: ReasonCode::ExitTakeProfit,
        entry_decision: Some(Timeframe::M1.open_of(entered_at).plus_ms(-60_000)),
        template: TemplateId::from_u128(9),
        template_version: 1,
        record: json!({ "r_multiple": "2", "entry_decision": {"big": true} }),
    }))
}

fn equity(amount: &str) -> Report {
    Report::Equity(EquityReport {
        asset: "USDT".parse().unwrap(),
        wallet: "1000".parse().unwrap(),
        equity: amount.parse().unwrap(),
    })
}

fn position(size: &str, unrealized: Option<&str>, opened_at: Timestamp) -> Report {
    Report::Position(PositionReport {
        symbol: "BTCUSDT".parse().unwrap(),
        size: size.parse().unwrap(),
        entry: Some("100".parse().unwrap()),
        mark: None,
        unrealized: unrealized.map(|text| text.parse().unwrap()),
        settle: "USDT".parse().unwrap(),
        stop: Some("95".parse().unwrap()),
        stop_at_venue: StopPlace::Venue,
        target: Some("120".parse().unwrap()),
        liquidation: None,
        opened_at: Some(opened_at),
    })
}

/// One trade with two entry fills, then an open position.
async fn history(back: &mut Back) -> Timestamp {
    let minute = Timeframe::M1.open_of(back.now.plus_ms(-600_000));
    let at = |minutes: i64, ms: i64| minute.plus_ms(minutes * 60_000 + ms);
    let (entry, exit) = (order_name(1, OrderPurpose::Entry), order_name(2, OrderPurpose::TakeProfit));
    let reports = [
        (at(1, 0), decision(at(0, 0), ReasonCode::Entered)),
        (at(1, 1), order(entry, Side::Buy, ReasonCode::Entered, at(1, 1))),
        (at(1, 5), fill("f1", entry, Side::Buy, "100", at(1, 5))),
        (at(1, 6), fill("f2", entry, Side::Buy, "101", at(1, 6))),
        (at(2, 0), decision(at(1, 0), ReasonCode::PositionOpen)),
        (at(2, 1), order(exit, Side::Sell, ReasonCode::ExitTakeProfit, at(2, 1))),
        (at(2, 9), fill("f3", exit, Side::Sell, "110", at(2, 9))),
        (at(2, 9), trade(0x7e, "1.90", at(1, 5), at(2, 9))),
        (at(2, 10), equity("1001.90")),
        (at(3, 0), decision(at(2, 0), ReasonCode::LimitDailyLoss)),
        (at(4, 0), position("0.1", Some("0.40"), at(4, 0))),
    ];
    for (at, report) in &reports {
        back.report(*at, report).await;
    }
    minute
}

#[tokio::test]
async fn a_bot_s_history_is_read_back_as_it_was_reported() {
    let Some(world) = World::with_keeper("a_bot_s_history_is_read_back_as_it_was_reported").await else {
        return;
    };
    let mut alice = world.owner().await;
    let mut back = Back::of(&world, &mut alice).await;
    let minute = history(&mut back).await;

    let page = alice.get("/trades?environment=simulated&limit=10").await.ok();
    let listed = &page["items"][0];
    assert_eq!((&listed["net"], &listed["bot"]["label"]), (&json!("1.9"), &json!("BTC Trend")));
    assert_eq!(listed["record"], json!({ "r_multiple": "2", "entry_decision": null }));
    assert_eq!(page["next"], Value::Null);
    assert_eq!(alice.get("/trades?environment=live").await.ok()["items"], json!([]));
    alice.get("/trades?environment=mars").await.refused(400, "INVALID_FIELD");
    alice.get("/trades?before=x").await.refused(400, "INVALID_CURSOR");

    let detail = alice.get(&format!("/trades/{}", listed["id"].as_str().unwrap())).await.ok();
    assert_eq!(detail["fills"].as_array().unwrap().len(), 3);
    assert_eq!(detail["orders"].as_array().unwrap().len(), 2);
    assert_eq!(detail["decision"]["code"], "ENTERED");
    assert_eq!(detail["record"]["entry_decision"], json!({ "big": true }));

    let bot = format!("/bots/{BOT}");
    let decisions = alice.get(&format!("{bot}/decisions?limit=2")).await.ok();
    let codes = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["code"].to_string()).collect()
    };
    assert_eq!(codes(&decisions), ["\"LIMIT_DAILY_LOSS\"", "\"POSITION_OPEN\""]);
    let next = decisions["next"].as_str().unwrap();
    let rest = alice.get(&format!("{bot}/decisions?limit=2&before={next}")).await.ok();
    assert_eq!((codes(&rest), &rest["next"]), (vec!["\"ENTERED\"".to_owned()], &Value::Null));
    let fills = alice.get(&format!("{bot}/fills")).await.ok();
    assert_eq!(fills["items"][0]["fill"]["fee"], json!({ "amount": "0.005", "asset": "USDT" }));
    let orders = alice.get(&format!("{bot}/orders")).await.ok();
    assert_eq!(
        (&orders["items"][0]["order"]["kind"]["type"], &orders["items"][0]["filled"]),
        (&json!("market"), &json!("0.2"))
    );
    assert_eq!(alice.get(&format!("{bot}/deployments")).await.ok()[0]["reports"], 11);

    let chart = alice.get(&format!("{bot}/candles?limit=50")).await.ok();
    assert_eq!((&chart["symbol"], &chart["timeframe"]), (&json!("BTCUSDT"), &json!("1m")));
    assert_eq!(
        chart["candles"].as_array().unwrap().len(),
        3,
        "the venue is away, the bot's own candles are shown"
    );
    assert_eq!(chart["candles"][0]["open_time"], minute.ms());
    assert_eq!(chart["candles"][0]["volume"], "12.5");
    let entry = &chart["entries"][0];
    assert_eq!(
        (&entry["price"], &entry["quantity"], &entry["side"]),
        (&json!("100.5"), &json!("0.2"), &json!("buy"))
    );
    assert_eq!(chart["entries"].as_array().unwrap().len(), 1, "fills of one order are one mark");
    assert_eq!(chart["exits"][0]["reason"], "EXIT_TAKE_PROFIT");
    assert_eq!((&chart["stop"], &chart["target"]), (&json!("95"), &json!("120")));
    world.end().await;
}

#[tokio::test]
async fn the_dashboard_adds_nothing_that_does_not_belong_together() {
    let Some(world) = World::with_keeper("the_dashboard_adds_nothing_that_does_not_belong_together").await
    else {
        return;
    };
    let mut alice = world.owner().await;
    let empty = alice.get("/dashboard").await.ok();
    assert_eq!(empty["kpis"]["equity"], json!([]), "nothing is known, so nothing is shown as zero");
    assert_eq!((&empty["kpis"]["win_rate"], &empty["kpis"]["trades"]), (&Value::Null, &json!(0)));
    let mut back = Back::of(&world, &mut alice).await;
    history(&mut back).await;
    let now = now();
    back.report(now, &trade(0x7f, "-0.50", now.plus_ms(-2), now)).await;

    let found = alice.get("/dashboard?environment=simulated").await.ok();
    let kpis = &found["kpis"];
    assert_eq!(kpis["equity"], json!([{ "amount": "1001.9", "asset": "USDT" }]));
    assert_eq!(kpis["open_pnl"], json!([{ "amount": "0.4", "asset": "USDT" }]));
    assert_eq!((&kpis["win_rate"], &kpis["trades"]), (&json!("0.5"), &json!(2)));
    assert_eq!(kpis["bots"], json!({ "online": 0, "paused": 0, "trouble": 0 }));
    assert_eq!(found["equity_series"][0]["asset"], "USDT");
    let live = alice.get("/dashboard?environment=live").await.ok();
    assert_eq!((&live["kpis"]["equity"], &live["kpis"]["trades"]), (&json!([]), &json!(0)));

    back.report(now, &position("0.1", None, now)).await;
    let found = alice.get("/dashboard?environment=simulated").await.ok();
    assert_eq!(
        found["kpis"]["open_pnl"],
        json!([{ "amount": null, "asset": "USDT" }]),
        "unknown is not zero"
    );
    let positions = alice.get("/positions").await.ok();
    assert_eq!(
        (&positions[0]["bot"]["label"], &positions[0]["environment"]),
        (&json!("BTC Trend"), &json!("simulated"))
    );
    back.report(now, &position("0", None, now)).await;
    assert_eq!(alice.get("/positions").await.ok(), json!([]));

    let series = alice.get(&format!("/equity?bot_id={BOT}")).await.ok();
    assert_eq!(series[0]["points"][0][1], "1001.9");
    assert_eq!(series[0]["environment"], "simulated");
    world.end().await;
}

/// Reads until the text appears; false when the stream ends first.
async fn hears(stream: &mut tokio::net::TcpStream, needle: &str) -> bool {
    use tokio::io::AsyncReadExt as _;
    let reading = async {
        let (mut heard, mut buffer) = (String::new(), [0; 4096]);
        while !heard.contains(needle) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(count) => heard.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        true
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), reading).await.expect("in time")
}

#[tokio::test]
async fn a_quiet_stream_beats_and_ends_when_its_session_has_run_out() {
    let Some(world) = World::with_keeper("a_quiet_stream_beats_and_ends_when_its_session_has_run_out").await
    else {
        return;
    };
    let alice = world.owner().await;
    let mut stream = alice.send("GET", "/stream", None).await;
    assert!(hears(&mut stream, ": connected").await, "the first byte needs no event");
    assert!(hears(&mut stream, ": beat").await);
    world.later(world.config.sessions.idle_ms + 1);
    assert!(!hears(&mut stream, "never sent").await, "listening is not using");
    world.end().await;
}

#[tokio::test]
async fn reasons_and_activity_name_what_they_are_about() {
    let Some(world) = World::with_keeper("reasons_and_activity_name_what_they_are_about").await else {
        return;
    };
    let mut alice = world.owner().await;
    let mut back = Back::of(&world, &mut alice).await;
    history(&mut back).await;
    let report = EventReport {
        severity: Severity::Warning,
        code: ReasonCode::StaleData,
        text: "Candles are missing.".to_owned(),
        symbol: Some("BTCUSDT".parse().unwrap()),
    };
    let at = now().plus_ms(60_000);
    back.report(at, &Report::Event(report)).await;

    let steps = alice.get(&format!("/bots/{BOT}/why")).await.ok();
    let state = |name: &str| {
        let step = steps.as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
        (step["state"].as_str().unwrap().to_owned(), step["code"].as_str().unwrap_or_default().to_owned())
    };
    let two = |state: &str, code: &str| (state.to_owned(), code.to_owned());
    assert_eq!(state("process"), two("block", "BOT_STOPPED"));
    assert_eq!(state("key"), two("pass", ""));
    assert_eq!(state("template"), two("block", "NO_TEMPLATE"));
    assert_eq!(state("signals"), two("unknown", ""), "the sample's record is not the engine's");

    let feed = alice.get("/events?limit=1").await.ok();
    let entry = &feed["items"][0];
    assert_eq!((&entry["code"], &entry["severity"]), (&json!("STALE_DATA"), &json!("warning")));
    assert_eq!(entry["bot"], json!({ "id": BOT.to_string(), "label": "BTC Trend" }));
    let own = alice.get(&format!("/bots/{BOT}/events?limit=1")).await.ok();
    assert_eq!(own["items"], feed["items"]);

    let mut bob = world.user("bob@example.org").await;
    for path in ["decisions", "orders", "fills", "deployments", "events", "candles", "why"] {
        bob.get(&format!("/bots/{BOT}/{path}")).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(bob.get("/events").await.ok()["items"], json!([]));
    assert_eq!(bob.get("/trades").await.ok()["items"], json!([]));
    world.end().await;
}
