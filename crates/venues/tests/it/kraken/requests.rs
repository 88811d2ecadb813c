//! All recorded requests of Kraken Futures: ours must mean the same, and every signature must verify.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use keyhold_domain::{
    ContractType, Exchange, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, Side, Symbol,
    TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::kraken::endpoints;
use keyhold_venues::kraken::render::{self, Interval, MarketQuery, Unsigned};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, ExecutionKind, ExecutionQuery, HttpRequest, Intent, OrderRef,
    OrderSelection, Query, Scope, SetLeverage, SignedRequest, SignerRefusal, sign_with,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use crate::counts::{self, Count, Kind};
use crate::support::{TestKey, decimal, maybe_decimal, order_id, shared_json};

/// One call of ours.
#[derive(Debug)]
enum Call {
    Private(Intent),
    Public(MarketQuery),
}

#[derive(Debug)]
enum Mapped {
    Offered(Call),
    NotOffered(&'static str),
}

/// Whole methods that the port does not have, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("createOrders", "orders go out one by one, so that each has its own outcome"),
    ("cancelOrders", "orders are canceled one by one or all"),
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchCanceledOrders", "orders are looked up by name"),
    ("fetchTrades", "public trades come from the stream"),
    ("fetchTickers", "prices of all instruments"),
    ("fetchFundingRate", "prices of all instruments; ours asks for one"),
    ("fetchOrderBook", "order books come from the stream"),
    ("fetchMarkOHLCV", "candles of the mark price"),
    ("fetchIndexOHLCV", "candles of the index"),
    ("fetchLeverage", "the whole list is asked for"),
];

/// What we send and the other client leaves out: path and parameter.
const OURS: &[(&str, &str)] = &[
    (endpoints::PLACE.path, "processBefore"),
    (endpoints::PLACE.path, "cliOrdId"),
    (endpoints::AMEND.path, "processBefore"),
    (endpoints::AMEND.path, "qtyMode"),
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

fn at(input: &[Value], index: usize) -> &Value {
    input.get(index).unwrap_or(&Value::Null)
}

/// The venue's name: `BTC/USD:USD` is `PF_XBTUSD`, `BTC/USD:BTC` is `PI_XBTUSD`.
fn symbol_of(unified: &Value) -> Symbol {
    match text(unified) {
        "BTC/USD:USD" => "PF_XBTUSD".parse().unwrap(),
        "BTC/USD:BTC" => "PI_XBTUSD".parse().unwrap(),
        other => panic!("{other}"),
    }
}

fn price(value: &Value) -> Option<Price> {
    maybe_decimal(value).map(|value| Price::new(value).unwrap())
}

fn quantity(value: &Value) -> Option<Quantity> {
    maybe_decimal(value).map(|value| Quantity::new(value).unwrap())
}

fn new_order(input: &[Value]) -> Result<NewOrder, &'static str> {
    let parameters = at(input, 5);
    let side: Side = text(&input[2]).parse().unwrap();
    let stop = price(&parameters["triggerPrice"]).or_else(|| price(&parameters["stopLossPrice"]));
    let kind = match (text(&input[1]), stop) {
        _ if !parameters["takeProfitPrice"].is_null() => {
            return Err("a take-profit is a limit order of ours");
        }
        ("market", None) => OrderKind::Market,
        ("market", Some(trigger)) => {
            // A stop waits beyond the price on the side of its order; the other client does not tell.
            let direction = match side {
                Side::Buy => TriggerDirection::Rises,
                Side::Sell => TriggerDirection::Falls,
            };
            OrderKind::StopMarket { trigger, direction, source: TriggerSource::Last }
        }
        ("limit", Some(_)) => return Err("conditional limit orders"),
        ("limit", None) => OrderKind::Limit {
            price: price(&input[4]).unwrap(),
            time_in_force: match (&parameters["timeInForce"], &parameters["postOnly"]) {
                (_, Value::Bool(true)) => TimeInForce::PostOnly,
                (Value::String(word), _) if word == "ioc" => TimeInForce::Ioc,
                (Value::Null, _) => TimeInForce::Gtc,
                (other, _) => panic!("{other}"),
            },
        },
        (other, _) => panic!("{other}"),
    };
    Ok(NewOrder {
        client_id: order_id(1),
        symbol: symbol_of(&input[0]),
        side,
        kind,
        quantity: quantity(&input[3]).unwrap(),
        effect: match parameters["reduceOnly"] {
            Value::Bool(true) => PositionEffect::ReduceOnly,
            _ => PositionEffect::Increase,
        },
        purpose: OrderPurpose::Entry,
    })
}

