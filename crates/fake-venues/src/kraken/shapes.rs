//! Orders, fills, positions and accounts in Kraken's words. Pure translation: from the exchange's types to JSON.
//!
//! Numbers are JSON numbers; their digits are those of the decimal, as far as a client that reads floats can see.

use keyhold_domain::{
    Asset, ContractType, Decimal, Fill, Liquidity, OrderKind, OrderStatus, PositionEffect, Side, TimeInForce,
    Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{AccountId, FillCause, FillReport, Order, Refusal};
use serde_json::{Value, json};

use super::instruments::code;
use super::state::State;
use crate::core::number;
use crate::feed::Feed;

/// A decimal as a JSON number.
pub(crate) fn num(value: Decimal) -> Value {
    number(value).parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}

pub(crate) const fn side(side: Side) -> &'static str {
    side.as_str()
}

fn name(order: &Order) -> Value {
    order.name.map_or(Value::Null, |name| json!(name.to_string()))
}

/// `lmt`, `post`, `ioc`, `mkt` or `stp`.
fn kind(order: &Order) -> &'static str {
    match order.kind {
        OrderKind::Market => "mkt",
        OrderKind::StopMarket { .. } => "stp",
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Gtc => "lmt",
            TimeInForce::PostOnly => "post",
            TimeInForce::Ioc | TimeInForce::Fok => "ioc",
        },
    }
}

fn limit_price(order: &Order) -> Value {
    match order.kind {
        OrderKind::Limit { price, .. } => num(price.get()),
        OrderKind::Market | OrderKind::StopMarket { .. } => Value::Null,
    }
}

const fn signal(source: TriggerSource) -> &'static str {
    match source {
        TriggerSource::Last => "last",
        TriggerSource::Mark => "mark",
        TriggerSource::Index => "spot",
    }
}

const fn trigger_side(direction: TriggerDirection) -> &'static str {
    match direction {
        TriggerDirection::Rises => "trigger_above",
        TriggerDirection::Falls => "trigger_below",
    }
}

fn reduces(order: &Order) -> bool {
    order.effect == PositionEffect::ReduceOnly
}

/// An order in an event of an answer.
pub(crate) fn event_order(order: &Order, filled: Decimal) -> Value {
    json!({
        "orderId": order.venue_id, "cliOrdId": name(order), "type": kind(order), "symbol": order.symbol,
        "side": side(order.side), "quantity": num(order.quantity.get()), "filled": num(filled),
        "limitPrice": limit_price(order), "reduceOnly": reduces(order),
        "timestamp": order.created_at.to_string(), "lastUpdateTimestamp": order.updated_at.to_string(),
    })
}

/// A waiting stop in an event of an answer.
pub(crate) fn event_trigger(order: &Order) -> Value {
    let OrderKind::StopMarket { trigger, direction, source } = order.kind else { return Value::Null };
    json!({
        "uid": order.venue_id, "clientId": name(order), "type": "mkt", "symbol": order.symbol,
        "side": side(order.side), "quantity": num(order.quantity.get()), "limitPrice": null,
        "triggerPrice": num(trigger.get()), "triggerSide": trigger_side(direction),
        "triggerSignal": format!("{}_price", signal(source)), "reduceOnly": reduces(order),
        "timestamp": order.created_at.to_string(), "lastUpdateTimestamp": order.updated_at.to_string(),
    })
}

/// An order of `openorders`.
pub(crate) fn open_order(order: &Order) -> Value {
    let mut value = json!({
        "order_id": order.venue_id, "symbol": order.symbol, "side": side(order.side),
        "orderType": match order.kind { OrderKind::StopMarket { .. } => "stop", _ => "lmt" },
        "unfilledSize": num(order.remaining()), "filledSize": num(order.filled),
        "receivedTime": order.created_at.to_string(), "lastUpdateTime": order.updated_at.to_string(),
        "status": if order.filled.is_zero() { "untouched" } else { "partiallyFilled" },
        "reduceOnly": reduces(order),
    });
    if let Some(name) = order.name {
        value["cliOrdId"] = json!(name.to_string());
    }
    match order.kind {
        OrderKind::Limit { price, .. } => value["limitPrice"] = num(price.get()),
        OrderKind::StopMarket { trigger, source, .. } => {
            value["stopPrice"] = num(trigger.get());
            value["triggerSignal"] = json!(signal(source));
        }
        OrderKind::Market => {}
    }
    value
}

