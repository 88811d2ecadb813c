//! Kraken's recorded messages as they came from the venue, and the frames that another client sends.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Liquidity, OrderStatus, Timestamp};
use keyhold_venues::Endpoints;
use keyhold_venues::book::{BookKind, LocalBook};
use keyhold_venues::kraken::render::{self, AccountSubscription, FeedWish};
use keyhold_venues::kraken::wire::{
    self, FeedFills, FeedOrders, StreamHead, WireFills, WireOrderEvent, WireStatus,
};
use keyhold_venues::kraken::wire_market::{
    FeedBook, FeedBookChange, FeedTicker, FeedTrade, WireCandles, WireInstruments, WireTicker,
};
use keyhold_venues::kraken::{convert, convert_market, endpoints, refusals};
use keyhold_venues::signer::{Intent, SignedRequest, sign_with};
use serde_json::Value;

use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, shared, shared_json};

/// Messages that the adapter does not read, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("http_futures_orderbook.json", "books come from the stream"),
    ("http_futures_public_executions.json", "public trades come from the stream"),
    ("http_futures_candles_mark.json", "candles of the mark price; read like others"),
    ("ws_cancel_order_request.json", "a request of the spot exchange"),
];

fn file(name: &str) -> Option<Vec<u8>> {
    shared(&format!("conformance/wire/kraken/{name}")).map(|path| std::fs::read(path).unwrap())
}

fn order_events(text: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Events<'a> {
        #[serde(borrow, rename = "orderEvents")]
        events: Vec<WireOrderEvent<'a>>,
    }
    let events: Events<'_> = wire::json("events", text).unwrap();
    let states = [OrderStatus::Open, OrderStatus::Filled, OrderStatus::Canceled];
    let read: Vec<_> = events
        .events
        .iter()
        .zip(states)
        .map(|(event, status)| convert::whole_order(event.order.as_ref().unwrap(), status).unwrap())
        .collect();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].quantity.to_string(), "5000");
    assert_eq!(read[1].kind, keyhold_domain::OrderKind::Market);
    assert!(matches!(read[2].kind, keyhold_domain::OrderKind::StopMarket { trigger, .. }
        if trigger.to_string() == "26000"));
}

fn candles(text: &[u8]) {
    let answer: WireCandles<'_> = wire::json("candles", text).unwrap();
    let candles: Vec<_> =
        answer.candles.unwrap().iter().map(|row| convert_market::candle(row).unwrap()).collect();
    assert_eq!(candles.len(), 3);
    assert_eq!(candles[0].volume.to_string(), "319499");
    assert_eq!(candles[1].open_time.since_ms(candles[0].open_time), 3_600_000);
}

fn fills(text: &[u8]) {
    let answer: WireFills<'_> = wire::json("fills", text).unwrap();
    let read: Vec<_> = answer.list.unwrap().iter().map(|row| convert::fill(row, None).unwrap()).collect();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].fee.to_string(), "0.00008957 BTC");
    assert_eq!(read[1].liquidity, Liquidity::Taker);
}

fn instruments(text: &[u8]) {
    let answer: WireInstruments<'_> = wire::json("instruments", text).unwrap();
    let rows = answer.list.unwrap();
    assert!(convert_market::is_perpetual(ContractType::Linear, &rows[0]));
    assert!(!convert_market::is_perpetual(ContractType::Inverse, &rows[0]));
    let instrument = convert_market::instrument(ContractType::Linear, &rows[0]).unwrap();
    assert_eq!((instrument.base.as_str(), instrument.settle.as_str()), ("ETH", "USD"));
    assert_eq!((instrument.lot.to_string().as_str(), instrument.tick.to_string().as_str()), ("0.001", "0.1"));
    assert_eq!(instrument.max_leverage.to_string(), "50");
    assert_eq!(instrument.maintenance_margin.to_string(), "0.01");
}

