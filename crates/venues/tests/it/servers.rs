//! Servers on the loopback interface that behave as told, and adapters that talk to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use keyhold_domain::{ContractType, Environment, Exchange};
use keyhold_venues::bybit::{Bybit, BybitMarket};
use keyhold_venues::hosts::Addresses;
use keyhold_venues::{Endpoints, Settings, TokioDialer, VenueConfig};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{StandingClock, test_signer};

/// Our clock in these tests, and the server's.
pub(crate) const NOW_MS: i64 = 1_700_000_030_000;

/// Longer than anything here takes; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) verb: String,
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Which connection, from 0.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = url::form_urlencoded::parse(self.query().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the server does with a request.
pub(crate) enum Reaction {
    /// A whole answer; the connection stays.
    Answer(u16, String),
    /// A whole answer with more headers.
    AnswerWith(u16, &'static str, String),
    /// A whole answer, then the connection is closed without a word.
    AnswerAndClose(String),
    /// Closed without an answer.
    Close,
    /// Never answered; the connection stays.
    Hang,
    /// The first half of an answer, then closed.
    Half(String),
}

pub(crate) fn ok(result: &Value) -> Reaction {
    Reaction::Answer(200, answer(result))
}

/// Bybit's envelope around a result.
pub(crate) fn answer(result: &Value) -> String {
    serde_json::json!({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS})
        .to_string()
}

/// Bybit's envelope around a refusal.
pub(crate) fn refusal(code: i64) -> Reaction {
    let body =
        serde_json::json!({"retCode": code, "retMsg": "no", "result": {}, "retExtInfo": {}, "time": NOW_MS});
    Reaction::Answer(200, body.to_string())
}

/// The server's clock.
pub(crate) fn time_is(ms: i64) -> Reaction {
    let seconds = (ms / 1_000).to_string();
    ok(&serde_json::json!({"timeSecond": seconds, "timeNano": format!("{ms}000000")}))
}

/// An HTTP server. It answers the question for the time by itself unless the reaction does.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type React = dyn Fn(&Seen) -> Reaction + Send + Sync;

impl Server {
    /// Answers every request by `react`.
    pub(crate) async fn start(react: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(vec![]));
        let react: Arc<React> = Arc::new(react);
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, count, Arc::clone(&react), Arc::clone(&log)));
                count += 1;
            }
        });
        Self { address, seen, task }
    }

    /// All requests to a path, in order.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path() == path).cloned().collect()
    }
}

