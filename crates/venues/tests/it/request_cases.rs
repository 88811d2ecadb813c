//! From a case of the recorded requests to our own calls, or to the reason why we do not offer it.

use keyhold_domain::{
    ContractType, MarginMode, NewOrder, OrderKind, PositionEffect, Price, Quantity, Side, Symbol,
    TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::bybit::render::MarketQuery;
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, ExecutionKind, ExecutionQuery, Intent, OrderRef, OrderSelection,
    Query, Scope, SetLeverage,
};
use serde_json::Value;

use crate::support::{decimal, order_id};

/// One call of ours.
#[derive(Debug)]
pub(crate) enum Call {
    Private(ContractType, Intent),
    Public(ContractType, MarketQuery),
}

/// What a case is for us.
#[derive(Debug)]
pub(crate) enum Mapped {
    Offered(Vec<Call>),
    NotOffered(&'static str),
}

/// Whole methods that the port does not have, and why.
pub(crate) const NOT_OFFERED: &[(&str, &str)] = &[
    ("createOrders", "orders go out one by one, so that each has its own outcome"),
    ("editOrders", "orders are changed one by one"),
    ("cancelOrders", "orders are canceled one by one or all"),
    ("cancelOrdersForSymbols", "orders are canceled one by one or all"),
    ("cancelAllOrdersAfter", "for institutional clients only"),
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchCanceledOrders", "orders are looked up by name"),
    ("fetchCanceledAndClosedOrders", "orders are looked up by name"),
    ("fetchOrders", "orders are looked up by name"),
    ("fetchOrderClassic", "classic accounts"),
    ("fetchLeverageTiers", "the lowest tier follows from the highest leverage"),
    ("fetchMarketLeverageTiers", "the lowest tier follows from the highest leverage"),
    ("fetchTrades", "public trades"),
    ("fetchTickers", "prices of all instruments"),
    ("fetchBidsAsks", "prices of all instruments"),
    ("fetchFundingRates", "prices of all instruments"),
    ("fetchTradingFees", "fees of all instruments"),
    ("fetchOrderBook", "order books"),
    ("fetchCurrencies", "coins and their networks"),
    ("fetchMyLiquidations", "among all executions"),
    ("fetchLedger", "the account's ledger"),
    ("fetchMarkOHLCV", "candles of the mark price"),
    ("fetchIndexOHLCV", "candles of the index"),
    ("fetchPremiumIndexOHLCV", "candles of the premium"),
    ("fetchOpenInterest", "open interest"),
    ("fetchOpenInterestHistory", "open interest"),
    ("fetchLongShortRatioHistory", "long-short ratio"),
    ("fetchPositionsHistory", "closed positions"),
    ("fetchPositionHistory", "closed positions"),
    ("fetchVolatilityHistory", "options"),
    ("fetchGreeks", "options"),
    ("fetchAllGreeks", "options"),
    ("fetchOption", "options"),
    ("fetchOptionChain", "options"),
    ("fetchSettlementHistory", "dated contracts"),
    ("fetchMySettlementHistory", "dated contracts"),
    ("withdraw", "moves money"),
    ("transfer", "moves money"),
    ("fetchTransfers", "moves money"),
    ("fetchDeposits", "deposits and withdrawals"),
    ("fetchWithdrawals", "deposits and withdrawals"),
    ("fetchDepositAddress", "deposits and withdrawals"),
    ("fetchDepositAddressesByNetwork", "deposits and withdrawals"),
    ("fetchDepositWithdrawFees", "deposits and withdrawals"),
    ("addMargin", "moves money"),
    ("reduceMargin", "moves money"),
    ("setMargin", "moves money"),
    ("borrowCrossMargin", "loans"),
    ("repayCrossMargin", "loans"),
    ("fetchCrossBorrowRate", "loans"),
    ("fetchBorrowInterest", "loans"),
    ("fetchBorrowRateHistory", "loans"),
    ("fetchConvertQuote", "converts money"),
    ("createConvertTrade", "converts money"),
    ("fetchConvertTrade", "converts money"),
    ("fetchConvertTradeHistory", "converts money"),
    ("fetchConvertCurrencies", "converts money"),
    ("createMarketBuyOrderWithCost", "spot"),
    ("createMarketSellOrderWithCost", "spot"),
];

/// Parameters of offered methods that the port does not have, and why.
const NOT_OFFERED_PARAMETERS: &[(&str, &str)] = &[
    ("takeProfit", "exits are orders of their own"),
    ("stopLoss", "exits are orders of their own"),
    ("hedged", "hedge mode"),
    ("trailingAmount", "the engine trails by itself"),
    ("trailingPercent", "the engine trails by itself"),
    ("trailingTriggerPrice", "the engine trails by itself"),
    ("cost", "spot"),
    ("portfolio", "portfolio margin"),
];

type Arguments<'a> = &'a [Value];

fn product_of(symbol: &str) -> ContractType {
    if symbol.ends_with(":USDT") || symbol.ends_with(":USDC") {
        ContractType::Linear
    } else {
        ContractType::Inverse
    }
}

/// The venue's name: `BTC/USDT:USDT` is `BTCUSDT`, `BTC/USD:BTC` is `BTCUSD`.
fn symbol_of(unified: &str) -> Symbol {
    unified.split(':').next().unwrap().replace('/', "").parse().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
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

fn private(product: ContractType, intent: Intent) -> Mapped {
    Mapped::Offered(vec![Call::Private(product, intent)])
}

fn ask(product: ContractType, query: Query) -> Mapped {
    private(product, Intent::Query(query))
}

fn public(product: ContractType, query: MarketQuery) -> Mapped {
    Mapped::Offered(vec![Call::Public(product, query)])
}

fn refused_parameter(parameters: &Value) -> Option<&'static str> {
    let parameters = parameters.as_object()?;
    NOT_OFFERED_PARAMETERS.iter().find(|(name, _)| parameters.contains_key(*name)).map(|(_, why)| *why)
}

/// The settlement scope that ccxt takes when no symbol is given.
fn scope_of(symbol: &Value) -> (ContractType, Scope) {
    match symbol.as_str() {
        Some(symbol) => (product_of(symbol), Scope::Symbol(symbol_of(symbol))),
        None => (ContractType::Linear, Scope::Settle("USDT".parse().unwrap())),
    }
}

/// Maps a case. `url` is the recorded one; it tells range ends that the port demands and the input leaves out.
/// `None` when the method is in no table: the runner fails then.
pub(crate) fn map(method: &str, input: Arguments<'_>, url: &url::Url) -> Option<Mapped> {
    if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| *name == method) {
        return Some(Mapped::NotOffered(why));
    }
    let parameters = input.iter().rev().find(|value| value.is_object()).unwrap_or(&Value::Null);
    if let Some(why) = refused_parameter(parameters) {
        return Some(Mapped::NotOffered(why));
    }
    orders(method, input, parameters)
        .or_else(|| settings(method, input))
        .or_else(|| account(method, input, parameters, url))
        .or_else(|| market(method, input, parameters, url))
}

