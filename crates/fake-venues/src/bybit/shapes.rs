//! Orders, executions, positions and wallets in the words of Bybit v5.
//!
//! Pure translation: from the exchange's types to JSON. Numbers travel as text, times as milliseconds in text.
//! REST and streams use the same objects with one or two names more.

use keyhold_domain::{
    ContractType, Decimal, Liquidity, MarginMode, OrderKind, OrderStatus, PositionEffect, RefusalCode, Side,
    TimeInForce, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{
    AccountId, FillCause, FillReport, FundingPayment, Order, PositionState, Refusal,
};
use serde_json::{Value, json};

use super::state::{State, StopWord, Tag};
pub(crate) use crate::core::number;
use crate::feed::Feed;

pub(crate) const fn category(kind: ContractType) -> &'static str {
    kind.as_str()
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

pub(crate) fn stamp(at: Timestamp) -> String {
    at.ms().to_string()
}

const fn time_in_force(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market | OrderKind::StopMarket { .. } => "IOC",
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Gtc => "GTC",
            TimeInForce::Ioc => "IOC",
            TimeInForce::Fok => "FOK",
            TimeInForce::PostOnly => "PostOnly",
        },
    }
}

fn status(order: &Order) -> &'static str {
    let is_stop = matches!(order.kind, OrderKind::StopMarket { .. });
    match order.status {
        OrderStatus::Open => "New",
        OrderStatus::Untriggered => "Untriggered",
        OrderStatus::PartiallyFilled => "PartiallyFilled",
        OrderStatus::Filled => "Filled",
        OrderStatus::Canceled if is_stop && order.filled.is_zero() && order.refusal.is_none() => {
            "Deactivated"
        }
        OrderStatus::Canceled => "Cancelled",
        OrderStatus::Rejected => "Rejected",
    }
}

/// Why the venue ended the order: `rejectReason` and `cancelType`.
fn end_words(order: &Order) -> (&'static str, &'static str) {
    let immediate = matches!(
        order.kind,
        OrderKind::Market | OrderKind::Limit { time_in_force: TimeInForce::Ioc | TimeInForce::Fok, .. }
    );
    match (order.status, order.refusal) {
        (OrderStatus::Canceled, Some(RefusalCode::PostOnlyWouldCross)) => {
            ("EC_PostOnlyWillTakeLiquidity", "UNKNOWN")
        }
        (OrderStatus::Canceled, Some(RefusalCode::ReduceOnlyRejected)) => {
            ("EC_NoError", "CancelByReduceOnly")
        }
        (OrderStatus::Canceled, Some(_)) => ("EC_NoError", "CancelByPrepareLiq"),
        (OrderStatus::Canceled, None) if immediate => ("EC_NoImmediateQtyToFill", "UNKNOWN"),
        (OrderStatus::Canceled, None) => ("EC_PerCancelRequest", "CancelByUser"),
        (OrderStatus::Rejected, _) => ("EC_NoEnoughBalance", "UNKNOWN"),
        _ => ("EC_NoError", "UNKNOWN"),
    }
}

/// An order as REST and the `order` topic show it.
pub(crate) fn order(order: &Order, kind: ContractType, settle: &str, tag: Option<&Tag>) -> Value {
    let (price, order_type) = match order.kind {
        OrderKind::Limit { price, .. } => (price.to_string(), "Limit"),
        OrderKind::Market | OrderKind::StopMarket { .. } => (String::new(), "Market"),
    };
    let (trigger, direction, trigger_by, stop_word) = match order.kind {
        OrderKind::StopMarket { trigger, direction, source } => (
            trigger.to_string(),
            if direction == TriggerDirection::Rises { 1 } else { 2 },
            match source {
                TriggerSource::Last => "LastPrice",
                TriggerSource::Mark => "MarkPrice",
                TriggerSource::Index => "IndexPrice",
            },
            match tag.and_then(|tag| tag.stop) {
                None => "Stop",
                Some(StopWord::StopLoss) => "StopLoss",
                Some(StopWord::TakeProfit) => "TakeProfit",
            },
        ),
        OrderKind::Market | OrderKind::Limit { .. } => (String::new(), 0, "", ""),
    };
    let (reject, cancel) = end_words(order);
    let leaves = if order.status.is_final() { Decimal::ZERO } else { order.remaining() };
    json!({
        "category": category(kind),
        "symbol": order.symbol,
        "orderId": order.venue_id,
        "orderLinkId": order.name.map_or_else(String::new, |name| name.to_string()),
        "blockTradeId": "",
        "side": side(order.side),
        "positionIdx": 0,
        "orderStatus": status(order),
        "cancelType": cancel,
        "rejectReason": reject,
        "createType": if tag.is_some_and(|tag| tag.stop.is_some()) { "CreateByStopLoss" } else { "CreateByUser" },
        "timeInForce": time_in_force(&order.kind),
        "isLeverage": "",
        "price": price,
        "qty": order.quantity,
        "avgPrice": order.average_price().map_or_else(String::new, |price| number(price.round_dp(8))),
        "leavesQty": number(leaves),
        "leavesValue": "0",
        "cumExecQty": number(order.filled),
        "cumExecValue": number(order.filled_value.round_dp(8)),
        "cumExecFee": number(order.fees),
        "cumFeeDetail": { settle: number(order.fees) },
        "feeCurrency": settle,
        "orderType": order_type,
        "stopOrderType": stop_word,
        "orderIv": "",
        "triggerPrice": trigger,
        "triggerDirection": direction,
        "triggerBy": trigger_by,
        "takeProfit": tag.and_then(|tag| tag.take_profit).map_or_else(String::new, |price| price.to_string()),
        "stopLoss": tag.and_then(|tag| tag.stop_loss).map_or_else(String::new, |price| price.to_string()),
        "tpslMode": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "lastPriceOnCreated": order.price_at_creation.map_or_else(String::new, |price| price.to_string()),
        "reduceOnly": order.effect == PositionEffect::ReduceOnly,
        "closeOnTrigger": tag.is_some_and(|tag| tag.stop.is_some()),
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": stamp(order.created_at),
        "updatedTime": stamp(order.updated_at),
    })
}

