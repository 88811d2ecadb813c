//! What the stream sends is what the reads give.

use keyhold_domain::{
    DeploymentId, EventId, Id, InstallId, ReasonCode, SignedQuantity, Symbol, TemplateId, TradeId,
};
use keyhold_engine::reading::Direction;
use keyhold_protocol::uplink::{
    EquityReport, EventReport, PositionReport, Report, Severity, StopPlace, TradeReport,
};
use keyhold_store::{Claim, NewBot, NewUser, PageRequest, Store, StoreOptions, Stored, Wish, WorkspaceStore};
use serde_json::{Value, json};

use super::activity::EventView;
use super::decisions::DecisionView;
use super::samples::{BOT, NOW, decision, symbol};
use super::tell::{News, tell};
use crate::live::Live;

struct World {
    store: Store,
    mine: WorkspaceStore,
    live: Live,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        folder: folder.path().join("data"),
        url: None,
        now: NOW,
        install: InstallId::from_u128(1),
        fingerprint_key: "A".repeat(43),
    };
    let store = Store::open(&options).await.unwrap();
    store.put_claim_code("code", NOW.plus_ms(1)).await.unwrap();
    let user = NewUser {
        id: Id::from_u128(1),
        workspace: Id::from_u128(2),
        email: "alice@example.org".to_owned(),
        password_hash: None,
        now: NOW,
    };
    let actor = store.claim(&Claim { code_hash: "code".to_owned(), user }).await.unwrap();
    let mine = store.workspace(&actor);
    let bot = NewBot {
        id: BOT,
        label: "BTC Trend".to_owned(),
        region: "local".to_owned(),
        wish: Wish::Running,
        key: None,
        template: None,
        settings: json!({}),
        deployment: DeploymentId::from_u128(3),
        now: NOW,
    };
    mine.add_bot(&bot).await.unwrap();
    World { store, mine, live: Live::new("b".to_owned()), _folder: folder }
}

impl World {
    /// Stores a report, tells of it, and gives the event that was sent.
    async fn report(&self, number: u64, report: &Report) -> (String, Value) {
        let run = self.store.system().deployment(DeploymentId::from_u128(3)).await.unwrap();
        let event = EventId::from_u128(number.into());
        self.mine.ingest(&run, &Stored { number, at: NOW, report, event }).await.unwrap();
        tell(&self.live, &self.mine, News { bot: BOT, at: NOW, report, event }).await.unwrap();
        let sent = self.live.subscribe(self.mine.id(), Some(&self.live.id(number - 1))).missed;
        let sent = sent.last().unwrap();
        (sent.name.to_owned(), serde_json::from_str(&sent.data).unwrap())
    }
}

fn trade() -> TradeReport {
    TradeReport {
        id: TradeId::from_u128(5),
        symbol: symbol(),
        side: keyhold_domain::Side::Buy,
        quantity: "0.1".parse().unwrap(),
        entry_price: "100".parse().unwrap(),
        exit_price: "110".parse().unwrap(),
        entered_at: NOW.plus_ms(-60_000),
        exited_at: NOW,
        gross: "1".parse().unwrap(),
        fees: "0.10".parse().unwrap(),
        funding: "0".parse().unwrap(),
        net: "0.90".parse().unwrap(),
        settle: "USDT".parse().unwrap(),
        exit_reason: ReasonCode::ExitTakeProfit,
        entry_decision: None,
        template: TemplateId::from_u128(9),
        template_version: 3,
        record: json!({ "r_multiple": "1.5", "entry_decision": { "symbol": "BTCUSDT" } }),
    }
}

fn position(size: &str) -> Report {
    Report::Position(PositionReport {
        symbol: symbol(),
        size: size.parse::<SignedQuantity>().unwrap(),
        entry: None,
        mark: None,
        unrealized: None,
        settle: "USDT".parse().unwrap(),
        stop: Some("95".parse().unwrap()),
        stop_at_venue: StopPlace::Venue,
        target: None,
        liquidation: None,
        opened_at: None,
    })
}

#[tokio::test]
async fn events_carry_the_objects_as_the_reads_give_them() {
    let world = world().await;
    let newest = PageRequest::new(1, None);

    let (name, sent) = world.report(1, &Report::Decision(decision(Vec::new(), Direction::Long))).await;
    let row = world.mine.decisions(BOT, None::<Symbol>, &newest).await.unwrap().remove(0);
    assert_eq!((name.as_str(), sent), ("decision", json!(DecisionView::new(BOT, row.report))));

    let report = EventReport {
        severity: Severity::Warning,
        code: ReasonCode::StaleData,
        text: "Candles are missing.".to_owned(),
        symbol: None,
    };
    let (name, sent) = world.report(2, &Report::Event(report)).await;
    let row = world.mine.events(None, &newest).await.unwrap().remove(0);
    assert_eq!(
        (name.as_str(), &sent),
        ("event", &json!(EventView::new(row, &world.mine.labels().await.unwrap())))
    );
    assert_eq!(sent["bot"], json!({ "id": BOT, "label": "BTC Trend" }));

    let (name, sent) = world.report(3, &Report::Trade(Box::new(trade()))).await;
    assert_eq!((name.as_str(), &sent["bot"]["label"]), ("trade", &json!("BTC Trend")));
    assert_eq!(
        (&sent["net"], &sent["environment"]),
        (&json!("0.9"), &json!("unknown")),
        "the bot has no key"
    );
    assert_eq!(sent["record"], json!({ "r_multiple": "1.5", "entry_decision": null }));

    let (name, sent) = world.report(4, &position("0.1")).await;
    assert_eq!(
        (name.as_str(), &sent["size"], &sent["stop_at_venue"]),
        ("position", &json!("0.1"), &json!("venue"))
    );
    let (_, closed) = world.report(5, &position("0")).await;
    assert_eq!(closed["size"], json!("0"), "a closed position is told so that it can be taken off the list");

    let equity = Report::Equity(EquityReport {
        asset: "USDT".parse().unwrap(),
        wallet: "1000".parse().unwrap(),
        equity: "1000.50".parse().unwrap(),
    });
    let (name, sent) = world.report(6, &equity).await;
    assert_eq!((name.as_str(), &sent["equity"]), ("equity", &json!("1000.5")));
}
