//! Account, positions, settings, fills and income over REST.

use keyhold_domain::{Decimal, MarginMode};
use keyhold_simulator::exchange::{Input, PositionMode, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes::{self, number};
use crate::config::Right;

/// What ccxt asks a wallet for before it starts; there is no wallet here.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn nothing(_call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!([]))
}

pub(crate) fn key_facts(call: &mut Call<'_>) -> Result<Value, Failure> {
    let key = call.key()?;
    let bound = !key.ips.is_empty() && !key.ips.iter().any(|ip| ip == "*");
    let mut facts = json!({
        "ipRestrict": bound, "createTime": 1_700_000_000_000_i64, "enableReading": key.has(Right::Read),
        "enableWithdrawals": key.has(Right::Withdraw), "enableInternalTransfer": key.has(Right::Transfer),
        "permitsUniversalTransfer": false, "enableMargin": false, "enableFutures": key.has(Right::Order),
        "enableSpotAndMarginTrading": false, "enableVanillaOptions": false, "enablePortfolioMarginTrading": false,
        "enableFixApiTrade": false, "enableFixReadOnly": false,
    });
    for word in key.strange() {
        facts[format!("enable{word}")] = json!(true);
    }
    if key.expires_at_ms > 0 {
        facts["tradingAuthorityExpirationTime"] = json!(key.expires_at_ms);
    }
    Ok(facts)
}

pub(crate) fn account(call: &mut Call<'_>) -> Result<Value, Failure> {
    let exchange = &call.state.core.world.exchange;
    let mut assets = Vec::new();
    let mut positions = Vec::new();
    for balance in exchange.balances(call.account)? {
        if call.state.product_of(balance.asset) != call.product {
            continue;
        }
        let orders = exchange.order_margin(call.account, balance.asset)?;
        let bound = (balance.equity - balance.available).max(Decimal::ZERO);
        assets.push(json!({
            "asset": balance.asset, "walletBalance": number(balance.wallet.round_dp(8)),
            "unrealizedProfit": number((balance.equity - balance.wallet).round_dp(8)),
            "marginBalance": number(balance.equity.round_dp(8)), "maintMargin": "0",
            "initialMargin": number(bound.round_dp(8)), "positionInitialMargin": number((bound - orders).max(Decimal::ZERO).round_dp(8)),
            "openOrderInitialMargin": number(orders.round_dp(8)), "crossWalletBalance": number(balance.wallet.round_dp(8)),
            "crossUnPnl": "0", "availableBalance": number(balance.available.round_dp(8)),
            "maxWithdrawAmount": number(balance.available.round_dp(8)), "marginAvailable": true,
            "updateTime": call.wall.ms(),
        }));
    }
    for feed in call.feeds()? {
        positions.push(shapes::position(exchange, call.account, &feed.instrument)?);
    }
    Ok(json!({
        "feeTier": 0, "canTrade": true, "canDeposit": true, "canWithdraw": true, "updateTime": 0,
        "multiAssetsMargin": false, "assets": assets, "positions": positions,
    }))
}

pub(crate) fn positions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let exchange = &call.state.core.world.exchange;
    let mut rows = Vec::new();
    for feed in call.feeds()? {
        rows.push(shapes::position(exchange, call.account, &feed.instrument)?);
    }
    Ok(Value::Array(rows))
}

/// Version 3 of USD-M lists only what is held or bound by orders, and tells neither leverage nor margin mode.
pub(crate) fn held(call: &mut Call<'_>) -> Result<Value, Failure> {
    let exchange = &call.state.core.world.exchange;
    let mut rows = Vec::new();
    for feed in call.feeds()? {
        let symbol = feed.instrument.symbol;
        let flat = exchange.position_state(call.account, symbol)?.size.is_zero();
        if flat && !exchange.open_orders(call.account).any(|order| order.symbol == symbol) {
            continue;
        }
        let mut row = shapes::position(exchange, call.account, &feed.instrument)?;
        if let Some(row) = row.as_object_mut() {
            for name in ["leverage", "marginType", "isolated", "isAutoAddMargin", "maxNotional", "maxQty"] {
                row.remove(name);
            }
        }
        rows.push(row);
    }
    Ok(Value::Array(rows))
}

/// Leverage and margin mode, where positions do not tell them.
pub(crate) fn symbol_config(call: &mut Call<'_>) -> Result<Value, Failure> {
    let exchange = &call.state.core.world.exchange;
    let mode = exchange.margin_mode(call.account)?;
    let mut rows = Vec::new();
    for feed in call.feeds()? {
        let held = exchange.position_state(call.account, feed.instrument.symbol)?;
        let word = if mode == MarginMode::Isolated { "ISOLATED" } else { "CROSSED" };
        rows.push(json!({
            "symbol": feed.instrument.symbol, "marginType": word, "isAutoAddMargin": false,
            "leverage": whole(held.leverage), "maxNotionalValue": "1000000",
        }));
    }
    Ok(Value::Array(rows))
}

