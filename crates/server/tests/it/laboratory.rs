//! `keyhold backtest ...` and `keyhold templates ...` as a person uses them: files in, text and files out, exit codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const START_MS: i64 = 1_704_067_200_000;

/// A folder with candles of two markets, a template, settings and a sweep.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("btc.csv", market(7, 60_000, 1500));
    write("eth.csv", market(11, 3_000, 1500));
    let template = json!({
        "format": 1, "name": "Crossing", "timeframe": "1h", "combination": {"mode": "all"},
        "components": [{"kind": "ema_cross", "role": "signal", "parameters": {"fast": 5, "slow": 20}}],
        "exits": [{"kind": "hard_stop", "parameters": {"pct": 3}}, {"kind": "signal_flip"}]
    });
    write("template.json", template.to_string());
    let sweep = json!({
        "format": 1, "keep": 1, "rank_by": "net_profit",
        "vary": [
            {"path": "components[0].parameters.fast", "from": 5, "to": 25, "step": 10},
            {"path": "components[0].parameters.slow", "values": [20, 40]}
        ]
    });
    write("sweep.json", sweep.to_string());
    folder
}

/// Candles of one hour that wander; the same on every machine.
fn market(seed: u64, start: i64, hours: i64) -> String {
    let mut text = String::from("open_time,open,high,low,close,volume\n");
    let (mut state, mut tenths) = (seed, start * 10);
    for hour in 0..hours {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let open = tenths;
        let step = i64::try_from((state >> 33) % 201).unwrap() - 100;
        tenths += tenths * step / 10_000;
        let (high, low) = (open.max(tenths) + open / 500, open.min(tenths) - open / 500);
        let at = START_MS + hour * 3_600_000;
        let price = |tenths: i64| format!("{}.{}", tenths / 10, tenths % 10);
        let line = [at.to_string(), price(open), price(high), price(low), price(tenths), "10\n".to_owned()];
        text.push_str(&line.join(","));
    }
    text
}

fn start(folder: &Path, line: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_keyhold"));
    program.args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// What was printed, when the command ended with this code.
fn keyhold(folder: &Path, line: &str, code: i32) -> String {
    let output = start(folder, line);
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}\n{said}\n{complaint}");
    if code == 1 || code == 2 { complaint } else { said }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const RUN: &str = "backtest --template template.json --candles btc.csv";

#[test]
fn a_run_prints_a_report_with_sensible_digits_and_writes_four_files() {
    let folder = folder();
    let said = keyhold(folder.path(), &format!("{RUN} --signals --out report"), 0);
    assert!(said.contains("Crossing v1 on Bybit BTCUSDT 1h") && said.contains("Past results"), "{said}");
    assert!(said.contains("EMA crossover (signal)"), "{said}");
    let digits = |word: &str| {
        word.split('.').nth(1).map_or(0, |part| part.chars().take_while(char::is_ascii_digit).count())
    };
    let longest = said.split_whitespace().max_by_key(|word| digits(word)).unwrap();
    assert!(digits(longest) <= 8, "{longest}");
    let report: Value = serde_json::from_str(&read(folder.path(), "report/report.json")).unwrap();
    let trades = report["trades"].as_array().unwrap().len();
    assert!(trades > 20, "{trades} trades");
    assert_eq!(read(folder.path(), "report/trades.csv").lines().count(), trades + 1);
    assert!(read(folder.path(), "report/equity.csv").lines().count() > 100);
    let page = read(folder.path(), "report/report.html");
    assert!(page.contains("default-src 'none'") && !page.contains("<script"));
    assert_eq!(report["signals"]["components"][0]["kind"], "ema_cross");
    // Equal inputs, equal bytes.
    keyhold(folder.path(), &format!("{RUN} --signals --out again"), 0);
    for name in ["report.json", "report.html", "trades.csv", "equity.csv"] {
        assert_eq!(
            read(folder.path(), &format!("report/{name}")),
            read(folder.path(), &format!("again/{name}"))
        );
    }
    let printed: Value = serde_json::from_str(&keyhold(folder.path(), &format!("{RUN} --json"), 0)).unwrap();
    assert_eq!(printed["trades"], report["trades"], "the analysis changes nothing");
}

#[test]
fn the_style_of_the_page_has_the_hash_that_its_policy_names() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(keyhold_simulator::html::STYLE.as_bytes());
    let text = base64::engine::general_purpose::STANDARD.encode(hash);
    assert_eq!(keyhold_simulator::html::STYLE_SHA256, text, "write this hash beside the changed style");
}