/// An execution as REST and the `execution` topic show it.
pub(crate) fn execution(report: &FillReport, of: Option<&Order>, kind: ContractType, mark: Decimal) -> Value {
    let fill = &report.fill;
    let value = match kind {
        ContractType::Linear => fill.quantity.get() * fill.price.get(),
        ContractType::Inverse => fill.quantity.get() / fill.price.get(),
    };
    let rate = if value.is_zero() { Decimal::ZERO } else { (fill.fee.amount / value).round_dp(6) };
    let order_price = match of.map(|order| order.kind) {
        Some(OrderKind::Limit { price, .. }) => (price.to_string(), "Limit"),
        Some(OrderKind::Market | OrderKind::StopMarket { .. }) | None => (fill.price.to_string(), "Market"),
    };
    let is_stop = matches!(of.map(|order| order.kind), Some(OrderKind::StopMarket { .. }));
    json!({
        "category": category(kind),
        "symbol": fill.symbol,
        "orderId": fill.venue_order_id,
        "orderLinkId": of.and_then(|order| order.name).map_or_else(String::new, |name| name.to_string()),
        "side": side(fill.side),
        "orderPrice": order_price.0,
        "orderQty": of.map_or(fill.quantity, |order| order.quantity),
        "leavesQty": of.map_or_else(|| "0".to_owned(), |order| number(order.remaining())),
        "orderType": order_price.1,
        "stopOrderType": if is_stop { "Stop" } else { "UNKNOWN" },
        "createType": "CreateByUser",
        "execFee": number(fill.fee.amount),
        "feeCurrency": fill.fee.asset,
        "execId": fill.fill_id,
        "execPrice": fill.price,
        "execQty": fill.quantity,
        "execValue": number(value.round_dp(8)),
        "execPnl": number(report.realized),
        "execType": match report.cause { FillCause::Order => "Trade", FillCause::Liquidation => "BustTrade" },
        "execTime": stamp(fill.at),
        "isMaker": fill.liquidity == Liquidity::Maker,
        "feeRate": number(rate),
        "closedSize": number(report.closed),
        "markPrice": number(mark),
        "indexPrice": number(mark),
        "underlyingPrice": "",
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "isLeverage": "0",
        "seq": fill.at.ms(),
    })
}

/// A funding payment as REST shows it among the executions. Positive `execFee` is paid.
pub(crate) fn funding(payment: &FundingPayment, kind: ContractType) -> Value {
    let size = payment.size.abs();
    let value = match kind {
        ContractType::Linear => size * payment.mark.get(),
        ContractType::Inverse => size / payment.mark.get(),
    };
    let held = if payment.size > Decimal::ZERO { Side::Buy } else { Side::Sell };
    let id = format!("funding-{}-{}", payment.symbol, payment.at.ms());
    json!({
        "category": category(kind), "symbol": payment.symbol, "orderId": id, "orderLinkId": "",
        "side": side(held), "orderPrice": "0", "orderQty": "0", "leavesQty": "0", "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN", "execFee": number(-payment.amount.amount), "feeCurrency": "", "execId": id,
        "execPrice": payment.mark, "execQty": number(size), "execValue": number(value.round_dp(8)),
        "execType": "Funding", "execTime": stamp(payment.at), "isMaker": false,
        "feeRate": payment.rate.to_string(), "closedSize": "0", "markPrice": payment.mark,
        "indexPrice": "", "underlyingPrice": "", "tradeIv": "", "markIv": "", "blockTradeId": "",
        "seq": payment.at.ms(),
    })
}

