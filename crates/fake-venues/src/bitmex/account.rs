//! Account calls over REST: keys, margins, fees, positions, executions.

use keyhold_domain::{Decimal, MarginMode, Timestamp};
use keyhold_simulator::exchange::{Input, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes;
use super::units::num;
use crate::config::{KeyConfig, Right};

/// All keys of the user, whichever asks.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn keys(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(call.keys.iter().map(|key| key_row(call, key)).collect())
}

/// Ranges of addresses: a bare address is a range of one.
fn range(address: &str) -> String {
    match address {
        "*" => "0.0.0.0/0".to_owned(),
        address if address.contains('/') => address.to_owned(),
        address if address.contains(':') => format!("{address}/128"),
        address => format!("{address}/32"),
    }
}

fn key_row(call: &Call<'_>, key: &KeyConfig) -> Value {
    let mut permissions: Vec<String> = Vec::new();
    for (right, word) in [(Right::Order, "order"), (Right::Withdraw, "withdraw")] {
        if key.has(right) {
            permissions.push(word.to_owned());
        }
    }
    // Words that a test adds, for example to see what a client makes of one that it does not know.
    permissions.extend(key.strange().map(str::to_owned));
    let cidrs: Vec<String> = key.ips.iter().map(|address| range(address)).collect();
    json!({
        "id": key.key, "nonce": 0, "name": "fake", "permissions": permissions,
        "cidr": cidrs.first().map_or("0.0.0.0/0", String::as_str), "cidrs": cidrs,
        "enabled": key.expires_at_ms == 0 || key.expires_at_ms > call.wall.ms(), "userId": call.account.0,
        "created": "2024-01-01T00:00:00.000Z",
    })
}

pub(crate) fn margin(call: &mut Call<'_>) -> Result<Value, Failure> {
    let rows = shapes::margins(&call.state.core, call.account)?;
    match call.params.text("currency").unwrap_or("XBt") {
        "all" => Ok(Value::Array(rows)),
        wanted => {
            let row = rows.into_iter().find(|row| row["currency"] == wanted);
            row.ok_or_else(|| Failure::invalid("currency is invalid"))
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn commission(call: &mut Call<'_>) -> Result<Value, Failure> {
    let fees = call.state.core.world.feeds.iter().map(|feed| {
        let instrument = &feed.instrument;
        let fees = json!({
            "makerFee": num(instrument.maker_fee.get()), "takerFee": num(instrument.taker_fee.get()),
            "settlementFee": 0,
        });
        (instrument.symbol.to_string(), fees)
    });
    Ok(Value::Object(fees.collect()))
}

pub(crate) fn positions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let filter = call.params.filter()?;
    let mut rows = Vec::new();
    for feed in &call.state.core.world.feeds {
        let row = shapes::position(&call.state.core, call.account, feed)?;
        if filter.fits(&row) {
            rows.push(row);
        }
    }
    call.page(rows, 500)
}

/// Zero leverage means cross margin, any other isolated. The exchange inside has one mode for the whole account.
fn use_mode(call: &mut Call<'_>, mode: MarginMode) -> Result<(), Failure> {
    let account = call.account;
    match call.state.core.world.apply(&Input::SetMarginMode { account, mode }) {
        Ok(()) | Err(Refusal::NoChange) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

fn own_position(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(shapes::position(&call.state.core, call.account, call.feed()?)?)
}

pub(crate) fn leverage(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let leverage = call.params.decimal("leverage")?;
    let leverage = leverage.ok_or_else(|| Failure::invalid("'leverage' is a required arg."))?;
    if leverage.is_zero() {
        use_mode(call, MarginMode::Cross)?;
        return own_position(call);
    }
    use_mode(call, MarginMode::Isolated)?;
    let account = call.account;
    // Below 1 is possible at BitMEX and not in the exchange inside.
    let input = Input::SetLeverage { account, symbol, leverage: leverage.max(Decimal::ONE) };
    match call.state.core.world.apply(&input) {
        Ok(()) | Err(Refusal::NoChange) => own_position(call),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(crate) fn isolate(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.feed()?;
    let isolated = call.params.value("enabled").is_none() || call.params.is_true("enabled");
    use_mode(call, if isolated { MarginMode::Isolated } else { MarginMode::Cross })?;
    own_position(call)
}

/// Trades and funding, oldest first.
pub(crate) fn trade_history(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.params.symbol()?;
    let filter = call.params.filter()?;
    let records = call.records()?;
    let mut all: Vec<(Timestamp, Value)> = Vec::new();
    for report in &records.fills {
        let order = records.orders.get(&report.fill.venue_order_id);
        if let Some(instrument) = call.instrument(report.fill.symbol) {
            all.push((report.fill.at, shapes::execution(report, order, instrument)));
        }
    }
    for payment in &records.funding {
        if let Some(instrument) = call.instrument(payment.symbol) {
            all.push((payment.at, shapes::funding(payment, instrument)));
        }
    }
    // Stable: executions of one instant stay in their order.
    all.sort_by_key(|(at, _)| *at);
    let mut rows = Vec::new();
    for (at, row) in all {
        let wanted = symbol.is_none_or(|symbol| row["symbol"] == symbol.as_str());
        if wanted && filter.fits(&row) && call.in_range(at)? {
            rows.push(row);
        }
    }
    call.page(rows, 100)
}
