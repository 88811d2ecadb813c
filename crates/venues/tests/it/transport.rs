//! Connections that fail in every way: each must be told as what it is. Did it happen?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyhold_domain::{NewOrder, OrderKind, PositionEffect, RefusalCode, Side};
use keyhold_venues::bybit::{Bybit, BybitMarket};
use keyhold_venues::hosts::{Security, Target};
use keyhold_venues::{
    Dialer, MarketData, NotSentCause, Settings, TokioDialer, TradingVenue, UnknownCause, VenueError,
};
use serde_json::json;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;

use crate::servers::{
    NOW_MS, Reaction, Server, endpoints, linear, not_found, ok, patient, refusal, serve, time_is, venue,
};
use crate::support::{StandingClock, order_id, test_signer};

const PLACE: &str = "/v5/order/create";

fn order(sequence: u32, effect: PositionEffect) -> NewOrder {
    NewOrder {
        client_id: order_id(sequence),
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        kind: OrderKind::Market,
        quantity: "0.01".parse().unwrap(),
        effect,
        purpose: order_id(sequence).purpose(),
    }
}

fn entry() -> NewOrder {
    order(1, PositionEffect::Increase)
}

fn accepted() -> Reaction {
    ok(&json!({"orderId": "v-1", "orderLinkId": order_id(1).to_string()}))
}

/// Places one order at a server that reacts so; gives the outcome and how often the order arrived.
async fn place_at(react: fn() -> Reaction, settings: Settings) -> (Result<(), VenueError>, usize) {
    let server = Server::start(move |seen| if seen.path() == PLACE { react() } else { not_found() }).await;
    let outcome = venue(server.address, settings).place(&entry()).await;
    (outcome.map(drop), server.seen(PLACE).len())
}

fn is_unknown(outcome: &Result<(), VenueError>, expected: UnknownCause) -> bool {
    matches!(outcome, Err(VenueError::Unknown { during: "placing an order", cause }) if *cause == expected)
}

#[tokio::test]
async fn nothing_listens_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = venue(address, patient()).place(&entry()).await;
    assert!(matches!(outcome, Err(VenueError::NotSent { cause: NotSentCause::Connect, .. })), "{outcome:?}");
}

#[tokio::test]
async fn closed_after_reading_unknown_and_sent_once() {
    let (outcome, arrived) = place_at(|| Reaction::Close, patient()).await;
    assert!(is_unknown(&outcome, UnknownCause::ConnectionLost), "{outcome:?}");
    assert_eq!(arrived, 1);
}

