//! Account, wallet, positions and executions over REST.

use keyhold_domain::{ContractType, Decimal, MarginMode, Timestamp};
use keyhold_simulator::exchange::{FillReport, Input, PositionMode, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes::{self, category, number, side, stamp};
use super::state::StopWord;

pub(crate) fn key_facts(call: &mut Call<'_>) -> Result<Value, Failure> {
    let key = call.key()?;
    let expires = match key.expires_at_ms {
        0 => Timestamp::EPOCH,
        at => Timestamp::from_ms(at),
    };
    let deadline = match key.expires_at_ms {
        0 => -2,
        at => (at - call.wall.ms()).div_euclid(86_400_000),
    };
    let ips: Vec<&str> =
        if key.ips.is_empty() { vec!["*"] } else { key.ips.iter().map(String::as_str).collect() };
    let mut permissions = serde_json::Map::new();
    for group in [
        "ContractTrade",
        "Spot",
        "Wallet",
        "Options",
        "Derivatives",
        "CopyTrading",
        "BlockTrade",
        "Exchange",
        "NFT",
        "Affiliate",
        "Earn",
    ] {
        permissions.insert(group.to_owned(), json!([]));
    }
    for (group, words) in &key.permissions {
        permissions.insert(group.clone(), json!(words));
    }
    let uid = call.account.0;
    Ok(json!({
        "id": uid.to_string(), "note": "fake", "apiKey": key.key, "readOnly": i32::from(key.read_only),
        "secret": "", "permissions": permissions, "ips": ips, "type": 1, "deadlineDay": deadline,
        "expiredAt": expires.to_string().replace(".000Z", "Z"), "createdAt": "2024-01-01T00:00:00Z",
        "unified": 0, "uta": 1, "userID": uid, "inviterID": 0, "vipLevel": "No VIP", "mktMakerLevel": "0",
        "affiliateID": 0, "rsaPublicKey": "", "isMaster": true, "parentUid": "0", "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }))
}

pub(crate) fn info(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mode = match call.state.core.world.exchange.margin_mode(call.account)? {
        MarginMode::Isolated => "ISOLATED_MARGIN",
        MarginMode::Cross => "REGULAR_MARGIN",
    };
    Ok(json!({
        "marginMode": mode, "updatedTime": stamp(call.wall), "unifiedMarginStatus": 5, "dcpStatus": "OFF",
        "timeWindow": 10, "smpGroup": 0, "isMasterTrader": false, "spotHedgingStatus": "OFF",
    }))
}

pub(crate) fn wallet(call: &mut Call<'_>) -> Result<Value, Failure> {
    if call.params.text("accountType").is_some_and(|kind| kind != "UNIFIED") {
        return Err(Failure::params("accountType only support UNIFIED."));
    }
    let mut wallet = shapes::wallet(call.state, call.account)?;
    if let (Some(wanted), Some(coins)) = (call.params.text("coin"), wallet["coin"].as_array_mut()) {
        coins.retain(|coin| wanted.split(',').any(|name| coin["coin"] == name));
    }
    Ok(json!({ "list": [wallet] }))
}

pub(crate) fn fee_rate(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbols = call.wanted_symbols()?;
    let list: Vec<Value> = symbols
        .iter()
        .filter_map(|symbol| call.state.core.world.feed(*symbol))
        .map(|feed| {
            let instrument = &feed.instrument;
            json!({
                "symbol": instrument.symbol, "baseCoin": "",
                "takerFeeRate": instrument.taker_fee.to_string(),
                "makerFeeRate": instrument.maker_fee.to_string(),
            })
        })
        .collect();
    Ok(json!({ "category": call.params.text("category").unwrap_or(""), "list": list }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn coins(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut names: Vec<String> = Vec::new();
    for feed in &call.state.core.world.feeds {
        for asset in [feed.instrument.base, feed.instrument.settle] {
            if !names.iter().any(|name| name == asset.as_str()) {
                names.push(asset.to_string());
            }
        }
    }
    let wanted = call.params.text("coin");
    let rows: Vec<Value> = names
        .iter()
        .filter(|name| wanted.is_none_or(|wanted| wanted == name.as_str()))
        .map(|name| {
            // No chain at all: nothing can be deposited to or withdrawn from a made-up venue.
            json!({ "name": name, "coin": name, "remainAmount": "0", "chains": [] })
        })
        .collect();
    Ok(json!({ "rows": rows }))
}

pub(crate) fn positions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let one = call.params.symbol()?.is_some();
    let symbols = call.wanted_symbols()?;
    let feeds = symbols.iter().filter_map(|symbol| call.state.core.world.feed(*symbol));
    let hedge = call.state.core.world.exchange.position_mode(call.account)? == PositionMode::Hedge;
    let mut list = Vec::new();
    for feed in feeds {
        let value = shapes::position(call.state, call.account, feed)?;
        // With a position per side the venue tells both; nothing trades so here, hence both are flat.
        if one && hedge && feed.instrument.contract_type == ContractType::Linear {
            for index in [1, 2] {
                let mut side = value.clone();
                side["positionIdx"] = json!(index);
                list.push(side);
            }
            continue;
        }
        // Without a symbol the venue lists only what is held.
        if one || value["side"] != "" {
            list.push(value);
        }
    }
    Ok(json!({ "category": call.params.require("category")?, "list": list, "nextPageCursor": "" }))
}

pub(crate) fn set_leverage(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let wrong = || Failure::params("buyLeverage and sellLeverage must be equal numbers");
    let buy = call.params.decimal("buyLeverage")?.ok_or_else(wrong)?;
    let sell = call.params.decimal("sellLeverage")?.ok_or_else(wrong)?;
    if buy != sell {
        return Err(wrong());
    }
    let account = call.account;
    let input = Input::SetLeverage { account, symbol, leverage: buy };
    call.state.core.world.apply(&input).map_err(|refusal| match refusal {
        Refusal::NoChange => Failure::new(110_043, "Set leverage has not been modified."),
        other => other.into(),
    })?;
    Ok(json!({}))
}

pub(crate) fn switch_mode(call: &mut Call<'_>) -> Result<Value, Failure> {
    if call.params.category()? != Some(ContractType::Linear) {
        return Err(Failure::params("position mode can be switched for linear contracts only"));
    }
    let mode = match call.params.require("mode")? {
        "0" => PositionMode::OneWay,
        "3" => PositionMode::Hedge,
        _ => return Err(Failure::params("mode invalid")),
    };
    let account = call.account;
    call.state.core.world.apply(&Input::SetPositionMode { account, mode }).map_err(
        |refusal| match refusal {
            Refusal::NoChange => Failure::new(110_025, "Position mode has not been modified."),
            other => other.into(),
        },
    )?;
    Ok(json!({}))
}

pub(crate) fn set_margin_mode(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mode = match call.params.require("setMarginMode")? {
        "ISOLATED_MARGIN" => MarginMode::Isolated,
        "REGULAR_MARGIN" => MarginMode::Cross,
        _ => return Err(Failure::params("setMarginMode invalid")),
    };
    let account = call.account;
    match call.state.core.world.apply(&Input::SetMarginMode { account, mode }) {
        // Setting the mode that is set already is no error at Bybit.
        Ok(()) | Err(Refusal::NoChange) => Ok(json!({ "reasons": [] })),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(crate) fn trading_stop(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let account = call.account;
    for (name, word) in [("stopLoss", StopWord::StopLoss), ("takeProfit", StopWord::TakeProfit)] {
        let Some(level) = call.params.decimal(name)? else { continue };
        let level = keyhold_domain::Price::new(level).ok();
        call.state.set_position_stop(account, symbol, word, level).map_err(|refusal| match refusal {
            Refusal::NothingToReduce => Failure::params("can not set tp/sl/ts for zero position"),
            other => other.into(),
        })?;
    }
    Ok(json!({}))
}

pub(crate) fn executions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbols = call.wanted_symbols()?;
    let params = &call.params;
    let (id, link) = (params.text("orderId"), params.text("orderLinkId"));
    let wanted_type = params.text("execType");
    let from = params.number::<i64>("startTime")?.unwrap_or(i64::MIN);
    let to = params.number::<i64>("endTime")?.unwrap_or(i64::MAX);
    let records = call.records()?;
    let world = &call.state.core.world;
    let fills =
        records.fills.iter().filter(|report| symbols.contains(&report.fill.symbol)).filter_map(|report| {
            let kind = world.feed(report.fill.symbol)?.instrument.contract_type;
            let order = records.orders.get(&report.fill.venue_order_id);
            Some((report.fill.at, shapes::execution(report, order, kind, report.fill.price.get())))
        });
    let payments =
        records.funding.iter().filter(|payment| symbols.contains(&payment.symbol)).filter_map(|payment| {
            let kind = world.feed(payment.symbol)?.instrument.contract_type;
            Some((payment.at, shapes::funding(payment, kind)))
        });
    let mut all: Vec<(Timestamp, Value)> = fills.chain(payments).collect();
    // Stable: executions of one instant stay in their order.
    all.sort_by_key(|(at, _)| *at);
    let shown = all.into_iter().rev().filter(|(at, value)| {
        (from..=to).contains(&at.ms())
            && wanted_type.is_none_or(|wanted| value["execType"] == wanted)
            && id.is_none_or(|id| value["orderId"] == id)
            && link.is_none_or(|link| value["orderLinkId"] == link)
    });
    call.page(shown.map(|(_, value)| value), 100)
}

pub(crate) fn closed_profit(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbols = call.wanted_symbols()?;
    let from = call.params.number::<i64>("startTime")?.unwrap_or(i64::MIN);
    let to = call.params.number::<i64>("endTime")?.unwrap_or(i64::MAX);
    let records = call.records()?;
    let shown = records
        .fills
        .iter()
        .rev()
        .filter(|report| !report.closed.is_zero() && symbols.contains(&report.fill.symbol))
        .filter(|report| (from..=to).contains(&report.fill.at.ms()))
        .filter_map(|report| {
            let kind = call.state.core.world.feed(report.fill.symbol)?.instrument.contract_type;
            Some(closed(report, kind))
        });
    call.page(shown, 50)
}

fn closed(report: &FillReport, kind: ContractType) -> Value {
    let fill = &report.fill;
    let entry = report.entry.map_or(Decimal::ZERO, keyhold_domain::Price::get);
    let value = |price: Decimal| match kind {
        ContractType::Linear => report.closed.checked_mul(price),
        ContractType::Inverse => report.closed.checked_div(price),
    };
    let worth = |price: Decimal| number(value(price).unwrap_or_default().round_dp(8));
    let share = report.closed / fill.quantity.get();
    json!({
        "category": category(kind), "symbol": fill.symbol, "orderId": fill.venue_order_id,
        "side": side(fill.side), "qty": fill.quantity, "orderPrice": fill.price, "orderType": "Market",
        "execType": "Trade", "closedSize": number(report.closed), "cumEntryValue": worth(entry),
        "avgEntryPrice": number(entry.round_dp(8)), "cumExitValue": worth(fill.price.get()),
        "avgExitPrice": fill.price, "fillCount": "1",
        "closedPnl": number((report.realized - fill.fee.amount * share).round_dp(8)),
        "closeFee": number((fill.fee.amount * share).round_dp(8)), "openFee": "", "leverage": "",
        "createdTime": stamp(fill.at), "updatedTime": stamp(fill.at),
    })
}
