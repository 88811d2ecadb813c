//! From a case of OKX's recorded requests to our own calls, or to the reason why we do not offer it.

use keyhold_domain::{
    MarginMode, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, Side, Symbol,
    TimeInForce, Timeframe, Timestamp,
};
use keyhold_venues::okx::render::{Age, MarketQuery, bar};
use keyhold_venues::signer::{
    AmendOrder, CancelMany, CancelOrder, ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection,
    Query, Scope, SetLeverage,
};
use serde_json::Value;

use super::order_id;
use crate::support::decimal;

/// One call of ours.
#[derive(Debug)]
pub(crate) enum Call {
    Private(Intent),
    Public(MarketQuery),
}

/// Whole methods that the port does not have, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("createOrders", "orders go out one by one, so that each has its own outcome"),
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchCanceledOrders", "orders are looked up by name"),
    ("fetchLeverage", "told with each position"),
    ("fetchTrades", "public trades come on the stream"),
    ("fetchOrderBook", "books come on the stream"),
    ("fetchTickers", "prices of all instruments"),
    ("fetchLedger", "of the account's ledger only funding is read"),
    ("fetchMarkOHLCV", "candles of the mark price"),
    ("addMargin", "moves money"),
    ("closePosition", "exits are orders with a name of their own"),
];

/// Parameters of offered methods that the port does not have, and why.
const NOT_OFFERED_PARAMETERS: &[(&str, &str)] = &[
    ("takeProfit", "exits are orders of their own"),
    ("stopLoss", "exits are orders of their own"),
    ("hedged", "hedge mode"),
];

type Mapped = Result<Call, &'static str>;

/// `BTC/USDT:USDT` is `BTC-USDT-SWAP`.
fn symbol_of(unified: &Value) -> Symbol {
    let pair = unified.as_str().unwrap().split(':').next().unwrap().replace('/', "-");
    format!("{pair}-SWAP").parse().unwrap()
}

fn at(input: &[Value], index: usize) -> &Value {
    input.get(index).unwrap_or(&Value::Null)
}

fn millis(value: &Value) -> Option<Timestamp> {
    value.as_i64().map(Timestamp::from_ms)
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().map(|n| u32::try_from(n).unwrap())
}

const fn ask(query: Query) -> Call {
    Call::Private(Intent::Query(query))
}

fn margin(parameters: &Value) -> MarginMode {
    if parameters["marginMode"] == "isolated" { MarginMode::Isolated } else { MarginMode::Cross }
}

/// Maps a case; `None` when the method is in no table: the runner fails then.
pub(crate) fn map(method: &str, input: &[Value], url: &url::Url) -> Option<Mapped> {
    let refused = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
    };
    if let Some(why) = refused(NOT_OFFERED, method) {
        return Some(Err(why));
    }
    let parameters = input.iter().rev().find(|value| value.is_object()).unwrap_or(&Value::Null);
    let mut named = parameters.as_object().into_iter().flat_map(serde_json::Map::keys);
    if let Some(why) = named.find_map(|name| refused(NOT_OFFERED_PARAMETERS, name)) {
        return Some(Err(why));
    }
    orders(method, input, parameters)
        .or_else(|| account(method, input, parameters))
        .or_else(|| market(method, input, url))
}

/// By our name when the case gives one, by the venue's otherwise.
fn order_ref(id: &Value, parameters: &Value) -> OrderRef {
    if parameters["clientOrderId"].is_string() {
        return OrderRef::Client(order_id(OrderPurpose::Entry));
    }
    OrderRef::Venue(id.as_str().unwrap().parse().unwrap())
}

fn orders(method: &str, input: &[Value], parameters: &Value) -> Option<Mapped> {
    let price = |value: &Value| (!value.is_null()).then(|| Price::new(decimal(value)).unwrap());
    let quantity = |value: &Value| (!value.is_null()).then(|| Quantity::new(decimal(value)).unwrap());
    let intent = match method {
        "createOrder" => {
            let kind = match price(at(input, 4)).filter(|_| input[1] == "limit") {
                Some(price) => OrderKind::Limit { price, time_in_force: time_in_force(parameters) },
                None => OrderKind::Market,
            };
            let order = NewOrder {
                client_id: order_id(OrderPurpose::Entry),
                symbol: symbol_of(&input[0]),
                side: input[2].as_str().unwrap().parse::<Side>().unwrap(),
                kind,
                quantity: quantity(&input[3]).unwrap(),
                effect: if parameters["reduceOnly"] == true {
                    PositionEffect::ReduceOnly
                } else {
                    PositionEffect::Increase
                },
                purpose: OrderPurpose::Entry,
            };
            Intent::PlaceIn(order, margin(parameters))
        }
        "editOrder" => Intent::Amend(AmendOrder {
            order: order_ref(&input[0], parameters),
            symbol: symbol_of(&input[1]),
            quantity: quantity(at(input, 4)),
            price: price(at(input, 5)),
            trigger: None,
        }),
        "cancelOrder" => {
            let order = order_ref(&input[0], parameters);
            Intent::Cancel(CancelOrder { order, symbol: symbol_of(&input[1]) })
        }
        "cancelOrders" => {
            let symbol = symbol_of(&input[1]);
            let named = |id| CancelOrder { order: order_ref(id, &Value::Null), symbol };
            let orders = input[0].as_array().unwrap().iter().map(named).collect();
            Intent::CancelMany(CancelMany { orders, selection: OrderSelection::All })
        }
        "cancelAllOrdersAfter" => {
            let symbol = "BTC-USDT-SWAP".parse().unwrap();
            let seconds = input[0].as_u64().unwrap() / 1_000;
            let after = (seconds > 0).then(|| std::time::Duration::from_secs(seconds));
            Intent::DeadMansSwitch { symbol, after }
        }
        "setLeverage" => {
            let set = SetLeverage { symbol: symbol_of(&input[1]), leverage: decimal(&input[0]) };
            Intent::SetLeverageIn(set, margin(parameters))
        }
        "setMarginMode" => {
            let set =
                SetLeverage { symbol: symbol_of(&input[1]), leverage: decimal(&parameters["leverage"]) };
            Intent::SetLeverageIn(set, input[0].as_str().unwrap().parse().unwrap())
        }
        "setPositionMode" if input[0] == true => return Some(Err("hedge mode")),
        "setPositionMode" => Intent::UseOneWayMode { symbol: symbol_of(&input[1]) },
        _ => return None,
    };
    Some(Ok(Call::Private(intent)))
}