#[tokio::test]
async fn half_an_answer_unknown_and_sent_once() {
    let half = || Reaction::Half(r#"{"retCode":0,"retMsg":"OK","result":{"orderId":"v-1"}}"#.to_owned());
    let (outcome, arrived) = place_at(half, patient()).await;
    assert!(is_unknown(&outcome, UnknownCause::ConnectionLost), "{outcome:?}");
    assert_eq!(arrived, 1);
}

#[tokio::test]
async fn no_answer_in_time_unknown_and_sent_once() {
    let mut settings = patient();
    settings.http.answer = Duration::from_millis(400);
    let (outcome, arrived) = place_at(|| Reaction::Hang, settings).await;
    assert!(is_unknown(&outcome, UnknownCause::TimedOut), "{outcome:?}");
    assert_eq!(arrived, 1);
}

#[tokio::test]
async fn too_large_an_answer_unknown() {
    let mut settings = patient();
    settings.http.largest_answer = 1_000;
    let (outcome, _) = place_at(|| Reaction::Answer(200, "x".repeat(5_000)), settings).await;
    assert!(is_unknown(&outcome, UnknownCause::TooLarge), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_unknown() {
    let (outcome, arrived) = place_at(|| ok(&json!({})), patient()).await;
    assert!(
        matches!(outcome, Err(VenueError::Unknown { cause: UnknownCause::Unreadable(_), .. })),
        "{outcome:?}"
    );
    assert_eq!(arrived, 1);
}

#[tokio::test]
async fn statuses_of_gateways() {
    type Case = (fn() -> Reaction, Option<RefusalCode>);
    let cases: &[Case] = &[
        (|| Reaction::Answer(429, String::new()), Some(RefusalCode::RateLimited)),
        (|| Reaction::Answer(403, "403, access too frequent".to_owned()), Some(RefusalCode::IpBanned)),
        (
            || Reaction::Answer(403, "<p>blocked from your country</p>".to_owned()),
            Some(RefusalCode::RegionForbidden),
        ),
        (|| Reaction::Answer(401, String::new()), Some(RefusalCode::BadKey)),
        (|| Reaction::Answer(500, String::new()), None),
        (|| Reaction::Answer(503, String::new()), None),
        (|| refusal(110_007), Some(RefusalCode::InsufficientMargin)),
        (|| refusal(10_000), None),
        (|| refusal(10_016), None),
    ];
    for (n, (react, expected)) in cases.iter().enumerate() {
        let (outcome, arrived) = place_at(*react, patient()).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.refusal(), *expected, "case {n}: {error}");
        assert_eq!(matches!(error, VenueError::Unknown { .. }), expected.is_none(), "case {n}: {error}");
        assert_eq!(arrived, 1, "case {n}");
    }
}

/// Every connection is cut before anything is read. Nobody can have taken the order; we may not know it.
#[tokio::test]
async fn cut_before_reading_is_never_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::start(|_| not_found()).await;
    let cutting = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    // The clock is read elsewhere, so that only the order meets the cut.
    let clocked = venue(server.address, patient());
    clocked.server_time().await.unwrap();
    let mut settings = patient();
    settings.read_attempts = 1;
    let outcome = venue(address, settings).place(&entry()).await;
    cutting.abort();
    match outcome {
        Err(VenueError::NotSent { .. } | VenueError::Unknown { cause: UnknownCause::ConnectionLost, .. }) => {
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nothing() {
    let count = Arc::new(AtomicUsize::new(0));
    let orders = Arc::clone(&count);
    let server = Server::start(move |seen| match seen.path() {
        PLACE if orders.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reaction::AnswerAndClose(crate::servers::answer(&json!({"orderId": "v-1", "orderLinkId": ""})))
        }
        PLACE => accepted(),
        _ => not_found(),
    })
    .await;
    let venue = venue(server.address, patient());
    venue.place(&entry()).await.unwrap();
    // Gives the closing time to be seen; when it is not, the outcome is unknown, never doubled.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    match venue.place(&order(2, PositionEffect::Increase)).await {
        Ok(_) => assert_eq!(server.seen(PLACE).len(), 2),
        Err(VenueError::Unknown { cause: UnknownCause::ConnectionLost, .. }) => {
            assert_eq!(server.seen(PLACE).len(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_connection_serves_many_orders() {
    let server = Server::start(|seen| if seen.path() == PLACE { accepted() } else { not_found() }).await;
    let venue = venue(server.address, patient());
    for sequence in 1..=5 {
        venue.place(&order(sequence, PositionEffect::Increase)).await.unwrap();
    }
    let connections: Vec<_> = server.seen(PLACE).iter().map(|seen| seen.connection).collect();
    assert!(connections.iter().all(|connection| *connection == connections[0]), "{connections:?}");
}

#[tokio::test]
async fn an_exit_waits_neither_behind_a_download_nor_behind_an_entry() {
    let server = Server::start(|seen| match seen.path() {
        PLACE if seen.json()["reduceOnly"] == true => accepted(),
        PLACE | "/v5/market/tickers" => Reaction::Hang,
        _ => not_found(),
    })
    .await;
    let venue = Arc::new(venue(server.address, patient()));
    venue.server_time().await.unwrap();
    let download = tokio::spawn({
        let venue = Arc::clone(&venue);
        async move { venue.ticker("BTCUSDT".parse().unwrap()).await.map(drop) }
    });
    let hanging_entry = tokio::spawn({
        let venue = Arc::clone(&venue);
        async move { venue.place(&entry()).await.map(drop) }
    });
    while server.seen(PLACE).is_empty() || server.seen("/v5/market/tickers").is_empty() {
        tokio::task::yield_now().await;
    }
    venue.place(&order(2, PositionEffect::ReduceOnly)).await.unwrap();
    download.abort();
    hanging_entry.abort();
}

#[tokio::test]
async fn questions_are_asked_again_when_they_fail_on_the_way() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |seen| {
        if seen.path() != "/v5/market/time" {
            return not_found();
        }
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Reaction::Close,
            1 => Reaction::Answer(502, String::new()),
            _ => time_is(NOW_MS),
        }
    })
    .await;
    let time = venue(server.address, patient()).server_time().await.unwrap();
    assert_eq!(time.ms(), NOW_MS);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn asking_again_ends() {
    let server = Server::start(|_| Reaction::Close).await;
    let outcome = venue(server.address, patient()).server_time().await;
    assert!(
        matches!(outcome, Err(VenueError::Unknown { cause: UnknownCause::ConnectionLost, .. })),
        "{outcome:?}"
    );
    assert_eq!(server.seen("/v5/market/time").len(), 3);
}

#[tokio::test]
async fn an_order_is_not_sent_when_the_clock_cannot_be_read() {
    let server = Server::start(|_| Reaction::Close).await;
    let outcome = venue(server.address, patient()).place(&entry()).await;
    assert!(matches!(outcome, Err(VenueError::NotSent { cause: NotSentCause::Clock, .. })), "{outcome:?}");
    assert!(server.seen(PLACE).is_empty());
}

#[tokio::test]
async fn a_used_up_limit_keeps_orders_back_and_lets_exits_wait_for_the_reset() {
    let server = Server::start(|seen| {
        if seen.path() != PLACE {
            return not_found();
        }
        let headers = concat!(
            "X-Bapi-Limit: 10\r\nX-Bapi-Limit-Status: 0\r\n",
            "X-Bapi-Limit-Reset-Timestamp: 1700000030300\r\n"
        );
        Reaction::AnswerWith(200, headers, crate::servers::answer(&json!({"orderId": "v-1"})))
    })
    .await;
    let mut settings = patient();
    settings.limit_patience = Duration::ZERO;
    let venue = venue(server.address, settings);
    venue.place(&entry()).await.unwrap();
    let second = venue.place(&order(2, PositionEffect::Increase)).await;
    let Err(VenueError::NotSent { retry_after, cause: NotSentCause::RateLimit }) = second else {
        panic!("{second:?}");
    };
    assert!(retry_after <= Duration::from_millis(400), "{retry_after:?}");
    assert_eq!(server.seen(PLACE).len(), 1);
}

/// Never connects.
struct Nowhere;

impl Dialer for Nowhere {
    type Stream = DuplexStream;
    async fn dial(&self, _: &Target) -> Result<DuplexStream, NotSentCause> {
        std::future::pending().await
    }
}

/// Hands out connections that another part of the program has made.
struct HandedOver;

impl Dialer for HandedOver {
    type Stream = DuplexStream;
    async fn dial(&self, target: &Target) -> Result<DuplexStream, NotSentCause> {
        assert_eq!(target.port, 7_001);
        let (ours, theirs) = tokio::io::duplex(64 * 1_024);
        let react = |seen: &crate::servers::Seen| if seen.path() == PLACE { accepted() } else { not_found() };
        tokio::spawn(serve(theirs, 0, Arc::new(react), Arc::default()));
        Ok(ours)
    }
}

fn dialed<D: Dialer>(dialer: D, settings: Settings) -> Bybit<D> {
    let address = "127.0.0.1:7001".parse().unwrap();
    let clock = Arc::new(StandingClock(NOW_MS));
    let config = linear(endpoints(address, address), settings);
    let market = BybitMarket::from_config(config, Arc::new(dialer), clock);
    Bybit::new(market.unwrap(), test_signer())
}

#[tokio::test(start_paused = true)]
async fn dialing_that_does_not_end_is_not_sent() {
    let outcome = dialed(Nowhere, Settings::default()).place(&entry()).await;
    assert!(matches!(outcome, Err(VenueError::NotSent { cause: NotSentCause::Connect, .. })), "{outcome:?}");
}

#[tokio::test]
async fn handed_over_connections_serve() {
    let placed = dialed(HandedOver, patient()).place(&entry()).await.unwrap();
    assert_eq!(placed.venue_id.as_str(), "v-1");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_not_sent_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let target = Target { host: "localhost".to_owned(), port, security: Security::Tls };
    let outcome = TokioDialer::default().dial(&target).await;
    closing.abort();
    assert_eq!(outcome.map(drop), Err(NotSentCause::Tls));
}
