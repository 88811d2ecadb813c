//! Live updates as server-sent events, resumable by event id.
//!
//! Ends at once when the session is ended. A comment every five seconds lets the page notice a dead line.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::Stream;
use keyhold_domain::SessionId;
use tokio::sync::broadcast;

use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::problem::ProblemDocument;
use crate::live::{Live, LiveEvent, Subscription};

/// A comment is sent this often.
const BEAT: Duration = Duration::from_secs(5);
/// A stream ends after this long; the browser opens the next, which checks the session again.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Live updates of the workspace.
#[utoipa::path(get, path = "/stream",
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 401, body = ProblemDocument)))]
pub(crate) async fn stream(State(app): State<Shared>, session: Session, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let subscription = app.live.subscribe(session.workspace.id(), last);
    let body = Body::from_stream(events(app, subscription, session.principal.session));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn frame(live: &Live, event: &LiveEvent) -> Bytes {
    // JSON on one line: serde_json never writes a line break.
    format!("id: {}\nevent: {}\ndata: {}\n\n", live.id(event.number), event.name, event.data).into()
}

fn reset(live: &Live, last: u64) -> Bytes {
    format!("id: {}\nevent: reset\ndata: {{}}\n\n", live.id(last)).into()
}

struct Listening {
    app: Shared,
    receiver: broadcast::Receiver<LiveEvent>,
    ended: broadcast::Receiver<SessionId>,
    session: SessionId,
    last: u64,
    until: tokio::time::Instant,
}

fn events(
    app: Shared,
    subscription: Subscription,
    session: SessionId,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut first = String::from("retry: 2000\n\n");
    if subscription.reset {
        first.push_str(&String::from_utf8_lossy(&reset(&app.live, subscription.last)));
    }
    for event in &subscription.missed {
        first.push_str(&String::from_utf8_lossy(&frame(&app.live, event)));
    }
    let state = Listening {
        receiver: subscription.receiver,
        ended: subscription.ended,
        session,
        last: subscription.last,
        until: tokio::time::Instant::now() + LONGEST,
        app,
    };
    let rest = futures_util::stream::unfold(state, |mut state| async move {
        let bytes = next(&mut state).await?;
        Some((Ok(bytes), state))
    });
    futures_util::StreamExt::chain(futures_util::stream::iter([Ok(Bytes::from(first))]), rest)
}

/// The next piece; `None` ends the stream.
async fn next(state: &mut Listening) -> Option<Bytes> {
    loop {
        tokio::select! {
            biased;
            ended = state.ended.recv() => match ended {
                Ok(session) if session == state.session => return None,
                // Too many sessions ended at once to follow: end this stream too, the next request is checked.
                Err(_) => return None,
                Ok(_) => {}
            },
            event = state.receiver.recv() => match event {
                // Between subscribing and here nothing is lost or doubled: both happen under one lock.
                Ok(event) => {
                    state.last = event.number;
                    return Some(frame(&state.app.live, &event));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    return Some(reset(&state.app.live, state.last));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            },
            () = tokio::time::sleep(BEAT) => return Some(Bytes::from_static(b": beat\n\n")),
            () = tokio::time::sleep_until(state.until) => return None,
        }
    }
}
