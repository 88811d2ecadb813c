//! Spoiled messages: no panic, every error names a field or a place, none repeats what the message said.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Decimal, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::binance::endpoints::{Call, endpoint};
use keyhold_venues::binance::sizes::Sizes;
use keyhold_venues::binance::wire::{
    self, Field, StreamAccount, StreamAlgoRow, StreamOrder, StreamOrderRow, WireAlgo, WireAsset,
    WireExchange, WireIncome, WireOrder, WirePosition, WireTrade,
};
use keyhold_venues::binance::{convert, convert_market, market_stream, refusals};
use keyhold_venues::common::market_feed::News;
use proptest::prelude::*;

/// A word that stands where values stand; no error text may hold it.
const SENTINEL: &str = "Sn7inL";

const SAMPLES: &[&str] = &[
    r#"{"orderId":77,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"kh0000000000000000000000000e","price":"30000.5",
"origQty":"0.010","executedQty":"0","timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"side":"BUY","updateTime":1700000005000}"#,
    r#"{"algoId":11,"clientAlgoId":"kh0000000000000000000000000s","orderType":"STOP_MARKET","symbol":"BTCUSDT","side":"SELL",
"quantity":"0.01","algoStatus":"NEW","triggerPrice":"25000","workingType":"MARK_PRICE","reduceOnly":true,"updateTime":1700000005000}"#,
    r#"{"symbol":"BTCUSDT","id":1,"orderId":77,"side":"BUY","price":"30000.5","qty":"0.004","commission":"0.05",
"commissionAsset":"USDT","time":1700000005000,"maker":true}"#,
    r#"{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"0.010","entryPrice":"30000","markPrice":"30001",
"unRealizedProfit":"0.01","liquidationPrice":"1","isolatedWallet":"0"}"#,
    r#"{"symbols":[{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","contractSize":100,"contractStatus":"TRADING",
"baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","maintMarginPercent":"2.5","requiredMarginPercent":"5.0","filters":[
{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001","maxQty":"100"},
{"filterType":"MIN_NOTIONAL","notional":"100"}]}]}"#,
    r#"{"e":"kline","E":1700000005000,"s":"BTCUSDT","k":{"t":1699999980000,"i":"1m","o":"10","c":"11","h":"12","l":"9","v":"5","x":true}}"#,
    r#"{"e":"depthUpdate","E":1700000005000,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["10","1"]],"a":[["11","0"]]}"#,
    r#"{"e":"aggTrade","E":1700000005000,"s":"BTCUSDT","a":5,"p":"10","q":"1","T":1700000005000,"m":true}"#,
    r#"{"e":"ORDER_TRADE_UPDATE","E":1,"o":{"s":"BTCUSDT","c":"kh0000000000000000000000000e","S":"BUY","o":"LIMIT","f":"GTC","x":"TRADE",
"X":"FILLED","i":77,"l":"0.004","z":"0.004","L":"30000","N":"USDT","n":"0.02","T":1700000005000,"t":5,"m":true}}"#,
    r#"{"e":"ALGO_UPDATE","E":1,"o":{"caid":"kh0000000000000000000000000s","aid":11,"s":"BTCUSDT","X":"NEW","ai":"","aq":"0","q":"0.01"}}"#,
    r#"{"e":"ACCOUNT_UPDATE","E":1,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"1","cw":"1"}],"P":[{"s":"BTCUSDT","pa":"1","ep":"2","up":"0","mt":"cross","ps":"BOTH"}]}}"#,
];