/// A position as REST and the `position` topic show it; flat positions have no side.
pub(crate) fn position(state: &State, account: AccountId, feed: &Feed) -> Result<Value, Refusal> {
    let exchange = &state.core.world.exchange;
    let symbol = feed.instrument.symbol;
    let held: PositionState = exchange.position_state(account, symbol)?;
    let news = exchange.position(account, symbol)?;
    let entry = held.entry.map_or(Decimal::ZERO, keyhold_domain::Price::get);
    let value = match (news.size.magnitude(), held.entry) {
        (Some(size), Some(entry)) => feed.instrument.contract().value(entry, size).unwrap_or_default(),
        _ => Decimal::ZERO,
    };
    let maintenance = value * feed.instrument.maintenance_margin.get();
    let isolated = exchange.margin_mode(account)? == MarginMode::Isolated;
    let stops = state.position_stops(account, symbol);
    let text =
        |price: Option<keyhold_domain::Price>| price.map_or_else(String::new, |price| price.to_string());
    let entry_text = number(entry.round_dp(8));
    let value_text = number(value.round_dp(8));
    Ok(json!({
        "category": category(feed.instrument.contract_type),
        "positionIdx": 0, "riskId": 1, "riskLimitValue": "2000000", "symbol": symbol,
        "side": news.size.side().map_or("", side),
        "size": number(held.size.abs()),
        "avgPrice": entry_text, "entryPrice": entry_text, "sessionAvgPrice": "",
        "positionValue": value_text,
        "tradeMode": i32::from(isolated), "autoAddMargin": 0, "positionStatus": "Normal",
        "leverage": number(held.leverage),
        "positionBalance": number(held.margin.round_dp(8)),
        "markPrice": text(news.mark), "liqPrice": text(held.liquidation), "bustPrice": "",
        "positionIM": number(held.margin.round_dp(8)),
        "positionMM": number(maintenance.round_dp(8)),
        "positionIMByMp": number(held.margin.round_dp(8)),
        "positionMMByMp": number(maintenance.round_dp(8)),
        "tpslMode": "Full",
        "takeProfit": text(stops.take_profit), "stopLoss": text(stops.stop_loss), "trailingStop": "0",
        "unrealisedPnl": number(news.unrealized.unwrap_or_default()),
        "curRealisedPnl": number(held.realized), "cumRealisedPnl": number(held.realized_total),
        "adlRankIndicator": 0, "isReduceOnly": false, "mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "",
        "createdTime": stamp(held.opened_at), "updatedTime": stamp(held.updated_at),
        "seq": held.updated_at.ms(),
    }))
}

/// The unified wallet as REST and the `wallet` topic show it. Values in USD use the last price of the coin's market.
pub(crate) fn wallet(state: &State, account: AccountId) -> Result<Value, Refusal> {
    let exchange = &state.core.world.exchange;
    let mut totals = [Decimal::ZERO; 6];
    let mut coins = Vec::new();
    for balance in exchange.balances(account)? {
        let price = state.core.usd_price(balance.asset);
        let mut sums = [Decimal::ZERO; 3];
        for feed in state.core.world.feeds.iter().filter(|feed| feed.instrument.settle == balance.asset) {
            let held = exchange.position_state(account, feed.instrument.symbol)?;
            let maintenance = held.entry.and_then(|entry| {
                let size = keyhold_domain::SignedQuantity::new(held.size).magnitude()?;
                feed.instrument.contract().value(entry, size)
            });
            sums[0] += held.margin;
            sums[1] += maintenance.unwrap_or_default() * feed.instrument.maintenance_margin.get();
            sums[2] += held.realized_total;
        }
        let order_margin = exchange.order_margin(account, balance.asset)?;
        let parts = [
            balance.equity,
            balance.wallet,
            balance.available,
            balance.equity - balance.wallet,
            sums[0] + order_margin,
            sums[1],
        ];
        for (total, part) in totals.iter_mut().zip(parts) {
            *total += part * price;
        }
        coins.push(json!({
            "coin": balance.asset, "equity": number(balance.equity), "walletBalance": number(balance.wallet),
            "usdValue": number((balance.equity * price).round_dp(8)), "locked": "0", "free": "",
            "unrealisedPnl": number(balance.equity - balance.wallet), "cumRealisedPnl": number(sums[2]),
            "totalOrderIM": number(order_margin.round_dp(8)), "totalPositionIM": number(sums[0].round_dp(8)),
            "totalPositionMM": number(sums[1].round_dp(8)),
            "availableToWithdraw": number(balance.available.round_dp(8)),
            "availableToBorrow": "", "borrowAmount": "0", "accruedInterest": "0", "bonus": "0",
            "spotHedgingQty": "0", "spotBorrow": "0", "marginCollateral": true, "collateralSwitch": true,
        }));
    }
    let [equity, held, available, unrealized, initial, maintenance] =
        totals.map(|total| number(total.round_dp(8)));
    Ok(json!({
        "accountType": "UNIFIED", "accountLTV": "", "accountIMRate": "0", "accountMMRate": "0",
        "totalEquity": equity, "totalWalletBalance": held, "totalMarginBalance": equity,
        "totalAvailableBalance": available, "totalPerpUPL": unrealized, "totalInitialMargin": initial,
        "totalMaintenanceMargin": maintenance, "coin": coins,
    }))
}
