//! Waiting for news of a stream.

use std::time::Duration;

use keyhold_domain::{ClientOrderId, OrderStatus, OrderUpdate};
use keyhold_venues::{AccountEvent, EventStream};

/// Virtual time; nothing that works takes so long.
const DEADLINE: Duration = Duration::from_mins(10);

/// The first event that is wanted; all others are passed over.
pub(crate) async fn until<T: std::fmt::Debug, R>(
    events: &mut EventStream<T>,
    what: &str,
    mut wanted: impl FnMut(&T) -> Option<R>,
) -> R {
    let mut seen = vec![];
    let waiting = async {
        loop {
            let event = events.next_event().await.expect("the stream has ended");
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(event);
        }
    };
    let found = tokio::time::timeout(DEADLINE, waiting).await;
    found.unwrap_or_else(|_| panic!("{what} did not come; seen: {seen:?}"))
}

/// The stream of the account stands.
pub(crate) async fn resynced(events: &mut EventStream<AccountEvent>) {
    until(events, "the beginning", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(()))
        .await;
}

/// An order has come into a state.
pub(crate) async fn until_state(
    events: &mut EventStream<AccountEvent>,
    id: ClientOrderId,
    status: OrderStatus,
) -> OrderUpdate {
    until(events, &format!("{status} of {id}"), |event| match event {
        AccountEvent::OrderUpdate(update) => {
            (update.client_id == id && update.status == status).then_some(*update)
        }
        _ => None,
    })
    .await
}
