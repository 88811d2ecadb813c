//! From a case of the recorded requests to our own calls, or to the reason why we do not offer it.

use keyhold_domain::{
    ContractType, MarginMode, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, Side,
    Symbol, TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::binance::render::MarketQuery;
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection,
    Query, Scope, SetLeverage,
};
use serde_json::Value;

use crate::support::{decimal, order_id};

/// One call of ours.
#[derive(Debug)]
pub(super) enum Call {
    Private(Intent),
    Public(MarketQuery),
}

/// What a case is for us.
#[derive(Debug)]
pub(super) enum Mapped {
    Offered(Call),
    NotOffered(&'static str),
}

/// Whole methods that the port does not have, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("createOrders", "orders go out one by one, so that each has its own outcome"),
    ("cancelOrders", "orders are canceled one by one or all"),
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchCanceledOrders", "orders are looked up by name"),
    ("fetchOrders", "orders are looked up by name"),
    ("fetchLeverageTiers", "the public percentages stand for the first tier"),
    ("fetchMarketLeverageTiers", "the public percentages stand for the first tier"),
    ("fetchLeverage", "leverage is set and not read"),
    ("fetchLeverages", "leverage is set and not read"),
    ("fetchMarginMode", "the margin type is set, and told with positions"),
    ("fetchTrades", "public trades over REST; they come on the stream"),
    ("fetchTickers", "prices of all instruments"),
    ("fetchMyLiquidations", "among all fills"),
    ("fetchLedger", "the account's ledger"),
    ("fetchMarkOHLCV", "candles of the mark price"),
    ("fetchIndexOHLCV", "candles of the index"),
    ("addMargin", "moves money"),
];

/// Parameters of offered methods that the port does not have, and why.
const NOT_OFFERED_PARAMETERS: &[(&str, &str)] =
    &[("hedged", "hedge mode"), ("trailingPercent", "the engine trails by itself")];

type Arguments<'a> = &'a [Value];

/// The venue's name: `BTC/USDT:USDT` is `BTCUSDT`, `BTC/USD:BTC` is `BTCUSD_PERP`.
fn symbol_of(product: ContractType, unified: &Value) -> Symbol {
    let pair = unified.as_str().unwrap().split(':').next().unwrap().replace('/', "");
    match product {
        ContractType::Linear => pair.parse().unwrap(),
        ContractType::Inverse => format!("{pair}_PERP").parse().unwrap(),
    }
}

fn at(value: Option<&Value>) -> Option<Timestamp> {
    value.and_then(Value::as_i64).map(Timestamp::from_ms)
}

fn count(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).map(|count| u32::try_from(count).unwrap())
}

fn price(value: &Value) -> Price {
    Price::new(decimal(value)).unwrap()
}

fn quantity(value: &Value) -> Quantity {
    Quantity::new(decimal(value)).unwrap()
}

/// Why a case is none of ours, if so.
fn why_not(method: &str, parameters: Option<&serde_json::Map<String, Value>>) -> Option<&'static str> {
    let by_method = NOT_OFFERED.iter().find(|(name, _)| *name == method);
    let named =
        |(name, _): &&(&str, &str)| parameters.is_some_and(|parameters| parameters.contains_key(*name));
    by_method.or_else(|| NOT_OFFERED_PARAMETERS.iter().find(named)).map(|(_, why)| *why)
}

/// Our call for a case.
pub(super) fn map(product: ContractType, method: &str, input: Arguments<'_>) -> Mapped {
    let parameters = input.iter().rev().find_map(Value::as_object);
    if let Some(why) = why_not(method, parameters) {
        return Mapped::NotOffered(why);
    }
    let symbol = || symbol_of(product, &input[0]);
    let public = |query| Mapped::Offered(Call::Public(query));
    let private = |intent| Mapped::Offered(Call::Private(intent));
    let asked = |query| Mapped::Offered(Call::Private(Intent::Query(query)));
    match method {
        "createOrder" => place(product, input),
        "editOrder" => private(amend(product, input)),
        "cancelOrder" => private(Intent::Cancel(CancelOrder {
            order: order_ref(input),
            symbol: symbol_of(product, &input[1]),
        })),
        "cancelAllOrders" => {
            let stops = parameters.is_some_and(|parameters| parameters.contains_key("trigger"));
            let selection = if stops { OrderSelection::StopOrders } else { OrderSelection::All };
            private(Intent::CancelAll(CancelAll { scope: Scope::Symbol(symbol()), selection }))
        }
        "fetchOrder" => {
            asked(Query::RecentOrder { order: order_ref(input), symbol: symbol_of(product, &input[1]) })
        }
        "fetchOpenOrders" => asked(Query::OpenOrders {
            scope: Scope::Symbol(symbol()),
            selection: OrderSelection::All,
            limit: None,
            cursor: None,
        }),
        "fetchMyTrades" => asked(executions(ExecutionKind::All, Some(symbol()), input)),
        "fetchFundingHistory" => asked(executions(ExecutionKind::Funding, Some(symbol()), input)),
        "fetchPositions" => asked(Query::Positions { scope: Scope::Product, limit: None, cursor: None }),
        "fetchBalance" => asked(Query::Wallet),
        "fetchTradingFee" => asked(Query::Fees { symbol: symbol() }),
        "fetchPositionMode" => asked(Query::AccountSettings),
        "setLeverage" => private(Intent::SetLeverage(SetLeverage {
            symbol: symbol_of(product, &input[1]),
            leverage: decimal(&input[0]),
        })),
        "setMarginMode" => private(Intent::SetMarginModeOf {
            symbol: symbol_of(product, &input[1]),
            mode: input[0].as_str().unwrap().parse::<MarginMode>().unwrap(),
        }),
        "setPositionMode" if input[0] == true => Mapped::NotOffered("hedge mode"),
        "setPositionMode" => private(Intent::UseOneWayMode { symbol: symbol_of(product, &input[1]) }),
        "fetchOHLCV" => public(MarketQuery::Candles {
            symbol: symbol(),
            timeframe: input[1].as_str().unwrap().parse::<Timeframe>().unwrap(),
            from: at(input.get(2)),
            until: at(parameters.and_then(|parameters| parameters.get("until"))),
            limit: count(input.get(3)),
        }),
        "fetchOrderBook" => public(MarketQuery::Depth { symbol: symbol(), limit: count(input.get(1)) }),
        "fetchTicker" => public(MarketQuery::DayTicker { symbol: symbol() }),
        "fetchFundingRate" => public(MarketQuery::Premium { symbol: symbol() }),
        "fetchFundingRateHistory" => public(MarketQuery::Funding {
            symbol: symbol(),
            from: at(input.get(1)),
            until: None,
            limit: count(input.get(2)),
        }),
        "fetchOpenInterest" => public(MarketQuery::OpenInterest { symbol: symbol() }),
        "fetchTime" => public(MarketQuery::Time),
        "fetchStatus" => public(MarketQuery::Status),
        "fetchMarkets" => public(MarketQuery::Instruments),
        other => panic!("{other} is in no table"),
    }
}

