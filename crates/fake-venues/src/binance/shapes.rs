//! Orders, fills, positions and balances in Binance's words.
//!
//! Pure translation: from the exchange's types to JSON. Numbers travel as text, ids and times as whole numbers.
//! Quantities of COIN-M are contracts.

use keyhold_domain::{
    Decimal, Instrument, Liquidity, MarginMode, OrderKind, OrderStatus, PositionEffect, RefusalCode, Side,
    TimeInForce, TriggerDirection, TriggerSource, VenueOrderId,
};
use keyhold_simulator::exchange::{AccountId, Exchange, FillReport, FundingPayment, Order, Refusal};
use serde_json::{Value, json};

use super::instruments::size;
pub(crate) use crate::core::number;

/// Binance numbers its orders and trades. The exchange's ids end with their running number, ten hexadecimal digits.
pub(crate) fn id(id: &str) -> i64 {
    let digits = id.get(id.len().saturating_sub(10)..).unwrap_or_default();
    1_000 + i64::from_str_radix(digits, 16).unwrap_or_default()
}

pub(crate) fn order_id(id_text: &VenueOrderId) -> i64 {
    id(id_text.as_str())
}

/// Conditional orders are numbered by themselves.
pub(crate) fn algo_id(id_text: &VenueOrderId) -> i64 {
    2_000_000_000 + id(id_text.as_str())
}

pub(crate) fn contracts(value: Decimal, instrument: &Instrument) -> String {
    number(value / size(instrument))
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(crate) fn name(order: &Order) -> String {
    order.name.map_or_else(|| format!("auto{}", order_id(&order.venue_id)), |name| name.to_string())
}

pub(crate) const fn is_conditional(order: &Order) -> bool {
    matches!(order.kind, OrderKind::StopMarket { .. })
}

const fn time_in_force(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market | OrderKind::StopMarket { .. } => "GTC",
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Gtc => "GTC",
            TimeInForce::Ioc => "IOC",
            TimeInForce::Fok => "FOK",
            TimeInForce::PostOnly => "GTX",
        },
    }
}

/// What a conditional order is called, and what it becomes.
const fn kind(order: &Order) -> (&'static str, &'static str) {
    match (order.kind, order.side) {
        (OrderKind::Market, _) => ("MARKET", "MARKET"),
        (OrderKind::Limit { .. }, _) => ("LIMIT", "LIMIT"),
        (OrderKind::StopMarket { direction: TriggerDirection::Rises, .. }, Side::Buy)
        | (OrderKind::StopMarket { direction: TriggerDirection::Falls, .. }, Side::Sell) => {
            ("STOP_MARKET", "MARKET")
        }
        (OrderKind::StopMarket { .. }, _) => ("TAKE_PROFIT_MARKET", "MARKET"),
    }
}

/// The word for an order's state. What the venue ends by itself expires.
pub(crate) const fn status(order: &Order) -> &'static str {
    match order.status {
        OrderStatus::Open | OrderStatus::Untriggered => "NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Rejected => "EXPIRED",
        OrderStatus::Canceled => match (order.refusal, order.kind) {
            (Some(RefusalCode::PostOnlyWouldCross), _)
            | (
                _,
                OrderKind::Limit { time_in_force: TimeInForce::Ioc | TimeInForce::Fok, .. }
                | OrderKind::Market,
            ) => "EXPIRED",
            _ => "CANCELED",
        },
    }
}

fn price(order: &Order) -> String {
    match order.kind {
        OrderKind::Limit { price, .. } => price.to_string(),
        OrderKind::Market | OrderKind::StopMarket { .. } => "0".to_owned(),
    }
}

fn average(order: &Order) -> String {
    order.average_price().map_or_else(|| "0".to_owned(), |price| number(price.round_dp(8)))
}

/// An order of the matching engine over REST.
pub(crate) fn order(order: &Order, instrument: &Instrument) -> Value {
    let (original, now) = kind(order);
    json!({
        "orderId": order_id(&order.venue_id), "symbol": order.symbol, "pair": format!("{}{}", instrument.base, instrument.quote),
        "status": status(order), "clientOrderId": name(order), "price": price(order), "avgPrice": average(order),
        "origQty": contracts(order.quantity.get(), instrument), "executedQty": contracts(order.filled, instrument),
        "cumQuote": number(order.filled_cost.round_dp(8)), "cumBase": "0", "timeInForce": time_in_force(&order.kind),
        "type": now, "origType": original, "reduceOnly": order.effect == PositionEffect::ReduceOnly,
        "closePosition": false, "side": side(order.side), "positionSide": "BOTH", "stopPrice": "0",
        "workingType": "CONTRACT_PRICE", "priceProtect": false, "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE", "goodTillDate": 0, "time": order.created_at.ms(),
        "updateTime": order.updated_at.ms(),
    })
}

/// The word for a conditional order's state.
pub(crate) fn algo_status(order: &Order) -> &'static str {
    match order.status {
        OrderStatus::Untriggered => "NEW",
        OrderStatus::Open | OrderStatus::PartiallyFilled => "TRIGGERED",
        OrderStatus::Filled => "FINISHED",
        OrderStatus::Rejected => "REJECTED",
        OrderStatus::Canceled if !order.filled.is_zero() => "FINISHED",
        OrderStatus::Canceled => match order.refusal {
            // The matching engine did not take it.
            Some(RefusalCode::ReduceOnlyRejected) => "REJECTED",
            Some(_) => "EXPIRED",
            None => "CANCELED",
        },
    }
}