/// Reads a text as everything it could be and gathers the errors.
fn read_as_everything(text: &[u8]) -> Vec<WireError> {
    let (size, at) = (Decimal::ONE, Timestamp::from_ms(1));
    let mut errors = vec![];
    let mut note = |result: Result<(), WireError>| errors.extend(result.err());
    note(
        wire::json::<WireOrder<'_>>("order", text).and_then(|row| convert::open_order(&row, size).map(drop)),
    );
    note(
        wire::json::<WireOrder<'_>>("order", text)
            .and_then(|row| convert::order_update(&row, size).map(drop)),
    );
    note(wire::json::<WireAlgo<'_>>("algo", text).and_then(|row| convert::open_algo(&row, size).map(drop)));
    note(wire::json::<WireAlgo<'_>>("algo", text).and_then(|row| convert::algo_update(&row, size).map(drop)));
    let names = BTreeMap::new();
    note(
        wire::json::<WireTrade<'_>>("fill", text).and_then(|row| convert::fill(&row, size, &names).map(drop)),
    );
    note(
        wire::json::<WirePosition<'_>>("position", text)
            .and_then(|row| convert::position(&row, size).map(drop)),
    );
    note(wire::json::<WireAsset<'_>>("asset", text).and_then(|row| convert::balance(&row).map(drop)));
    note(wire::json::<WireIncome<'_>>("income", text).and_then(|row| convert::funding(&row).map(drop)));
    note(wire::json("key", text).and_then(|key| convert::key_facts(&key).map(drop)));
    note(wire::json("depth", text).and_then(|row| convert_market::depth(&row, size, at).map(drop)));
    note(
        wire::json::<Vec<Field<'_>>>("candle", text)
            .and_then(|row| convert_market::candle_row(&row, size).map(drop)),
    );
    note(wire::json::<WireExchange<'_>>("list", text).and_then(|list| {
        for row in list.symbols.iter().flatten() {
            convert_market::instrument(ContractType::Inverse, row, &BTreeMap::new())?;
        }
        Ok(())
    }));
    note(wire::json::<StreamOrder<StreamOrderRow<'_>>>("message", text).and_then(|message| {
        let row = message.o.unwrap_or_default();
        convert::stream_order(ContractType::Linear, &row, size, None).map(drop)
    }));
    note(
        wire::json::<StreamOrder<StreamAlgoRow<'_>>>("message", text)
            .and_then(|message| convert::stream_algo(&message.o.unwrap_or_default(), size, at).map(drop)),
    );
    note(wire::json::<StreamAccount<'_>>("message", text).and_then(|message| {
        for row in message.a.positions.iter().flatten() {
            convert::stream_position(row, size)?;
        }
        for row in message.a.balances.iter().flatten() {
            convert::stream_balance(row)?;
        }
        Ok(())
    }));
    let text = String::from_utf8_lossy(text);
    for news in market_stream::read(&Sizes::new(ContractType::Linear), &text, at) {
        if let News::Unreadable(error, _) = news {
            errors.push(error);
        }
    }
    drop(market_stream::hear(1, &text));
    errors
}

fn assert_harmless(text: &[u8]) {
    for error in read_as_everything(text) {
        assert!(!error.to_string().contains(SENTINEL), "{error}");
    }
    for call in [Call::Place, Call::Account] {
        for status in [200, 400, 403, 418, 503] {
            drop(refusals::judge(endpoint(ContractType::Linear, call), status, text));
        }
    }
}

#[test]
fn samples_are_read_by_their_own_readers() {
    // Each sample is read by at least one reader without an error, or the others would prove nothing.
    for sample in SAMPLES {
        assert!(read_as_everything(sample.as_bytes()).len() < 15, "{sample}");
        let unknown = sample.replacen('{', r#"{"aFieldThatIsNew":[{"x":1}],"#, 1);
        let (before, after) = (read_as_everything(sample.as_bytes()), read_as_everything(unknown.as_bytes()));
        assert_eq!(before.len(), after.len(), "an unknown field changes nothing: {sample}");
    }
}

#[test]
fn no_value_is_repeated_in_an_error() {
    for sample in SAMPLES {
        let value: serde_json::Value = serde_json::from_str(sample).unwrap();
        for spoiled in spoil(&value) {
            assert_harmless(spoiled.to_string().as_bytes());
        }
    }
}

/// Every value of a message, replaced by something else, one at a time.
fn spoil(value: &serde_json::Value) -> Vec<serde_json::Value> {
    let replacements = [
        serde_json::json!(SENTINEL),
        serde_json::json!(null),
        serde_json::json!(-1.5),
        serde_json::json!([SENTINEL]),
        serde_json::json!({SENTINEL: SENTINEL}),
    ];
    let mut spoiled: Vec<serde_json::Value> = replacements.to_vec();
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                for other in spoil(field) {
                    let mut copy = fields.clone();
                    copy.insert(name.clone(), other);
                    spoiled.push(copy.into());
                }
                let mut copy = fields.clone();
                copy.remove(name);
                spoiled.push(copy.into());
            }
        }
        serde_json::Value::Array(rows) => {
            for (index, row) in rows.iter().enumerate() {
                for other in spoil(row) {
                    let mut copy = rows.clone();
                    copy[index] = other;
                    spoiled.push(copy.into());
                }
            }
        }
        _ => {}
    }
    spoiled
}

proptest! {
    #[test]
    fn spoiled_bytes_do_no_harm(which in 0..SAMPLES.len(), place in 0..400_usize, byte in any::<u8>()) {
        let mut text = SAMPLES[which].as_bytes().to_vec();
        let place = place % text.len();
        text[place] = byte;
        assert_harmless(&text);
        text.truncate(place);
        assert_harmless(&text);
    }
}