#[test]
fn one_bot_trades_several_instruments() {
    let folder = folder();
    let line = "backtest --template template.json --candles BTCUSDT=btc.csv --candles ETHUSDT=eth.csv \
                --instrument ETHUSDT:tick=0.01,lot=0.01 --json";
    let report: Value = serde_json::from_str(&keyhold(folder.path(), line, 0)).unwrap();
    let instruments = report["assumptions"]["instruments"].as_array().unwrap();
    assert_eq!(
        instruments.iter().map(|one| one["base"].as_str().unwrap()).collect::<Vec<_>>(),
        ["BTC", "ETH"]
    );
    assert_eq!(
        (instruments[1]["tick"].as_str(), instruments[0]["tick"].as_str()),
        (Some("0.01"), Some("0.1"))
    );
    let groups = report["metrics"]["by_symbol"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    let twice = "backtest --template template.json --candles btc.csv --candles btc.csv";
    assert!(keyhold(folder.path(), twice, 1).contains("BT_INSTRUMENTS"));
    let nobody = format!("{RUN} --instrument ETHUSDT:tick=1");
    assert!(keyhold(folder.path(), &nobody, 1).contains("no --candles name it"));
}

#[test]
fn a_sweep_ranks_lists_what_is_invalid_and_does_not_depend_on_threads() {
    let folder = folder();
    let line = "backtest sweep --sweep sweep.json --template template.json --candles btc.csv";
    let said = keyhold(folder.path(), &format!("{line} --threads 1 --out one"), 0);
    assert!(said.contains("6 of 6 combinations, ranked by Net profit"), "{said}");
    // 25 is not faster than 20.
    assert!(
        said.contains("1 combinations could not be run") && said.contains("Make fast smaller than slow."),
        "{said}"
    );
    keyhold(folder.path(), &format!("{line} --threads 3 --out three"), 0);
    for name in ["sweep.json", "sweep.csv", "best-1/report.json", "best-1/report.html"] {
        assert_eq!(
            read(folder.path(), &format!("one/{name}")),
            read(folder.path(), &format!("three/{name}")),
            "{name}"
        );
    }
    let ranking: Value = serde_json::from_str(&read(folder.path(), "one/sweep.json")).unwrap();
    assert_eq!(
        (ranking["ranked"].as_array().unwrap().len(), ranking["invalid"].as_array().unwrap().len()),
        (5, 1)
    );
    let best: Value = serde_json::from_str(&read(folder.path(), "one/best-1/report.json")).unwrap();
    let net: f64 = best["metrics"]["trades"]["net"].as_str().unwrap().parse().unwrap();
    assert!((ranking["ranked"][0]["figures"]["net_profit"].as_f64().unwrap() - net).abs() < 1e-6);
}

#[test]
fn a_wrong_sweep_says_everything_at_once() {
    let folder = folder();
    let wrong = json!({"format": 1, "vary": [
        {"path": "components[3].parameters.fast", "values": [1]},
        {"path": "settings.leverage", "from": 3, "to": 1}
    ]});
    std::fs::write(folder.path().join("sweep.json"), wrong.to_string()).unwrap();
    let line = "backtest sweep --sweep sweep.json --template template.json --candles btc.csv";
    let complaint = keyhold(folder.path(), line, 1);
    assert!(complaint.contains("vary[0].path SWEEP_PATH_UNKNOWN"), "{complaint}");
    assert!(complaint.contains("vary[1].values SWEEP_VALUES_INVALID"), "{complaint}");
}

#[test]
fn a_walk_forward_joins_its_windows() {
    let folder = folder();
    let line = "backtest walk-forward --sweep sweep.json --in-sample-days 20 --out-of-sample-days 10 \
                --template template.json --candles btc.csv --out walk";
    let said = keyhold(folder.path(), line, 0);
    assert!(said.contains("All traded windows together") && said.contains("Efficiency"), "{said}");
    let result: Value = serde_json::from_str(&read(folder.path(), "walk/walk-forward.json")).unwrap();
    let windows = result["windows"].as_array().unwrap().len();
    assert_eq!(windows, 5, "62 days, one of history, 20 to choose on, the rest in tens");
    assert_eq!(read(folder.path(), "walk/walk-forward.csv").lines().count(), windows + 1);
    let long = line.replace("--in-sample-days 20", "--in-sample-days 200");
    assert!(keyhold(folder.path(), &long, 1).contains("choosing takes 200"));
}

#[test]
fn checks_answer_with_words_and_an_exit_code() {
    let folder = folder();
    let common = "--template template.json --candles btc.csv";
    let said = keyhold(folder.path(), &format!("backtest check lookahead --cuts 5 {common}"), 0);
    assert!(said.contains("cut at 5 places") && said.contains("does not know the future"), "{said}");
    let json = keyhold(folder.path(), &format!("backtest check lookahead --cuts 2 --json {common}"), 0);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["leaks"], json!([]));
    // Two long averages close to each other have not settled when they give their first verdict.
    let slow = read(folder.path(), "template.json")
        .replace("\"fast\":5", "\"fast\":100")
        .replace("\"slow\":20", "\"slow\":104");
    std::fs::write(folder.path().join("slow.json"), slow).unwrap();
    let line = "backtest check warmup --starts 6 --template slow.json --candles btc.csv";
    let said = keyhold(folder.path(), line, 3);
    assert!(said.contains("NOT SETTLED") && said.contains("EMA crossover (signal, components[0])"), "{said}");
}

