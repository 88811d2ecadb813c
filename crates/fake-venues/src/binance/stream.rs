//! What the streams say: market data and news of accounts.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. Field names: the futures documentation.

use keyhold_domain::{
    Candle, ContractType, Decimal, Liquidity, OrderStatus, Rate, Side, Symbol, Timeframe, Timestamp,
};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, FillCause, FillReport, Order};
use serde_json::{Value, json};

use super::market::worth;
use super::shapes::{self, contracts, is_conditional, number};
use super::socket::{INVERSE, LINEAR_BOOKS, LINEAR_MARKET, Topic, topic_of};
use super::state::State;
use crate::bybit::stream::book;
use crate::feed::{Feed, PublicTrade};
use crate::hub::{Channel, Frame};
use crate::latency::CandleClose;
use crate::world::MarketNews;

/// Levels per side of a book's change.
const LEVELS: usize = 20;

const fn channels(kind: ContractType) -> &'static [Channel] {
    match kind {
        ContractType::Linear => &[LINEAR_BOOKS, LINEAR_MARKET],
        ContractType::Inverse => &[INVERSE],
    }
}

/// Sends what a market did to those who listen.
pub(crate) fn publish(state: &mut State, news: &MarketNews) {
    match news {
        MarketNews::Price(symbol) => publish_price(state, *symbol, Forming::Told),
        MarketNews::Closed(symbol, candle) => {
            // The last trades of a candle are told before its end.
            publish_price(state, *symbol, Forming::Left);
            publish_close(state, *symbol, candle);
        }
    }
}

/// Whether the candle that forms is told, too. Right after a close it is the next one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forming {
    Told,
    Left,
}

