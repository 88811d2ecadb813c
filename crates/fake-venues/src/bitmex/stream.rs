//! What the tables say: market data and account news as partials, inserts, updates and deletes.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. A topic is a table, or a table and a symbol.

use keyhold_domain::{Candle, OrderStatus, Symbol};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent};
use serde_json::{Map, Value, json};

use super::books::{changes, levels, ten};
use super::instruments::{prices, row};
use super::market::{BINS, bucket, trade};
use super::shapes;
use super::state::{REALTIME, State};
use super::units::{num, stamp};
use crate::core::Core;
use crate::feed::Feed;
use crate::hub::Frame;
use crate::latency::CandleClose;
use crate::world::MarketNews;

/// The account's tables and the field that names a row of them.
const ACCOUNT_TABLES: [(&str, &[&str]); 5] = [
    ("order", &["orderID"]),
    ("execution", &[]),
    ("position", &["account", "symbol"]),
    ("margin", &["account", "currency"]),
    ("wallet", &["account", "currency"]),
];

/// The market's tables and the fields that name a row of them.
const MARKET_TABLES: [(&str, &[&str]); 10] = [
    ("instrument", &["symbol"]),
    ("quote", &[]),
    ("trade", &[]),
    ("orderBookL2", &["symbol", "id", "side"]),
    ("orderBookL2_25", &["symbol", "id", "side"]),
    ("orderBook10", &["symbol"]),
    ("tradeBin1m", &[]),
    ("tradeBin5m", &[]),
    ("tradeBin1h", &[]),
    ("tradeBin1d", &[]),
];

fn table_of(topic: &str) -> (&str, Option<&str>) {
    topic.split_once(':').map_or((topic, None), |(table, symbol)| (table, Some(symbol)))
}

/// Whether a topic needs a login.
pub(crate) fn is_account_topic(topic: &str) -> bool {
    ACCOUNT_TABLES.iter().any(|(table, _)| *table == table_of(topic).0)
}

/// Whether a topic exists.
pub(crate) fn is_topic(state: &State, topic: &str) -> bool {
    let (table, symbol) = table_of(topic);
    let known = is_account_topic(topic) || MARKET_TABLES.iter().any(|(name, _)| *name == table);
    let listed =
        |symbol: &str| symbol.parse::<Symbol>().is_ok_and(|symbol| state.core.world.feed(symbol).is_some());
    known && symbol.is_none_or(listed)
}