#[test]
fn two_reports_are_compared() {
    let folder = folder();
    keyhold(folder.path(), &format!("{RUN} --out a"), 0);
    keyhold(folder.path(), &format!("{RUN} --slippage-bps 20 --out b"), 0);
    let said = keyhold(folder.path(), "backtest compare a/report.json b/report.json", 0);
    assert!(said.contains("fills.slippage_bps: 1 | 20"), "{said}");
    assert!(said.contains("the first 0 are equal") && said.contains("entry_price"), "{said}");
    let json = keyhold(folder.path(), "backtest compare --json a/report.json a/report.json", 0);
    let same: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&same["assumptions"], &same["first_difference"]), (&json!([]), &Value::Null));
    assert!(
        keyhold(folder.path(), "backtest compare a/report.json template.json", 1)
            .contains("not a backtest report")
    );
}

#[test]
fn templates_are_checked_explained_and_exported() {
    let folder = folder();
    assert!(
        keyhold(folder.path(), "templates validate template.json", 0)
            .contains("from candle 20 of its history on")
    );
    let wrong = r#"{"format": 1, "name": "", "timeframe": "9h", "combination": {"mode": "all"},
        "components": [{"kind": "ema_cros", "role": "signal"}, {"kind": "rsi", "role": "signal", "wait": 1}], "exits": []}"#;
    std::fs::write(folder.path().join("wrong.json"), wrong).unwrap();
    let found: Value =
        serde_json::from_str(&keyhold(folder.path(), "templates validate --json wrong.json", 3)).unwrap();
    let pairs: Vec<(&str, &str)> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["path"].as_str().unwrap(), problem["code"].as_str().unwrap()))
        .collect();
    let expected = [
        ("timeframe", "WRONG_TYPE"),
        ("components[1].wait", "UNKNOWN_FIELD"),
        ("name", "NAME_INVALID"),
        ("components[0].kind", "UNKNOWN_KIND"),
        ("exits", "NO_EXIT_RULE"),
        ("exits", "NO_HARD_STOP"),
    ];
    assert_eq!(pairs, expected);
    assert!(keyhold(folder.path(), "templates validate wrong.json", 3).starts_with("6 problems:"));
    std::fs::write(folder.path().join("broken.json"), "{\n  \"format\": 1,\n}").unwrap();
    assert!(
        keyhold(folder.path(), "templates validate broken.json", 3)
            .contains("line 3, column 1  [JSON_INVALID]")
    );

    let words = keyhold(folder.path(), "templates explain template.json", 0);
    assert!(
        words.contains("- EMA crossover: bullish while") && words.contains("- Hard stop loss: a loss of 3 %"),
        "{words}"
    );
    assert!(!words.contains("ema_cross") && !words.contains("hard_stop"), "{words}");
    keyhold(folder.path(), "templates export trend-follower --out own.json", 0);
    keyhold(folder.path(), "templates validate own.json", 0);
    assert!(keyhold(folder.path(), "templates list", 0).contains("trend-follower"));
    assert!(keyhold(folder.path(), "templates export nothing", 1).contains("built in are: trend-follower"));
}

/// A series with a row for each hour of the candles: `row` makes the columns after the time.
fn series(folder: &Path, name: &str, header: &str, row: impl Fn(i64) -> String) {
    let lines = (0..1500).map(|hour| format!("{},{}\n", START_MS + hour * 3_600_000, row(hour)));
    std::fs::write(folder.join(name), format!("{header}\n{}", lines.collect::<String>())).unwrap();
}

