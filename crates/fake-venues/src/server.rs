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
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keyhold_domain::Timestamp;
use keyhold_simulator::faults::RequestFate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::clock::{self, Clock};
use crate::config::{AccountConfig, Grant};
use crate::hub::{MAX_WAITING, Outgoing};
use crate::latency::Latency;
use crate::protocol::{self, Line, Protocol, Sender, Verb};

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
    state: Mutex<Box<dyn Protocol>>,
    latency: Mutex<Latency>,
    accounts: Mutex<Arc<Vec<AccountConfig>>>,
    pub(crate) clock: Clock,
    pub(crate) reach: watch::Sender<Reach>,
    /// Ends the open connections, in the order in which they began to wait for it. A watch would wake them in an order
    /// that is drawn anew in every run, and who comes back first decides what befalls whom.
    severed: Arc<Notify>,
    /// Wakes the replay after its pace has changed.
    pub(crate) pace_changed: Notify,
}

impl Shared {
    pub(crate) fn new(state: Box<dyn Protocol>, accounts: Vec<AccountConfig>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            latency: Mutex::default(),
            accounts: Mutex::new(Arc::new(accounts)),
            clock,
            reach: watch::Sender::new(Reach::Up),
            severed: Arc::default(),
            pace_changed: Notify::new(),
        })
    }

    /// The venue's state. A panic of another task does not make it unusable: every deed leaves it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Box<dyn Protocol>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has accounts here, with which keys, as it is now.
    fn accounts(&self) -> Arc<Vec<AccountConfig>> {
        Arc::clone(&self.accounts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a key other rights, as its owner does at a venue's page. Answers whether there is such a key.
    pub(crate) fn grant(&self, grant: Grant) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Arc::make_mut(&mut accounts).iter_mut().flat_map(|account| &mut account.keys);
        let Some(found) = keys.find(|key| key.key == grant.key) else { return false };
        found.permissions = grant.permissions;
        found.ips = grant.ips;
        true
    }

    /// Closed candles and the orders that answered them. A lock of its own, so that measuring waits for nothing else.
    pub(crate) fn latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets connections in, or ends those that are there and lets no more in.
    pub(crate) fn set_reach(&self, reach: Reach) {
        self.reach.send_replace(reach);
        match reach {
            Reach::Up => {}
            Reach::Down | Reach::Gone => self.cut_all(),
        }
    }

    /// Ends every connection that is open now.
    pub(crate) fn cut_all(&self) {
        self.severed.notify_waiters();
    }

    /// The wall clock as the venue sees it.
    fn wall(&self, state: &dyn Protocol) -> Timestamp {
        (self.clock)().plus_ms(state.core().trouble.skew_ms)
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

/// How often timers of the protocol are looked at.
const BEAT: Duration = Duration::from_millis(100);

/// Tells the protocol that time passes, until the end.
pub(crate) async fn beat(shared: Arc<Shared>) {
    let mut beat = tokio::time::interval(BEAT);
    while *shared.reach.borrow() != Reach::Gone {
        beat.tick().await;
        let mut state = shared.lock();
        let wall = shared.wall(&**state);
        state.beat(wall);
    }
}

async fn accept(listener: &TcpListener, reach: &mut watch::Receiver<Reach>, shared: &Arc<Shared>) {
    loop {
        tokio::select! {
            _ = reach.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "nodelay was not set");
                    }
                    tokio::spawn(serve(stream, peer.ip(), shared.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Resolves when this connection has to end. What was decided before the call ends connections that were there before.
fn cut(shared: &Shared) -> impl Future<Output = ()> + Send + use<> {
    let severed = Arc::clone(&shared.severed).notified_owned();
    // Looked at after the waiting has begun, so that no end falls in between.
    let reach = *shared.reach.borrow();
    async move {
        if reach == Reach::Up {
            severed.await;
        }
    }
}

/// Serves one connection to its end, over whatever carries it.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    shared: Arc<Shared>,
) {
    let service = service_fn(|request| handle(request, peer, shared.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        biased;
        () = cut(&shared) => {}
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "a connection ended");
        },
    }
}

/// An error here cuts the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

type Answer = Response<Full<Bytes>>;

async fn handle(request: Request<Incoming>, peer: IpAddr, shared: Arc<Shared>) -> Result<Answer, Cut> {
    let path = request.uri().path().to_owned();
    let line = shared.lock().line_of(&path, request.uri().query().unwrap_or(""));
    if let Some(line) = line {
        return Ok(upgrade(request, line, peer, shared));
    }
    let (fate, delay) = shared.lock().core_mut().trouble.request(&path);
    if fate == RequestFate::LostRequest {
        return Err(Cut);
    }
    let answer = match fate {
        RequestFate::Status(status) => gateway(&shared, status),
        RequestFate::Served | RequestFate::LostAnswer | RequestFate::LostRequest => {
            rest(request, peer, &shared).await
        }
    };
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay.into())).await;
    }
    if fate == RequestFate::LostAnswer { Err(Cut) } else { Ok(answer) }
}