fn orders(method: &str, input: Arguments<'_>, parameters: &Value) -> Option<Mapped> {
    Some(match method {
        "createOrder" => match new_order(input, parameters) {
            Ok(order) => private(product_of(text(&input[0])), Intent::Place(order)),
            Err(why) => Mapped::NotOffered(why),
        },
        "editOrder" => {
            let amend = AmendOrder {
                order: OrderRef::Venue(text(&input[0]).parse().unwrap()),
                symbol: symbol_of(text(&input[1])),
                quantity: quantity(at(input, 4)),
                price: price(at(input, 5)),
                trigger: price(&parameters["triggerPrice"]),
            };
            private(product_of(text(&input[1])), Intent::Amend(amend))
        }
        "cancelOrder" => {
            let order = match parameters.get("clientOrderId") {
                Some(_) => OrderRef::Client(order_id(1)),
                None => OrderRef::Venue(text(&input[0]).parse().unwrap()),
            };
            if parameters.get("trigger").is_some() {
                return Some(Mapped::NotOffered("a filter for the kind of order when canceling one"));
            }
            let cancel = CancelOrder { order, symbol: symbol_of(text(&input[1])) };
            private(product_of(text(&input[1])), Intent::Cancel(cancel))
        }
        "cancelAllOrders" => {
            let (product, scope) = scope_of(at(input, 0));
            private(product, Intent::CancelAll(CancelAll { scope, selection: selection(parameters) }))
        }
        _ => return None,
    })
}