fn ask(query: Query) -> Mapped {
    Mapped::Offered(Call::Private(Intent::Query(query)))
}

fn executions(kind: ExecutionKind) -> Mapped {
    let none = ExecutionQuery {
        kind,
        symbol: None,
        order: None,
        from: None,
        until: None,
        limit: None,
        cursor: None,
    };
    ask(Query::Executions(none))
}

fn map(method: &str, input: &[Value], url: &url::Url) -> Option<Mapped> {
    if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| *name == method) {
        return Some(Mapped::NotOffered(why));
    }
    change(method, input).or_else(|| question(method, input)).or_else(|| market(method, input, url))
}

/// What changes something.
fn change(method: &str, input: &[Value]) -> Option<Mapped> {
    let private = |intent| Mapped::Offered(Call::Private(intent));
    Some(match method {
        "createOrder" => match new_order(input) {
            Ok(order) => private(Intent::Place(order)),
            Err(why) => Mapped::NotOffered(why),
        },
        "editOrder" => private(Intent::Amend(AmendOrder {
            order: OrderRef::Venue(text(&input[0]).parse().unwrap()),
            symbol: symbol_of(&input[1]),
            quantity: quantity(at(input, 4)),
            price: price(at(input, 5)),
            trigger: None,
        })),
        "cancelOrder" => private(Intent::Cancel(CancelOrder {
            order: OrderRef::Venue(text(&input[0]).parse().unwrap()),
            symbol: symbol_of(&input[1]),
        })),
        "cancelAllOrders" => private(Intent::CancelAll(CancelAll {
            scope: Scope::Symbol(symbol_of(&input[0])),
            selection: OrderSelection::All,
        })),
        "cancelAllOrdersAfter" => {
            let after =
                Some(Duration::from_millis(input[0].as_u64().unwrap())).filter(|after| !after.is_zero());
            private(Intent::DeadMansSwitch { symbol: "PF_XBTUSD".parse().unwrap(), after })
        }
        "setLeverage" => private(Intent::SetLeverage(SetLeverage {
            symbol: symbol_of(&input[1]),
            leverage: decimal(&input[0]),
        })),
        _ => return None,
    })
}

/// What is asked about the account.
fn question(method: &str, input: &[Value]) -> Option<Mapped> {
    let scope = Scope::Product;
    Some(match method {
        "fetchOrder" => {
            let order = OrderRef::Venue(text(&input[0]).parse().unwrap());
            ask(Query::RecentOrder { order, symbol: symbol_of(&input[1]) })
        }
        "fetchOrders" => Mapped::NotOffered("orders are looked up by name"),
        "fetchOpenOrders" => {
            ask(Query::OpenOrders { scope, selection: OrderSelection::All, limit: None, cursor: None })
        }
        "fetchMyTrades" => executions(ExecutionKind::Trades),
        "fetchFundingHistory" => executions(ExecutionKind::Funding),
        "fetchPositions" => ask(Query::Positions { scope, limit: None, cursor: None }),
        "fetchBalance" => ask(Query::Wallet),
        "fetchLeverages" => ask(Query::AccountSettings),
        "fetchTradingFee" => ask(Query::Fees { symbol: symbol_of(&input[0]) }),
        _ => return None,
    })
}

/// What is asked about the market.
fn market(method: &str, input: &[Value], url: &url::Url) -> Option<Mapped> {
    let public = |query| Mapped::Offered(Call::Public(query));
    Some(match method {
        "fetchMarkets" | "fetchLeverageTiers" | "fetchMarketLeverageTiers" => {
            public(MarketQuery::Instruments)
        }
        "fetchTicker" => public(MarketQuery::Ticker { symbol: symbol_of(&input[0]) }),
        "fetchFundingRateHistory" => public(MarketQuery::Funding { symbol: symbol_of(&input[0]) }),
        "fetchOHLCV" => {
            let timeframe: Timeframe = text(&input[1]).parse().unwrap();
            let bound = |name: &str| {
                let found = url.query_pairs().find(|(known, _)| known == name)?.1.parse::<i64>();
                Some(Timestamp::from_ms(found.unwrap() * 1_000))
            };
            let (interval, parts) = Interval::of(timeframe);
            assert_eq!(parts, 1);
            public(MarketQuery::Candles {
                symbol: symbol_of(&input[0]),
                interval,
                from: bound("from"),
                until: bound("to"),
            })
        }
        _ => return None,
    })
}

