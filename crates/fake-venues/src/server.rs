//! The network side: connections, HTTP and WebSocket, and the troubles on the way.
//!
//! Knows nothing of orders. One lock guards the venue's state; it is never held while waiting.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keyhold_domain::Timestamp;
use keyhold_simulator::faults::RequestFate;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::bybit::auth::Credentials;
use crate::bybit::call::{self, LimitNews, Verb};
use crate::bybit::failure::Failure;
use crate::bybit::socket::{self, Sender};
use crate::bybit::state::State;
use crate::clock::{self, Clock};
use crate::config::AccountConfig;
use crate::hub::{Channel, MAX_WAITING, Outgoing};
use crate::latency::Latency;

/// The largest request body.
const MAX_BODY: usize = 64 * 1024;

/// Whether the venue accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Up,
    /// Connections are refused and open ones are cut.
    Down,
    /// The program ends.
    Gone,
}

/// What all tasks share.
pub(crate) struct Shared {
    state: Mutex<State>,
    latency: Mutex<Latency>,
    pub(crate) accounts: Vec<AccountConfig>,
    pub(crate) clock: Clock,
    pub(crate) reach: watch::Sender<Reach>,
    /// Counts how often all sockets were cut.
    pub(crate) cuts: watch::Sender<u64>,
    /// Wakes the replay after its pace has changed.
    pub(crate) pace_changed: tokio::sync::Notify,
}

impl Shared {
    pub(crate) fn new(state: State, accounts: Vec<AccountConfig>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            latency: Mutex::default(),
            accounts,
            clock,
            reach: watch::Sender::new(Reach::Up),
            cuts: watch::Sender::new(0),
            pace_changed: tokio::sync::Notify::new(),
        })
    }

    /// The venue's state. A panic of another task does not make it unusable: every deed leaves it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closed candles and the orders that answered them. A lock of its own, so that measuring waits for nothing else.
    pub(crate) fn latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock as the venue sees it.
    fn wall(&self, state: &State) -> Timestamp {
        (self.clock)().plus_ms(state.trouble.skew_ms)
    }
}

/// Accepts connections until the end; gives up the port while the venue is down.
pub(crate) async fn listen(mut listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut reach = shared.reach.subscribe();
    loop {
        let now = *reach.borrow_and_update();
        match now {
            Reach::Gone => return,
            Reach::Up => accept(&listener, &mut reach, &shared).await,
            Reach::Down => {
                drop(listener);
                while *reach.borrow_and_update() == Reach::Down {
                    if reach.changed().await.is_err() {
                        return;
                    }
                }
                if *reach.borrow() == Reach::Gone {
                    return;
                }
                listener = match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => {
                        tracing::error!(%error, "cannot listen again");
                        return;
                    }
                };
            }
        }
    }
}

async fn accept(listener: &TcpListener, reach: &mut watch::Receiver<Reach>, shared: &Arc<Shared>) {
    loop {
        tokio::select! {
            _ = reach.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => { tokio::spawn(serve(stream, peer.ip(), shared.clone())); }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Resolves when this connection has to end.
async fn cut(shared: &Shared) {
    let mut reach = shared.reach.subscribe();
    let mut cuts = shared.cuts.subscribe();
    tokio::select! {
        _ = reach.wait_for(|reach| *reach != Reach::Up) => {}
        _ = cuts.changed() => {}
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay was not set");
    }
    let service = service_fn(|request| handle(request, peer, shared.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "a connection ended");
        },
        () = cut(&shared) => {}
    }
}

/// An error here cuts the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

type Answer = Response<Full<Bytes>>;

async fn handle(request: Request<Incoming>, peer: IpAddr, shared: Arc<Shared>) -> Result<Answer, Cut> {
    let path = request.uri().path().to_owned();
    if let Some(channel) = socket::channel_of(&path) {
        return Ok(upgrade(request, channel, peer, shared));
    }
    let (fate, delay) = shared.lock().trouble.request(&path);
    if fate == RequestFate::LostRequest {
        return Err(Cut);
    }
    let answer = match fate {
        RequestFate::Status(status) => status_answer(status),
        RequestFate::Served | RequestFate::LostAnswer | RequestFate::LostRequest => {
            rest(request, peer, &shared).await
        }
    };
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay.into())).await;
    }
    if fate == RequestFate::LostAnswer { Err(Cut) } else { Ok(answer) }
}

