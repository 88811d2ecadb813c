//! The account over REST: key, balances, positions, leverage, volumes.

use keyhold_domain::Decimal;
use keyhold_simulator::exchange::{Input, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::market::FEE_SCHEDULE;
use super::shapes::{self, num};
use crate::config::Right;

pub(crate) fn key_facts(call: &mut Call<'_>) -> Result<Value, Failure> {
    let key = call.key()?;
    let general = match (key.has(Right::Read), key.has(Right::Order)) {
        (false, _) => "no_access",
        (true, false) => "read_only",
        (true, true) => "full_access",
    };
    let moves = key.has(Right::Withdraw) || key.has(Right::Transfer);
    let mut permissions =
        json!({ "general": general, "withdrawal": if moves { "full_access" } else { "no_access" } });
    for word in key.strange() {
        permissions[word] = json!("full_access");
    }
    let blocks: Vec<String> = key.ips.iter().filter(|ip| *ip != "*").map(|ip| format!("{ip}/32")).collect();
    Ok(json!({
        "apiKey": key.key, "accountUid": call.account.0.to_string(), "iiban": "AA08 N84G CPAR UN7A",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "permissions": permissions,
        "allowedCidrBlock": blocks.first(), "allowedCidrBlocks": blocks,
    }))
}

pub(crate) fn accounts(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!({ "accounts": shapes::accounts(call.state, call.account)? }))
}

pub(crate) fn positions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feeds = call.state.core.world.feeds.iter();
    let list: Result<Vec<Value>, Refusal> =
        feeds.filter_map(|feed| shapes::position(call.state, call.account, feed).transpose()).collect();
    Ok(json!({ "openPositions": list? }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn leverage(call: &mut Call<'_>) -> Result<Value, Failure> {
    let wanted = call.params.text("symbol").map(str::to_ascii_uppercase);
    let own = call.state.leverage.iter().filter(|((account, symbol), _)| {
        *account == call.account && wanted.as_ref().is_none_or(|wanted| wanted == symbol.as_str())
    });
    let list: Vec<Value> = own
        .map(|((_, symbol), leverage)| json!({ "symbol": symbol, "maxLeverage": num(*leverage) }))
        .collect();
    Ok(json!({ "leveragePreferences": list }))
}

/// With a number the instrument's margin is isolated; without one it is cross again.
pub(crate) fn set_leverage(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let account = call.account;
    let Some(leverage) = call.params.decimal("maxLeverage")? else {
        call.state.leverage.remove(&(account, symbol));
        return Ok(json!({}));
    };
    if leverage < Decimal::ONE {
        return Err(Failure::argument("invalidArgument", "maxLeverage"));
    }
    match call.state.core.world.apply(&Input::SetLeverage { account, symbol, leverage }) {
        Ok(()) | Err(Refusal::NoChange) => {}
        Err(Refusal::InsufficientMargin { .. }) => return Err(Failure::new("INSUFFICIENT_MARGIN")),
        Err(refusal) => return Err(refusal.into()),
    }
    call.state.leverage.insert((account, symbol), leverage);
    Ok(json!({}))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn volumes(_call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!({ "volumesByFeeSchedule": { FEE_SCHEDULE: 0 } }))
}
