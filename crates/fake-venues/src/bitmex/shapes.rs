//! Orders, executions, positions and margins in BitMEX's words. Pure translation from the exchange's types to JSON.
//! REST and streams use the same objects.

use keyhold_domain::{
    ContractType, Decimal, Instrument, Liquidity, MarginMode, OrderKind, OrderStatus, PositionEffect,
    RefusalCode, Side, TimeInForce, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{AccountId, FillCause, FillReport, FundingPayment, Order, Refusal};
use serde_json::{Value, json};

use super::units::{coin_name, contracts, currency, maybe, minor, num, stamp};
use crate::core::Core;
use crate::feed::Feed;

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

fn order_type(order: &Order) -> &'static str {
    match order.kind {
        OrderKind::Market => "Market",
        OrderKind::Limit { .. } => "Limit",
        OrderKind::StopMarket { direction, .. } => match (order.side, direction) {
            (Side::Buy, TriggerDirection::Rises) | (Side::Sell, TriggerDirection::Falls) => "Stop",
            (Side::Buy, TriggerDirection::Falls) | (Side::Sell, TriggerDirection::Rises) => "MarketIfTouched",
        },
    }
}

fn instructions(order: &Order) -> String {
    let mut words = Vec::new();
    match order.kind {
        OrderKind::StopMarket { source, .. } => words.push(match source {
            TriggerSource::Last => "LastPrice",
            TriggerSource::Mark => "MarkPrice",
            TriggerSource::Index => "IndexPrice",
        }),
        OrderKind::Limit { time_in_force: TimeInForce::PostOnly, .. } => {
            words.push("ParticipateDoNotInitiate");
        }
        OrderKind::Market | OrderKind::Limit { .. } => {}
    }
    if order.effect == PositionEffect::ReduceOnly {
        words.push("ReduceOnly");
    }
    words.join(",")
}

const fn time_in_force(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market | OrderKind::Limit { time_in_force: TimeInForce::Ioc, .. } => "ImmediateOrCancel",
        OrderKind::Limit { time_in_force: TimeInForce::Fok, .. } => "FillOrKill",
        OrderKind::StopMarket { .. }
        | OrderKind::Limit { time_in_force: TimeInForce::Gtc | TimeInForce::PostOnly, .. } => {
            "GoodTillCancel"
        }
    }
}

const fn status(order: &Order) -> &'static str {
    match order.status {
        OrderStatus::Open | OrderStatus::Untriggered => "New",
        OrderStatus::PartiallyFilled => "PartiallyFilled",
        OrderStatus::Filled => "Filled",
        OrderStatus::Canceled => "Canceled",
        OrderStatus::Rejected => "Rejected",
    }
}

/// What the venue says about an order's end.
fn text(order: &Order) -> String {
    let why = match (order.status, order.refusal) {
        (OrderStatus::Canceled, Some(RefusalCode::PostOnlyWouldCross)) => {
            "Canceled: Order had execInst of ParticipateDoNotInitiate"
        }
        (OrderStatus::Canceled, Some(RefusalCode::ReduceOnlyRejected)) => {
            "Canceled: Order had execInst of Close or ReduceOnly but current position is 0"
        }
        (OrderStatus::Canceled, Some(_)) => "Canceled: Account has insufficient Available Balance",
        (OrderStatus::Canceled, None) => "Canceled: Canceled via API.",
        (OrderStatus::Rejected, _) => "Rejected: Account has insufficient Available Balance",
        _ => return "Submitted via API.".to_owned(),
    };
    format!("{why}\nSubmitted via API.")
}

