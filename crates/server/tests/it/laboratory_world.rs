//! What a backtest needs of a server: recorded candles and a listed instrument.

use keyhold_domain::{Candle, Decimal, Environment, Exchange, Id, Timeframe, Timestamp};
use keyhold_fake_venues::parse_instrument;
use keyhold_history::{Library, Market};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use keyhold_store::{Store, StoreOptions};
use serde_json::{Value, json};

use crate::world::{Client, World};

/// 2024-01-01.
pub(crate) const START_MS: i64 = 1_704_067_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const SYMBOL: &str = "BTCUSDT";

/// A market out of a seed, candle by candle.
pub(crate) fn candles(count: usize) -> Vec<Candle> {
    let config = SyntheticConfig {
        seed: 7,
        stream: 0,
        start_price: "60000".parse().unwrap(),
        tick: Decimal::new(1, 1),
        start: Timestamp::from_ms(START_MS),
        timeframe: Timeframe::M1,
        volatility_ppm: 800,
    };
    Synthetic::new(config).take(count).collect()
}

/// Puts candles of the paper market where the server looks for them.
pub(crate) fn record(world: &World, candles: &[Candle]) {
    record_as(world, SYMBOL, candles);
}

pub(crate) fn record_as(world: &World, symbol: &str, candles: &[Candle]) {
    let market = Market {
        exchange: Exchange::Bybit,
        contract_type: keyhold_domain::ContractType::Linear,
        symbol: symbol.parse().unwrap(),
        timeframe: Timeframe::M1,
    };
    let folder = world.config.data.join("candles").join("simulated");
    Library::new(folder).shelf(market).add(candles).unwrap();
}

/// A second handle on the server's database.
pub(crate) async fn back(world: &World) -> Store {
    let options = StoreOptions {
        folder: world.config.data.clone(),
        url: None,
        now: now(),
        install: Id::from_u128(1),
        fingerprint_key: "A".repeat(43),
    };
    Store::open(&options).await.unwrap()
}

pub(crate) fn now() -> Timestamp {
    keyhold_server::clock::Clock::System.now()
}

/// The paper venue lists two markets; nobody has to answer for it.
pub(crate) async fn list_markets(world: &World) {
    let listed = ["BTCUSDT=linear", "ETHUSDT=linear"].map(|text| parse_instrument(text).unwrap());
    back(world).await.system().put_instruments(Environment::Simulated, &listed, now()).await.unwrap();
}

pub(crate) fn place(symbol: &str) -> Value {
    json!({"exchange": "bybit", "environment": "simulated", "contract_type": "linear", "symbol": symbol})
}

/// A strategy that crosses two averages of five minutes and trades often.
pub(crate) fn document() -> Value {
    json!({
        "format": 1, "name": "Crossing averages", "timeframe": "15m", "combination": {"mode": "any"},
        "components": [{"kind": "ema_cross", "role": "signal", "parameters": {"fast": "5", "slow": "34", "trigger": "state"}}],
        "exits": [
            {"kind": "hard_stop", "parameters": {"basis": "percent", "pct": "1"}},
            {"kind": "time_stop", "parameters": {"max_candles": "6"}},
        ],
    })
}

/// The same with a filter that needs to know the funding rate.
pub(crate) fn document_with_funding() -> Value {
    let mut document = document();
    let filter = json!({"kind": "funding_rate", "role": "filter"});
    document["components"].as_array_mut().unwrap().push(filter);
    document
}

/// Crossing averages on five-minute candles, over candles `from` to `until` of the recorded minutes.
pub(crate) fn body(from: i64, until: i64) -> Value {
    json!({
        "document": document(), "timeframe": "5m", "markets": [place(SYMBOL)],
        "from": START_MS + from * MINUTE_MS, "until": START_MS + until * MINUTE_MS, "equity": "10000",
        "settings": {"format": 1, "sizing": {"mode": "fixed_notional", "quote": "1000"}, "leverage": "1"},
    })
}

/// The body with some fields replaced.
pub(crate) fn with(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("the fields are an object") };
    for (name, value) in fields {
        body[name] = value;
    }
    body
}

/// Asks until the answer fits. Workers have the lowest priority, so on a loaded machine this may take long.
pub(crate) async fn until(client: &mut Client, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..6_000 {
        let found = client.get(path).await.ok();
        if fits(&found) {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{path} did not come to what was waited for within ten minutes");
}

/// A path of something with an id.
pub(crate) fn path(of: &str, thing: &Value, rest: &str) -> String {
    format!("/{of}/{}{rest}", thing["id"].as_str().unwrap())
}