fn time_in_force(parameters: &Value) -> TimeInForce {
    if parameters["postOnly"] == true {
        return TimeInForce::PostOnly;
    }
    match parameters["timeInForce"].as_str() {
        None | Some("GTC") => TimeInForce::Gtc,
        Some("IOC") => TimeInForce::Ioc,
        Some("FOK") => TimeInForce::Fok,
        Some(other) => panic!("unknown time in force {other}"),
    }
}

fn executions(symbol: &Value, kind: ExecutionKind, order: Option<OrderRef>) -> Call {
    let symbol = symbol.as_str().map(|_| symbol_of(symbol));
    let (from, until, limit, cursor) = (None, None, None, None);
    ask(Query::Executions(ExecutionQuery { kind, symbol, order, from, until, limit, cursor }))
}

fn account(method: &str, input: &[Value], parameters: &Value) -> Option<Mapped> {
    let symbol = at(input, 0);
    Some(Ok(match method {
        "fetchBalance" => ask(Query::Wallet),
        "fetchPositionMode" => ask(Query::AccountSettings),
        "fetchTradingFee" => ask(Query::Fees { symbol: symbol_of(symbol) }),
        "fetchPositions" | "fetchPosition" => {
            let first = if symbol.is_array() { &symbol[0] } else { symbol };
            let scope = first.as_str().map_or(Scope::Product, |_| Scope::Symbol(symbol_of(first)));
            ask(Query::Positions { scope, limit: None, cursor: None })
        }
        "fetchOpenOrders" => {
            let scope = symbol.as_str().map_or(Scope::Product, |_| Scope::Symbol(symbol_of(symbol)));
            let selection = if parameters["trigger"] == true {
                OrderSelection::TriggerOrders
            } else {
                OrderSelection::All
            };
            ask(Query::OpenOrders { scope, selection, limit: count(at(input, 2)), cursor: None })
        }
        "fetchOrder" => {
            let (order, symbol) = (order_ref(&input[0], parameters), symbol_of(&input[1]));
            ask(Query::RecentOrder { order, symbol })
        }
        "fetchMyTrades" => executions(symbol, ExecutionKind::Trades, None),
        "fetchOrderTrades" => {
            executions(at(input, 1), ExecutionKind::Trades, Some(order_ref(&input[0], &Value::Null)))
        }
        "fetchFundingHistory" => executions(symbol, ExecutionKind::Funding, None),
        _ => return None,
    }))
}

fn market(method: &str, input: &[Value], url: &url::Url) -> Option<Mapped> {
    let asked = |name: &str| {
        let found = url.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.parse::<i64>().unwrap())
    };
    let symbol = || symbol_of(at(input, 0));
    Some(Ok(Call::Public(match method {
        "fetchTime" => MarketQuery::Time,
        "fetchMarkets" => MarketQuery::Instruments,
        "fetchTicker" => MarketQuery::Ticker(symbol()),
        "fetchFundingRate" => MarketQuery::FundingRate(symbol()),
        "fetchOpenInterest" => MarketQuery::OpenInterest(symbol()),
        "fetchOHLCV" => MarketQuery::Candles {
            symbol: symbol(),
            timeframe: *Timeframe::ALL.iter().find(|one| bar(**one) == bar_of(at(input, 1))).unwrap(),
            from: millis(at(input, 2)),
            until: asked("after").map(Timestamp::from_ms),
            limit: asked("limit").map(|limit| u32::try_from(limit).unwrap()),
            age: if url.path().contains("history") { Age::Past } else { Age::Recent },
        },
        "fetchFundingRateHistory" => MarketQuery::Funding {
            symbol: symbol(),
            from: millis(at(input, 1)),
            until: None,
            limit: count(at(input, 2)),
        },
        _ => return None,
    })))
}

/// ccxt's words of lengths are lower case, and its day is OKX's of UTC.
fn bar_of(word: &Value) -> String {
    let word = word.as_str().unwrap();
    match word.strip_suffix('h') {
        Some(hours) => format!("{hours}H"),
        None => word.replace("1d", "1Dutc"),
    }
}
