//! From a case of the recorded requests to our own calls, or to the reason why we do not offer it.

use keyhold_domain::{
    MarginMode, NewOrder, OrderKind, PositionEffect, Price, Quantity, Side, Symbol, TimeInForce, Timestamp,
    TriggerDirection, TriggerSource,
};
use keyhold_venues::bitmex::bins::Bin;
use keyhold_venues::bitmex::render::MarketQuery;
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelMany, CancelOrder, ExecutionKind, ExecutionQuery, Intent, OrderRef,
    OrderSelection, Query, Scope, SetLeverage,
};
use serde_json::Value;

use crate::support::{decimal, order_id};

/// What a case is for us.
#[derive(Debug)]
pub(super) enum Mapped {
    Private(Intent),
    Public(MarketQuery),
    NotOffered(&'static str),
}

/// Whole methods that the port does not have, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchOrders", "orders are looked up by name"),
    ("fetchTrades", "public trades come on the stream"),
    ("fetchOrderBook", "order books come on the stream"),
    ("fetchTickers", "prices of all instruments; ours are asked for one by one"),
    ("fetchFundingRate", "ccxt asks for all instruments; ours comes with the prices of one"),
    ("fetchOpenInterest", "ccxt asks for all instruments; ours comes with the prices of one"),
    ("fetchCurrencies", "coins and their networks"),
    ("closePosition", "a position is closed by a reduce-only order of its own size"),
];

type Arguments<'a> = &'a [Value];

/// The venue's name.
fn symbol_of(unified: &Value) -> Symbol {
    let name = match unified.as_str().unwrap() {
        "BTC/USD:BTC" => "XBTUSD",
        "BTC/USDT:USDT" => "XBTUSDT",
        // Quanto: its requests look like all others; what refuses it is its instrument.
        "ETH/USD:BTC" => "ETHUSD",
        other => panic!("unknown symbol {other}"),
    };
    name.parse().unwrap()
}

fn at(input: Arguments<'_>, index: usize) -> &Value {
    input.get(index).unwrap_or(&Value::Null)
}

fn millis(value: &Value) -> Option<Timestamp> {
    value.as_i64().map(Timestamp::from_ms)
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().map(|n| u32::try_from(n).unwrap())
}

fn price(value: &Value) -> Option<Price> {
    // Some inputs carry the noise of binary fractions.
    (!value.is_null()).then(|| Price::new(decimal(value).round_dp(8).normalize()).unwrap())
}

fn quantity(value: &Value) -> Option<Quantity> {
    (!value.is_null()).then(|| Quantity::new(decimal(value)).unwrap())
}

fn venue_id(value: &Value) -> OrderRef {
    OrderRef::Venue(value.as_str().unwrap().parse().unwrap())
}

/// Maps a case. `None` when the method is in no table: the runner fails then.
pub(super) fn map(method: &str, input: Arguments<'_>) -> Option<Mapped> {
    if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| *name == method) {
        return Some(Mapped::NotOffered(why));
    }
    let parameters = input.iter().rev().find(|value| value.is_object()).unwrap_or(&Value::Null);
    orders(method, input, parameters)
        .or_else(|| account(method, input))
        .or_else(|| market(method, input, parameters))
}

fn orders(method: &str, input: Arguments<'_>, parameters: &Value) -> Option<Mapped> {
    Some(Mapped::Private(match method {
        "createOrder" => match new_order(input, parameters) {
            Ok(order) => Intent::Place(order),
            Err(why) => return Some(Mapped::NotOffered(why)),
        },
        "editOrder" => Intent::Amend(AmendOrder {
            order: venue_id(&input[0]),
            symbol: symbol_of(&input[1]),
            quantity: quantity(at(input, 4)),
            price: price(at(input, 5)),
            trigger: None,
        }),
        "cancelOrder" => {
            let client = parameters.get("clientOrderId").map(|_| OrderRef::Client(order_id(1)));
            let order = client.unwrap_or_else(|| venue_id(&input[0]));
            Intent::Cancel(CancelOrder { order, symbol: symbol_of(&input[1]) })
        }
        "cancelOrders" => {
            let symbol = symbol_of(&input[1]);
            let one = |id: &Value| CancelOrder { order: venue_id(id), symbol };
            let orders = input[0].as_array().unwrap().iter().map(one).collect();
            Intent::CancelMany(CancelMany { orders, selection: OrderSelection::All })
        }
        "cancelAllOrders" if input.is_empty() => {
            return Some(Mapped::NotOffered("orders of all instruments: others may share the account"));
        }
        "cancelAllOrders" => {
            let scope = Scope::Symbol(symbol_of(&input[0]));
            Intent::CancelAll(CancelAll { scope, selection: OrderSelection::All })
        }
        "cancelAllOrdersAfter" => {
            let milliseconds = input[0].as_u64().unwrap();
            let after = (milliseconds > 0).then(|| std::time::Duration::from_millis(milliseconds));
            Intent::DeadMansSwitch { symbol: "XBTUSD".parse().unwrap(), after }
        }
        "setLeverage" => {
            Intent::SetLeverage(SetLeverage { symbol: symbol_of(&input[1]), leverage: decimal(&input[0]) })
        }
        "setMarginMode" => Intent::SetMarginModeOf {
            symbol: symbol_of(&input[1]),
            mode: match input[0].as_str().unwrap() {
                "isolated" => MarginMode::Isolated,
                "cross" => MarginMode::Cross,
                other => panic!("unknown margin mode {other}"),
            },
        },
        _ => return None,
    }))
}