struct Pinned {
    key: TestKey,
    at: Timestamp,
}

fn pinned(file: &Value) -> Pinned {
    let text = |name: &str| file["pinned"][name].as_str().unwrap();
    let at = Timestamp::from_ms(file["pinned"]["milliseconds"].as_i64().unwrap());
    Pinned { key: TestKey::new(text("apiKey"), text("secret")), at }
}

fn query_of(url: &url::Url) -> BTreeMap<String, String> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

/// The signature, computed a second way.
fn authent(secret: &str, parameters: &str, path: &str) -> String {
    let secret = BASE64_STANDARD.decode(secret).unwrap();
    let mut mac = Hmac::<Sha512>::new_from_slice(&secret).unwrap();
    mac.update(&Sha256::digest(format!("{parameters}{}", path.trim_start_matches("/derivatives"))));
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn assert_signed(id: &str, request: &HttpRequest, pinned: &Pinned) {
    assert_eq!(request.body, "", "{id}");
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((&request.path_and_query, ""));
    assert_eq!(header(request, "authent"), Some(authent(&pinned.key.secret, query, path).as_str()), "{id}");
    assert_eq!(header(request, "apikey"), Some(pinned.key.name.as_str()), "{id}");
    assert_eq!(header(request, "nonce"), None, "{id}");
}

fn ours(call: &Call, pinned: &Pinned) -> HttpRequest {
    match call {
        Call::Public(query) => render::plain(&render::render_market(query)),
        Call::Private(intent) => {
            let signed =
                sign_with(Exchange::KrakenFutures, ContractType::Linear, intent, pinned.at, &pinned.key);
            let SignedRequest::Http(request) = signed.unwrap() else { panic!("no case logs in") };
            request
        }
    }
}

fn assert_same(id: &str, request: &HttpRequest, case: &Value, pinned: &Pinned) {
    let wanted: url::Url = case["url"].as_str().unwrap().parse().unwrap();
    let url: url::Url = format!("https://futures.kraken.com{}", request.path_and_query).parse().unwrap();
    assert_eq!(request.verb.as_str(), case["httpMethod"], "{id}");
    assert_eq!(url.path(), wanted.path(), "{id}");
    let (mut own, wanted_query) = (query_of(&url), query_of(&wanted));
    for (_, name) in OURS.iter().filter(|(path, _)| *path == url.path()) {
        let Some(value) = own.remove(*name) else { continue };
        match *name {
            "processBefore" => {
                let bound: Timestamp = value.parse().unwrap();
                assert_eq!(bound.since_ms(pinned.at), render::PROCESS_WITHIN_MS, "{id}");
            }
            "cliOrdId" => {
                assert_eq!(value, order_id(1).to_string(), "{id}");
                if let Some(theirs) = wanted_query.get("cliOrdId") {
                    own.insert("cliOrdId".to_owned(), theirs.clone());
                }
            }
            _ => assert_eq!(value, "ABSOLUTE", "{id}"),
        }
    }
    assert_eq!(own, wanted_query, "{id}");
    assert!(case["output"].is_null(), "{id} has a body");
}

/// Our signing over the other client's bytes gives its signature.
fn recorded_signature_verifies(id: &str, case: &Value, pinned: &Pinned) -> bool {
    let Some(expected) = case["headers"]["Authent"].as_str() else { return false };
    let url = case["url"].as_str().unwrap().trim_start_matches("https://futures.kraken.com");
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let body = case["output"].as_str().unwrap_or_default();
    assert_eq!(authent(&pinned.key.secret, &format!("{query}{body}"), path), expected, "{id}");
    if body.is_empty() {
        let path: &'static str =
            endpoints::ALL.iter().find(|one| one.path == path).map_or("", |one| one.path);
        let endpoint = endpoints::Endpoint { path, ..endpoints::PLACE };
        let unsigned = Unsigned { endpoint, tail: String::new(), query: query.to_owned() };
        let signed = render::sign_unsigned(&unsigned, &pinned.key).unwrap();
        assert!(path.is_empty() || header(&signed, "authent") == Some(expected), "{id}");
    }
    true
}

#[test]
pub(crate) fn our_requests_mean_what_the_recorded_ones_mean() {
    let Some(file) = shared_json("conformance/venues/request/krakenfutures.json") else { return };
    let pinned = pinned(&file);
    let (mut same, mut suspect, mut signatures) = (0, 0, 0);
    let mut not_offered: BTreeMap<String, usize> = BTreeMap::new();
    for (method, cases) in file["methods"].as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let id = case["id"].as_str().unwrap();
            signatures += usize::from(recorded_signature_verifies(id, case, &pinned));
            if !case["suspect"].is_null() {
                suspect += 1;
                continue;
            }
            let url: url::Url = case["url"].as_str().unwrap().parse().unwrap();
            let mapped = map(method, case["input"].as_array().unwrap(), &url);
            match mapped.unwrap_or_else(|| panic!("{id}: neither offered nor in the table of what is not")) {
                Mapped::NotOffered(why) => *not_offered.entry(format!("{method}: {why}")).or_default() += 1,
                Mapped::Offered(call) => {
                    let request = ours(&call, &pinned);
                    assert_same(id, &request, case, &pinned);
                    if matches!(call, Call::Private(_)) {
                        assert_signed(id, &request, &pinned);
                    }
                    same += 1;
                }
            }
        }
    }
    let refused: usize = not_offered.values().sum();
    println!("kraken requests: {same} the same, {refused} not offered, {suspect} suspect");
    counts::tell("krakenfutures", Kind::Request, Count { run: same, not_offered: refused, suspect });
    println!("kraken recorded signatures verified: {signatures}");
    for (what, count) in &not_offered {
        println!("  not offered ({count}): {what}");
    }
    assert!(same >= 65, "only {same} cases were compared");
    assert!(signatures >= 60, "only {signatures} signatures were verified");
}

