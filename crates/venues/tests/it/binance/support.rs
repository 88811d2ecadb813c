//! What several tests of Binance need: samples, servers, venues.

use std::net::SocketAddr;
use std::sync::Arc;

use keyhold_domain::{ContractType, Decimal, Exchange, OrderStatus, Timestamp};
use keyhold_venues::binance::sizes::Sizes;
use keyhold_venues::binance::wire::{
    self, StreamAccount, StreamAlgoRow, StreamOrder, StreamOrderRow, WireAlgo, WireOrder,
};
use keyhold_venues::binance::{Binance, BinanceMarket, convert, market_stream};
use keyhold_venues::common::market_feed::{CandleState, News};
use keyhold_venues::event::ForcedBy;
use keyhold_venues::signer::{SignedRequest, SignerRefusal};
use keyhold_venues::{Endpoints, Intent, Settings, Signer, TokioDialer, VenueConfig, WireError, sign_with};
use serde_json::json;

use crate::servers::{NOW_MS, Reaction};
use crate::support::{StandingClock, TestKey};

/// Signs for one product.
pub(super) struct TestSigner(pub(super) ContractType);

impl Signer for TestSigner {
    fn api_key_hint(&self) -> &'static str {
        "TE"
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Binance, self.0, intent, at, &TestKey::new("TESTKEY", "TESTSECRET"))
    }
}

/// A simulated venue that answers requests and streams at these addresses.
pub(super) fn config(
    product: ContractType,
    rest: SocketAddr,
    ws: SocketAddr,
    settings: Settings,
) -> VenueConfig {
    let (rest, ws) = (format!("http://{rest}"), format!("ws://{ws}"));
    let endpoints = Endpoints::simulated_at(Exchange::Binance, product, &rest, &ws).unwrap();
    VenueConfig { contract_type: product, endpoints, settings }
}

pub(super) fn market(
    product: ContractType,
    rest: SocketAddr,
    ws: SocketAddr,
    settings: Settings,
) -> BinanceMarket<TokioDialer> {
    let (dialer, clock) = (Arc::new(TokioDialer::default()), Arc::new(StandingClock(NOW_MS)));
    BinanceMarket::from_config(config(product, rest, ws, settings), dialer, clock).unwrap()
}

pub(super) fn venue(
    product: ContractType,
    rest: SocketAddr,
    ws: SocketAddr,
    settings: Settings,
) -> Binance<TokioDialer> {
    Binance::new(market(product, rest, ws, settings), Arc::new(TestSigner(product)))
}

/// The server's clock.
pub(super) fn time_is(ms: i64) -> Reaction {
    Reaction::Answer(200, json!({"serverTime": ms}).to_string())
}

/// A refusal with Binance's number.
pub(super) fn refusal(status: u16, code: i64) -> Reaction {
    Reaction::Answer(status, json!({"code": code, "msg": "no"}).to_string())
}

pub(super) fn ok(body: &serde_json::Value) -> Reaction {
    Reaction::Answer(200, body.to_string())
}

/// Reads a sample of `conformance/wire/binance` by its name and checks a few of its values.
pub(super) fn wire_sample(name: &str, text: &str) {
    let parts = name.trim_end_matches(".json").strip_prefix("futures__").unwrap();
    let (kind, sample) = parts.split_once("__").unwrap();
    let size = Decimal::ONE;
    match (kind, sample) {
        ("http_json", "open_algo_orders") => {
            let rows: Vec<WireAlgo<'_>> = wire::json("sample", text.as_bytes()).unwrap();
            let order = convert::open_algo(&rows[0], size).unwrap();
            assert_eq!((order.venue_id.as_str(), order.status), ("a123456789", OrderStatus::Untriggered));
        }
        ("http_json", "order_response") => {
            let row: WireOrder<'_> = wire::json("sample", text.as_bytes()).unwrap();
            assert_eq!(convert::open_order(&row, size).unwrap().venue_id.as_str(), "12345678");
        }
        // Its low lies above its opening price, which no candle can have.
        ("market_data_json", "kline_stream_open") => {
            let news =
                market_stream::read(&Sizes::new(ContractType::Linear), text, Timestamp::from_ms(NOW_MS));
            assert!(
                matches!(news[1], News::Unreadable(WireError::Invalid { field: "h", .. }, _)),
                "{news:?}"
            );
            let sound = text.replace("\"0.0010\"", "\"0.0016\"");
            let news =
                market_stream::read(&Sizes::new(ContractType::Linear), &sound, Timestamp::from_ms(NOW_MS));
            assert!(matches!(news[1], News::Candle(_, _, _, CandleState::Forming)), "{news:?}");
        }
        ("market_data_json", _) => {
            let news =
                market_stream::read(&Sizes::new(ContractType::Linear), text, Timestamp::from_ms(NOW_MS));
            assert!(matches!(news[0], News::Heard(symbol, _) if symbol.as_str() == "BTCUSDT"), "{name}");
            assert!(
                matches!(news[1], News::Candle(..) | News::Ticker(_) | News::Trades { .. }),
                "{name}: {news:?}"
            );
        }
        ("user_data_json", "account_update" | "account_update_bnfcr") => {
            let row = wire::json::<StreamAccount<'_>>("sample", text.as_bytes()).unwrap().a;
            for balance in row.balances.iter().flatten() {
                convert::stream_balance(balance).unwrap().unwrap();
            }
            for position in row.positions.iter().flatten() {
                convert::stream_position(position, size).unwrap();
            }
        }
        ("user_data_json", "algo_update_new") => {
            let row =
                wire::json::<StreamOrder<StreamAlgoRow<'_>>>("sample", text.as_bytes()).unwrap().o.unwrap();
            // Somebody else's order is no news.
            assert_eq!(convert::stream_algo(&row, size, Timestamp::from_ms(1)), Ok(None));
            assert_eq!(row.algo_id.whole(), Some(2_148_719));
        }
        ("user_data_json", sample) => order_sample(sample, text),
        other => panic!("{other:?} is in no table"),
    }
}

/// What an order's message must say: executed or not, and whether by force.
fn order_sample(sample: &str, text: &str) {
    let row = wire::json::<StreamOrder<StreamOrderRow<'_>>>("sample", text.as_bytes()).unwrap().o.unwrap();
    let news = convert::stream_order(ContractType::Linear, &row, Decimal::ONE, None).unwrap();
    let (executed, forced) = match sample {
        "order_update_new" => (false, None),
        "order_update_trade" | "order_update_trade_partial" | "order_update_settlement" => (true, None),
        "order_update_calculated" => (true, Some(ForcedBy::Liquidation)),
        "order_update_adl" => (true, Some(ForcedBy::Deleveraging)),
        other => panic!("{other} is in no table"),
    };
    assert_eq!((news.fill.is_some(), news.forced), (executed, forced), "{sample}");
    assert_eq!(news.update, None, "none of these orders is ours");
}