fn publish_price(state: &mut State, symbol: Symbol, forming: Forming) {
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let now = state.core.world.now;
    let before = state.books.get(&symbol).copied().unwrap_or(1);
    // Every move is two updates of the book, so that a change has a range of numbers.
    let after = before + 2;
    let mut outgoing: Vec<(Channel, String, String)> = Vec::new();
    for channel in channels(feed.instrument.contract_type) {
        for name in state.core.hub.topics(*channel) {
            let Some((_, topic)) = topic_of(&name).filter(|(of, _)| *of == symbol) else { continue };
            if state.core.trouble.is_muted(&name) {
                continue;
            }
            let rate = state.core.world.exchange.funding(symbol).unwrap_or((Rate::ZERO, Timestamp::EPOCH));
            let messages = match topic {
                Topic::Kline(_) if forming == Forming::Left => vec![],
                Topic::Kline(frame) => feed
                    .forming(frame)
                    .map(|candle| kline(feed, frame, &candle, Confirm::No, now))
                    .into_iter()
                    .collect(),
                Topic::AggTrade | Topic::Trade => {
                    feed.untold_trades().map(|trade| trade_message(feed, topic, trade)).collect()
                }
                Topic::Depth => vec![depth(feed, (before, after), now)],
                Topic::Mark => mark(feed, rate, now).into_iter().collect(),
                Topic::MiniTicker | Topic::Ticker => day(feed, topic, now).into_iter().collect(),
                Topic::Book => quote(feed, after, now).into_iter().collect(),
            };
            outgoing
                .extend(messages.into_iter().map(|message| (*channel, name.clone(), message.to_string())));
        }
    }
    state.books.insert(symbol, after);
    for (channel, name, message) in outgoing {
        state.core.hub.publish(channel, &name, &message, &mut state.core.trouble);
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

fn publish_close(state: &mut State, symbol: Symbol, candle: &Candle) {
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let base = feed.base;
    let closed_at = candle.close_time(base);
    let mut outgoing = Vec::new();
    for frame in Timeframe::ALL.iter().copied().filter(|frame| frame.ms() >= base.ms()) {
        let open_time = frame.open_of(candle.open_time);
        if open_time.plus_ms(frame.ms()) != closed_at {
            continue;
        }
        if let Some(whole) = feed.candles(frame, open_time, open_time, 1).pop() {
            let name = format!("{}@kline_{frame}", symbol.as_str().to_ascii_lowercase());
            let text = kline(feed, frame, &whole, Confirm::Yes, closed_at).to_string();
            outgoing.push((
                name,
                Frame { text: text.into(), closes: Some(CandleClose { symbol, at: closed_at }) },
            ));
        }
    }
    let channel = match feed.instrument.contract_type {
        ContractType::Linear => LINEAR_MARKET,
        ContractType::Inverse => INVERSE,
    };
    for (name, frame) in outgoing {
        state.core.hub.publish_frame(channel, &name, &frame, &mut state.core.trouble);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirm {
    Yes,
    No,
}

fn kline(feed: &Feed, frame: Timeframe, candle: &Candle, confirm: Confirm, now: Timestamp) -> Value {
    let symbol = feed.instrument.symbol;
    json!({ "e": "kline", "E": now.ms(), "s": symbol, "k": {
        "t": candle.open_time.ms(), "T": candle.close_time(frame).ms() - 1, "s": symbol, "i": frame.as_str(), "f": 1,
        "L": 2, "o": candle.open, "c": candle.close, "h": candle.high, "l": candle.low,
        "v": contracts(candle.volume, &feed.instrument), "n": 1, "x": confirm == Confirm::Yes,
        "q": number(worth(feed, candle)), "V": "0", "Q": "0", "B": "0",
    } })
}

fn trade_message(feed: &Feed, topic: Topic, trade: &PublicTrade) -> Value {
    let size = contracts(trade.size, &feed.instrument);
    // The buyer was the maker when the taker sold.
    let maker = trade.taker == Side::Sell;
    let (symbol, at) = (feed.instrument.symbol, trade.at.ms());
    if topic == Topic::AggTrade {
        return json!({ "e": "aggTrade", "E": at, "a": trade.number, "s": symbol, "p": trade.price, "q": size,
            "f": trade.number, "l": trade.number, "T": at, "m": maker });
    }
    json!({ "e": "trade", "E": at, "T": at, "s": symbol, "t": trade.number, "p": trade.price, "q": size, "X": "MARKET",
        "m": maker })
}

fn depth(feed: &Feed, (before, after): (i64, i64), now: Timestamp) -> Value {
    let (bids, asks) = book(feed, LEVELS);
    // A level on the other side of the new price is gone.
    let levels = |side: &[(keyhold_domain::Price, Decimal)],
                  other: &[(keyhold_domain::Price, Decimal)]|
     -> Vec<Value> {
        let kept = side.iter().map(|(price, size)| json!([price, contracts(*size, &feed.instrument)]));
        kept.chain(other.iter().map(|(price, _)| json!([price, "0"]))).collect()
    };
    json!({ "e": "depthUpdate", "E": now.ms(), "T": now.ms(), "s": feed.instrument.symbol, "U": before + 1, "u": after,
        "pu": before, "b": levels(&bids, &asks), "a": levels(&asks, &bids) })
}

fn mark(feed: &Feed, (rate, next): (Rate, Timestamp), now: Timestamp) -> Option<Value> {
    Some(json!({ "e": "markPriceUpdate", "E": now.ms(), "s": feed.instrument.symbol, "p": feed.last()?,
        "P": feed.last()?, "i": feed.index(now)?, "r": rate.to_string(), "T": next.ms().max(0) }))
}

fn day(feed: &Feed, topic: Topic, now: Timestamp) -> Option<Value> {
    let (last, day) = (feed.last()?, feed.day()?);
    let event = if topic == Topic::Ticker { "24hrTicker" } else { "24hrMiniTicker" };
    Some(
        json!({ "e": event, "E": now.ms(), "s": feed.instrument.symbol, "c": last, "o": day.open, "h": day.high,
        "l": day.low, "v": contracts(day.volume, &feed.instrument), "q": number(worth(feed, &day)), "p": "0", "P": "0",
        "w": last, "Q": "1", "O": day.open_time.ms(), "C": now.ms(), "F": 1, "L": 2, "n": 2 }),
    )
}

fn quote(feed: &Feed, number: i64, now: Timestamp) -> Option<Value> {
    let (bids, asks) = book(feed, 1);
    let ((bid, bid_size), (ask, ask_size)) = (bids.first()?, asks.first()?);
    Some(
        json!({ "e": "bookTicker", "u": number, "E": now.ms(), "T": now.ms(), "s": feed.instrument.symbol, "b": bid,
        "B": contracts(*bid_size, &feed.instrument), "a": ask, "A": contracts(*ask_size, &feed.instrument) }),
    )
}

/// Says to an account's sockets that their listen key is no more.
pub(crate) fn tell_expired(state: &mut State, account: AccountId, key: &str) {
    let now = state.core.world.now.ms();
    let text = json!({ "e": "listenKeyExpired", "E": now, "listenKey": key }).to_string();
    state.core.hub.tell(account, &["all"], &text, &mut state.core.trouble);
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    for message in account_news(state, account, event) {
        state.core.hub.tell(account, &["all"], &message.to_string(), &mut state.core.trouble);
    }
}

fn account_news(state: &State, account: AccountId, event: &ExchangeEvent) -> Vec<Value> {
    let now = state.core.world.now;
    let changed = |reason: &str, balances: Vec<Value>, positions: Vec<Value>| {
        vec![json!({ "e": "ACCOUNT_UPDATE", "E": now.ms(), "T": now.ms(),
            "a": { "m": reason, "B": balances, "P": positions } })]
    };
    match event {
        ExchangeEvent::Order(order) => order_news(state, order, now),
        ExchangeEvent::Fill(_, report) => fill_news(state, account, report, now).into_iter().collect(),
        ExchangeEvent::Position(_, position) => {
            let Some(feed) = state.core.world.feed(position.symbol) else { return vec![] };
            let row = json!({ "s": position.symbol, "pa": contracts(position.size.get(), &feed.instrument),
                "ep": position.entry.map_or_else(|| "0".to_owned(), |price| price.to_string()), "bep": "0", "cr": "0",
                "up": number(position.unrealized.unwrap_or_default()), "mt": "isolated", "iw": "0", "ps": "BOTH" });
            changed("ORDER", vec![], vec![row])
        }
        ExchangeEvent::Balance(_, balance) => {
            let wallet = number(balance.wallet.round_dp(8));
            changed(
                "ORDER",
                vec![json!({ "a": balance.asset, "wb": wallet, "cw": wallet, "bc": "0" })],
                vec![],
            )
        }
        ExchangeEvent::Funding(_, payment) => {
            let wallet = state.core.world.exchange.balance(account, payment.amount.asset);
            let wallet = wallet.map_or_else(|_| "0".to_owned(), |balance| number(balance.wallet.round_dp(8)));
            let row = json!({ "a": payment.amount.asset, "wb": wallet, "cw": wallet, "bc": number(payment.amount.amount) });
            changed("FUNDING_FEE", vec![row], vec![])
        }
        // Told as a fill already.
        ExchangeEvent::Liquidation(..) => vec![],
    }
}

/// The row of an order's message without an execution.
fn row(order: &Order, state: &State) -> Option<Value> {
    let instrument = &state.core.world.feed(order.symbol)?.instrument;
    let shown = shapes::order(order, instrument);
    // A triggered order goes by a name of the venue's in the matching engine.
    let name = if is_conditional(order) {
        json!(format!("auto{}", shapes::order_id(&order.venue_id)))
    } else {
        shown["clientOrderId"].clone()
    };
    Some(json!({
        "s": order.symbol, "c": name, "S": shown["side"], "o": shown["type"], "f": shown["timeInForce"],
        "q": shown["origQty"], "p": shown["price"], "ap": shown["avgPrice"], "sp": "0", "x": "NEW", "X": shown["status"],
        "i": shown["orderId"], "l": "0", "z": shown["executedQty"], "L": "0", "T": order.updated_at.ms(), "t": 0,
        "b": "0", "a": "0", "m": false, "R": shown["reduceOnly"], "wt": "CONTRACT_PRICE", "ot": shown["origType"],
        "ps": "BOTH", "cp": false, "rp": "0", "pP": false, "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0,
    }))
}

fn order_news(state: &State, order: &Order, now: Timestamp) -> Vec<Value> {
    let mut news = Vec::new();
    if is_conditional(order) {
        let Some(feed) = state.core.world.feed(order.symbol) else { return news };
        let shown = shapes::algo(order, &feed.instrument);
        let reason = order.refusal.map_or_else(String::new, |code| code.to_string());
        news.push(json!({ "e": "ALGO_UPDATE", "E": now.ms(), "T": now.ms(), "o": {
            "caid": shown["clientAlgoId"], "aid": shown["algoId"], "at": "CONDITIONAL", "o": shown["orderType"],
            "s": order.symbol, "S": shown["side"], "ps": "BOTH", "f": "GTC", "q": shown["quantity"],
            "X": shown["algoStatus"], "ai": shown["actualOrderId"], "ap": shown["actualPrice"],
            "aq": shown["executedQty"], "tp": shown["triggerPrice"], "p": "0", "wt": shown["workingType"],
            "pm": "NONE", "cp": false, "pP": false, "R": shown["reduceOnly"], "tt": 0, "gtd": 0, "rm": reason,
        } }));
    }
    // Until it triggers, a conditional order is none of the matching engine's.
    let in_engine = !is_conditional(order) || !shapes::actual(order).is_empty();
    if let Some(mut row) = row(order, state).filter(|_| in_engine) {
        row["x"] = json!(match order.status {
            OrderStatus::Open | OrderStatus::Untriggered => "NEW",
            OrderStatus::PartiallyFilled | OrderStatus::Filled => "AMENDMENT",
            OrderStatus::Canceled => "CANCELED",
            OrderStatus::Rejected => "EXPIRED",
        });
        news.push(json!({ "e": "ORDER_TRADE_UPDATE", "E": now.ms(), "T": now.ms(), "o": row }));
    }
    news
}

/// An execution travels in the message of its order.
fn fill_news(state: &State, account: AccountId, report: &FillReport, now: Timestamp) -> Option<Value> {
    let fill = &report.fill;
    let instrument = &state.core.world.feed(fill.symbol)?.instrument;
    let order = state.core.world.records.get(&account)?.orders.get(&fill.venue_order_id);
    let mut row = match order {
        Some(order) => row(order, state)?,
        None => {
            json!({ "s": fill.symbol, "S": shapes::side(fill.side), "o": "LIMIT", "f": "IOC", "X": "FILLED",
            "i": shapes::order_id(&fill.venue_order_id), "q": contracts(fill.quantity.get(), instrument),
            "z": contracts(fill.quantity.get(), instrument), "R": true, "ps": "BOTH" })
        }
    };
    row["x"] = json!("TRADE");
    if report.cause == FillCause::Liquidation {
        row["x"] = json!("CALCULATED");
        row["c"] = json!(format!("autoclose-{}", shapes::id(fill.fill_id.as_str())));
    }
    row["l"] = json!(contracts(fill.quantity.get(), instrument));
    row["L"] = json!(fill.price);
    row["n"] = json!(number(fill.fee.amount));
    row["N"] = json!(fill.fee.asset);
    row["t"] = json!(shapes::id(fill.fill_id.as_str()));
    row["T"] = json!(fill.at.ms());
    row["m"] = json!(fill.liquidity == Liquidity::Maker);
    row["rp"] = json!(number(report.realized));
    Some(json!({ "e": "ORDER_TRADE_UPDATE", "E": now.ms(), "T": now.ms(), "o": row }))
}
