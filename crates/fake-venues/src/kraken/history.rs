//! What has happened, over REST: fills, past orders, the account's log.

use keyhold_domain::{OrderStatus, Timestamp};
use keyhold_simulator::exchange::FundingPayment;
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::instruments::code;
use super::params::named;
use super::shapes::{self, num};

/// Fills of one answer.
const FILLS: usize = 100;

/// Fills, newest first; those before an instant when it is given.
pub(crate) fn fills(call: &mut Call<'_>) -> Result<Value, Failure> {
    let before: Option<Timestamp> = call.params.number("lastFillTime")?;
    let records = call.records()?;
    let wanted =
        records.fills.iter().rev().filter(|report| before.is_none_or(|before| report.fill.at < before));
    let rows: Vec<Value> = wanted
        .take(FILLS)
        .map(|report| shapes::fill(report, records.orders.get(&report.fill.venue_order_id)))
        .collect();
    Ok(json!({ "fills": rows }))
}

/// The latest event of each order, newest first.
pub(crate) fn orders(call: &mut Call<'_>) -> Result<Value, Failure> {
    let since = call.params.number::<i64>("since")?.unwrap_or(i64::MIN);
    let before = call.params.number::<i64>("before")?.unwrap_or(i64::MAX);
    let count = call.params.number::<usize>("count")?.unwrap_or(1_000).clamp(1, 1_000);
    let tradeable = call.params.text("tradeable").map(named).transpose()?;
    // The wall clock bounds what is asked for; a venue in a time of its own has its own past.
    let now = call.state.core.world.now.ms();
    let since = if since > now { i64::MIN } else { since };
    let records = call.records()?;
    let mut found: Vec<_> = records
        .orders
        .values()
        .filter(|order| tradeable.is_none_or(|symbol| order.symbol == symbol))
        .filter(|order| (since..=before).contains(&order.updated_at.ms()))
        .collect();
    found.sort_by_key(|order| std::cmp::Reverse((order.updated_at, order.venue_id)));
    let rows: Vec<Value> = found
        .into_iter()
        .take(count)
        .map(|order| {
            let told = shapes::past_order(order);
            let event = match order.status {
                OrderStatus::Open | OrderStatus::Untriggered => {
                    json!({ "OrderPlaced": { "order": told, "reason": "new_user_order", "reducedQuantity": "" } })
                }
                OrderStatus::PartiallyFilled => {
                    json!({ "OrderUpdated": { "newOrder": told, "reason": "partial_fill", "reducedQuantity": "" } })
                }
                OrderStatus::Filled => {
                    json!({ "OrderUpdated": { "newOrder": told, "reason": "full_fill", "reducedQuantity": "" } })
                }
                OrderStatus::Canceled => json!({ "OrderCancelled": { "order": told, "reason": "cancelled_by_user" } }),
                OrderStatus::Rejected => {
                    json!({ "OrderRejected": { "order": told, "reason": shapes::end_word(order) } })
                }
            };
            json!({
                "uid": format!("{}-{}", order.venue_id, order.updated_at.ms()),
                "timestamp": shapes::stamp(order.updated_at), "event": event,
            })
        })
        .collect();
    let len = rows.len();
    Ok(
        json!({ "accountUid": call.account.0.to_string(), "len": len, "elements": rows, "serverTime": call.wall.to_string() }),
    )
}

/// A booking of funding.
pub(crate) fn funding_row(payment: &FundingPayment) -> Value {
    json!({
        "asset": code(payment.amount.asset).to_ascii_lowercase(),
        "booking_uid": format!("f-{}-{}", payment.symbol, payment.at.ms()),
        "contract": payment.symbol.as_str().to_ascii_lowercase(), "date": payment.at.to_string(),
        "execution": "", "fee": null, "funding_rate": num(payment.rate.get()),
        "info": "funding rate change", "margin_account": "flex", "mark_price": num(payment.mark.get()),
        "realized_funding": num(payment.amount.amount), "realized_pnl": null, "trade_price": null,
        "new_balance": 0, "old_balance": 0,
    })
}

/// Bookings, newest first: trades with their fees, and funding.
pub(crate) fn account_log(call: &mut Call<'_>) -> Result<Value, Failure> {
    let since = call.params.number::<i64>("since")?.unwrap_or(i64::MIN);
    let before = call.params.number::<i64>("before")?.unwrap_or(i64::MAX);
    let count = call.params.number::<usize>("count")?.unwrap_or(500).clamp(1, 100_000);
    let info = call.params.text("info");
    let records = call.records()?;
    let trades = records.fills.iter().map(|report| {
        let fill = &report.fill;
        let row = json!({
            "asset": code(fill.fee.asset).to_ascii_lowercase(), "booking_uid": format!("b-{}", fill.fill_id),
            "contract": fill.symbol.as_str().to_ascii_lowercase(), "date": fill.at.to_string(),
            "execution": fill.fill_id, "fee": num(fill.fee.amount), "funding_rate": null,
            "info": "futures trade", "margin_account": "flex", "mark_price": num(fill.price.get()),
            "new_average_entry_price": null, "old_average_entry_price": null, "realized_funding": null,
            "realized_pnl": num(report.realized), "trade_price": num(fill.price.get()), "new_balance": 0,
            "old_balance": 0,
        });
        (fill.at, row)
    });
    let funding = records.funding.iter().map(|payment| (payment.at, funding_row(payment)));
    let mut rows: Vec<(Timestamp, Value)> = trades.chain(funding).collect();
    // Stable: bookings of one instant stay in their order.
    rows.sort_by_key(|(at, _)| *at);
    let rows: Vec<Value> = rows
        .into_iter()
        .enumerate()
        .rev()
        .filter(|(_, (at, row))| {
            (since..=before).contains(&at.ms()) && info.is_none_or(|info| row["info"] == info)
        })
        .take(count)
        .map(|(id, (_, mut row))| {
            row["id"] = json!(id);
            row
        })
        .collect();
    Ok(json!({ "accountUid": call.account.0.to_string(), "logs": rows }))
}