/// Serves one connection, of whatever kind.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    connection: usize,
    react: Arc<React>,
    log: Arc<Mutex<Vec<Seen>>>,
) {
    while let Some(request) = read_request(&mut stream, connection).await {
        log.lock().unwrap().push(request.clone());
        let reaction =
            if request.path() == "/v5/market/time" { time_or(&*react, &request) } else { react(&request) };
        let (text, stays) = match reaction {
            Reaction::Answer(status, body) => (response(status, "", &body), true),
            Reaction::AnswerWith(status, headers, body) => (response(status, headers, &body), true),
            Reaction::AnswerAndClose(body) => (response(200, "", &body), false),
            Reaction::Close => return,
            Reaction::Hang => std::future::pending().await,
            Reaction::Half(body) => {
                let whole = response(200, "", &body);
                (whole[..whole.len() - body.len() / 2].to_owned(), false)
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() || !stays {
            return;
        }
    }
}

/// The reaction's own word on the time, or the time of these tests.
fn time_or(react: &React, request: &Seen) -> Reaction {
    match react(request) {
        Reaction::Answer(404, _) => time_is(NOW_MS),
        other => other,
    }
}

/// What a server says to a path that a test does not expect.
pub(crate) fn not_found() -> Reaction {
    Reaction::Answer(404, String::new())
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, connection: usize) -> Option<Seen> {
    let mut bytes = vec![];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let mut chunk = [0; 4_096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut first = head.split_whitespace();
    let (verb, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut seen = Seen { verb, target, head, body: String::new(), connection };
    let length: usize = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
    while bytes.len() < end + length {
        let mut chunk = [0; 4_096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    seen.body = String::from_utf8(bytes[end..].to_vec()).unwrap();
    Some(seen)
}

/// A WebSocket server whose connections the test itself drives.
pub(crate) struct WsServer {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
}

impl WsServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { address: listener.local_addr().unwrap(), listener }
    }

    /// The next connection of the adapter.
    pub(crate) async fn accept(&self) -> WsPeer {
        let accepting = async {
            let (stream, _) = self.listener.accept().await.unwrap();
            WsPeer { stream: tokio_tungstenite::accept_async(stream).await.unwrap() }
        };
        tokio::time::timeout(PATIENCE, accepting).await.expect("no connection came")
    }
}

/// The server's end of a stream.
pub(crate) struct WsPeer {
    stream: WebSocketStream<TcpStream>,
}

impl WsPeer {
    /// The next frame that is not a ping, as JSON. Pings are answered.
    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("no frame came");
            let Message::Text(text) = next.expect("the stream ended").unwrap() else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["op"] == "ping" {
                self.send(&serde_json::json!({"op": "pong", "success": true, "ret_msg": "pong"})).await;
                continue;
            }
            return frame;
        }
    }

    /// Takes a subscription or login and confirms it.
    pub(crate) async fn confirm(&mut self, op: &str) -> Value {
        let frame = self.frame().await;
        assert_eq!(frame["op"], op);
        self.send(&serde_json::json!({"op": op, "success": true, "ret_msg": "", "conn_id": "c"})).await;
        frame
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.stream.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Waits until the other side is gone.
    pub(crate) async fn gone(mut self) {
        let ending = async { while let Some(Ok(_)) = self.stream.next().await {} };
        tokio::time::timeout(PATIENCE, ending).await.expect("the stream did not end");
    }
}

/// Limits that a slow machine does not reach.
pub(crate) fn patient() -> Settings {
    let mut settings = Settings {
        backoff: (Duration::from_millis(1), Duration::from_millis(4)),
        resolve_waits: vec![Duration::from_millis(1); 3],
        limit_patience: PATIENCE,
        silence_limit: PATIENCE,
        confirm_limit: PATIENCE,
        ..Settings::default()
    };
    settings.http.connect = PATIENCE;
    settings.http.answer = PATIENCE;
    settings.http.busy = PATIENCE;
    settings.http.idle = PATIENCE;
    settings
}

/// A simulated venue at these addresses.
pub(crate) fn endpoints(rest: SocketAddr, ws: SocketAddr) -> Endpoints {
    let (rest, public_ws) = (format!("http://{rest}"), format!("ws://{ws}/v5/public"));
    let private_ws = format!("ws://{ws}/v5/private");
    let addresses = Addresses {
        rest: &rest,
        key_check: None,
        public_ws: &public_ws,
        market_ws: None,
        private_ws: &private_ws,
    };
    Endpoints::new(Exchange::Bybit, Environment::Simulated, addresses).unwrap()
}

/// Linear contracts at these addresses.
pub(crate) fn linear(endpoints: Endpoints, settings: Settings) -> VenueConfig {
    VenueConfig { contract_type: ContractType::Linear, endpoints, settings }
}

/// The public side of linear contracts.
pub(crate) fn market(endpoints: Endpoints, settings: Settings) -> BybitMarket<TokioDialer> {
    let (dialer, clock) = (Arc::new(TokioDialer::default()), Arc::new(StandingClock(NOW_MS)));
    BybitMarket::from_config(linear(endpoints, settings), dialer, clock).unwrap()
}

/// Linear contracts with a key.
pub(crate) fn venue(server: SocketAddr, settings: Settings) -> Bybit<TokioDialer> {
    Bybit::new(market(endpoints(server, server), settings), test_signer())
}