/// An order as REST and the table `order` show it.
pub(crate) fn order(order: &Order, instrument: &Instrument) -> Value {
    let price = match order.kind {
        OrderKind::Limit { price, .. } => Some(price.get()),
        OrderKind::Market | OrderKind::StopMarket { .. } => None,
    };
    let stop = match order.kind {
        OrderKind::StopMarket { trigger, .. } => Some(trigger.get()),
        OrderKind::Market | OrderKind::Limit { .. } => None,
    };
    let waits = order.status == OrderStatus::Untriggered;
    let triggered =
        if stop.is_some() && !waits && !order.status.is_final() { "StopOrderTriggered" } else { "" };
    let leaves = if order.status.is_final() { Decimal::ZERO } else { order.remaining() };
    json!({
        "orderID": order.venue_id, "clOrdID": order.name.map_or_else(String::new, |name| name.to_string()),
        "clOrdLinkID": "", "account": order.account.0, "symbol": order.symbol, "side": side(order.side),
        "orderQty": num(contracts(instrument, order.quantity.get())), "price": maybe(price), "displayQty": null,
        "stopPx": maybe(stop), "pegOffsetValue": null, "pegPriceType": "", "currency": instrument.quote,
        "settlCurrency": currency(instrument.settle).0, "ordType": order_type(order),
        "timeInForce": time_in_force(&order.kind), "execInst": instructions(order), "contingencyType": "",
        "ordStatus": status(order), "triggered": triggered,
        "workingIndicator": !waits && !order.status.is_final(), "ordRejReason": "",
        "leavesQty": num(contracts(instrument, leaves)), "cumQty": num(contracts(instrument, order.filled)),
        "avgPx": maybe(order.average_price().map(|price| price.round_dp(8))), "text": text(order),
        "transactTime": stamp(order.updated_at), "timestamp": stamp(order.updated_at),
    })
}

/// Value in base coins and in quote currency.
fn notionals(instrument: &Instrument, quantity: Decimal, price: Decimal) -> (Decimal, Decimal) {
    match instrument.contract_type {
        ContractType::Linear => (quantity, quantity * price),
        ContractType::Inverse => (quantity / price, quantity),
    }
}

/// An execution as REST and the table `execution` show it. `execComm` is positive when paid.
pub(crate) fn execution(report: &FillReport, of: Option<&Order>, instrument: &Instrument) -> Value {
    let fill = &report.fill;
    let (home, foreign) = notionals(instrument, fill.quantity.get(), fill.price.get());
    let value = match instrument.contract_type {
        ContractType::Linear => foreign,
        ContractType::Inverse => home,
    };
    let rate = fill.fee.amount.checked_div(value).unwrap_or_default().round_dp(6);
    let (forced, kind) = match report.cause {
        FillCause::Order => ("Submitted via API.", of.map_or("Market", order_type)),
        FillCause::Liquidation => ("Liquidation", "Limit"),
    };
    let quantity = of.map_or(fill.quantity, |order| order.quantity).get();
    json!({
        "execID": fill.fill_id, "orderID": fill.venue_order_id,
        "clOrdID": of.and_then(|order| order.name).map_or_else(String::new, |name| name.to_string()),
        "account": of.map_or(0, |order| order.account.0), "symbol": fill.symbol, "side": side(fill.side),
        "lastQty": num(contracts(instrument, fill.quantity.get())), "lastPx": num(fill.price.get()),
        "lastLiquidityInd": match fill.liquidity {
            Liquidity::Maker => "AddedLiquidity",
            Liquidity::Taker => "RemovedLiquidity",
        },
        "orderQty": num(contracts(instrument, quantity)), "price": num(fill.price.get()),
        "currency": instrument.quote, "settlCurrency": currency(instrument.settle).0, "execType": "Trade",
        "ordType": kind, "timeInForce": of.map_or("ImmediateOrCancel", |order| time_in_force(&order.kind)),
        "execInst": of.map_or_else(String::new, instructions), "ordStatus": of.map_or("Filled", status),
        "leavesQty": of.map_or(Value::from(0), |order| num(contracts(instrument, order.remaining()))),
        "cumQty": of.map_or(Value::Null, |order| num(contracts(instrument, order.filled))),
        "commission": num(rate), "text": forced, "trdMatchID": fill.fill_id,
        "execCost": num(minor(value, instrument.settle)), "execComm": num(minor(fill.fee.amount, fill.fee.asset)),
        "homeNotional": num(home.round_dp(8)), "foreignNotional": num(foreign.round_dp(8)),
        "transactTime": stamp(fill.at), "timestamp": stamp(fill.at),
    })
}