fn selection(parameters: &Value) -> OrderSelection {
    if parameters["trigger"] == true { OrderSelection::StopOrders } else { OrderSelection::All }
}

fn price(value: &Value) -> Option<Price> {
    (!value.is_null()).then(|| Price::new(decimal(value)).unwrap())
}

fn quantity(value: &Value) -> Option<Quantity> {
    (!value.is_null()).then(|| Quantity::new(decimal(value)).unwrap())
}

fn new_order(input: Arguments<'_>, parameters: &Value) -> Result<NewOrder, &'static str> {
    let side: Side = text(&input[2]).parse().unwrap();
    let limit = price(at(input, 4)).filter(|_| input[1] == "limit");
    let kind = match (trigger(side, parameters), limit) {
        (Some(_), Some(_)) => return Err("stop-limit orders"),
        (Some((trigger, direction)), None) => {
            OrderKind::StopMarket { trigger, direction, source: TriggerSource::Last }
        }
        (None, Some(price)) => OrderKind::Limit { price, time_in_force: time_in_force(parameters) },
        (None, None) => OrderKind::Market,
    };
    let effect =
        if parameters["reduceOnly"] == true { PositionEffect::ReduceOnly } else { PositionEffect::Increase };
    Ok(NewOrder {
        client_id: order_id(1),
        symbol: symbol_of(text(&input[0])),
        side,
        kind,
        quantity: quantity(&input[3]).unwrap(),
        effect,
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

/// A stop loss of a long falls, one of a short rises; a take profit the other way round.
fn trigger(side: Side, parameters: &Value) -> Option<(Price, TriggerDirection)> {
    use TriggerDirection::{Falls, Rises};
    if let Some(trigger) = price(&parameters["triggerPrice"]) {
        let direction = match parameters["triggerDirection"].as_str() {
            Some("ascending" | "above") => Rises,
            Some("descending" | "below") => Falls,
            other => panic!("unknown direction {other:?}"),
        };
        return Some((trigger, direction));
    }
    let (loss, profit) = match side {
        Side::Buy => (Rises, Falls),
        Side::Sell => (Falls, Rises),
    };
    price(&parameters["stopLossPrice"])
        .map(|trigger| (trigger, loss))
        .or_else(|| price(&parameters["takeProfitPrice"]).map(|trigger| (trigger, profit)))
}

fn settings(method: &str, input: Arguments<'_>) -> Option<Mapped> {
    Some(match method {
        "setLeverage" => {
            let symbol = text(&input[1]);
            let leverage = SetLeverage { symbol: symbol_of(symbol), leverage: decimal(&input[0]) };
            private(product_of(symbol), Intent::SetLeverage(leverage))
        }
        "setMarginMode" => {
            let mode = match text(&input[0]) {
                "isolated" => MarginMode::Isolated,
                "cross" => MarginMode::Cross,
                _ => return Some(Mapped::NotOffered("portfolio margin")),
            };
            private(ContractType::Linear, Intent::SetMarginMode(mode))
        }
        "setPositionMode" if input[0] == true => Mapped::NotOffered("hedge mode"),
        "setPositionMode" => {
            let symbol = text(&input[1]);
            if product_of(symbol) == ContractType::Inverse {
                return Some(Mapped::NotOffered("inverse perpetuals have one net position anyway"));
            }
            private(ContractType::Linear, Intent::UseOneWayMode { symbol: symbol_of(symbol) })
        }
        _ => return None,
    })
}

fn account(method: &str, input: Arguments<'_>, parameters: &Value, url: &url::Url) -> Option<Mapped> {
    Some(match method {
        "fetchBalance" => ask(ContractType::Linear, Query::Wallet),
        "fetchMarginMode" => ask(ContractType::Linear, Query::AccountSettings),
        "fetchTradingFee" => {
            ask(product_of(text(&input[0])), Query::Fees { symbol: symbol_of(text(&input[0])) })
        }
        "fetchOpenOrders" => {
            let (product, scope) = scope_of(at(input, 0));
            let limit = count(at(input, 2));
            ask(product, Query::OpenOrders { scope, selection: selection(parameters), limit, cursor: None })
        }
        "fetchOrder" | "fetchOpenOrder" | "fetchClosedOrder" => {
            let symbol = symbol_of(text(&input[1]));
            let order = OrderRef::Venue(text(&input[0]).parse().unwrap());
            let query = if url.path().ends_with("history") {
                Query::PastOrder { order, symbol }
            } else {
                Query::RecentOrder { order, symbol }
            };
            ask(product_of(text(&input[1])), query)
        }
        "fetchPositions" | "fetchPosition" | "fetchLeverage" => {
            let symbol =
                input.first().map_or(&Value::Null, |first| if first.is_array() { &first[0] } else { first });
            let (product, scope) = scope_of(symbol);
            let limit = (method == "fetchPositions").then_some(200);
            ask(product, Query::Positions { scope, limit, cursor: None })
        }
        "fetchMyTrades" => {
            executions(at(input, 0), ExecutionKind::Trades, None, millis(at(input, 1)), count(at(input, 2)))
        }
        "fetchOrderTrades" => {
            let order = OrderRef::Venue(text(&input[0]).parse().unwrap());
            executions(at(input, 1), ExecutionKind::Trades, Some(order), None, None)
        }
        "fetchFundingHistory" => {
            executions(at(input, 0), ExecutionKind::Funding, None, millis(at(input, 1)), count(at(input, 2)))
        }
        _ => return None,
    })
}

fn executions(
    symbol: &Value,
    kind: ExecutionKind,
    order: Option<OrderRef>,
    from: Option<Timestamp>,
    limit: Option<u32>,
) -> Mapped {
    let product = symbol.as_str().map_or(ContractType::Linear, product_of);
    let symbol = symbol.as_str().map(symbol_of);
    ask(
        product,
        Query::Executions(ExecutionQuery { kind, symbol, order, from, until: None, limit, cursor: None }),
    )
}

fn market(method: &str, input: Arguments<'_>, parameters: &Value, url: &url::Url) -> Option<Mapped> {
    let symbol = at(input, 0).as_str().map(|symbol| (product_of(symbol), symbol_of(symbol)));
    let asked = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| Timestamp::from_ms(value.parse().unwrap()))
    };
    Some(match (method, symbol) {
        ("fetchTime", _) => public(ContractType::Linear, MarketQuery::Time),
        ("fetchStatus", _) => public(ContractType::Linear, MarketQuery::Status),
        ("fetchMarkets", _) => {
            let query = || MarketQuery::Instruments { symbol: None, limit: Some(1_000), cursor: None };
            Mapped::Offered(ContractType::ALL.iter().map(|product| Call::Public(*product, query())).collect())
        }
        ("fetchTicker" | "fetchFundingRate", Some((product, symbol))) => {
            public(product, MarketQuery::Ticker { symbol })
        }
        ("fetchOHLCV", Some((product, symbol))) => {
            let timeframe: Timeframe = text(&input[1]).parse().ok()?;
            let until = millis(&parameters["until"]);
            let (from, limit) = (millis(at(input, 2)), count(at(input, 3)));
            public(product, MarketQuery::Candles { symbol, timeframe, from, until, limit })
        }
        ("fetchFundingRateHistory", Some((product, symbol))) => {
            let (from, limit) = (millis(at(input, 1)), count(at(input, 2)));
            public(product, MarketQuery::Funding { symbol, from, until: asked("endTime"), limit })
        }
        _ => return None,
    })
}