fn keys_of(table: &str) -> &'static [&'static str] {
    let all = ACCOUNT_TABLES.iter().chain(&MARKET_TABLES);
    all.into_iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

fn message(table: &str, action: &str, rows: &[Value]) -> String {
    json!({ "table": table, "action": action, "data": rows }).to_string()
}

/// How many levels a book table has.
fn depth(table: &str) -> usize {
    if table == "orderBookL2_25" { 25 } else { 200 }
}

fn bin(table: &str) -> Option<keyhold_domain::Timeframe> {
    let name = table.strip_prefix("tradeBin")?;
    BINS.iter().find(|(word, _)| *word == name).map(|(_, frame)| *frame)
}

fn quote(core: &Core, feed: &Feed) -> Option<Value> {
    let book = levels(feed, 1);
    let sizes: Vec<Value> =
        book.values().map(|size| num(super::units::contracts(&feed.instrument, *size))).collect();
    let [bid, ask] = sizes.as_slice() else { return None };
    let last = feed.last()?.get();
    let tick = feed.instrument.tick;
    Some(json!({
        "timestamp": stamp(core.world.now), "symbol": feed.instrument.symbol, "bidSize": bid,
        "bidPrice": num(last - tick), "askPrice": num(last + tick), "askSize": ask,
    }))
}

/// The whole table, which begins a subscription.
pub(crate) fn partial(state: &mut State, topic: &str, account: Option<AccountId>) -> String {
    let (table, symbol) = table_of(topic);
    let rows = match account.filter(|_| is_account_topic(topic)) {
        Some(account) => account_rows(&state.core, table, symbol, account),
        None => market_rows(state, topic),
    };
    let filter = symbol.map_or_else(|| json!({}), |symbol| json!({ "symbol": symbol }));
    let message = json!({
        "table": table, "action": "partial", "keys": keys_of(table), "types": {}, "filter": filter, "data": rows,
    });
    message.to_string()
}

fn market_rows(state: &mut State, topic: &str) -> Vec<Value> {
    let (table, symbol) = table_of(topic);
    let now = state.core.world.now;
    let mut rows = Vec::new();
    if table.starts_with("orderBookL2") {
        // Changes for all listeners follow the last sent book; the partial brings the newcomer to the same state.
        let others = state.core.hub.listeners(REALTIME, topic) > 1;
        for feed in feeds(&state.core, symbol) {
            let key = format!("{table}:{}", feed.instrument.symbol);
            let fresh = || levels(feed, depth(table));
            let book = state.books.get(&key).filter(|_| others).cloned().unwrap_or_else(fresh);
            rows.extend(book.iter().map(|(level, size)| level.row(feed, Some(*size), now)));
            state.books.insert(key, book);
        }
        return rows;
    }
    for feed in feeds(&state.core, symbol) {
        match table {
            "instrument" => rows.extend(row(&state.core, feed)),
            "quote" => rows.extend(quote(&state.core, feed)),
            // The newest that others have heard of; what comes is told to all.
            "trade" => rows.extend(feed.last_told_trade().and_then(|one| trade(feed, one))),
            "orderBook10" => rows.push(ten(feed, now)),
            _ => {
                let Some(frame) = bin(table) else { continue };
                let past = feed.candles(frame, keyhold_domain::Timestamp::EPOCH, now, 3);
                if let [.., before, newest, _] = past.as_slice() {
                    rows.push(bucket(feed, frame, newest, Some(before)));
                }
            }
        }
    }
    rows
}

fn feeds<'a>(core: &'a Core, symbol: Option<&'a str>) -> impl Iterator<Item = &'a Feed> {
    let feeds = core.world.feeds.iter();
    feeds.filter(move |feed| symbol.is_none_or(|symbol| symbol == feed.instrument.symbol.as_str()))
}

fn account_rows(core: &Core, table: &str, symbol: Option<&str>, account: AccountId) -> Vec<Value> {
    let wanted = |row: &Value| symbol.is_none_or(|symbol| row["symbol"] == symbol);
    let rows: Vec<Value> = match table {
        "order" => {
            let open = core.world.exchange.open_orders(account);
            open.filter_map(|order| Some(shapes::order(order, &core.world.feed(order.symbol)?.instrument)))
                .collect()
        }
        "position" => {
            let rows = core.world.feeds.iter().map(|feed| shapes::position(core, account, feed));
            rows.filter_map(Result::ok).collect()
        }
        "margin" => shapes::margins(core, account).unwrap_or_default(),
        "wallet" => shapes::margins(core, account).unwrap_or_default().iter().map(wallet).collect(),
        // Executions begin with the next one.
        _ => vec![],
    };
    rows.into_iter().filter(wanted).collect()
}

/// The part of a margin that is the wallet.
fn wallet(margin: &Value) -> Value {
    json!({
        "account": margin["account"], "currency": margin["currency"], "amount": margin["walletBalance"],
        "timestamp": margin["timestamp"],
    })
}

/// Sends what a market did to those who listen.
pub(crate) fn publish(state: &mut State, news: &MarketNews) {
    match news {
        MarketNews::Price(symbol) => publish_price(state, *symbol),
        MarketNews::Closed(symbol, candle) => {
            // The last trades of a candle are told before its end.
            publish_price(state, *symbol);
            publish_close(state, *symbol, candle);
        }
    }
}

/// Sends rows to those who listen to the table, of this symbol or of all.
fn send(state: &mut State, table: &str, symbol: Symbol, action: &str, rows: &[Value]) {
    if rows.is_empty() || state.core.trouble.is_muted(table) {
        return;
    }
    send_frame(state, table, symbol, &Frame { text: message(table, action, rows).into(), closes: None });
}

fn send_frame(state: &mut State, table: &str, symbol: Symbol, frame: &Frame) {
    let of_symbol = format!("{table}:{symbol}");
    let core = &mut state.core;
    core.hub.send_where(frame, &mut core.trouble, |socket| {
        socket.topics.contains(table) || socket.topics.contains(&of_symbol)
    });
}

fn publish_price(state: &mut State, symbol: Symbol) {
    let now = state.core.world.now;
    let listened = |state: &State, table: &str| {
        let hub = &state.core.hub;
        hub.listeners(REALTIME, table) + hub.listeners(REALTIME, &format!("{table}:{symbol}")) > 0
    };
    for (table, _) in MARKET_TABLES {
        if !listened(state, table) {
            state.books.remove(&format!("{table}:{symbol}"));
            continue;
        }
        let Some(feed) = state.core.world.feed(symbol) else { return };
        let messages: Vec<(&str, Vec<Value>)> = match table {
            "instrument" => vec![("update", prices(&state.core, feed).into_iter().collect())],
            "quote" => vec![("insert", quote(&state.core, feed).into_iter().collect())],
            "trade" => {
                vec![("insert", feed.untold_trades().filter_map(|one| trade(feed, one)).collect())]
            }
            "orderBook10" => vec![("update", vec![ten(feed, now)])],
            "orderBookL2" | "orderBookL2_25" => {
                let after = levels(feed, depth(table));
                let key = format!("{table}:{symbol}");
                let before = state.books.get(&key).cloned().unwrap_or_default();
                let messages = changes(feed, &before, &after, now);
                state.books.insert(key, after);
                messages
            }
            // Candles are told when they close.
            _ => vec![],
        };
        for (action, rows) in messages {
            send(state, table, symbol, action, &rows);
        }
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

fn publish_close(state: &mut State, symbol: Symbol, candle: &Candle) {
    for (name, frame) in BINS {
        let Some(feed) = state.core.world.feed(symbol) else { return };
        let closed_at = candle.close_time(feed.base);
        let open_time = frame.open_of(candle.open_time);
        if open_time.plus_ms(frame.ms()) != closed_at || frame.ms() < feed.base.ms() {
            continue;
        }
        let parts = feed.candles(frame, open_time.plus_ms(-frame.ms()), open_time, 2);
        let row = match parts.as_slice() {
            [whole] => bucket(feed, frame, whole, None),
            [before, whole] => bucket(feed, frame, whole, Some(before)),
            _ => continue,
        };
        let table = format!("tradeBin{name}");
        if state.core.trouble.is_muted(&table) {
            continue;
        }
        let closes = Some(CandleClose { symbol, at: closed_at });
        let frame = Frame { text: message(&table, "insert", &[row]).into(), closes };
        send_frame(state, &table, symbol, &frame);
    }
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    for (table, symbol, action, rows) in account_news(state, account, event) {
        let of_symbol = symbol.map_or_else(|| table.to_owned(), |symbol| format!("{table}:{symbol}"));
        let text = message(table, action, &rows);
        state.core.hub.tell(account, &[table, &of_symbol], &text, &mut state.core.trouble);
    }
}

type AccountNews = (&'static str, Option<Symbol>, &'static str, Vec<Value>);

fn account_news(state: &mut State, account: AccountId, event: &ExchangeEvent) -> Vec<AccountNews> {
    let core = &state.core;
    let feed = |symbol: Symbol| core.world.feed(symbol);
    match event {
        ExchangeEvent::Order(order) => {
            let Some(feed) = feed(order.symbol) else { return vec![] };
            let row = shapes::order(order, &feed.instrument);
            let symbol = Some(order.symbol);
            match state.note(order.venue_id, row.clone()) {
                None => vec![("order", symbol, "insert", vec![row])],
                Some(before) => vec![("order", symbol, "update", vec![changed(&before, &row, order.status)])],
            }
        }
        ExchangeEvent::Fill(_, report) => {
            let Some(feed) = feed(report.fill.symbol) else { return vec![] };
            let records = core.world.records.get(&account);
            let order = records.and_then(|records| records.orders.get(&report.fill.venue_order_id));
            let row = shapes::execution(report, order, &feed.instrument);
            vec![("execution", Some(report.fill.symbol), "insert", vec![row])]
        }
        ExchangeEvent::Funding(_, payment) => {
            let Some(feed) = feed(payment.symbol) else { return vec![] };
            vec![(
                "execution",
                Some(payment.symbol),
                "insert",
                vec![shapes::funding(payment, &feed.instrument)],
            )]
        }
        ExchangeEvent::Position(_, position) => {
            let row = feed(position.symbol).and_then(|feed| shapes::position(core, account, feed).ok());
            row.map_or_else(Vec::new, |row| vec![("position", Some(position.symbol), "update", vec![row])])
        }
        ExchangeEvent::Balance(..) => {
            let rows = shapes::margins(core, account).unwrap_or_default();
            let wallets = rows.iter().map(wallet).collect();
            vec![("margin", None, "update", rows), ("wallet", None, "update", wallets)]
        }
        // Told as an execution with the text Liquidation already.
        ExchangeEvent::Liquidation(..) => vec![],
    }
}

/// What names the row and what is different; BitMEX leaves the rest out.
fn changed(before: &Value, after: &Value, status: OrderStatus) -> Value {
    const ALWAYS: [&str; 5] = ["orderID", "clOrdID", "account", "symbol", "timestamp"];
    let mut row = Map::new();
    for (name, value) in after.as_object().into_iter().flatten() {
        let final_word = status.is_final() && name == "ordStatus";
        if ALWAYS.contains(&name.as_str()) || final_word || before[name] != *value {
            row.insert(name.clone(), value.clone());
        }
    }
    Value::Object(row)
}
