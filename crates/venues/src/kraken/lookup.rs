//! What became of one of our orders: asked by its name among the recent ones, the fills and the history.
//!
//! Kraken forgets an order five seconds after its end in the list that can be asked by name; what is older stands in the
//! history of the instrument's events and in the fills. Next: [`super::orders`].

use std::collections::BTreeMap;

use keyhold_domain::{ClientOrderId, Decimal, Fill, OrderStatus, OrderUpdate, RefusalCode, Symbol};

use super::Kraken;
use super::account::{Back, sum_of};
use super::convert;
use super::endpoints;
use super::wire::{self, Field, WireOrder, WireOrderStatuses};
use crate::common::rest::unreadable;
use crate::error::{VenueError, WireError};
use crate::port::OrderReport;
use crate::signer::{OrderRef, Query};
use crate::transport::Dialer;

/// An event of the history.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WirePastEvent<'a> {
    /// `order`
    #[serde(borrow)]
    order: Option<WireOrder<'a>>,
    /// `newOrder` of a change.
    #[serde(borrow)]
    new_order: Option<WireOrder<'a>>,
    /// `reason`
    #[serde(borrow)]
    reason: Field<'a>,
}

/// An element of the history: exactly one of the events is there.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WirePastEvents<'a> {
    /// `OrderPlaced`
    #[serde(borrow, rename = "OrderPlaced")]
    placed: Option<WirePastEvent<'a>>,
    /// `OrderUpdated`
    #[serde(borrow, rename = "OrderUpdated")]
    updated: Option<WirePastEvent<'a>>,
    /// `OrderCancelled`
    #[serde(borrow, rename = "OrderCancelled")]
    canceled: Option<WirePastEvent<'a>>,
    /// `OrderRejected`
    #[serde(borrow, rename = "OrderRejected")]
    rejected: Option<WirePastEvent<'a>>,
}

/// A row of the history.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WirePast<'a> {
    /// `timestamp`
    #[serde(borrow)]
    timestamp: Field<'a>,
    /// `event`
    #[serde(borrow)]
    event: WirePastEvents<'a>,
}

/// The answer of `history/v2/orders`, newest first.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireHistory<'a> {
    /// `elements`
    #[serde(borrow)]
    pub elements: Option<Vec<WirePast<'a>>>,
}

/// How far an order is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Among the recent orders, the fills and what the history has told already.
    Lists,
    /// In the history, too, of which Kraken gives a hundred answers in ten minutes.
    History,
}