fn tickers(text: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Tickers<'a> {
        #[serde(borrow)]
        tickers: Vec<WireTicker<'a>>,
    }
    let answer: Tickers<'_> = wire::json("tickers", text).unwrap();
    let at = Timestamp::from_ms(1_763_339_677_524);
    let read: Vec<_> = answer.tickers.iter().map(|row| convert_market::ticker(row, at).unwrap()).collect();
    // Inverse: coins per dollar times the price. Linear: dollars per coin divided by the price.
    assert_eq!(read[0].funding_rate.unwrap().to_string(), "-0.000365645733");
    assert_eq!(read[1].funding_rate.unwrap().to_string(), "0.00000000468");
    assert_eq!(read[0].next_funding.unwrap().ms() % 3_600_000, 0);
}

fn book(text: &[u8]) {
    let row: FeedBook<'_> = wire::json("book", text).unwrap();
    let update = convert_market::book_snapshot(&row).unwrap();
    assert_eq!((update.kind, update.number), (BookKind::Snapshot, 326_072_249));
    let mut book = LocalBook::default();
    book.take(&update).unwrap();
    let view = book.view(10).unwrap();
    assert_eq!(view.bids.len(), 2, "sizes of zero are no levels");
    assert_eq!(view.asks[0].0.to_string(), "34912");
}

fn book_change(text: &[u8]) {
    let row: FeedBookChange<'_> = wire::json("book", text).unwrap();
    let update = convert_market::book_change(&row).unwrap();
    assert_eq!((update.kind, update.number, update.bids.len()), (BookKind::Delta, 326_094_134, 0));
    assert!(update.asks[0].1.is_zero());
}

fn feed_fills(text: &[u8]) {
    let news: FeedFills<'_> = wire::json("fills", text).unwrap();
    for row in &news.list.unwrap() {
        let (fill, forced, left) = convert::feed_fill(row).unwrap();
        assert_eq!(forced, None);
        assert_eq!(left.map(|left| left.is_zero()), Some(true));
        assert!(fill.fee.asset.as_str() != "XBT");
    }
}

fn order_gone(text: &[u8]) {
    let news: FeedOrders<'_> = wire::json("orders", text).unwrap();
    let order = convert::feed_order(&news.order.unwrap()).unwrap();
    assert_eq!(
        (order.quantity.to_string().as_str(), order.filled.to_string().as_str()),
        ("0.0001", "0.0001")
    );
    assert_eq!(refusals::end_of(news.reason.text()), (OrderStatus::Filled, None));
}

fn ticker(text: &[u8]) {
    let row: FeedTicker<'_> = wire::json("ticker", text).unwrap();
    let ticker = convert_market::feed_ticker(&row).unwrap();
    assert_eq!(ticker.funding_rate.unwrap().to_string(), "-0.000001380384722222");
    assert_eq!(ticker.next_funding.unwrap().ms(), 1_676_394_000_000);
    assert_eq!(ticker.mark.unwrap().to_string(), "21979.68641534714");
}

fn trade(text: &[u8]) {
    let row: FeedTrade<'_> = wire::json("trade", text).unwrap();
    let trade = convert_market::trade(&row).unwrap();
    assert_eq!((trade.quantity.to_string().as_str(), trade.at.ms()), ("15000", 1_612_266_317_519));
}

fn canceled(text: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Canceled<'a> {
        #[serde(borrow, rename = "cancelStatus")]
        status: WireStatus<'a>,
    }
    refusals::judge(endpoints::CANCEL, 200, text).unwrap();
    let answer: Canceled<'_> = wire::json("answer", text).unwrap();
    assert_eq!(answer.status.order_id.text(), "c8a35168-8d52-4609-944f-3f32bb0d5c77");
}

type Reader = fn(&[u8]);

const READERS: &[(&str, Reader)] = &[
    ("http_cancel_order_futures.json", canceled),
    ("http_futures_candles_trade.json", candles),
    ("http_futures_fills.json", fills),
    ("http_futures_instrument_no_fee_schedule.json", instruments),
    ("http_futures_order_events.json", order_events),
    ("http_futures_tickers.json", tickers),
    ("ws_futures_book_delta.json", book_change),
    ("ws_futures_book_snapshot_with_zero_qty.json", book),
    ("ws_futures_fills_delta.json", feed_fills),
    ("ws_futures_fills_snapshot.json", feed_fills),
    ("ws_futures_open_orders_delta_full_fill.json", order_gone),
    ("ws_futures_ticker.json", ticker),
    ("ws_futures_trade.json", trade),
];

