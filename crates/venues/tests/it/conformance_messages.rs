//! Recorded messages of the venue and recorded frames of another client.

use keyhold_domain::{ContractType, Known, OrderStatus, Timestamp, TriggerDirection};
use keyhold_venues::book::{BookKind, LocalBook};
use keyhold_venues::bybit::convert::{self, Execution};
use keyhold_venues::bybit::stream::subscribe_frame;
use keyhold_venues::bybit::wire::{self, Field, Page, StreamHead, StreamRows};
use keyhold_venues::bybit::{account_stream, convert_market, refusals, render};
use keyhold_venues::event::ForcedBy;
use keyhold_venues::{Endpoints, WireError};
use serde_json::Value;

use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, shared, shared_json};

/// Messages of the venue that the port does not read, by the beginning of the file's name.
const NOT_OFFERED: &[&str] = &["http_get_orderbook", "http_get_trades_recent"];

fn rows<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<Vec<T>, WireError> {
    wire::result::<Page<'a, T>>("list", text)?.rows("list")
}

fn news<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Vec<T> {
    wire::json::<StreamRows<T>>("message", text).unwrap().data.unwrap()
}

/// Reads every row; says how many there were.
fn every<T, V>(rows: &[T], read: impl Fn(&T) -> Result<V, WireError>) -> usize {
    rows.iter().map(read).collect::<Result<Vec<_>, _>>().unwrap().len()
}

