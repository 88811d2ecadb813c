//! A market on which a simple strategy trades every few candles, and that strategy.
//!
//! The wave rises for ten candles and falls for ten, so that a fast and a slow average cross on every turn. The hard stop
//! is out of its reach; every trade ends by the time stop.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};

/// Half of it is past when the exchange starts.
const CANDLES: i64 = 6_000;
const START_MS: i64 = 1_704_067_200_000;
/// Length of a candle.
pub const MINUTE_MS: i64 = 60_000;
/// Closed candles after which a trade of [`wave_rider`] ends.
pub const TIME_STOP: u32 = 5;
/// Candles within which the averages cross at least once.
pub const TURN: u32 = 14;

/// The wave as a candle file.
///
/// # Errors
/// When the temporary folder cannot be written.
pub fn wave_file() -> io::Result<tempfile::TempPath> {
    let mut text = String::from("open_time,open,high,low,close,volume\n");
    for n in 0..CANDLES {
        let (open, close) = (level(n), level(n + 1));
        let (high, low) = (open.max(close) + 10, open.min(close) - 10);
        let at = START_MS + n * MINUTE_MS;
        writeln!(text, "{at},{open},{high},{low},{close},10").expect("writing to a string cannot fail");
    }
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile()?;
    file.write_all(text.as_bytes())?;
    Ok(file.into_temp_path())
}

fn level(n: i64) -> i64 {
    let phase = n.rem_euclid(20);
    50_000 + 100 * if phase < 10 { phase } else { 20 - phase }
}

/// Enters where the averages cross and leaves after [`TIME_STOP`] candles; a stop rests three percent away.
pub fn wave_rider() -> Value {
    json!({
        "format": 1,
        "name": "Wave rider",
        "description": "For tests.",
        "timeframe": "1m",
        "combination": { "mode": "min_signals", "count": 1 },
        "components": [
            { "kind": "ema_cross", "role": "signal",
              "parameters": { "fast": "2", "slow": "5", "trigger": "event" } }
        ],
        "exits": [
            { "kind": "hard_stop", "parameters": { "basis": "percent", "pct": "3" } },
            { "kind": "time_stop", "parameters": { "max_candles": TIME_STOP.to_string() } }
        ]
    })
}

/// Positions worth a thousand.
pub fn settings() -> Value {
    json!({ "format": 1, "sizing": { "mode": "fixed_notional", "quote": "1000" }, "leverage": "2" })
}