/// The number of the order that a conditional one has become; empty before.
pub(crate) fn actual(order: &Order) -> String {
    match order.status {
        OrderStatus::Untriggered | OrderStatus::Rejected => String::new(),
        OrderStatus::Canceled if order.filled.is_zero() => String::new(),
        OrderStatus::Open | OrderStatus::PartiallyFilled | OrderStatus::Filled | OrderStatus::Canceled => {
            order_id(&order.venue_id).to_string()
        }
    }
}

/// A conditional order over REST.
pub(crate) fn algo(order: &Order, instrument: &Instrument) -> Value {
    let OrderKind::StopMarket { trigger, source, .. } = order.kind else { return Value::Null };
    json!({
        "algoId": algo_id(&order.venue_id), "clientAlgoId": name(order), "algoType": "CONDITIONAL",
        "orderType": kind(order).0, "symbol": order.symbol, "side": side(order.side), "positionSide": "BOTH",
        "timeInForce": "GTC", "quantity": contracts(order.quantity.get(), instrument),
        "algoStatus": algo_status(order), "triggerPrice": trigger, "price": "0",
        "workingType": if source == TriggerSource::Mark { "MARK_PRICE" } else { "CONTRACT_PRICE" },
        "priceMatch": "NONE", "closePosition": false, "priceProtect": false,
        "reduceOnly": order.effect == PositionEffect::ReduceOnly, "actualOrderId": actual(order),
        "actualPrice": average(order), "executedQty": contracts(order.filled, instrument),
        "createTime": order.created_at.ms(), "updateTime": order.updated_at.ms(), "triggerTime": 0, "goodTillDate": 0,
    })
}

/// A fill over REST.
pub(crate) fn fill(report: &FillReport, instrument: &Instrument) -> Value {
    let fill = &report.fill;
    json!({
        "symbol": fill.symbol, "id": id(fill.fill_id.as_str()), "orderId": order_id(&fill.venue_order_id),
        "side": side(fill.side), "price": fill.price, "qty": contracts(fill.quantity.get(), instrument),
        "realizedPnl": number(report.realized), "marginAsset": instrument.settle,
        "quoteQty": "0", "commission": number(fill.fee.amount), "commissionAsset": fill.fee.asset,
        "time": fill.at.ms(), "positionSide": "BOTH", "buyer": fill.side == Side::Buy,
        "maker": fill.liquidity == Liquidity::Maker,
    })
}

/// An income row: funding or a commission.
pub(crate) fn funding(payment: &FundingPayment) -> Value {
    json!({
        "symbol": payment.symbol, "incomeType": "FUNDING_FEE", "income": number(payment.amount.amount),
        "asset": payment.amount.asset, "info": "FUNDING_FEE", "time": payment.at.ms(), "tranId": payment.at.ms(),
        "tradeId": "",
    })
}

pub(crate) fn commission(report: &FillReport) -> Value {
    let fill = &report.fill;
    json!({
        "symbol": fill.symbol, "incomeType": "COMMISSION", "income": number(-fill.fee.amount),
        "asset": fill.fee.asset, "info": "", "time": fill.at.ms(), "tranId": id(fill.fill_id.as_str()),
        "tradeId": id(fill.fill_id.as_str()).to_string(),
    })
}

/// The word for a margin mode where it is told.
pub(crate) const fn margin_word(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Isolated => "isolated",
        MarginMode::Cross => "cross",
    }
}

/// A position over REST. All products answer with the same names here; real ones leave some out.
pub(crate) fn position(
    exchange: &Exchange,
    account: AccountId,
    instrument: &Instrument,
) -> Result<Value, Refusal> {
    let held = exchange.position_state(account, instrument.symbol)?;
    let news = exchange.position(account, instrument.symbol)?;
    let isolated = exchange.margin_mode(account)? == MarginMode::Isolated;
    let text = |price: Option<keyhold_domain::Price>| {
        price.map_or_else(|| "0".to_owned(), |price| price.to_string())
    };
    let margin = number(held.margin.round_dp(8));
    let own = if isolated && !held.size.is_zero() { margin.as_str() } else { "0" };
    let notional = match (news.size.magnitude(), news.mark) {
        (Some(size), Some(mark)) => instrument.contract().value(mark, size).unwrap_or_default(),
        _ => Decimal::ZERO,
    };
    Ok(json!({
        "symbol": instrument.symbol, "positionSide": "BOTH", "positionAmt": contracts(held.size, instrument),
        "entryPrice": number(held.entry.map_or(Decimal::ZERO, |price| price.get().round_dp(8))), "breakEvenPrice": "0",
        "markPrice": text(news.mark), "unRealizedProfit": number(news.unrealized.unwrap_or_default().round_dp(8)),
        "liquidationPrice": text(held.liquidation), "isolatedMargin": own, "isolatedWallet": own,
        "notional": number(notional.round_dp(8)), "notionalValue": number(notional.round_dp(8)),
        "marginAsset": instrument.settle, "initialMargin": margin, "positionInitialMargin": margin,
        "maintMargin": number((notional * instrument.maintenance_margin.get()).round_dp(8)),
        "openOrderInitialMargin": "0", "adl": 1, "bidNotional": "0", "askNotional": "0",
        "leverage": number(held.leverage), "maxNotional": "1000000", "maxQty": "100000",
        "marginType": margin_word(exchange.margin_mode(account)?), "isolated": isolated,
        "isAutoAddMargin": "false", "updateTime": held.updated_at.ms(),
    }))
}
