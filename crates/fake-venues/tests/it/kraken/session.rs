//! ccxt trades here: an independent client that believes this is Kraken Futures.

use std::path::Path;
use std::process::Command;

use keyhold_fake_venues::config::{CandleSource, ControlAddress, RateLimits};

use super::calls::config;
use crate::ccxt::{python, run};
use crate::client::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ccxt_trades_linear_and_inverse() {
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
    config.control = Some(ControlAddress::Tcp("127.0.0.1:0".parse().unwrap()));
    config.rate_limits = RateLimits::Off;
    config.clock = keyhold_fake_venues::clock::system_clock();
    let bench = Bench::with_own_clock(config).await;
    let Some(ControlAddress::Tcp(control)) = bench.venue.control_address().cloned() else {
        panic!("the control interface listens on TCP")
    };
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ccxt_kraken.py");
    let (rest, ws) = (bench.venue.rest_url(), bench.venue.ws_url());
    let result = tokio::task::spawn_blocking(move || {
        run(Command::new(python).arg(session).arg(rest).arg(ws).arg(format!("http://{control}")))
    });
    let text = result.await.unwrap().unwrap_or_else(|text| panic!("{text}"));
    println!("{text}");
    assert!(text.contains("SESSION OK"), "{text}");
}