/// An order of `orders/status`.
pub(crate) fn order_status(order: &Order) -> Value {
    let status = match order.status {
        OrderStatus::Open | OrderStatus::PartiallyFilled => "ENTERED_BOOK",
        OrderStatus::Untriggered => "TRIGGER_PLACED",
        OrderStatus::Filled => "FULLY_EXECUTED",
        OrderStatus::Canceled => "CANCELLED",
        OrderStatus::Rejected => "REJECTED",
    };
    let mut told = event_order(order, order.filled);
    if let OrderKind::StopMarket { trigger, direction, source } = order.kind {
        told["priceTriggerOptions"] = json!({
            "triggerPrice": num(trigger.get()), "triggerSide": trigger_side(direction).to_ascii_uppercase(),
            "triggerSignal": format!("{}_PRICE", signal(source).to_ascii_uppercase()),
        });
    }
    let stops = matches!(order.kind, OrderKind::StopMarket { .. });
    told["type"] = json!(if stops { "TRIGGER_ORDER" } else { "ORDER" });
    json!({ "order": told, "status": status, "updateReason": null, "error": end_word(order) })
}

/// Why the venue ended an order, in the words of events.
pub(crate) fn end_word(order: &Order) -> Value {
    use keyhold_domain::RefusalCode;
    match order.refusal {
        Some(RefusalCode::PostOnlyWouldCross) => json!("POST_WOULD_EXECUTE"),
        Some(RefusalCode::ReduceOnlyRejected) => json!("WOULD_NOT_REDUCE_POSITION"),
        Some(RefusalCode::InsufficientMargin) => json!("INSUFFICIENT_MARGIN"),
        Some(_) | None => Value::Null,
    }
}

/// An order in the history.
pub(crate) fn past_order(order: &Order) -> Value {
    let word = match order.kind {
        OrderKind::Limit { .. } => "Limit",
        OrderKind::Market | OrderKind::StopMarket { .. } => "Market",
    };
    json!({
        "uid": order.venue_id, "accountUid": order.account.0.to_string(), "tradeable": order.symbol,
        "direction": match order.side { Side::Buy => "Buy", Side::Sell => "Sell" },
        "quantity": number(order.quantity.get()), "filled": number(order.filled),
        "timestamp": order.created_at.ms(), "limitPrice": limit_price(order), "orderType": word,
        "clientId": order.name.map_or_else(String::new, |name| name.to_string()), "reduceOnly": reduces(order),
        "lastUpdateTimestamp": order.updated_at.ms(),
    })
}

/// An order of the feeds; `qty` is what is left.
pub(crate) fn feed_order(order: &Order) -> Value {
    let (limit, stop, word) = match order.kind {
        OrderKind::Limit { price, .. } => (num(price.get()), json!(0.0), "limit"),
        OrderKind::StopMarket { trigger, .. } => (json!(0.0), num(trigger.get()), "stop"),
        OrderKind::Market => (json!(0.0), json!(0.0), "market"),
    };
    let mut value = json!({
        "instrument": order.symbol, "time": order.created_at.ms(), "last_update_time": order.updated_at.ms(),
        "qty": num(order.remaining()), "filled": num(order.filled), "limit_price": limit, "stop_price": stop,
        "type": word, "order_id": order.venue_id, "direction": i32::from(order.side == Side::Sell),
        "reduce_only": reduces(order),
    });
    if let Some(name) = order.name {
        value["cli_ord_id"] = json!(name.to_string());
    }
    if let OrderKind::StopMarket { source, .. } = order.kind {
        value["triggerSignal"] = json!(signal(source));
    }
    value
}

fn fill_type(report: &FillReport) -> &'static str {
    match (report.cause, report.fill.liquidity) {
        (FillCause::Liquidation, _) => "liquidation",
        (FillCause::Order, Liquidity::Maker) => "maker",
        (FillCause::Order, Liquidity::Taker) => "taker",
    }
}

/// A fill of `fills`.
pub(crate) fn fill(report: &FillReport, order: Option<&Order>) -> Value {
    let Fill { fill_id, venue_order_id, symbol, side: way, price, quantity, fee, at, .. } = report.fill;
    let mut value = json!({
        "fill_id": fill_id, "symbol": symbol, "side": side(way), "order_id": venue_order_id,
        "fillTime": at.to_string(), "size": num(quantity.get()), "price": num(price.get()),
        "fillType": fill_type(report), "fee_paid": num(fee.amount), "fee_currency": fee.asset,
    });
    if let Some(name) = order.and_then(|order| order.name) {
        value["cliOrdId"] = json!(name.to_string());
    }
    value
}

