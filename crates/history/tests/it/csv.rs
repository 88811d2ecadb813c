//! CSV files as venues and people write them.

use std::path::PathBuf;

use keyhold_history::read_any;

fn read(text: &str) -> Result<Vec<keyhold_domain::Candle>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    read_any(&path).map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "a.csv"))
}

#[test]
fn columns_are_found_by_their_names() {
    let candles = read(
        "Volume, symbol,Close,Low,High,Open,Timestamp\n\
         1.50,BTC,2,1,3,1.5,1640995200000\n\
         2e-3,BTC,2,1,3,1.5,2022-01-01T00:01:00Z\n",
    )
    .unwrap();
    assert_eq!(candles.len(), 2);
    assert_eq!(candles[1].open_time.since_ms(candles[0].open_time), 60_000);
    assert_eq!([candles[0].open, candles[0].high].map(|price| price.to_string()), ["1.5", "3"]);
    assert_eq!(candles[1].volume.to_string(), "0.002");
}

#[test]
fn marks_have_no_volume() {
    let candles = read("open_time,open,high,low,close\n1640995200000,1,1,1,1\n").unwrap();
    assert!(candles[0].volume.is_zero());
}

#[test]
fn wrong_lines_are_named() {
    let head = "open_time,open,high,low,close,volume\n";
    let bad = |line: &str| read(&format!("{head}1640995200000,1,1,1,1,1\n{line}\n")).unwrap_err();
    assert_eq!(bad("1640995260000,1,1,x,1,1"), "a.csv, row 3: low is not a decimal number");
    assert_eq!(
        bad("1640995260000,1,0.5,0.4,1,1"),
        "a.csv, row 3: the high is below another price of the candle"
    );
    assert!(bad("1640995260,1,1,1,1,1").contains("seconds must be multiplied by 1000"));
    assert!(bad("yesterday,1,1,1,1,1").contains("neither milliseconds since 1970 nor RFC 3339"));
    assert!(bad("1640995200000,1,1,1,1,1").contains("does not come after"));
    assert!(bad("1640995260000,1,1").starts_with("a.csv, row 3: "));
    assert!(read("a,b\n1,2\n").unwrap_err().contains("open_time is missing in the header line"));
}

#[test]
fn the_month_of_real_candles_is_smaller_in_parquet_and_the_same() {
    let shared = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("data/btcusd-perp-1m-2022-01.csv.gz");
    if !path.exists() {
        eprintln!("SKIPPED: ../shared is absent: real candles were not written and read");
        return;
    }
    let candles = read_any(&path).unwrap();
    assert_eq!(candles.len(), 45_031);
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("a.parquet");
    keyhold_history::write(&written, &candles, &[]).unwrap();
    assert_eq!(read_any(&written).unwrap(), candles);
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let (packed, ours) = (size(&path), size(&written));
    eprintln!("45,031 candles: {packed} bytes as CSV.GZ, {ours} bytes as Parquet");
    assert!(ours < packed);
}