fn executions(found: &[wire::WireExecution<'_>]) -> Vec<Execution> {
    found.iter().map(|row| convert::execution(ContractType::Linear, row).unwrap()).collect()
}

/// Decodes one message; says how many records it held. `None` when the file is in no table.
fn decode(name: &str, text: &[u8]) -> Option<usize> {
    Some(match name {
        _ if name.starts_with("http_get_executions") => executions(&rows(text).unwrap()).len(),
        _ if name.starts_with("http_get_fee_rate") => {
            every(&rows(text).unwrap(), |row| convert_market::fees(row))
        }
        _ if name.starts_with("http_get_instruments") => {
            let found: Vec<wire::WireInstrument<'_>> = rows(text).unwrap();
            let product = if name.contains("inverse") { ContractType::Inverse } else { ContractType::Linear };
            every(&found, |row| convert_market::instrument(product, row))
        }
        _ if name.starts_with("http_get_orders") => {
            every(&rows(text).unwrap(), |row| convert::open_order(row))
        }
        _ if name.starts_with("http_get_positions") => {
            every(&rows(text).unwrap(), |row| convert::position(row))
        }
        _ if name.starts_with("http_get_user_query_api") => {
            convert::key_facts(&wire::result("key", text).unwrap()).unwrap();
            1
        }
        _ if name.starts_with("http_get_wallet_balance") => {
            every(&rows(text).unwrap(), |wallet| convert::balances(wallet))
        }
        _ if name.starts_with("ws_orderbook") => {
            let news: wire::StreamBook<'_> = wire::json("order book", text).unwrap();
            let update = convert_market::book(&news.kind, &news.data, Timestamp::from_ms(1)).unwrap();
            update.bids.len() + update.asks.len()
        }
        _ if name.starts_with("ws_account_execution_fast") => {
            // Not subscribed, because it lacks the fee.
            let found: Vec<wire::WireExecution<'_>> = news(text);
            let missing = convert::execution(ContractType::Linear, &found[0]).unwrap_err();
            assert_eq!(missing, WireError::Missing { what: "execution", field: "execFee" });
            found.len()
        }
        _ if name.starts_with("ws_account_execution") => executions(&news(text)).len(),
        _ if name.starts_with("ws_account_order") => every(&news(text), |row| convert::open_order(row)),
        _ if name.starts_with("ws_account_position") => every(&news(text), |row| convert::position(row)),
        _ if name.starts_with("ws_account_wallet") => every(&news(text), |wallet| convert::balances(wallet)),
        _ if name.starts_with("ws_auth") || name.starts_with("ws_subscription") => {
            let head: StreamHead<'_> = wire::json("answer", text).unwrap();
            let succeeded = head.success == Field::True;
            assert_eq!(succeeded, name.contains("success"), "{name}");
            assert!(!head.op.is_empty());
            1
        }
        _ => return None,
    })
}

#[test]
pub(crate) fn recorded_messages_are_read() {
    let Some(folder) = shared("conformance/wire/bybit") else { return };
    let (mut messages, mut records, mut not_offered) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if NOT_OFFERED.iter().any(|start| name.starts_with(start)) {
            not_offered += 1;
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        records += decode(&name, &text).unwrap_or_else(|| panic!("{name} is in no table"));
        messages += 1;
    }
    println!("wire: {messages} messages with {records} records read, {not_offered} messages not offered");
    counts::tell("bybit", Kind::Wire, Count { run: messages, not_offered, suspect: 0 });
    assert!(messages >= 20);
}

fn wire_file(name: &str) -> Option<Vec<u8>> {
    let path = shared("conformance/wire/bybit")?.join(name);
    Some(std::fs::read(path).unwrap())
}

#[test]
fn some_messages_in_full() {
    let Some(text) = wire_file("ws_account_position.json") else { return };
    let (position, _) = convert::position(&news(&text)[0]).unwrap();
    assert_eq!(position.symbol.as_str(), "ETHUSDT");
    assert_eq!(position.size.to_string(), "-0.01");
    assert_eq!(position.entry.unwrap().to_string(), "3641.075");
    assert_eq!(position.liquidation.unwrap().to_string(), "51764.83003276");
    assert_eq!(position.unrealized.unwrap().to_string(), "-0.00255");

    let text = wire_file("ws_orderbook_snapshot.json").unwrap();
    let told: wire::StreamBook<'_> = wire::json("order book", &text).unwrap();
    let update = convert_market::book(&told.kind, &told.data, Timestamp::from_ms(1)).unwrap();
    assert_eq!((update.kind, update.number), (BookKind::Snapshot, 123_456_789));
    let mut book = LocalBook::default();
    book.take(&update).unwrap();
    let view = book.view(50).unwrap();
    let side = |levels: &[(keyhold_domain::Price, keyhold_domain::Quantity)]| {
        levels.iter().map(|(price, size)| format!("{price}x{size}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(side(&view.bids), "27450x0.5 27449.5x1");
    assert_eq!(side(&view.asks), "27451x0.75 27451.5x0.9");

    let text = wire_file("ws_account_execution_adl.json").unwrap();
    let found = executions(&news(&text));
    let [Execution::Fill(fill, Some(ForcedBy::Deleveraging))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((fill.quantity.to_string(), fill.fee.to_string()), ("0.5".to_owned(), "0 USDT".to_owned()));

    let text = wire_file("ws_account_order_stop_loss.json").unwrap();
    let order = convert::open_order(&news(&text)[0]).unwrap();
    assert_eq!(order.status, OrderStatus::Untriggered);
    let keyhold_domain::OrderKind::StopMarket { trigger, direction, .. } = order.kind else {
        panic!("{order:?}")
    };
    assert_eq!((trigger.to_string().as_str(), direction), ("48000", TriggerDirection::Falls));

    let text = wire_file("http_get_user_query_api.json").unwrap();
    let facts = convert::key_facts(&wire::result("key", &text).unwrap()).unwrap();
    assert_eq!((facts.read, facts.trade, facts.withdraw), (Known::Yes, Known::No, Known::No));
    assert_eq!((facts.transfer, facts.ip_bound), (Known::Yes, Known::Yes));
    assert_eq!(facts.ip_addresses.len(), 3);
    assert_eq!(facts.unknown_permissions, ["ByXPost.ByXPost"]);
    assert_eq!(facts.expires_at, None);

    let text = wire_file("ws_account_wallet_small_order.json").unwrap();
    let balance = convert::balances(&news(&text)[0]).unwrap()[0];
    assert_eq!(balance.available.to_string(), "51283.79743837");

    let text = wire_file("http_get_instruments_inverse_symbol_type.json").unwrap();
    let found: Vec<wire::WireInstrument<'_>> = rows(&text).unwrap();
    let instrument = convert_market::instrument(ContractType::Inverse, &found[0]).unwrap();
    assert_eq!(instrument.maintenance_margin.to_string(), "0.05");
    assert_eq!((instrument.funding_interval_hours, instrument.settle.as_str()), (8, "BRENT"));
}

#[test]
fn a_refused_subscription_is_a_refusal() {
    let Some(text) = wire_file("ws_subscription_failure.json") else { return };
    let head: StreamHead<'_> = wire::json("answer", &text).unwrap();
    let refusal = refusals::stream_refusal(head.ret_code.whole(), head.ret_msg.text());
    assert!(refusal.to_string().contains("Invalid topic"), "{refusal}");
}

/// Topics of the market that the port takes.
const MARKET_TOPICS: &[&str] = &["kline.", "tickers.", "orderbook.50.", "publicTrade."];

#[test]
pub(crate) fn our_frames_mean_what_another_clients_frames_mean() {
    let Some(file) = shared_json("conformance/venues/ws-client-frames/bybit.json") else { return };
    let (mut same, mut paths) = (0, 0);
    let live = Endpoints::standard(
        keyhold_domain::Exchange::Bybit,
        keyhold_domain::Environment::Live,
        ContractType::Linear,
    )
    .unwrap();
    let our_paths = [format!("{}/linear", live.public_ws().prefix()), live.private_ws().prefix().to_owned()];
    for step in file["steps"].as_array().unwrap() {
        for frame in step["frames"].as_array().unwrap() {
            let text = frame[1].as_str().unwrap();
            if frame[0] == "CONNECT" {
                assert!(our_paths.iter().any(|path| path == text), "{text}");
                paths += 1;
                continue;
            }
            let theirs: Value = serde_json::from_str(text).unwrap();
            match theirs["op"].as_str().unwrap() {
                "subscribe" => {
                    let topics: Vec<String> = serde_json::from_value(theirs["args"].clone()).unwrap();
                    for topic in &topics {
                        let ours = MARKET_TOPICS.iter().any(|start| topic.starts_with(start));
                        assert!(ours || account_stream::TOPICS.contains(&topic.as_str()), "{topic}");
                    }
                    let ours: Value = serde_json::from_str(&subscribe_frame(1, &topics)).unwrap();
                    assert_eq!((&ours["op"], &ours["args"]), (&theirs["op"], &theirs["args"]));
                }
                "auth" => {
                    let expires: i64 = theirs["args"][1].as_str().unwrap().parse().unwrap();
                    let key = TestKey::new(theirs["args"][0].as_str().unwrap(), "not told");
                    let frame = render::login_frame(Timestamp::from_ms(expires), &key);
                    let ours: Value = serde_json::from_str(&frame).unwrap();
                    assert_eq!((&ours["op"], &ours["args"][0]), (&theirs["op"], &theirs["args"][0]));
                    assert_eq!(ours["args"][1].to_string(), theirs["args"][1].as_str().unwrap());
                    assert_eq!(
                        ours["args"][2].as_str().unwrap().len(),
                        theirs["args"][2].as_str().unwrap().len()
                    );
                }
                other => panic!("{other} is in no table"),
            }
            same += 1;
        }
    }
    println!("stream frames: {same} the same, {paths} paths");
    counts::tell("bybit", Kind::Frame, Count::run(same + paths));
    assert!(same >= 6);
}
