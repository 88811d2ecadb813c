//! Figures over much history agree with the rows they are made of, and stay in their workspace.

use keyhold_domain::{Environment, EventId, ReasonCode, Side, Symbol, TemplateId, Timestamp, TradeId};
use keyhold_protocol::uplink::{DecisionReport, EquityReport, Report, TradeReport};
use keyhold_store::{DeploymentRef, KeySwitch, NewBot, Stored, WorkspaceStore};

use crate::world::{NOW, World, add_key, bot};

fn trade(number: u128, net: &str, exited_at: Timestamp) -> Report {
    let text = |value: &str| value.parse().unwrap();
    Report::Trade(Box::new(TradeReport {
        id: TradeId::from_u128(number),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        quantity: "0.01".parse().unwrap(),
        entry_price: "100".parse().unwrap(),
        exit_price: "101".parse().unwrap(),
        entered_at: exited_at.plus_ms(-60_000),
        exited_at,
        gross: text(net),
        fees: text("0"),
        funding: text("0"),
        net: text(net),
        settle: "USDT".parse().unwrap(),
        exit_reason: ReasonCode::ExitTakeProfit,
        entry_decision: None,
        template: TemplateId::from_u128(1),
        template_version: 1,
        record: serde_json::Value::Null,
    }))
}

fn decision(symbol: Symbol, at: Timestamp, code: ReasonCode) -> Report {
    let price = || "100".parse().unwrap();
    Report::Decision(DecisionReport {
        symbol,
        candle: keyhold_domain::Candle {
            open_time: at,
            open: price(),
            high: price(),
            low: price(),
            close: price(),
            volume: "1".parse().unwrap(),
        },
        timeframe: keyhold_domain::Timeframe::M1,
        template: TemplateId::from_u128(1),
        template_version: 1,
        code,
        wanted: None,
        score: "0".to_owned(),
        threshold: "1".to_owned(),
        record: serde_json::Value::Null,
    })
}

fn equity(amount: &str) -> Report {
    Report::Equity(EquityReport {
        asset: "USDT".parse().unwrap(),
        wallet: amount.parse().unwrap(),
        equity: amount.parse().unwrap(),
    })
}

/// Sends reports in order, each at its instant.
async fn send(store: &WorkspaceStore, run: &DeploymentRef, reports: &[(Timestamp, Report)]) {
    for (number, (at, report)) in (1..).zip(reports) {
        let event = EventId::from_u128(number.into());
        store.ingest(run, &Stored { number, at: *at, report, event }).await.unwrap();
    }
}

#[tokio::test]
async fn figures_agree_with_the_rows() {
    for world in World::every_engine("figures").await {
        let store = world.of_alice();
        let key = add_key(&store, 1).await;
        store.set_verification(key, &verified(), KeySwitch::Leave).await.unwrap();
        store.activate_key(key).await.unwrap();
        let new = NewBot { key: Some(key), ..bot(1) };
        store.add_bot(&new).await.unwrap();
        let run = world.store.system().deployment(new.deployment).await.unwrap();
        let btc: Symbol = "BTCUSDT".parse().unwrap();
        let at = |minutes: i64| NOW.plus_ms(minutes * 60_000);
        send(
            &store,
            &run,
            &[
                (at(0), equity("100")),
                (at(1), equity("101")),
                (at(61), equity("102")),
                (at(2), trade(1, "-1.50", at(2))),
                (at(3), trade(2, "2", at(3))),
                // Told again, with the funding that was heard of late.
                (at(4), trade(2, "2.25", at(3))),
                (at(1), decision(btc, at(1), ReasonCode::NoSignal)),
                (at(2), decision(btc, at(2), ReasonCode::NoSignal)),
                (at(3), decision(btc, at(3), ReasonCode::FilterBlocked)),
            ],
        )
        .await;

        let results = store.trade_results(Environment::Simulated, at(0)).await.unwrap();
        let nets: Vec<String> =
            results.iter().map(|result| format!("{} {}", result.net, result.asset)).collect();
        assert_eq!(nets, ["2.25 USDT", "-1.5 USDT"], "newest first, each once and as told last");
        let latest = store.latest_equity(Some(Environment::Simulated)).await.unwrap();
        assert_eq!(latest.iter().map(|point| point.at).collect::<Vec<_>>(), [at(61)]);
        assert_eq!(store.trade_results(Environment::Simulated, at(3)).await.unwrap().len(), 1);
        assert!(store.trade_results(Environment::Live, at(0)).await.unwrap().is_empty());

        let hour = 3_600_000;
        let thinned = store.equity_thinned(None, Some(Environment::Simulated), at(0), hour).await.unwrap();
        let values: Vec<String> = thinned.iter().map(|point| point.equity.to_string()).collect();
        let first_hour_has_one = at(0).ms() / hour == at(1).ms() / hour;
        assert_eq!(values, if first_hour_has_one { vec!["101", "102"] } else { vec!["100", "101", "102"] });

        let headlines = store.headlines(at(0)).await.unwrap();
        assert_eq!(headlines.len(), 1);
        assert_eq!((headlines[0].at, headlines[0].code.as_str()), (at(3), "FILTER_BLOCKED"));
        assert!(store.headlines(at(4)).await.unwrap().is_empty(), "older ones say nothing about now");
        let counts = store.headline_counts(new.id, btc, at(2)).await.unwrap();
        assert_eq!(counts["NO_SIGNAL"], 1);
        assert_eq!(counts["FILTER_BLOCKED"], 1);

        let labels = store.labels().await.unwrap();
        assert_eq!((labels.bots[&new.id].as_str(), labels.keys[&key].as_str()), ("bot 1", "key 1"));

        let other = world.of_bob();
        assert!(other.trade_results(Environment::Simulated, at(0)).await.unwrap().is_empty());
        assert!(other.equity_thinned(None, None, at(0), hour).await.unwrap().is_empty());
        assert!(other.headlines(at(0)).await.unwrap().is_empty());
        assert!(other.headline_counts(new.id, btc, at(0)).await.unwrap().is_empty());
        assert_eq!(other.labels().await.unwrap(), keyhold_store::Labels::default());
    }
}

fn verified() -> keyhold_store::Verification {
    keyhold_store::Verification {
        state: keyhold_store::VerificationState::Ok,
        ..keyhold_store::Verification::UNVERIFIED
    }
}
