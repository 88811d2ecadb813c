//! Live updates as server-sent events, resumable by event id.
//!
//! The ring of recent events is [`crate::live`]; what is put into it is decided where things change and in
//! [`super::tell`]. A stream ends at once when its session is ended here, and within five seconds when it has expired or
//! was ended elsewhere. It never keeps a session alive.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use keyhold_domain::SessionId;
use keyhold_store::UserStore;
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior};

use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::problem::{Problem, ProblemDocument};
use crate::live::{Live, LiveEvent, Subscription};

/// A comment is sent this often, and the session looked at.
const BEAT: Duration = Duration::from_secs(5);
/// Streams of one session at most: one browser needs one, a reload makes two for a moment.
const MOST_PER_SESSION: u32 = 8;
/// Streams of the whole installation at most.
const MOST: u32 = 2_000;

/// How many streams are open.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<BTreeMap<SessionId, u32>>,
}

/// A place that is given back when the stream ends.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    session: SessionId,
}

impl Places {
    fn take(self: &Arc<Self>, session: SessionId) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u32 = taken.values().sum();
        let own = taken.get(&session).copied().unwrap_or_default();
        if all >= MOST || own >= MOST_PER_SESSION {
            return None;
        }
        taken.insert(session, own + 1);
        Some(Place { places: Arc::clone(self), session })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get(&self.session).copied() {
            Some(own) if own > 1 => taken.insert(self.session, own - 1),
            Some(_) | None => taken.remove(&self.session),
        };
    }
}

/// Live updates of the workspace: `bot`, `key`, `key_check`, `decision`, `order`, `fill`, `position`, `trade`, `equity`,
/// `event`, `command`, `backtest`, `candle_fetch`, each with the changed object as the reads give it, and `reset` when something was missed.
#[utoipa::path(get, path = "/stream",
    params(("Last-Event-ID" = Option<String>, Header, description = "Resume after this event")),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 401, body = ProblemDocument), (status = 429, body = ProblemDocument)))]
pub(crate) async fn stream(
    State(app): State<Shared>,
    Extension(places): Extension<Arc<Places>>,
    session: Session,
    headers: HeaderMap,
) -> Response {
    let Some(place) = places.take(session.principal.session) else {
        return Problem::too_many(5).into_response();
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let subscription = app.live.subscribe(session.workspace.id(), last);
    let body = Body::from_stream(pieces(app, &session, subscription, place));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn frame(live: &Live, event: &LiveEvent) -> String {
    // JSON on one line: serde_json never writes a line break.
    format!("id: {}\nevent: {}\ndata: {}\n\n", live.id(event.number), event.name, event.data)
}

fn reset(live: &Live, last: u64) -> String {
    format!("id: {}\nevent: reset\ndata: {{}}\n\n", live.id(last))
}

/// What a listener is sent first, at once: a comment, then what it missed or that it missed something.
fn first(live: &Live, subscription: &Subscription) -> String {
    let mut text = String::from(": connected\nretry: 1000\n\n");
    if subscription.reset {
        text.push_str(&reset(live, subscription.last));
    }
    for event in &subscription.missed {
        text.push_str(&frame(live, event));
    }
    text
}

struct Listening {
    app: Shared,
    user: UserStore,
    session: SessionId,
    receiver: broadcast::Receiver<LiveEvent>,
    ended: broadcast::Receiver<SessionId>,
    beat: Interval,
    last: u64,
    _place: Place,
}

fn pieces(
    app: Shared,
    session: &Session,
    subscription: Subscription,
    place: Place,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let first = first(&app.live, &subscription);
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listening = Listening {
        app,
        user: session.user.clone(),
        session: session.principal.session,
        receiver: subscription.receiver,
        ended: subscription.ended,
        beat,
        last: subscription.last,
        _place: place,
    };
    let rest = futures_util::stream::unfold(listening, |mut listening| async move {
        let piece = listening.next().await?;
        Some((Ok(Bytes::from(piece)), listening))
    });
    futures_util::StreamExt::chain(futures_util::stream::iter([Ok(Bytes::from(first))]), rest)
}

impl Listening {
    /// The next piece; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                ended = self.ended.recv() => match ended {
                    Ok(session) if session == self.session => return None,
                    Ok(_) => {}
                    // More sessions ended than can be followed; this one may be among them.
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        if !self.is_signed_in().await {
                            return None;
                        }
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                _ = self.beat.tick() => {
                    return if self.is_signed_in().await { Some(": beat\n\n".to_owned()) } else { None };
                }
                event = self.receiver.recv() => match event {
                    Ok(event) => {
                        self.last = event.number;
                        return Some(frame(&self.app.live, &event));
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.last += missed;
                        return Some(reset(&self.app.live, self.last));
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }

    /// Whether the session still holds. Unlike a request this does not count as use. Doubt ends the stream: the next
    /// request finds out.
    async fn is_signed_in(&self) -> bool {
        let (now, idle) = (self.app.clock.now(), self.app.config.sessions.idle_ms);
        match self.user.sessions(now, idle).await {
            Ok(sessions) => sessions.iter().any(|one| one.id == self.session),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a stream's session could not be looked at"
                );
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhold_domain::WorkspaceId;

    const HERE: WorkspaceId = WorkspaceId::from_u128(1);

    #[test]
    fn a_listener_is_sent_what_it_missed_once_and_in_order() {
        let live = Live::new("b".to_owned());
        for number in 1..=3 {
            live.publish(HERE, "event", &serde_json::json!({ "n": number, "text": "two\nlines" }));
        }
        let text = first(&live, &live.subscribe(HERE, Some("b-1")));
        assert!(text.starts_with(": connected\n"), "the first byte needs no event");
        let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        assert_eq!(ids, ["b-2", "b-3"]);
        assert!(
            text.contains("data: {\"n\":2,\"text\":\"two\\nlines\"}\n\n"),
            "data stays on one line: {text}"
        );
    }

    #[test]
    fn a_listener_that_is_too_late_is_told_to_start_over_and_where_it_stands() {
        let live = Live::new("b".to_owned());
        for number in 0..2_000 {
            live.publish(HERE, "event", &number);
        }
        for id in ["b-3", "before-the-restart-1999", "b-2001", "nonsense"] {
            let text = first(&live, &live.subscribe(HERE, Some(id)));
            assert!(text.ends_with("id: b-2000\nevent: reset\ndata: {}\n\n"), "{id}: {text}");
        }
        let text = first(&live, &live.subscribe(HERE, None));
        assert!(!text.contains("reset"), "who never listened has missed nothing");
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let places = Arc::new(Places::default());
        let session = SessionId::from_u128(1);
        let taken: Vec<_> = (0..MOST_PER_SESSION).map(|_| places.take(session).unwrap()).collect();
        assert!(places.take(session).is_none());
        assert!(places.take(SessionId::from_u128(2)).is_some(), "others have their own");
        drop(taken);
        assert!(places.take(session).is_some());
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is remembered of streams that ended");
    }
}