/// A fill of the feed. `left` is what it leaves open of its order.
pub(crate) fn feed_fill(report: &FillReport, order: Option<&Order>, left: Decimal, seq: u64) -> Value {
    let Fill { fill_id, venue_order_id, symbol, side: way, price, quantity, fee, at, .. } = report.fill;
    let limit = order.is_some_and(|order| matches!(order.kind, OrderKind::Limit { .. }));
    let mut value = json!({
        "instrument": symbol, "time": at.ms(), "price": num(price.get()), "seq": seq, "buy": way == Side::Buy,
        "qty": num(quantity.get()), "remaining_order_qty": num(left), "order_id": venue_order_id,
        "fill_id": fill_id, "fill_type": fill_type(report), "fee_paid": num(fee.amount),
        "fee_currency": fee.asset, "taker_order_type": "market",
        "order_type": if limit { "limit" } else { "market" },
    });
    if let Some(name) = order.and_then(|order| order.name) {
        value["cli_ord_id"] = json!(name.to_string());
    }
    value
}

/// A held position of `openpositions`; `None` when flat.
pub(crate) fn position(state: &State, account: AccountId, feed: &Feed) -> Result<Option<Value>, Refusal> {
    let symbol = feed.instrument.symbol;
    let held = state.core.world.exchange.position_state(account, symbol)?;
    let Some(entry) = held.entry.filter(|_| !held.size.is_zero()) else { return Ok(None) };
    let news = state.core.world.exchange.position(account, symbol)?;
    let mut value = json!({
        "side": if held.size > Decimal::ZERO { "long" } else { "short" }, "symbol": symbol,
        "price": num(entry.get()), "fillTime": held.updated_at.to_string(), "size": num(held.size.abs()),
        "unrealizedFunding": 0.0, "unrealizedPnl": num(news.unrealized.unwrap_or_default().round_dp(8)),
        "pnlCurrency": feed.instrument.settle,
    });
    if let Some(leverage) = state.leverage.get(&(account, symbol)) {
        value["maxFixedLeverage"] = num(*leverage);
    }
    Ok(Some(value))
}

/// A held position of the feed; `None` when flat.
pub(crate) fn feed_position(
    state: &State,
    account: AccountId,
    feed: &Feed,
) -> Result<Option<Value>, Refusal> {
    let symbol = feed.instrument.symbol;
    let held = state.core.world.exchange.position_state(account, symbol)?;
    let Some(entry) = held.entry.filter(|_| !held.size.is_zero()) else { return Ok(None) };
    let news = state.core.world.exchange.position(account, symbol)?;
    let price =
        |price: Option<keyhold_domain::Price>| price.map_or_else(|| json!(0), |price| num(price.get()));
    let mut value = json!({
        "instrument": symbol, "balance": num(held.size), "entry_price": num(entry.get()),
        "mark_price": price(news.mark), "index_price": price(news.mark),
        "pnl": num(news.unrealized.unwrap_or_default().round_dp(8)),
        "liquidation_threshold": price(held.liquidation), "effective_leverage": num(held.leverage),
        "return_on_equity": 0.0, "unrealized_funding": 0.0, "initial_margin": num(held.margin.round_dp(8)),
        "initial_margin_with_orders": num(held.margin.round_dp(8)),
        "maintenance_margin": num((held.margin / Decimal::TWO).round_dp(8)), "pnl_currency": feed.instrument.settle,
    });
    if let Some(leverage) = state.leverage.get(&(account, symbol)) {
        value["max_fixed_leverage"] = num(*leverage);
    }
    Ok(Some(value))
}

/// Whether an asset is collateral of inverse contracts, in an account of its own.
pub(crate) fn has_own_account(state: &State, asset: Asset) -> bool {
    let inverse = |feed: &&Feed| feed.instrument.contract_type == ContractType::Inverse;
    state.core.world.feeds.iter().filter(inverse).any(|feed| feed.instrument.settle == asset)
}