fn new_order(input: Arguments<'_>, parameters: &Value) -> Result<NewOrder, &'static str> {
    if parameters.get("trailingAmount").is_some() {
        return Err("the engine trails by itself");
    }
    let side: Side = input[2].as_str().unwrap().parse().unwrap();
    let limit = price(at(input, 4)).filter(|_| input[1] == "limit");
    let trigger = price(&parameters["triggerPrice"]);
    let kind = match (trigger, limit) {
        (Some(_), Some(_)) => return Err("stop-limit orders"),
        (Some(trigger), None) => {
            let direction = match parameters["triggerDirection"].as_str() {
                Some("above") => TriggerDirection::Rises,
                Some("below") => TriggerDirection::Falls,
                other => panic!("unknown direction {other:?}"),
            };
            // The recorded requests leave BitMEX's own choice, which is the mark price.
            OrderKind::StopMarket { trigger, direction, source: TriggerSource::Mark }
        }
        (None, Some(price)) => OrderKind::Limit { price, time_in_force: time_in_force(parameters) },
        (None, None) => OrderKind::Market,
    };
    let reduces = parameters["reduceOnly"] == true;
    Ok(NewOrder {
        client_id: order_id(1),
        symbol: symbol_of(&input[0]),
        side,
        kind,
        quantity: quantity(&input[3]).unwrap(),
        effect: if reduces { PositionEffect::ReduceOnly } else { PositionEffect::Increase },
        purpose: order_id(1).purpose(),
    })
}

fn time_in_force(parameters: &Value) -> TimeInForce {
    if parameters["postOnly"] == true {
        return TimeInForce::PostOnly;
    }
    match parameters["timeInForce"].as_str() {
        None | Some("GTC") => TimeInForce::Gtc,
        Some("IOC") => TimeInForce::Ioc,
        Some("FOK") => TimeInForce::Fok,
        Some("PO") => TimeInForce::PostOnly,
        Some(other) => panic!("unknown time in force {other}"),
    }
}

fn account(method: &str, input: Arguments<'_>) -> Option<Mapped> {
    let positions = Query::Positions { scope: Scope::Product, limit: None, cursor: None };
    Some(Mapped::Private(Intent::Query(match method {
        "fetchOrder" => Query::RecentOrder { order: venue_id(&input[0]), symbol: symbol_of(&input[1]) },
        "fetchOpenOrders" if !at(input, 1).is_null() => {
            return Some(Mapped::NotOffered("open orders are read whole, whenever they began"));
        }
        "fetchOpenOrders" => {
            let scope = input.first().map_or(Scope::Product, |symbol| Scope::Symbol(symbol_of(symbol)));
            Query::OpenOrders { scope, selection: OrderSelection::All, limit: None, cursor: None }
        }
        "fetchMyTrades" => Query::Executions(ExecutionQuery {
            kind: ExecutionKind::All,
            symbol: Some(symbol_of(&input[0])),
            order: None,
            from: millis(at(input, 1)),
            until: None,
            limit: count(at(input, 2)),
            cursor: None,
        }),
        "fetchPositions" | "fetchLeverage" | "fetchLeverages" => positions,
        _ => return None,
    })))
}

fn market(method: &str, input: Arguments<'_>, parameters: &Value) -> Option<Mapped> {
    Some(Mapped::Public(match method {
        "fetchOHLCV" => MarketQuery::Candles {
            symbol: symbol_of(&input[0]),
            bin: match input[1].as_str().unwrap() {
                "1m" => Bin::M1,
                "5m" => Bin::M5,
                "1h" => Bin::H1,
                "1d" => Bin::D1,
                other => panic!("unknown length {other}"),
            },
            from: millis(at(input, 2)),
            until: millis(&parameters["until"]),
            limit: count(at(input, 3)),
        },
        "fetchTicker" => MarketQuery::Ticker { symbol: symbol_of(&input[0]) },
        "fetchFundingRateHistory" => MarketQuery::Funding {
            symbol: symbol_of(&input[0]),
            from: millis(at(input, 1)),
            until: None,
            limit: count(at(input, 2)),
        },
        "fetchMarkets" => MarketQuery::Instruments,
        _ => return None,
    }))
}
