//! A tiny client: signed requests, raw sockets, and a venue with fixed time to talk to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use keyhold_domain::{Candle, Decimal, Exchange, Timeframe, Timestamp};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, parse_instrument};
use keyhold_simulator::exchange::ExchangeConfig;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USDT = "10000", BTC = "1" }
    [[account.key]]
    key = "TESTKEY"
    secret = "TESTSECRET"
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY"
    secret = "READSECRET"
    read_only = true
    [[account.key]]
    key = "NOORDERKEY"
    secret = "NOORDERSECRET"
    permissions = { ContractTrade = ["Position"] }
    [[account.key]]
    key = "WITHDRAWKEY"
    secret = "WITHDRAWSECRET"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"] }
    [[account.key]]
    key = "FOREIGNKEY"
    secret = "FOREIGNSECRET"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "EXPIREDKEY"
    secret = "EXPIREDSECRET"
    expires_at_ms = 1

    [[account]]
    id = 2
    balances = { USDT = "500" }
    position_mode = "hedge"
    [[account.key]]
    key = "HEDGEKEY"
    secret = "HEDGESECRET"
"#;

/// The venue's wall clock in most tests.
pub(crate) const NOON: i64 = 1_730_000_000_123;
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) venue: FakeVenue,
    pub(crate) wall: Arc<AtomicI64>,
}

/// One candle a minute from 2024-01-01: open, high, low, close.
pub(crate) fn candles(rows: &[[i64; 4]]) -> Vec<Candle> {
    let price = |value: i64| Decimal::from(value).to_string().parse().unwrap();
    (0_i64..)
        .zip(rows)
        .map(|(minute, [open, high, low, close])| Candle {
            open_time: Timestamp::from_ms(1_704_067_200_000 + minute * 60_000),
            open: price(*open),
            high: price(*high),
            low: price(*low),
            close: price(*close),
            volume: Decimal::TEN,
        })
        .collect()
}

pub(crate) fn config(source: &CandleSource, history: usize) -> VenueConfig {
    let market =
        |name: &str| MarketConfig { instrument: parse_instrument(name).unwrap(), source: source.clone() };
    VenueConfig {
        venue: Exchange::Bybit,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![market("BTCUSDT=linear"), market("BTCUSD=inverse")],
        accounts: parse_accounts(ACCOUNTS).unwrap(),
        seed: 7,
        pace: Pace::Lockstep,
        base: Timeframe::M1,
        history,
        start: Some(Timestamp::from_ms(1_704_067_200_000)),
        exchange: ExchangeConfig::default(),
        rate_limits: RateLimits::Enforced,
        clock: Arc::new(|| Timestamp::from_ms(NOON)),
    }
}

impl Bench {
    pub(crate) async fn with(mut config: VenueConfig) -> Self {
        let wall = Arc::new(AtomicI64::new(NOON));
        let clock = wall.clone();
        config.clock = Arc::new(move || Timestamp::from_ms(clock.load(Ordering::SeqCst)));
        Self { venue: FakeVenue::start(config).await.unwrap(), wall }
    }

    /// A venue whose clock stays as configured.
    pub(crate) async fn with_own_clock(config: VenueConfig) -> Self {
        let venue = FakeVenue::start(config).await.unwrap();
        Self { venue, wall: Arc::new(AtomicI64::new(0)) }
    }

    /// A quiet market at 50000 with some history.
    pub(crate) async fn quiet() -> Self {
        let rows = vec![[50_000, 50_010, 49_990, 50_000]; 60];
        Self::with(config(&CandleSource::Recorded(candles(&rows)), 20)).await
    }

    pub(crate) fn control(&self, name: &str, body: &Value) -> Value {
        self.venue.control(name, body).unwrap()
    }

    pub(crate) fn truth(&self) -> Value {
        self.control("truth", &json!({ "account": 1 }))
    }

    /// A signed GET with the usual key.
    pub(crate) async fn get(&self, path: &str, query: &str) -> Value {
        self.call("GET", path, query, "", ("TESTKEY", "TESTSECRET")).await.1
    }

    /// A signed POST with the usual key. Time moves a little, so that rate limits do not interfere.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.wall.fetch_add(200, Ordering::SeqCst);
        self.call("POST", path, "", &body.to_string(), ("TESTKEY", "TESTSECRET")).await.1
    }

    pub(crate) async fn buy(&self, quantity: &str, link: &str) -> Value {
        let body = json!({
            "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": quantity,
            "orderLinkId": link,
        });
        self.post("/v5/order/create", &body).await
    }

    pub(crate) async fn call(
        &self,
        verb: &str,
        path: &str,
        query: &str,
        body: &str,
        key: (&str, &str),
    ) -> (Response<()>, Value) {
        let at = self.wall.load(Ordering::SeqCst);
        self.try_call(verb, path, query, body, key, at).await.unwrap()
    }

    /// A signed request with its own timestamp. `None` when the connection is refused or cut.
    pub(crate) async fn try_call(
        &self,
        verb: &str,
        path: &str,
        query: &str,
        body: &str,
        (key, secret): (&str, &str),
        at: i64,
    ) -> Option<(Response<()>, Value)> {
        let payload = if verb == "GET" { query } else { body };
        let signature = sign(secret, &format!("{at}{key}5000{payload}"));
        let headers = [
            ("X-BAPI-API-KEY", key.to_owned()),
            ("X-BAPI-TIMESTAMP", at.to_string()),
            ("X-BAPI-RECV-WINDOW", "5000".to_owned()),
            ("X-BAPI-SIGN", signature),
        ];
        self.send(verb, path, query, body, &headers).await
    }

    pub(crate) async fn send(
        &self,
        verb: &str,
        path: &str,
        query: &str,
        body: &str,
        headers: &[(&str, String)],
    ) -> Option<(Response<()>, Value)> {
        let stream = TcpStream::connect(self.venue.address()).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(verb).uri(uri).header("Host", "fake");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let answer = within(sender.send_request(request)).await.ok()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let value = serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
        Some((Response::from_parts(head, ()), value))
    }

    pub(crate) async fn socket(&self, path: &str) -> Socket {
        let stream = TcpStream::connect(self.venue.address()).await.unwrap();
        let url = format!("{}{path}", self.venue.ws_url());
        Socket(within(tokio_tungstenite::client_async(url, stream)).await.unwrap().0)
    }

    /// A socket that is logged in to the private stream.
    pub(crate) async fn private(&self, topics: &[&str]) -> Socket {
        let mut socket = self.socket("/v5/private").await;
        let expires = self.wall.load(Ordering::SeqCst) + 10_000;
        let signature = sign("TESTSECRET", &format!("GET/realtime{expires}"));
        socket.say(&json!({ "op": "auth", "args": ["TESTKEY", expires, signature] })).await;
        assert_eq!(socket.hear().await["success"], true);
        socket.say(&json!({ "op": "subscribe", "args": topics })).await;
        assert_eq!(socket.hear().await["success"], true);
        socket
    }
}

pub(crate) fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    mac.finalize().into_bytes().iter().flat_map(digits).collect()
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("an answer within the deadline")
}

pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(crate) async fn hear(&mut self) -> Value {
        self.try_hear().await.expect("the socket is open")
    }

    /// The next text frame; `None` when the socket has ended.
    pub(crate) async fn try_hear(&mut self) -> Option<Value> {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Reads until a frame of this topic for which the test holds.
    pub(crate) async fn until(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.hear().await;
            if frame["topic"] == topic && wanted(&frame["data"]) {
                return frame;
            }
        }
    }

    /// Whether nothing arrives for a moment.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.0.next()).await.is_err()
    }
}
