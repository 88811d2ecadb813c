//! ccxt trades here: an independent client that believes this is BitMEX.
//!
//! Needs Python with pip and the package index. Without them the test prints SKIPPED, except under CI, where it
//! fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use keyhold_domain::Exchange;
use keyhold_fake_venues::config::{CandleSource, ControlAddress, MarketConfig, RateLimits};
use keyhold_fake_venues::parse_instrument_at;

use crate::client::{Bench, config};

/// The last release with BitMEX; the exchange closed.
const CCXT: &str = "ccxt==4.5.83";

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// A Python with this ccxt, made once per target folder.
fn python() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ccxt-bitmex-venv");
    let python = home.join("bin/python");
    let done = home.join(CCXT);
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", CCXT]))?;
        std::fs::write(&done, "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

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
    config.venue = Exchange::Bitmex;
    let market = |name: &str| MarketConfig {
        instrument: parse_instrument_at(Exchange::Bitmex, name).unwrap(),
        source: source.clone(),
    };
    config.markets = vec![market("XBTUSDT=linear"), market("XBTUSD=inverse")];
    config.control = Some(ControlAddress::Tcp("127.0.0.1:0".parse().unwrap()));
    config.rate_limits = RateLimits::Off;
    config.clock = keyhold_fake_venues::clock::system_clock();
    let bench = Bench::with_own_clock(config).await;
    let Some(ControlAddress::Tcp(control)) = bench.venue.control_address().cloned() else {
        panic!("the control interface listens on TCP")
    };
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ccxt_bitmex.py");
    let (rest, ws) = (bench.venue.rest_url(), bench.venue.ws_url());
    let result = tokio::task::spawn_blocking(move || {
        run(Command::new(python).arg(session).arg(rest).arg(ws).arg(format!("http://{control}")))
    });
    let text = result.await.unwrap().unwrap_or_else(|text| panic!("{text}"));
    println!("{text}");
    assert!(text.contains("SESSION OK"), "{text}");
}