fn executions(kind: ExecutionKind, symbol: Option<Symbol>, input: Arguments<'_>) -> Query {
    Query::Executions(ExecutionQuery {
        kind,
        symbol,
        order: None,
        from: at(input.get(1)),
        until: None,
        limit: count(input.get(2)),
        cursor: None,
    })
}

/// By the venue's name, or by one of ours in place of ccxt's.
fn order_ref(input: Arguments<'_>) -> OrderRef {
    match input[0].as_str() {
        Some(id) => OrderRef::Venue(id.parse().unwrap()),
        None => OrderRef::Client(order_id(1)),
    }
}

fn side(value: &Value) -> Side {
    value.as_str().unwrap().parse().unwrap()
}

fn amend(product: ContractType, input: Arguments<'_>) -> Intent {
    let amend = AmendOrder {
        order: OrderRef::Venue(input[0].as_str().unwrap().parse().unwrap()),
        symbol: symbol_of(product, &input[1]),
        quantity: Some(quantity(&input[4])),
        price: Some(price(&input[5])),
        trigger: None,
    };
    Intent::AmendOn(amend, side(&input[3]))
}

fn place(product: ContractType, input: Arguments<'_>) -> Mapped {
    let [symbol, kind, way, amount, ..] = input else { panic!("too few arguments") };
    let none = serde_json::Map::new();
    let parameters = input.get(5).and_then(Value::as_object).unwrap_or(&none);
    for name in parameters.keys() {
        let known = ["postOnly", "reduceOnly", "timeInForce", "clientOrderId"].contains(&name.as_str());
        let trigger = ["triggerPrice", "stopLossPrice", "takeProfitPrice"].contains(&name.as_str());
        assert!(known || trigger, "{name} is in no table");
    }
    let way = side(way);
    // A stop buys above and sells below the market; a take-profit the other way round.
    let (stop, take) = match way {
        Side::Buy => (TriggerDirection::Rises, TriggerDirection::Falls),
        Side::Sell => (TriggerDirection::Falls, TriggerDirection::Rises),
    };
    let triggers = [("triggerPrice", stop), ("stopLossPrice", stop), ("takeProfitPrice", take)];
    let trigger = triggers.iter().find_map(|(name, direction)| Some((parameters.get(*name)?, *direction)));
    let kind = match (trigger, kind.as_str().unwrap()) {
        (Some(_), "limit") => return Mapped::NotOffered("conditional orders become market orders"),
        (Some((trigger, direction)), _) => {
            OrderKind::StopMarket { trigger: price(trigger), direction, source: TriggerSource::Last }
        }
        (None, "market") => OrderKind::Market,
        (None, _) => OrderKind::Limit { price: price(&input[4]), time_in_force: time_in_force(parameters) },
    };
    let reduces = parameters.get("reduceOnly") == Some(&Value::Bool(true));
    Mapped::Offered(Call::Private(Intent::Place(NewOrder {
        client_id: order_id(1),
        symbol: symbol_of(product, symbol),
        side: way,
        kind,
        quantity: quantity(amount),
        effect: if reduces { PositionEffect::ReduceOnly } else { PositionEffect::Increase },
        purpose: OrderPurpose::Entry,
    })))
}

fn time_in_force(parameters: &serde_json::Map<String, Value>) -> TimeInForce {
    if parameters.get("postOnly") == Some(&Value::Bool(true)) {
        return TimeInForce::PostOnly;
    }
    match parameters.get("timeInForce").and_then(Value::as_str) {
        None | Some("GTC") => TimeInForce::Gtc,
        Some("IOC") => TimeInForce::Ioc,
        Some("FOK") => TimeInForce::Fok,
        Some("PO" | "GTX") => TimeInForce::PostOnly,
        Some(other) => panic!("{other} is in no table"),
    }
}