#[test]
pub(crate) fn signing_vectors_come_out() {
    let Some(file) = shared_json("conformance/venues/signing-vectors.json") else { return };
    let mut count = 0;
    for vector in file["vectors"].as_array().unwrap() {
        if vector["venue"] != "krakenfutures" {
            continue;
        }
        let text = |name: &str| vector[name].as_str().unwrap();
        let key = TestKey::new("KEY", text("secret"));
        let signature = if text("kind") == "ws challenge" {
            let intent = Intent::StreamChallenge(text("challenge").parse().unwrap());
            let at = Timestamp::EPOCH;
            let signed = sign_with(Exchange::KrakenFutures, ContractType::Linear, &intent, at, &key);
            let Ok(SignedRequest::Login(frame)) = signed else { panic!("no frame") };
            let frame: Value = serde_json::from_str(&frame).unwrap();
            frame["signed_challenge"].as_str().unwrap().to_owned()
        } else {
            // The nonce, which we do not send, stands behind the parameters.
            let parameters = format!("{}{}", text("post_data"), text("nonce"));
            let path = format!("/derivatives{}", text("endpoint_path"));
            let endpoint = *endpoints::ALL.iter().find(|one| one.path == path).unwrap();
            let unsigned = Unsigned { endpoint, tail: String::new(), query: parameters };
            let signed = render::sign_unsigned(&unsigned, &key).unwrap();
            header(&signed, "authent").unwrap().to_owned()
        };
        assert_eq!(signature, text("signature"), "{}", text("kind"));
        count += 1;
    }
    println!("kraken signing vectors: {count}");
    counts::tell("krakenfutures", Kind::Vector, Count::run(count));
    assert_eq!(count, 3);
}

#[test]
fn a_secret_that_is_not_base64_is_unfit() {
    let intent = Intent::Query(Query::Wallet);
    let key = TestKey::new("KEY", "not base64 at all!");
    let signed = sign_with(Exchange::KrakenFutures, ContractType::Linear, &intent, Timestamp::EPOCH, &key);
    assert_eq!(signed, Err(SignerRefusal::UnfitSecret));
}

#[test]
fn what_kraken_does_not_have_is_not_offered() {
    let symbol: Symbol = "PF_XBTUSD".parse().unwrap();
    let fok = OrderKind::Limit { price: "1".parse().unwrap(), time_in_force: TimeInForce::Fok };
    let order = NewOrder {
        client_id: order_id(1),
        symbol,
        side: Side::Buy,
        kind: fok,
        quantity: "1".parse().unwrap(),
        effect: PositionEffect::Increase,
        purpose: OrderPurpose::Entry,
    };
    for intent in [
        Intent::Place(order),
        Intent::UseOneWayMode { symbol },
        Intent::SetMarginMode(keyhold_domain::MarginMode::Cross),
        Intent::CancelAll(CancelAll { scope: Scope::Product, selection: OrderSelection::StopOrders }),
    ] {
        assert_eq!(render::render(&intent, Timestamp::EPOCH), Err(SignerRefusal::NotOffered), "{intent:?}");
    }
}