#[test]
fn series_recorded_besides_candles_are_used_and_the_lack_of_one_is_named() {
    let folder = folder();
    let path = folder.path();
    let mut template: Value = serde_json::from_str(&read(path, "template.json")).unwrap();
    template["components"].as_array_mut().unwrap().extend([
        json!({"kind": "open_interest", "role": "filter",
               "parameters": {"lookback": 1, "min_change_pct": 0.5, "require": "not_falling"}}),
        json!({"kind": "max_spread", "role": "entry_guard", "parameters": {"max_bps": 5}}),
        json!({"kind": "cvd", "role": "signal", "parameters": {"period": 2, "min_pct": 0}}),
        json!({"kind": "basis_premium", "role": "risk_gate", "parameters": {"threshold_pct": 1}}),
    ]);
    std::fs::write(path.join("flow.json"), template.to_string()).unwrap();
    series(path, "oi.csv", "time,open_interest", |hour| (50_000 + hour * 10).to_string());
    // The spread is too wide in every second day.
    let ask = |hour: i64| if hour / 24 % 2 == 0 { "60001" } else { "60100" };
    series(path, "quotes.csv", "time,bid,ask", |hour| format!("60000,{}", ask(hour)));
    series(path, "taker.csv", "open_time,buy,sell", |hour| format!("{},5", 4 + hour % 3));
    series(path, "index.csv", "time,price", |_| "60000".to_owned());
    series(path, "mark.csv", "open_time,open,high,low,close", |_| "60000,60000,60000,60000".to_owned());
    let run = "backtest --template flow.json --candles btc.csv";
    let some = "--open-interest oi.csv --quotes quotes.csv --mark mark.csv";
    let complaint = keyhold(path, &format!("{run} {some}"), 1);
    assert!(complaint.contains("BT_COMPONENT_UNSUPPORTED"), "{complaint}");
    assert!(complaint.contains("cvd, basis_premium") && !complaint.contains("max_spread"), "{complaint}");
    let all = format!("{some} --taker-volume taker.csv --index index.csv");
    let report: Value = serde_json::from_str(&keyhold(path, &format!("{run} {all} --json"), 0)).unwrap();
    assert_eq!(report["findings"], json!([]));
    assert_eq!(
        report["assumptions"]["recorded"],
        json!(["open_interest", "mark", "index", "quotes", "taker_volume"])
    );
    let trades = report["trades"].as_array().unwrap();
    assert!(trades.len() > 5, "{} trades", trades.len());
    let narrow = |trade: &Value| (trade["entered_at"].as_i64().unwrap() - START_MS) / 86_400_000 % 2 == 0;
    assert!(trades.iter().all(narrow));
    // The same for one of several instruments; a series that is nobody's is refused.
    let both = "backtest --template template.json --candles BTCUSDT=btc.csv --candles ETHUSDT=eth.csv";
    let nobody = keyhold(path, &format!("{both} --quotes quotes.csv"), 1);
    assert!(nobody.contains("--quotes") && nobody.contains("--instrument SYMBOL:quotes=FILE"), "{nobody}");
    keyhold(path, &format!("{both} --instrument ETHUSDT:tick=0.01,quotes=quotes.csv"), 0);
    keyhold(path, &format!("backtest check lookahead --template flow.json --candles btc.csv {all}"), 0);
}

#[test]
fn wrong_series_are_named_with_their_line() {
    let folder = folder();
    let path = folder.path();
    let complaint = |option: &str, text: &str| {
        std::fs::write(path.join("series.csv"), text).unwrap();
        keyhold(path, &format!("{RUN} --{option} series.csv"), 1)
    };
    let said = complaint("quotes", "time,bid,ask\n1,9,10\n2,11,10\n");
    assert!(said.contains("series.csv, line 3") && said.contains("time,bid,ask"), "{said}");
    let said = complaint("open-interest", "1704067200000,5\n1704070800000,6\n");
    assert!(said.contains("line 1") && said.contains("header"), "{said}");
    let said = complaint("mark", "open_time,open,high,low,close\n1704067200000,1,1,1,1\n");
    assert!(said.contains("line 2") && said.contains("ended"), "{said}");
    let said = complaint("taker-volume", "open_time,buy,sell\n1704067200,1,1\n1704070800,1,1\n");
    assert!(said.contains("--taker-volume") && said.contains("milliseconds"), "{said}");
    assert!(keyhold(path, &format!("{RUN} --index nowhere.csv"), 1).contains("cannot use nowhere.csv"));
}

#[test]
fn wrong_command_lines_say_what_is_expected() {
    let folder = folder();
    assert!(keyhold(folder.path(), "backtest --candles btc.csv", 2).contains("--template"));
    assert!(keyhold(folder.path(), "backtest --template template.json", 2).contains("--candles"));
    assert!(
        keyhold(folder.path(), "backtest --template nothing --candles btc.csv", 1).contains("trend-follower")
    );
    assert!(
        keyhold(folder.path(), &format!("{RUN} --tick 0"), 1).contains("--tick must be greater than zero")
    );
    let minutes = read(folder.path(), "template.json").replace("\"1h\"", "\"5m\"");
    std::fs::write(folder.path().join("minutes.json"), minutes).unwrap();
    let complaint = keyhold(folder.path(), "backtest --template minutes.json --candles btc.csv", 1);
    assert!(complaint.contains("60 minutes apart and cannot give candles of 5m"), "{complaint}");
}