/// What the newest event of each of our orders says; nothing of orders that the history does not know. Only an end is
/// final: an order that was placed and of which nothing else is told may rest.
pub fn past_orders(rows: &[WirePast<'_>]) -> Result<BTreeMap<ClientOrderId, OrderUpdate>, WireError> {
    let mut found = BTreeMap::new();
    for row in rows {
        let event = &row.event;
        let kinds = [
            (&event.rejected, Some(OrderStatus::Rejected)),
            (&event.canceled, Some(OrderStatus::Canceled)),
            (&event.updated, None),
            (&event.placed, None),
        ];
        let Some((told, end)) = kinds.iter().find_map(|(told, end)| Some((told.as_ref()?, *end))) else {
            continue;
        };
        let order = told.new_order.as_ref().or(told.order.as_ref());
        let named = order.and_then(|order| Some((order, convert::client_id(&order.client_id)?)));
        let Some((order, id)) = named.filter(|(_, id)| !found.contains_key(id)) else { continue };
        let read = convert::whole_order(order, end.unwrap_or(OrderStatus::Open))?;
        let whole = read.filled >= read.quantity.get();
        let status = match end {
            _ if whole => OrderStatus::Filled,
            Some(end) => end,
            None if read.filled.is_zero() => OrderStatus::Open,
            None => OrderStatus::PartiallyFilled,
        };
        let refusal = match status {
            OrderStatus::Rejected | OrderStatus::Canceled => {
                super::refusals::refusal_of_event(told.reason.text())
            }
            OrderStatus::Open
            | OrderStatus::Untriggered
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled => None,
        };
        let update = OrderUpdate {
            client_id: id,
            venue_id: Some(read.venue_id),
            symbol: read.symbol,
            status,
            filled: read.filled,
            refusal,
            at: row.timestamp.get("past order", "timestamp")?,
        };
        found.insert(id, update);
    }
    Ok(found)
}

impl<D: Dialer> Kraken<D> {
    /// Among orders that are open or ended within the last seconds.
    async fn read_recent(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> Result<Option<OrderUpdate>, VenueError> {
        let order = OrderRef::Client(id);
        let body = match self.ask(Query::RecentOrder { order, symbol }).await {
            Ok(body) => body,
            Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |error| unreadable(endpoints::ORDER_STATUS, error);
        let answer: WireOrderStatuses<'_> = wire::json("order list", &body).map_err(wrong)?;
        let rows = wire::rows(answer.list, "order list", "orders").map_err(wrong)?;
        let is_it = |field: &Field<'_>| field.text() == id.to_string();
        let row = rows.iter().find(|row| row.order.as_ref().is_some_and(|order| is_it(&order.client_id)));
        row.map_or(Ok(None), |row| convert::order_status(row).map_err(wrong))
    }

    /// In the history of the instrument. The ends of other orders in the same answer are remembered.
    async fn read_past(&self, symbol: Symbol, id: ClientOrderId) -> Result<Option<OrderUpdate>, VenueError> {
        let body = self.ask(Query::PastOrder { order: OrderRef::Client(id), symbol }).await?;
        let wrong = |error| unreadable(endpoints::PAST_ORDERS, error);
        let answer: WireHistory<'_> = wire::json("past orders", &body).map_err(wrong)?;
        let rows = wire::rows(answer.elements, "past orders", "elements").map_err(wrong)?;
        let found = past_orders(&rows).map_err(wrong)?;
        for update in found.values() {
            self.ends.note(*update);
        }
        Ok(found.get(&id).copied())
    }

    /// What is known of an order: the recent ones first, then its fills, and the history when the first say too little.
    pub(super) async fn read_report(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
        depth: Depth,
    ) -> Result<Option<OrderReport>, VenueError> {
        let recent = self.read_recent(symbol, id).await?;
        let known = recent.or_else(|| self.ends.of(id));
        let back = Back::Until(known.as_ref().map_or(Decimal::ZERO, |update| update.filled));
        let fills = self.read_fills(back, |fill| fill.client_id == Some(id)).await?;
        let update = match (known, depth) {
            (Some(update), _) => Some(update),
            (None, Depth::Lists) => None,
            (None, Depth::History) => self.read_past(symbol, id).await?,
        };
        Ok(match update {
            Some(update) => Some(report(update, fills)),
            None => from_fills_alone(symbol, id, fills),
        })
    }
}

/// The history may be older than the fills.
fn report(mut update: OrderUpdate, fills: Vec<Fill>) -> OrderReport {
    let filled = sum_of(fills.iter());
    if filled > update.filled {
        update.filled = filled;
        if update.status == OrderStatus::Open {
            update.status = OrderStatus::PartiallyFilled;
        }
        update.at = fills.last().map_or(update.at, |fill| fill.at.max(update.at));
    }
    OrderReport { update, fills }
}

/// An order that only its fills know. Whether more of it is open nobody says.
fn from_fills_alone(symbol: Symbol, id: ClientOrderId, fills: Vec<Fill>) -> Option<OrderReport> {
    let last = fills.last()?;
    let update = OrderUpdate {
        client_id: id,
        venue_id: Some(last.venue_order_id),
        symbol,
        status: OrderStatus::PartiallyFilled,
        filled: sum_of(fills.iter()),
        refusal: None,
        at: last.at,
    };
    Some(OrderReport { update, fills })
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{BotId, OrderPurpose};

    use super::*;

    fn state(text: &str) -> Option<(OrderStatus, String)> {
        let id = ClientOrderId::new(BotId::from_u128(7 << 90), 1, 1, 1, OrderPurpose::Entry).unwrap();
        let text = text.replace("OURS", &id.to_string());
        let history: WireHistory<'_> = wire::json("past orders", text.as_bytes()).unwrap();
        let found = past_orders(&history.elements.unwrap()).unwrap();
        found.get(&id).map(|update| (update.status, update.filled.to_string()))
    }

    #[test]
    fn the_newest_event_of_an_order_tells_its_state() {
        let order = |filled: &str| {
            format!(
                r#"{{"uid":"o-1","accountUid":"a","tradeable":"PF_XBTUSD","direction":"Buy","quantity":"3","filled":"{filled}",
                "timestamp":1604937694000,"limitPrice":"1","orderType":"Limit","clientId":"OURS","reduceOnly":false}}"#
            )
        };
        let row = |event: &str| format!(r#"{{"uid":"u","timestamp":1604937694000,"event":{event}}}"#);
        let placed =
            row(&format!(r#"{{"OrderPlaced":{{"order":{},"reason":"new_user_order"}}}}"#, order("0")));
        let partly =
            row(&format!(r#"{{"OrderUpdated":{{"newOrder":{},"reason":"partial_fill"}}}}"#, order("1")));
        let canceled =
            row(&format!(r#"{{"OrderCancelled":{{"order":{},"reason":"cancelled"}}}}"#, order("1")));
        let whole = row(&format!(r#"{{"OrderUpdated":{{"newOrder":{},"reason":"full_fill"}}}}"#, order("3")));
        let other = row(r#"{"OrderNotFound":{"accountUid":"a"}}"#);
        let list = |rows: &[&String]| {
            let rows: Vec<&str> = rows.iter().map(|row| row.as_str()).collect();
            format!(r#"{{"elements":[{}]}}"#, rows.join(","))
        };
        assert_eq!(state(&list(&[])), None);
        assert_eq!(state(&list(&[&other, &placed])), Some((OrderStatus::Open, "0".to_owned())));
        assert_eq!(state(&list(&[&partly, &placed])), Some((OrderStatus::PartiallyFilled, "1".to_owned())));
        assert_eq!(state(&list(&[&canceled, &partly])), Some((OrderStatus::Canceled, "1".to_owned())));
        assert_eq!(state(&list(&[&whole, &partly])), Some((OrderStatus::Filled, "3".to_owned())));
    }

    #[test]
    fn one_answer_tells_of_every_order_of_ours() {
        let id = |sequence| {
            ClientOrderId::new(BotId::from_u128(7 << 90), 1, 1, sequence, OrderPurpose::Entry).unwrap()
        };
        let row = |kind: &str, name: &str, filled: u32| {
            format!(
                r#"{{"timestamp":1604937694000,"event":{{"{kind}":{{"order":{{"uid":"o-1","tradeable":"PF_XBTUSD",
                "direction":"Buy","quantity":"3","filled":"{filled}","limitPrice":"1","orderType":"Limit",
                "clientId":"{name}","reduceOnly":false}}}}}}}}"#
            )
        };
        let rows = [
            row("OrderCancelled", &id(2).to_string(), 1),
            row("OrderPlaced", "somebody-else", 0),
            row("OrderPlaced", &id(2).to_string(), 0),
            row("OrderRejected", &id(1).to_string(), 0),
        ];
        let text = format!(r#"{{"elements":[{}]}}"#, rows.join(","));
        let history: WireHistory<'_> = wire::json("past orders", text.as_bytes()).unwrap();
        let found = past_orders(&history.elements.unwrap()).unwrap();
        let told: Vec<_> = found.values().map(|end| (end.client_id, end.status)).collect();
        assert_eq!(
            told,
            [(id(1), OrderStatus::Rejected), (id(2), OrderStatus::Canceled)],
            "the newest event counts"
        );
    }
}