fn gateway(shared: &Shared, status: u16) -> Answer {
    let answer = shared.lock().gateway(status);
    response(answer)
}

/// The verb of a method; `None` for those that no venue knows.
const fn verb(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        Method::PUT => Some(Verb::Put),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

async fn rest(request: Request<Incoming>, peer: IpAddr, shared: &Shared) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else { return gateway(shared, 413) };
    let body = body.to_bytes();
    let read = clock::monotonic();
    let Some(verb) = verb(&head.method) else { return gateway(shared, 405) };
    let mut state = shared.lock();
    let wall = shared.wall(&**state);
    state.beat(wall);
    let request = protocol::Request {
        verb,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        headers: &head.headers,
        body: &body,
        peer: state.core().trouble.peer.unwrap_or(peer),
        wall,
    };
    let answer = state.serve(&shared.accounts(), &request);
    drop(state);
    if let Some(symbol) = answer.ordered {
        shared.latency().ordered(symbol, read);
    }
    response(answer)
}

fn response(answer: protocol::Answer) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn upgrade(mut request: Request<Incoming>, line: Line, peer: IpAddr, shared: Arc<Shared>) -> Answer {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return gateway(&shared, 426);
    };
    let upgraded = hyper::upgrade::on(&mut request);
    // A client that has read the answer is heard and told everything from then on, so all is ready before it.
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let number = shared.lock().core_mut().hub.open(line, sender);
    let cut = cut(&shared);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                let stream = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
                talk(stream, (number, peer), receiver, cut, &shared).await;
            }
            Err(error) => tracing::debug!(%error, "a socket did not open"),
        }
        let mut state = shared.lock();
        state.core_mut().hub.close(number);
        state.closed(number);
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

async fn talk(
    mut stream: Socket,
    (number, peer): (u64, IpAddr),
    mut receiver: mpsc::Receiver<Outgoing>,
    cut: impl Future<Output = ()> + Send,
    shared: &Shared,
) {
    let greetings = {
        let mut state = shared.lock();
        let sender = sender_of(shared, &**state, (number, peer));
        state.greet(sender)
    };
    say(&mut stream, greetings).await;
    let mut cut = std::pin::pin!(cut);
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
            let sender = sender_of(shared, &**state, (number, peer));
            state.beat(sender.wall);
            state.hear(&shared.accounts(), sender, &text)
        };
        say(&mut stream, answers).await;
    }
}

fn sender_of(shared: &Shared, state: &dyn Protocol, (number, peer): (u64, IpAddr)) -> Sender {
    let peer = state.core().trouble.peer.unwrap_or(peer);
    Sender { number, peer, wall: shared.wall(state) }
}

/// Sends texts in order. A socket that cannot be written to ends at its next turn.
async fn say(stream: &mut Socket, texts: Vec<String>) {
    for text in texts {
        if let Err(error) = stream.send(Message::text(text)).await {
            tracing::debug!(%error, "a socket did not take an answer");
            return;
        }
    }
}
