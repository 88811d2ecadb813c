//! `keyhold candles` as a person uses it, against files and a venue that speaks its own protocol.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use keyhold_domain::{Candle, Decimal, Timeframe, Timestamp};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeBybit, parse_instrument};

const START_MS: i64 = 1_704_067_200_000;
const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USDT = "1000" }
    [[account.key]]
    key = "UNUSEDKEY-1"
    secret = "unused-secret-of-the-test"
"#;

fn candles(count: i64) -> Vec<Candle> {
    let price = |value: i64| value.to_string().parse().unwrap();
    (0..count)
        .map(|minute| Candle {
            open_time: Timestamp::from_ms(START_MS + minute * 60_000),
            open: price(50_000 + minute),
            high: price(50_020 + minute),
            low: price(49_980 + minute),
            close: price(50_001 + minute),
            volume: Decimal::TEN,
        })
        .collect()
}

fn csv(candles: &[Candle]) -> String {
    let rows = candles.iter().map(|candle| {
        let Candle { open_time, open, high, low, close, volume } = candle;
        format!("{},{open},{high},{low},{close},{volume}\n", open_time.ms())
    });
    "open_time,open,high,low,close,volume\n".to_owned() + &rows.collect::<String>()
}

/// Runs the program and gives what it printed, or what it complained about.
fn keyhold(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let program =
        Command::new(env!("CARGO_BIN_EXE_keyhold")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if program.status.success() { Ok(text(program.stdout)) } else { Err(text(program.stderr)) }
}

const MARKET: [&str; 2] = ["--symbol", "BTCUSDT"];

#[test]
fn a_file_is_imported_listed_checked_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = candles(60);
    all.drain(20..23);
    std::fs::write(folder.path().join("a.csv"), csv(&all)).unwrap();
    assert!(
        keyhold(folder.path(), &["candles", "list"]).unwrap().contains("holds no candles; add some with")
    );

    let import = [&["candles", "import", "a.csv"][..], &MARKET].concat();
    let said = keyhold(folder.path(), &import).unwrap();
    assert_eq!(
        said,
        "57 new candles, 0 replaced, 0 known already\n\
         57 candles from 2024-01-01T00:00:00.000Z to 2024-01-01T00:59:00.000Z, 1 gap of 3 candles\n  \
         missing: 2024-01-01T00:20:00.000Z to 2024-01-01T00:22:00.000Z, 3 candles\n"
    );
    let again = keyhold(folder.path(), &import).unwrap();
    assert!(again.starts_with("0 new candles, 0 replaced, 57 known already\n"), "{again}");
    let listed = keyhold(folder.path(), &["candles", "list"]).unwrap();
    assert!(listed.starts_with("bybit linear BTCUSDT 1m: 57 candles, "), "{listed}");

    let export = [&["candles", "export"][..], &MARKET].concat();
    assert_eq!(keyhold(folder.path(), &export).unwrap(), csv(&all));
    let parquet = "candles/bybit/linear/BTCUSDT/1m/2024-01.parquet";
    let copied = [&["candles", "import", parquet, "--library", "other"][..], &MARKET].concat();
    assert!(keyhold(folder.path(), &copied).unwrap().starts_with("57 new candles"));
}

#[test]
fn a_backtest_reads_both_formats_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), csv(&candles(9_000))).unwrap();
    let import = [&["candles", "import", "a.csv"][..], &MARKET].concat();
    keyhold(folder.path(), &import).unwrap();
    let run = |file| {
        let report = keyhold(
            folder.path(),
            &[
                "backtest",
                "--template",
                "mean-reversion",
                "--candles",
                file,
                "--unsupported",
                "neutral",
                "--json",
            ],
        );
        report.unwrap()
    };
    assert_eq!(run("a.csv"), run("candles/bybit/linear/BTCUSDT/1m/2024-01.parquet"));
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str]| keyhold(folder.path(), &[arguments, &MARKET].concat()).unwrap_err();
    assert!(fails(&["candles", "import", "none.csv"]).contains("cannot use none.csv"));
    let when = fails(&["candles", "fetch", "--from", "yesterday"]);
    assert!(when.contains("--from is an instant: 2022-01-31"), "{when}");
    let order = fails(&["candles", "fetch", "--from", "2024-01-02", "--until", "2024-01-01"]);
    assert!(order.contains("--from must be before 2024-01-01T00:00:00.000Z"), "{order}");
    let venue = fails(&["candles", "fetch", "--from", "2024-01-01", "--environment", "simulated"]);
    assert!(venue.contains("--venue names the address of the simulated venue and is missing"), "{venue}");
    let exchange = fails(&["candles", "fetch", "--from", "2024-01-01", "--exchange", "bitmex"]);
    assert!(
        exchange.contains("--exchange bitmex: the exchange closed on 2026-09-23; import a file"),
        "{exchange}"
    );
}

/// A venue with a gap in its history.
async fn venue(recorded: Vec<Candle>) -> FakeBybit {
    let history = recorded.len() / 2;
    FakeBybit::start(VenueConfig {
        venue: keyhold_domain::Exchange::Bybit,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![MarketConfig {
            instrument: parse_instrument("BTCUSDT=linear").unwrap(),
            source: CandleSource::Recorded(recorded),
        }],
        accounts: parse_accounts(ACCOUNTS).unwrap(),
        seed: 1,
        pace: Pace::Lockstep,
        base: Timeframe::M1,
        history,
        start: None,
        exchange: keyhold_simulator::exchange::ExchangeConfig::default(),
        rate_limits: RateLimits::Off,
        clock: Arc::new(|| Timestamp::from_ms(START_MS)),
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_missing_is_fetched_and_the_rest_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    // The first half is the venue's past.
    let mut recorded = candles(6_000);
    recorded.drain(1_500..1_510);
    // What is on disk already stands: a candle that differs from the venue's shows that it was not asked for.
    let mut known = candles(100);
    known[50].volume = Decimal::ONE;
    std::fs::write(folder.path().join("a.csv"), csv(&known)).unwrap();
    let import = [&["candles", "import", "a.csv"][..], &MARKET].concat();
    keyhold(folder.path(), &import).unwrap();

    let venue = venue(recorded).await;
    let address = venue.rest_url();
    let fetch = ["candles", "fetch", "--environment", "simulated", "--venue", &address];
    let range = ["--from", "2024-01-01", "--until", "2024-01-03"];
    let place = folder.path().to_path_buf();
    let arguments: Vec<String> =
        [&fetch[..], &range, &MARKET].concat().iter().map(|text| (*text).to_owned()).collect();
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        keyhold(&place, &arguments)
    };
    let said = tokio::task::spawn_blocking(run.clone()).await.unwrap().unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("1 gap of 10 candles"), "{said}");
    assert!(
        lines[2].contains("missing: 2024-01-02T01:00:00.000Z to 2024-01-02T01:09:00.000Z, 10 candles"),
        "{said}"
    );
    let export = [&["candles", "export"][..], &MARKET].concat();
    let exported = keyhold(folder.path(), &export).unwrap();
    assert_eq!(exported.lines().nth(51), csv(&known).lines().nth(51), "it was not asked for again");
    assert!(exported.lines().count() > 2_800);
    let again = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(again.starts_with("0 new candles\n"), "{again}");
}