fn whole(value: Decimal) -> i64 {
    i64::try_from(value.trunc()).unwrap_or_default()
}

pub(crate) fn brackets(call: &mut Call<'_>) -> Result<Value, Failure> {
    let row = |feed: &&crate::feed::Feed| {
        let instrument = &feed.instrument;
        json!({ "symbol": instrument.symbol, "brackets": [{
            "bracket": 1, "initialLeverage": 100, "notionalCap": 1_000_000, "notionalFloor": 0, "qtyCap": 1_000_000,
            "qtyFloor": 0, "maintMarginRatio": 0.025, "cum": 0.0,
        }] })
    };
    Ok(call.feeds()?.iter().map(row).collect())
}

pub(crate) fn position_mode(call: &mut Call<'_>) -> Result<Value, Failure> {
    let hedge = call.state.core.world.exchange.position_mode(call.account)? == PositionMode::Hedge;
    Ok(json!({ "dualSidePosition": hedge }))
}

fn done() -> Value {
    json!({ "code": 200, "msg": "success" })
}

pub(crate) fn set_position_mode(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mode = match call.require("dualSidePosition")? {
        "true" => PositionMode::Hedge,
        "false" => PositionMode::OneWay,
        _ => return Err(Failure::illegal("dualSidePosition")),
    };
    let account = call.account;
    call.state.core.world.apply(&Input::SetPositionMode { account, mode }).map_err(
        |refusal| match refusal {
            Refusal::NoChange => Failure::new(-4059, "No need to change position side."),
            Refusal::PositionsOpen => {
                Failure::new(-4068, "Position side cannot be changed if there exists position.")
            }
            other => other.into(),
        },
    )?;
    Ok(done())
}

pub(crate) fn fees(call: &mut Call<'_>) -> Result<Value, Failure> {
    let instrument = &call.feed()?.instrument;
    Ok(json!({
        "symbol": instrument.symbol, "makerCommissionRate": instrument.maker_fee.to_string(),
        "takerCommissionRate": instrument.taker_fee.to_string(),
    }))
}

/// Whole numbers. Setting what is set already is no error at Binance.
pub(crate) fn set_leverage(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let leverage: u32 = call.number("leverage")?.ok_or_else(|| Failure::missing("leverage"))?;
    let account = call.account;
    match call.state.core.world.apply(&Input::SetLeverage { account, symbol, leverage: leverage.into() }) {
        Ok(()) | Err(Refusal::NoChange) => {
            Ok(json!({ "leverage": leverage, "maxNotionalValue": "1000000", "symbol": symbol }))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// The exchange inside has one margin mode for the account, so one instrument's word stands for all.
pub(crate) fn set_margin_type(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.feed()?;
    let mode = match call.require("marginType")? {
        "ISOLATED" => MarginMode::Isolated,
        "CROSSED" => MarginMode::Cross,
        _ => return Err(Failure::illegal("marginType")),
    };
    let account = call.account;
    call.state.core.world.apply(&Input::SetMarginMode { account, mode }).map_err(
        |refusal| match refusal {
            Refusal::NoChange => Failure::new(-4046, "No need to change margin type."),
            other => other.into(),
        },
    )?;
    Ok(done())
}

/// Fills of one instrument, oldest first.
pub(crate) fn trades(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (limit, range) = (call.limit(500, 1_000)?, call.range()?);
    let order = call.number::<i64>("orderId")?;
    let instrument = &call.feed()?.instrument;
    let fills = call.records()?.fills.iter().filter(|report| {
        report.fill.symbol == instrument.symbol
            && range.contains(&report.fill.at.ms())
            && order.is_none_or(|order| shapes::order_id(&report.fill.venue_order_id) == order)
    });
    Ok(fills.take(limit).map(|report| shapes::fill(report, instrument)).collect())
}

/// Funding payments and commissions, oldest first.
pub(crate) fn income(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (limit, range) = (call.limit(100, 1_000)?, call.range()?);
    let symbols = call.symbols()?;
    let wanted = call.text("incomeType");
    let records = call.records()?;
    let funding = records.funding.iter().filter(|payment| symbols.contains(&payment.symbol));
    let fills = records.fills.iter().filter(|report| symbols.contains(&report.fill.symbol));
    let mut rows: Vec<(i64, Value)> = funding
        .map(|payment| (payment.at.ms(), shapes::funding(payment)))
        .chain(fills.map(|report| (report.fill.at.ms(), shapes::commission(report))))
        .filter(|(at, row)| range.contains(at) && wanted.is_none_or(|wanted| row["incomeType"] == wanted))
        .collect();
    rows.sort_by_key(|(at, _)| *at);
    Ok(rows.into_iter().take(limit).map(|(_, row)| row).collect())
}
