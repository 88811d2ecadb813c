//! What accounts are told of their orders: one message for each thing that happened, in the venue's order.
//!
//! The exchange inside tells an order's state after every change, also after a fill; the venue tells a fill and the state
//! that it leads to as one. What has been told of each open order is kept, so that nothing is said twice.

use std::collections::BTreeMap;

use keyhold_domain::{
    ContractType, Decimal, Instrument, Liquidity, OrderKind, OrderStatus, Quantity, Timestamp, VenueOrderId,
};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, FillCause, FillReport, Order};
use serde_json::{Value, json};

use super::shapes::{self, contracts, is_conditional, number};
use super::state::State;
use crate::core::MAX_SMALL;

/// The topic of a product's private stream.
pub(crate) const fn topic(product: ContractType) -> &'static str {
    match product {
        ContractType::Linear => "account of linear contracts",
        ContractType::Inverse => "account of inverse contracts",
    }
}

/// Which product a message is about, as the venue numbers them.
const fn product_number(product: ContractType) -> u8 {
    match product {
        ContractType::Linear => 1,
        ContractType::Inverse => 2,
    }
}

/// What was told of an open order last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    filled: Decimal,
    quantity: Quantity,
    kind: OrderKind,
}

impl Told {
    const fn of(order: &Order) -> Self {
        Self { filled: order.filled, quantity: order.quantity, kind: order.kind }
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<VenueOrderId, Told>);

impl Memory {
    fn keep(&mut self, order: VenueOrderId, told: Told) {
        // Every order ends and is forgotten then; where ends are not told, the oldest go.
        if self.0.len() >= MAX_SMALL {
            self.0.pop_first();
        }
        self.0.insert(order, told);
    }
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    let now = state.core.world.now;
    let Some((product, messages)) = news(state, account, event, now) else { return };
    for mut message in messages {
        message["st"] = json!(product_number(product));
        let text = message.to_string();
        state.core.hub.tell(account, &[topic(product)], &text, &mut state.core.trouble);
    }
}

/// Says to an account's sockets that their listen key is no more.
pub(crate) fn tell_expired(state: &mut State, whose: (AccountId, ContractType), key: &str) {
    let now = state.core.world.now.ms();
    let text = json!({ "e": "listenKeyExpired", "E": now, "listenKey": key }).to_string();
    state.core.hub.tell(whose.0, &[topic(whose.1)], &text, &mut state.core.trouble);
}

/// The product that an event is about, and its messages.
fn news(
    state: &mut State,
    account: AccountId,
    event: &ExchangeEvent,
    now: Timestamp,
) -> Option<(ContractType, Vec<Value>)> {
    let of = |symbol| state.core.world.feed(symbol).map(|feed| feed.instrument);
    match event {
        ExchangeEvent::Order(order) => {
            let instrument = of(order.symbol)?;
            Some((instrument.contract_type, order_news(&mut state.told, order, &instrument, now)))
        }
        ExchangeEvent::Fill(_, report) => {
            let instrument = of(report.fill.symbol)?;
            let records = state.core.world.records.get(&account)?;
            let order = records.orders.get(&report.fill.venue_order_id).copied();
            let messages = fill_news(&mut state.told, order.as_ref(), report, &instrument, now);
            Some((instrument.contract_type, messages))
        }
        ExchangeEvent::Position(_, position) => {
            let instrument = of(position.symbol)?;
            let mode = state.core.world.exchange.margin_mode(account).ok()?;
            let row = json!({ "s": position.symbol, "pa": contracts(position.size.get(), &instrument),
                "ep": position.entry.map_or_else(|| "0".to_owned(), |price| price.to_string()), "bep": "0", "cr": "0",
                "up": number(position.unrealized.unwrap_or_default()), "mt": shapes::margin_word(mode), "iw": "0",
                "ps": "BOTH" });
            Some((instrument.contract_type, vec![changed("ORDER", &[], &[row], now)]))
        }
        ExchangeEvent::Balance(_, balance) => {
            let wallet = number(balance.wallet.round_dp(8));
            let row = json!({ "a": balance.asset, "wb": wallet, "cw": wallet, "bc": "0" });
            Some((state.product_of(balance.asset), vec![changed("ORDER", &[row], &[], now)]))
        }
        ExchangeEvent::Funding(_, payment) => {
            let instrument = of(payment.symbol)?;
            let wallet = state.core.world.exchange.balance(account, payment.amount.asset).ok()?;
            let wallet = number(wallet.wallet.round_dp(8));
            let row = json!({ "a": payment.amount.asset, "wb": wallet, "cw": wallet,
                "bc": number(payment.amount.amount) });
            Some((instrument.contract_type, vec![changed("FUNDING_FEE", &[row], &[], now)]))
        }
        // Told as a fill already.
        ExchangeEvent::Liquidation(..) => None,
    }
}

fn changed(reason: &str, balances: &[Value], positions: &[Value], now: Timestamp) -> Value {
    json!({ "e": "ACCOUNT_UPDATE", "E": now.ms(), "T": now.ms(), "a": { "m": reason, "B": balances, "P": positions } })
}

/// The row of an order's message without an execution. A triggered order goes by a name of the venue's in the matching
/// engine.
fn row(order: &Order, instrument: &Instrument) -> Value {
    let shown = shapes::order(order, instrument);
    let name = if is_conditional(order) {
        json!(format!("auto{}", shapes::order_id(&order.venue_id)))
    } else {
        shown["clientOrderId"].clone()
    };
    json!({
        "s": order.symbol, "c": name, "S": shown["side"], "o": shown["type"], "f": shown["timeInForce"],
        "q": shown["origQty"], "p": shown["price"], "ap": shown["avgPrice"], "sp": "0", "x": "NEW", "X": shown["status"],
        "i": shown["orderId"], "l": "0", "z": shown["executedQty"], "L": "0", "T": order.updated_at.ms(), "t": 0,
        "b": "0", "a": "0", "m": false, "R": shown["reduceOnly"], "wt": "CONTRACT_PRICE", "ot": shown["origType"],
        "ps": "BOTH", "cp": false, "rp": "0", "pP": false, "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0,
    })
}

fn order_message(row: &Value, now: Timestamp) -> Value {
    json!({ "e": "ORDER_TRADE_UPDATE", "E": now.ms(), "T": now.ms(), "o": row })
}

fn algo_message(order: &Order, instrument: &Instrument, now: Timestamp) -> Value {
    let shown = shapes::algo(order, instrument);
    let reason = order.refusal.map_or_else(String::new, |code| code.to_string());
    json!({ "e": "ALGO_UPDATE", "E": now.ms(), "T": now.ms(), "o": {
        "caid": shown["clientAlgoId"], "aid": shown["algoId"], "at": "CONDITIONAL", "o": shown["orderType"],
        "s": order.symbol, "S": shown["side"], "ps": "BOTH", "f": "GTC", "q": shown["quantity"],
        "X": shown["algoStatus"], "ai": shown["actualOrderId"], "ap": shown["actualPrice"],
        "aq": shown["executedQty"], "tp": shown["triggerPrice"], "p": "0", "wt": shown["workingType"],
        "pm": "NONE", "cp": false, "pP": false, "R": shown["reduceOnly"], "tt": 0, "gtd": 0, "rm": reason,
    } })
}

/// An order's state, unless a fill has told it.
fn order_news(memory: &mut Memory, order: &Order, instrument: &Instrument, now: Timestamp) -> Vec<Value> {
    let before = memory.0.remove(&order.venue_id);
    if !order.status.is_final() {
        memory.keep(order.venue_id, Told::of(order));
    }
    let algo = || algo_message(order, instrument, now);
    let plain = |execution: &str| {
        let mut row = row(order, instrument);
        row["x"] = json!(execution);
        order_message(&row, now)
    };
    match order.status {
        // Before it triggers, a conditional order is none of the matching engine's.
        OrderStatus::Untriggered => vec![algo()],
        OrderStatus::Open | OrderStatus::PartiallyFilled => match before {
            None => vec![plain("NEW")],
            Some(told) if told == Told::of(order) => vec![],
            Some(_) => vec![plain("AMENDMENT")],
        },
        OrderStatus::Filled if is_conditional(order) => vec![algo()],
        OrderStatus::Filled => vec![],
        OrderStatus::Canceled | OrderStatus::Rejected => {
            let execution = if shapes::status(order) == "CANCELED" { "CANCELED" } else { "EXPIRED" };
            match (is_conditional(order), shapes::actual(order).is_empty()) {
                (false, _) => vec![plain(execution)],
                (true, true) => vec![algo()],
                (true, false) => vec![plain("EXPIRED"), algo()],
            }
        }
    }
}

/// A fill travels in the message of its order. That a conditional order was triggered is told after its first fill, as
/// clients of the venue have seen (github.com/nautechsystems/nautilus_trader, issue 3664).
fn fill_news(
    memory: &mut Memory,
    order: Option<&Order>,
    report: &FillReport,
    instrument: &Instrument,
    now: Timestamp,
) -> Vec<Value> {
    let fill = &report.fill;
    let Some(order) = order else {
        // The venue's own order.
        let row = json!({ "s": fill.symbol, "S": shapes::side(fill.side), "o": "LIMIT", "f": "IOC", "X": "FILLED",
            "i": shapes::order_id(&fill.venue_order_id), "q": contracts(fill.quantity.get(), instrument),
            "z": contracts(fill.quantity.get(), instrument), "R": true, "ps": "BOTH" });
        return vec![order_message(&executed(row, report, instrument), now)];
    };
    let before = memory.0.remove(&order.venue_id);
    let told = before.unwrap_or_else(|| Told { filled: Decimal::ZERO, ..Told::of(order) });
    let told = Told { filled: told.filled + fill.quantity.get(), ..told };
    let whole = told.filled >= order.quantity.get();
    let mut part = *order;
    part.filled = told.filled;
    part.status = if whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
    part.refusal = None;
    if !whole {
        memory.keep(order.venue_id, told);
    }
    let execution = order_message(&executed(row(&part, instrument), report, instrument), now);
    if is_conditional(order) && told.filled == fill.quantity.get() {
        let mut nothing = part;
        nothing.filled = Decimal::ZERO;
        nothing.filled_cost = Decimal::ZERO;
        nothing.filled_value = Decimal::ZERO;
        nothing.status = OrderStatus::Open;
        let triggered = algo_message(&nothing, instrument, now);
        return vec![order_message(&row(&nothing, instrument), now), execution, triggered];
    }
    vec![execution]
}

/// Adds an execution to an order's row.
fn executed(mut row: Value, report: &FillReport, instrument: &Instrument) -> Value {
    let fill = &report.fill;
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
    row
}
