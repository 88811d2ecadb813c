//! Account, balance, positions and settings over REST.

use keyhold_domain::{Decimal, MarginMode};
use keyhold_simulator::exchange::{Input, PositionMode, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes::{self, margin_word, stamp};
use crate::config::Right;
use crate::core::number;

type Rows = Result<Vec<Value>, Failure>;

pub(crate) fn config(call: &mut Call<'_>) -> Rows {
    let key = call.key()?;
    let rights = [("trade", Right::Order), ("withdraw", Right::Withdraw)];
    let words = rights.iter().filter(|(_, right)| key.has(*right)).map(|(word, _)| *word);
    let permissions: Vec<&str> = std::iter::once("read_only").chain(words).chain(key.strange()).collect();
    let mode = match call.state.core.world.exchange.position_mode(call.account)? {
        PositionMode::OneWay => "net_mode",
        PositionMode::Hedge => "long_short_mode",
    };
    let uid = call.account.0.to_string();
    Ok(vec![json!({
        "acctLv": "2", "acctStpMode": "cancel_maker", "autoLoan": false, "ctIsoMode": "automatic",
        "greeksType": "PA", "ip": key.ips.join(","), "kycLv": "3", "label": "fake", "level": "Lv1", "levelTmp": "",
        "mainUid": uid, "mgnIsoMode": "automatic", "opAuth": "0", "perm": permissions.join(","), "posMode": mode,
        "roleType": "0", "spotOffsetType": "", "type": "0", "uid": uid,
    })])
}

/// No chain at all: nothing can be deposited to or withdrawn from a made-up venue.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn coins(_call: &mut Call<'_>) -> Rows {
    Ok(vec![])
}

pub(crate) fn balance(call: &mut Call<'_>) -> Rows {
    let mut balance = shapes::balance(&call.state.core, call.account, call.wall)?;
    if let (Some(wanted), Some(details)) = (call.params().text("ccy"), balance["details"].as_array_mut()) {
        details.retain(|coin| wanted.split(',').any(|name| coin["ccy"] == name));
    }
    Ok(vec![balance])
}

pub(crate) fn positions(call: &mut Call<'_>) -> Rows {
    let mut rows = vec![];
    for feed in call.feeds()? {
        let row = shapes::position(&call.state.core, call.account, feed)?;
        if row["pos"] != "0" {
            rows.push(row);
        }
    }
    Ok(rows)
}

pub(crate) fn fees(call: &mut Call<'_>) -> Rows {
    let feeds = call.feeds()?;
    let feed = feeds.first().ok_or_else(|| Failure::params("instFamily"))?;
    let paid = |rate: keyhold_domain::Rate| number(-rate.get());
    let (maker, taker) = (paid(feed.instrument.maker_fee), paid(feed.instrument.taker_fee));
    Ok(vec![json!({
        "category": "1", "delivery": "", "exercise": "", "feeGroup": [], "instType": "SWAP", "level": "Lv1",
        "maker": maker, "makerU": maker, "makerUSDC": maker, "taker": taker, "takerU": taker, "takerUSDC": taker,
        "ruleType": "normal", "ts": stamp(call.wall),
    })])
}

/// Of the ledger only funding is kept.
pub(crate) fn bills(call: &mut Call<'_>) -> Rows {
    let params = call.params();
    if params.text("type").is_some_and(|kind| kind != "8") {
        return Ok(vec![]);
    }
    let from = params.number::<i64>("begin")?.unwrap_or(i64::MIN);
    let to = params.number::<i64>("end")?.unwrap_or(i64::MAX);
    let world = &call.state.core.world;
    let rows = call.records()?.funding.iter().filter(|one| (from..=to).contains(&one.at.ms()));
    let rows = rows.filter_map(|one| Some(shapes::funding(one, &world.feed(one.symbol)?.instrument)));
    call.page(rows, "billId", 100)
}

fn mode(word: &str) -> Result<MarginMode, Failure> {
    match word {
        "isolated" => Ok(MarginMode::Isolated),
        "cross" => Ok(MarginMode::Cross),
        _ => Err(Failure::params("mgnMode")),
    }
}

/// The margin mode of the account follows what it is told, as long as nothing is open.
pub(crate) fn follow_mode(call: &mut Call<'_>, word: &str) -> Result<(), Failure> {
    let (account, mode) = (call.account, mode(word)?);
    match call.state.core.world.apply(&Input::SetMarginMode { account, mode }) {
        Ok(()) | Err(Refusal::NoChange) => Ok(()),
        Err(Refusal::PositionsOpen) => Err(Failure::mode()),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(crate) fn leverage_info(call: &mut Call<'_>) -> Rows {
    let symbol = call.feed()?.instrument.symbol;
    let (mode, leverage) = call.margin(symbol)?;
    Ok(vec![json!({
        "instId": symbol, "mgnMode": margin_word(mode), "posSide": "net", "lever": number(leverage), "ccy": "",
    })])
}

pub(crate) fn set_leverage(call: &mut Call<'_>) -> Rows {
    let symbol = call.feed()?.instrument.symbol;
    let leverage: Decimal = call.params().decimal("lever")?.ok_or_else(|| Failure::params("lever"))?;
    let word = call.params().require("mgnMode")?.to_owned();
    follow_mode(call, &word)?;
    let account = call.account;
    match call.state.core.world.apply(&Input::SetLeverage { account, symbol, leverage }) {
        // Setting what is set already is no error at OKX.
        Ok(()) | Err(Refusal::NoChange) => {}
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(vec![json!({ "instId": symbol, "lever": number(leverage), "mgnMode": word, "posSide": "net" })])
}

pub(crate) fn set_position_mode(call: &mut Call<'_>) -> Rows {
    let word = call.params().require("posMode")?.to_owned();
    let mode = match word.as_str() {
        "net_mode" => PositionMode::OneWay,
        "long_short_mode" => PositionMode::Hedge,
        _ => return Err(Failure::params("posMode")),
    };
    let account = call.account;
    match call.state.core.world.apply(&Input::SetPositionMode { account, mode }) {
        Ok(()) | Err(Refusal::NoChange) => Ok(vec![json!({ "posMode": word })]),
        Err(refusal) => Err(refusal.into()),
    }
}
