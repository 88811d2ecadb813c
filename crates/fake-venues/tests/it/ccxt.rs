//! ccxt trades here: an independent client that believes that these are the real venues.
//!
//! Needs Python with pip and the package index. Without them the test prints SKIPPED, except under CI, where it
//! fails.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use keyhold_domain::Exchange;
use keyhold_fake_venues::config::{CandleSource, ControlAddress, RateLimits};
use keyhold_fake_venues::{parse_instrument_at, usual_instruments};

use crate::client::{Bench, config};

/// The version whose behavior the session was written against.
const CCXT: &str = "ccxt==4.5.90";

pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// A Python with ccxt, made once per target folder.
pub(crate) fn python() -> Result<PathBuf, String> {
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ccxt-venv");
    let python = home.join("bin/python");
    let done = home.join(CCXT);
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", CCXT]))?;
        std::fs::write(&done, "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// Two tests may want it at once; only one makes it.
static MAKING: Mutex<()> = Mutex::new(());

/// Plays a session at a venue with these markets.
async fn session(venue: Exchange, script: &str) {
    let python = match tokio::task::spawn_blocking(python).await.unwrap() {
        Ok(python) => python,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "ccxt is needed under CI: {error}");
            eprintln!("SKIPPED: ccxt cannot be installed here: {error}");
            return;
        }
    };
    let source = CandleSource::Synthetic { start_price: "60000".parse().unwrap(), volatility_ppm: 800 };
    let mut config = config(&source, 3_000);
    config.venue = venue;
    for (market, name) in config.markets.iter_mut().zip(usual_instruments(venue)) {
        market.instrument = parse_instrument_at(venue, name).unwrap();
    }
    for key in config.accounts.iter_mut().flat_map(|account| &mut account.keys) {
        key.passphrase = Some("TESTPASS".to_owned());
    }
    config.control = Some(ControlAddress::Tcp("127.0.0.1:0".parse().unwrap()));
    config.rate_limits = RateLimits::Off;
    config.clock = keyhold_fake_venues::clock::system_clock();
    let bench = Bench::with_own_clock(config).await;
    let Some(ControlAddress::Tcp(control)) = bench.venue.control_address().cloned() else {
        panic!("the control interface listens on TCP")
    };
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let (rest, ws) = (bench.venue.rest_url(), bench.venue.ws_url());
    let result = tokio::task::spawn_blocking(move || {
        run(Command::new(python).arg(session).arg(rest).arg(ws).arg(format!("http://{control}")))
    });
    let text = result.await.unwrap().unwrap_or_else(|text| panic!("{text}"));
    eprintln!("{text}");
    assert!(text.contains("SESSION OK"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ccxt_trades_linear_and_inverse() {
    session(Exchange::Bybit, "ccxt_session.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ccxt_trades_at_okx() {
    session(Exchange::Okx, "ccxt_session_okx.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ccxt_trades_at_binance() {
    session(Exchange::Binance, "ccxt_session_binance.py").await;
}