#[test]
pub(crate) fn every_recorded_message_is_read() {
    let Some(folder) = shared("conformance/wire/kraken") else { return };
    let (mut read, mut not_offered) = (0, BTreeMap::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = file(&name).unwrap();
        println!("reading {name}");
        if let Some((_, why)) = NOT_OFFERED.iter().find(|(known, _)| *known == name) {
            not_offered.insert(name, *why);
            continue;
        }
        let reader = READERS.iter().find(|(known, _)| *known == name);
        reader.unwrap_or_else(|| panic!("{name} is in no table")).1(&text);
        read += 1;
    }
    println!("kraken messages: {read} read, not offered {not_offered:#?}");
    counts::tell("kraken", Kind::Wire, Count { run: read, not_offered: not_offered.len(), suspect: 0 });
    assert_eq!(read, READERS.len());
}

#[test]
pub(crate) fn our_frames_mean_what_another_clients_frames_mean() {
    let Some(file) = shared_json("conformance/venues/ws-client-frames/krakenfutures.json") else { return };
    let live = Endpoints::standard(
        keyhold_domain::Exchange::KrakenFutures,
        keyhold_domain::Environment::Live,
        ContractType::Linear,
    )
    .unwrap();
    // The secret behind the frames is not told; only ours can be computed.
    let key = TestKey::new("TESTKEY", "c2VjcmV0");
    let sign = |intent| {
        let signed = sign_with(
            keyhold_domain::Exchange::KrakenFutures,
            ContractType::Linear,
            &intent,
            Timestamp::EPOCH,
            &key,
        );
        let Ok(SignedRequest::Login(frame)) = signed else { panic!("no frame") };
        frame
    };
    let (mut same, mut paths) = (0, 0);
    for step in file["steps"].as_array().unwrap() {
        for frame in step["frames"].as_array().unwrap() {
            let text = frame[1].as_str().unwrap();
            if frame[0] == "CONNECT" {
                assert_eq!(text, live.public_ws().prefix());
                assert_eq!(text, live.private_ws().prefix());
                paths += 1;
                continue;
            }
            let theirs: Value = serde_json::from_str(text).unwrap();
            let head: StreamHead<'_> = wire::json("frame", text.as_bytes()).unwrap();
            let ours: Value = match (head.event.text(), theirs.get("product_ids")) {
                ("subscribe", Some(symbols)) => {
                    let names = symbols.as_array().unwrap().iter();
                    let symbols: Vec<_> = names.map(|name| name.as_str().unwrap().parse().unwrap()).collect();
                    let ours = render::feed_frame(FeedWish::Subscribe, head.feed.text(), &symbols);
                    serde_json::from_str(&ours).unwrap()
                }
                ("subscribe", None) => {
                    let challenge = theirs["original_challenge"].as_str().unwrap().parse().unwrap();
                    let frame = sign(Intent::StreamChallenge(challenge));
                    let frame = AccountSubscription::parse(&frame).unwrap();
                    let mut ours: Value = serde_json::from_str(&frame.frame_for(head.feed.text())).unwrap();
                    let signature = ours["signed_challenge"].take();
                    let length = theirs["signed_challenge"].as_str().unwrap().len();
                    assert_eq!(signature.as_str().unwrap().len(), length);
                    ours["signed_challenge"] = theirs["signed_challenge"].clone();
                    ours
                }
                ("challenge", None) => serde_json::from_str(&sign(Intent::StreamLogin)).unwrap(),
                other => panic!("{other:?} is in no table"),
            };
            assert_eq!(ours, theirs);
            same += 1;
        }
    }
    println!("kraken stream frames: {same} the same, {paths} paths");
    counts::tell("krakenfutures", Kind::Frame, Count::run(same + paths));
    assert!(same >= 8);
}