/// All accounts of `accounts`: cash, one per coin of inverse contracts, and the multi-collateral one in dollars.
pub(crate) fn accounts(state: &State, account: AccountId) -> Result<Value, Refusal> {
    let mut all = serde_json::Map::new();
    let mut cash = serde_json::Map::new();
    let dollars: Asset = "USD".parse().expect("three letters");
    let flex = state.core.world.exchange.balance(account, dollars)?;
    for balance in state.core.world.exchange.balances(account)? {
        let coin = code(balance.asset).to_ascii_lowercase();
        if balance.asset == dollars {
            continue;
        }
        if !has_own_account(state, balance.asset) {
            cash.insert(coin, json!(number(balance.wallet)));
            continue;
        }
        let used = number((balance.equity - balance.available).round_dp(8));
        all.insert(
            format!("fi_{coin}usd"),
            json!({
                "type": "marginAccount", "currency": coin, "balances": { coin.clone(): number(balance.wallet) },
                "auxiliary": {
                    "usd": "0", "pv": number(balance.equity), "pnl": number(balance.equity - balance.wallet),
                    "af": number(balance.available), "funding": "0.0",
                },
                "marginRequirements": { "im": used, "mm": used, "lt": "0", "tt": "0" },
                "triggerEstimates": { "im": "0", "mm": "0", "lt": "0", "tt": "0" },
            }),
        );
    }
    all.insert("cash".to_owned(), json!({ "type": "cashAccount", "balances": cash }));
    let used = number((flex.equity - flex.available).round_dp(8));
    all.insert(
        "flex".to_owned(),
        json!({
            "type": "multiCollateralMarginAccount",
            "currencies": { "USD": {
                "quantity": number(flex.wallet), "value": number(flex.wallet), "collateral": number(flex.wallet),
                "available": number(flex.available),
            } },
            "initialMargin": used, "initialMarginWithOrders": used, "maintenanceMargin": used,
            "balanceValue": number(flex.wallet), "portfolioValue": number(flex.equity),
            "collateralValue": number(flex.wallet), "pnl": number(flex.equity - flex.wallet),
            "unrealizedFunding": "0.0", "totalUnrealized": number(flex.equity - flex.wallet),
            "totalUnrealizedAsMargin": number(flex.equity - flex.wallet),
            "availableMargin": number(flex.available), "marginEquity": number(flex.equity),
        }),
    );
    Ok(Value::Object(all))
}

/// The multi-collateral account of the feed.
pub(crate) fn feed_flex(state: &State, account: AccountId) -> Result<Value, Refusal> {
    let dollars: Asset = "USD".parse().expect("three letters");
    let flex = state.core.world.exchange.balance(account, dollars)?;
    let used = num((flex.equity - flex.available).round_dp(8));
    Ok(json!({
        "currencies": { "USD": {
            "quantity": num(flex.wallet), "value": num(flex.wallet), "collateral_value": num(flex.wallet),
            "available": num(flex.available), "haircut": 0.0, "conversion_spread": 0.0,
        } },
        "balance_value": num(flex.wallet), "portfolio_value": num(flex.equity),
        "collateral_value": num(flex.wallet), "initial_margin": used, "initial_margin_without_orders": used,
        "maintenance_margin": used, "pnl": num(flex.equity - flex.wallet), "unrealized_funding": 0.0,
        "total_unrealized": num(flex.equity - flex.wallet),
        "total_unrealized_as_margin": num(flex.equity - flex.wallet), "margin_equity": num(flex.equity),
        "available_margin": num(flex.available),
    }))
}

/// The single-collateral accounts of the feed.
pub(crate) fn feed_futures(state: &State, account: AccountId) -> Result<Value, Refusal> {
    let mut all = serde_json::Map::new();
    for balance in state.core.world.exchange.balances(account)? {
        if !has_own_account(state, balance.asset) {
            continue;
        }
        let coin = code(balance.asset);
        let used = num((balance.equity - balance.available).round_dp(8));
        let name = format!("F-{coin}:USD");
        all.insert(
            name.clone(),
            json!({
                "name": name, "pair": format!("{coin}/USD"), "unit": coin, "portfolio_value": num(balance.equity),
                "balance": num(balance.wallet), "maintenance_margin": used, "initial_margin": used,
                "available": num(balance.available), "unrealized_funding": 0.0,
                "pnl": num(balance.equity - balance.wallet),
            }),
        );
    }
    Ok(Value::Object(all))
}

/// A time as the history writes it.
pub(crate) fn stamp(at: Timestamp) -> Value {
    json!(at.ms())
}