fn status_answer(status: u16) -> Answer {
    let text = match status {
        403 => "403, access too frequent",
        429 => "System level frequency protection",
        _ => "Service Unavailable",
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    answer
}

async fn rest(request: Request<Incoming>, peer: IpAddr, shared: &Shared) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else { return status_answer(413) };
    let body = body.to_bytes();
    let read = clock::monotonic();
    let verb = match head.method {
        Method::GET => Verb::Get,
        Method::POST => Verb::Post,
        _ => return status_answer(405),
    };
    let mut state = shared.lock();
    let wall = shared.wall(&state);
    let request = call::Request {
        verb,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        body: &body,
        credentials: credentials(&head.headers),
        peer: state.trouble.peer.unwrap_or(peer),
        wall,
    };
    let (result, limit) = call::serve(&mut state, &shared.accounts, &request);
    drop(state);
    if let (Ok(_), Some(symbol)) = (&result, call::ordered_symbol(&request)) {
        shared.latency().ordered(symbol, read);
    }
    let time = wall.ms();
    match result {
        Ok(result) => json_answer(
            200,
            &json!({ "retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time }),
            limit,
        ),
        Err(Failure { status: 403, text, .. }) => {
            let mut answer = Response::new(Full::new(Bytes::from(text)));
            *answer.status_mut() = StatusCode::FORBIDDEN;
            answer
        }
        Err(Failure { status, code, text }) => json_answer(
            status,
            &json!({ "retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": time }),
            limit,
        ),
    }
}

fn json_answer(status: u16, body: &serde_json::Value, limit: Option<LimitNews>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(limit) = limit {
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-bapi-limit", limit.limit.to_string());
        put("x-bapi-limit-status", limit.left.to_string());
        put("x-bapi-limit-reset-timestamp", limit.reset.ms().to_string());
    }
    answer
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Credentials {
        key: text("x-bapi-api-key"),
        timestamp: text("x-bapi-timestamp"),
        window: text("x-bapi-recv-window"),
        signature: text("x-bapi-sign"),
    }
}

fn upgrade(mut request: Request<Incoming>, channel: Channel, peer: IpAddr, shared: Arc<Shared>) -> Answer {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return status_answer(426);
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let stream = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
                talk(stream, channel, peer, shared).await;
            }
            Err(error) => tracing::debug!(%error, "a socket did not open"),
        }
    });
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    answer
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

async fn talk(mut stream: Socket, channel: Channel, peer: IpAddr, shared: Arc<Shared>) {
    let (sender, mut receiver) = mpsc::channel(MAX_WAITING);
    let number = shared.lock().hub.open(channel, sender);
    let mut cut = std::pin::pin!(cut(&shared));
    loop {
        let incoming = tokio::select! {
            // What was decided first is done first: a freeze must come before the answer to a later ping.
            biased;
            () = &mut cut => break,
            outgoing = receiver.recv() => match outgoing {
                Some(Outgoing::Text(frame)) => {
                    if let Some(close) = frame.closes {
                        shared.latency().told(close, clock::monotonic());
                    }
                    if stream.send(Message::text(frame.text.as_ref())).await.is_err() {
                        break;
                    }
                    continue;
                }
                // Half open: the connection stays, nothing moves on it any more.
                Some(Outgoing::Freeze) => {
                    cut.await;
                    break;
                }
                None => break,
            },
            incoming = stream.next() => incoming,
        };
        let Some(Ok(message)) = incoming else { break };
        let Message::Text(text) = message else { continue };
        let answers = {
            let mut state = shared.lock();
            let wall = shared.wall(&state);
            let peer = state.trouble.peer.unwrap_or(peer);
            socket::answer(&mut state, &shared.accounts, Sender { number, peer, wall }, &text)
        };
        for answer in answers {
            if stream.send(Message::text(answer)).await.is_err() {
                break;
            }
        }
    }
    shared.lock().hub.close(number);
}
