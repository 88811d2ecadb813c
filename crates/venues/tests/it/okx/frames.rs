//! What we say on streams against what an independent client says.

use keyhold_domain::{ContractType, Environment, Exchange, Timeframe, Timestamp};
use keyhold_venues::Endpoints;
use keyhold_venues::common::market_feed::{Want, Wanted};
use keyhold_venues::okx::{account_stream, market_stream, render, stream};
use serde_json::{Value, json};

use super::key;
use crate::counts::{self, Count, Kind};
use crate::support::shared_json;

/// Every topic of a subscribing frame.
fn args(frame: &str) -> Vec<Value> {
    let frame: Value = serde_json::from_str(frame).unwrap();
    assert_eq!(frame["op"], "subscribe");
    frame["args"].as_array().unwrap().clone()
}

fn said() -> Vec<Value> {
    let want = Want {
        symbol: "BTC-USDT-SWAP".parse().unwrap(),
        timeframes: [Timeframe::M1].into(),
        book: Wanted::Yes,
        trades: Wanted::Yes,
    };
    let frames = [
        stream::subscribe_frame(&market_stream::topics(&want)),
        stream::subscribe_frame(&market_stream::candle_topics(&want)),
        stream::subscribe_frame(&account_stream::topics()),
        stream::subscribe_frame(&account_stream::stop_topics()),
    ];
    frames.iter().flat_map(|frame| args(frame)).collect()
}

/// Steps whose topics we narrow differently: for the whole account at once.
fn in_our_words(topic: &Value) -> Value {
    match topic["channel"].as_str().unwrap() {
        channel @ ("orders" | "positions") => json!({ "channel": channel, "instType": "SWAP" }),
        _ => topic.clone(),
    }
}

#[test]
pub(crate) fn every_recorded_topic_is_among_ours() {
    let Some(file) = shared_json("conformance/venues/ws-client-frames/okx.json") else { return };
    let said = said();
    let live = Endpoints::standard(Exchange::Okx, Environment::Live, ContractType::Linear).unwrap();
    let addresses =
        [live.public_ws(), live.market_ws(), live.private_ws()].map(keyhold_venues::hosts::Base::prefix);
    let (mut frames, mut topics, mut logins) = (0, 0, 0);
    for step in file["steps"].as_array().unwrap() {
        for frame in step["frames"].as_array().unwrap() {
            let text = frame[1].as_str().unwrap();
            frames += 1;
            if frame[0] == "CONNECT" {
                assert!(addresses.contains(&text), "{text}");
                continue;
            }
            let recorded: Value = serde_json::from_str(text).unwrap();
            if recorded["op"] == "login" {
                let args = &recorded["args"][0];
                let at: i64 = args["timestamp"].as_str().unwrap().parse().unwrap();
                let key = key(args["apiKey"].as_str().unwrap(), "?", args["passphrase"].as_str().unwrap());
                let ours = render::login_frame(Timestamp::from_ms(at * 1_000), &key).unwrap();
                let mut ours: Value = serde_json::from_str(&ours).unwrap();
                ours["args"][0]["sign"] = args["sign"].clone();
                assert_eq!(ours, recorded);
                logins += 1;
                continue;
            }
            for topic in args(text) {
                assert!(said.contains(&in_our_words(&topic)), "{topic} is not asked for");
                topics += 1;
            }
        }
    }
    println!("topics: {topics}, logins: {logins}");
    counts::tell("okx", Kind::Frame, Count::run(frames));
    assert!(topics >= 8 && logins == 1);
}