/// A funding payment among the executions.
pub(crate) fn funding(payment: &FundingPayment, instrument: &Instrument) -> Value {
    let size = payment.size.abs();
    let (home, foreign) = notionals(instrument, size, payment.mark.get());
    let held = if payment.size > Decimal::ZERO { Side::Buy } else { Side::Sell };
    let id = format!("funding-{}-{}", payment.symbol, payment.at.ms());
    json!({
        "execID": id, "orderID": id, "clOrdID": "", "symbol": payment.symbol, "side": side(held.opposite()),
        "lastQty": num(contracts(instrument, size)), "lastPx": num(payment.mark.get()), "lastLiquidityInd": "",
        "orderQty": num(contracts(instrument, size)), "currency": instrument.quote,
        "settlCurrency": currency(instrument.settle).0, "execType": "Funding", "ordType": "Limit",
        "ordStatus": "Filled", "leavesQty": 0, "commission": num(payment.rate.get()), "text": "Funding",
        "execComm": num(minor(-payment.amount.amount, payment.amount.asset)),
        "homeNotional": num(home.round_dp(8)), "foreignNotional": num(foreign.round_dp(8)),
        "transactTime": stamp(payment.at), "timestamp": stamp(payment.at),
    })
}

/// A position as REST and the table `position` show it.
pub(crate) fn position(core: &Core, account: AccountId, feed: &Feed) -> Result<Value, Refusal> {
    let exchange = &core.world.exchange;
    let instrument = &feed.instrument;
    let held = exchange.position_state(account, instrument.symbol)?;
    let news = exchange.position(account, instrument.symbol)?;
    let mark = news.mark.map(keyhold_domain::Price::get);
    let settle = instrument.settle;
    let amount = |value: Decimal| num(minor(value, settle));
    let unrealized = news.unrealized.unwrap_or_default();
    let cross = exchange.margin_mode(account)? == MarginMode::Cross;
    let (home, foreign) = mark.map_or_else(Default::default, |mark| notionals(instrument, held.size, mark));
    Ok(json!({
        "account": account.0, "symbol": instrument.symbol, "currency": currency(settle).0,
        "underlying": coin_name(instrument.base), "quoteCurrency": instrument.quote,
        "commission": num(instrument.taker_fee.get()),
        "initMarginReq": num((Decimal::ONE / held.leverage).round_dp(6)),
        "maintMarginReq": num(instrument.maintenance_margin.get()), "riskLimit": 20_000_000_000_i64,
        "leverage": num(held.leverage), "crossMargin": cross, "isOpen": !held.size.is_zero(),
        "currentQty": num(contracts(instrument, held.size)),
        "avgEntryPrice": maybe(held.entry.map(|entry| entry.get().round_dp(8))),
        "avgCostPrice": maybe(held.entry.map(|entry| entry.get().round_dp(8))), "markPrice": maybe(mark),
        "lastPrice": maybe(mark), "liquidationPrice": maybe(held.liquidation.map(keyhold_domain::Price::get)),
        "homeNotional": num(home.round_dp(8)), "foreignNotional": num(foreign.round_dp(8)),
        "posMargin": amount(held.margin), "posInit": amount(held.margin), "maintMargin": amount(held.margin),
        "unrealisedPnl": amount(unrealized), "unrealisedGrossPnl": amount(unrealized),
        "realisedPnl": amount(held.realized), "rebalancedPnl": 0,
        "openingTimestamp": stamp(held.opened_at), "currentTimestamp": stamp(held.updated_at),
        "timestamp": stamp(core.world.now),
    }))
}

/// The margin of every currency that an account holds.
pub(crate) fn margins(core: &Core, account: AccountId) -> Result<Vec<Value>, Refusal> {
    let exchange = &core.world.exchange;
    let mut rows = Vec::new();
    for balance in exchange.balances(account)? {
        let amount = |value: Decimal| num(minor(value, balance.asset));
        let free = amount(balance.available.max(Decimal::ZERO));
        let order_margin = exchange.order_margin(account, balance.asset)?;
        rows.push(json!({
            "account": account.0, "currency": currency(balance.asset).0, "riskLimit": 1_000_000_000_000_i64,
            "amount": amount(balance.wallet), "walletBalance": amount(balance.wallet),
            "marginBalance": amount(balance.equity), "unrealisedPnl": amount(balance.equity - balance.wallet),
            "realisedPnl": 0, "initMargin": amount(order_margin),
            "maintMargin": amount((balance.equity - balance.available - order_margin).max(Decimal::ZERO)),
            "availableMargin": free, "excessMargin": free, "withdrawableMargin": free, "makerFeeDiscount": 0,
            "takerFeeDiscount": 0, "timestamp": stamp(core.world.now),
        }));
    }
    Ok(rows)
}
