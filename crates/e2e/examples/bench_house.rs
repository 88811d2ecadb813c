//! Measures the running house: closed candle to order, memory of bots, deploy to online.
//!
//! `bench_house --profile release --orders 300 --deploys 20 --bots 4` starts the real programs (keeper, fake exchange,
//! server, bots with the isolation of an installation) and prints one line of JSON per figure with every value;
//! `./x bench` makes statistics of them. What cannot be measured ends the program. The tests of this crate include this
//! file as a module and run it at the smallest size.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures and gives up when it cannot"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use keyhold_domain::ContractType;
use keyhold_e2e::house::{House, eventually};
use keyhold_e2e::market::MINUTE_MS;
use keyhold_e2e::trader::Trader;
use serde_json::{Value, json};
use xtask::paths::Profile;
use xtask::stack::{RequestLimits, StackOptions};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub profile: Profile,
    /// Least number of orders whose latency is measured.
    pub orders: usize,
    /// How often a stopped bot is deployed again.
    pub deploys: usize,
    /// Bots that trade at the same time when their memory is read; at most as many as there are sound keys.
    pub bots: usize,
}

/// The exchange's sound keys with their accounts.
const KEYS: [(&str, u32); 4] = [("good", 1), ("second", 2), ("third", 7), ("fourth", 8)];
const SYMBOL: &str = "BTCUSDT";
/// The market rests this long after each candle, and nobody asks anything: the bot has the machine to itself. Real
/// candles are a minute and more apart; this is enough for every process to go to sleep.
const REST: Duration = Duration::from_millis(25);
/// The keeper opens a bot's key five times a minute and not more often: once for the first deployment, and four more.
const DEPLOYS_PER_WINDOW: usize = 4;
/// After this long the keeper has forgotten them.
const LEASE_WINDOW: Duration = Duration::from_secs(61);
/// Candles of the market; half of them are past when the exchange starts.
const CANDLES: i64 = 20_000;
const START_MS: i64 = 1_704_067_200_000;
/// Candles of a leg of the wave: a trend that lasts long enough for the Trend Follower to believe in it.
const LEG: i64 = 20;

fn main() {
    let size = size(&std::env::args().skip(1).collect::<Vec<_>>());
    for line in measure(size) {
        println!("{line}");
    }
}

fn size(arguments: &[String]) -> Size {
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).unwrap_or_else(|| panic!("{name} is missing"))
    };
    let number = |name: &str| value(name).parse().unwrap();
    let profile = match value("--profile").as_str() {
        "release" => Profile::Release,
        "debug" => Profile::Development,
        other => panic!("there is no profile {other}"),
    };
    Size { profile, orders: number("--orders"), deploys: number("--deploys"), bots: number("--bots") }
}

/// Measures everything; one line of JSON per figure.
pub fn measure(size: Size) -> Vec<Value> {
    let mut bench = Bench::open(size.profile);
    let first = bench.deploy(0);
    let deploys = (0..size.deploys).map(|count| {
        if count > 0 && count % DEPLOYS_PER_WINDOW == 0 {
            std::thread::sleep(LEASE_WINDOW);
        }
        bench.deploy_again(&first)
    });
    let deploys: Vec<f64> = deploys.collect();
    let latencies = bench.latencies(&first, size.orders);
    let (orders, candles) = (latencies.len(), bench.candles);
    let alone = bench.memory(std::slice::from_ref(&first));
    let mut bots = vec![first];
    for place in 1..size.bots {
        bots.push(bench.deploy(place));
    }
    bench.trade_with(&bots);
    let together = bench.memory(&bots);
    let rest = REST.as_millis();
    let deploy =
        "a stopped bot, from the call of the API until the server's stream says that the bot is online";
    let latency = format!(
        "Trend Follower, {orders} orders on {candles} one-minute candles of a wave, each followed by {rest} ms of rest; from \
         the exchange's writing of the closed candle to its having read the order, by its monotonic clock"
    );
    let memory_alone =
        format!("online, after {orders} orders; every page of the program counts for this bot");
    let memory = format!("{} bots online, each has traded; they share the pages of the program", size.bots);
    vec![
        json!({ "figure": "deploy_to_online", "ran": deploy, "values": deploys }),
        json!({ "figure": "candle_to_order", "ran": latency, "values": latencies }),
        json!({ "figure": "bot_memory_alone", "ran": memory_alone, "values": alone }),
        json!({ "figure": "bot_memory", "ran": memory, "values": together }),
    ]
}

/// The house, and the market that it plays.
struct Bench {
    house: House,
    template: String,
    /// Played while latencies were measured.
    candles: usize,
    _market: tempfile::TempPath,
}

impl Bench {
    fn open(profile: Profile) -> Self {
        let market = market();
        let options = StackOptions {
            candles: Some(market.to_path_buf()),
            speed: 0.0,
            seed: 11,
            venues: Vec::new(),
            limits: RequestLimits::Enforced,
            port: 0,
            folder: None,
            log: "info",
            profile,
        };
        let mut house = House::open(&options);
        let template = trend_follower(&mut house);
        Self { house, template, candles: 0, _market: market }
    }

    /// A bot with a key of its own, online.
    fn deploy(&mut self, place: usize) -> Trader {
        let (name, account) = KEYS[place];
        let key = self.house.add_sound_key(name, ContractType::Linear, SYMBOL);
        self.house.deploy(&format!("Bot {name}"), &key, &self.template, account)
    }

    /// Stops the bot, deploys it again and answers how many seconds that took until the server says that it is online.
    fn deploy_again(&mut self, bot: &Trader) -> f64 {
        self.house.owner.post(&format!("{}/stop", bot.path), &json!({ "positions": "close" })).ok();
        eventually("the bot to be stopped", || {
            (self.house.bot(bot)["status"] == "stopped" && self.house.stack.bots().is_empty()).then_some(())
        });
        let events = self.house.owner.listen("/api/v1/stream");
        eventually("the stream", || events.text().contains("\r\n\r\n").then_some(()));
        let started = Instant::now();
        self.house.owner.post(&format!("{}/deploy", bot.path), &json!({})).ok();
        let deadline = started + Duration::from_mins(1);
        while !is_online(&events.text(), &bot.id) {
            assert!(Instant::now() < deadline, "not online: {}", self.house.bot(bot));
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = started.elapsed().as_secs_f64();
        let known = self.house.bot(bot);
        assert_eq!((&known["status"], &known["phase"]), (&json!("online"), &json!("online")));
        took
    }

    /// Plays until at least this many orders have answered a candle. Milliseconds from candle to order.
    fn latencies(&mut self, bot: &Trader, orders: usize) -> Vec<f64> {
        self.house.venue("latency", &json!({}));
        let mut found = Vec::new();
        while found.len() < orders {
            self.play(std::slice::from_ref(bot));
            self.candles += 1;
            let measured = self.house.venue("latency", &json!({}));
            for answer in measured["answers"].as_array().unwrap() {
                found.push(Duration::from_nanos(answer["nanos"].as_u64().unwrap()).as_secs_f64() * 1e3);
            }
        }
        found
    }

    /// One candle and the decisions on it.
    fn play(&mut self, bots: &[Trader]) {
        let status = self.house.venue("step", &json!({ "candles": 1 }));
        assert_eq!(status["ended"], false, "the market has ended after {} candles", status["played"]);
        let closed = status["time_ms"].as_i64().unwrap() - MINUTE_MS;
        std::thread::sleep(REST);
        for bot in bots {
            let decision = self.house.await_decision(bot, closed);
            assert_eq!(decision["at"], closed, "each candle is decided");
        }
    }

    /// Plays until each bot has traded.
    fn trade_with(&mut self, bots: &[Trader]) {
        for _ in 0..10 * LEG {
            self.play(bots);
            let fills = |bot: &Trader| {
                self.house.venue("tally", &json!({ "account": bot.account }))["fills"].as_u64()
            };
            if bots.iter().all(|bot| fills(bot) > Some(0)) {
                return;
            }
        }
        panic!("a bot does not trade");
    }

    /// Millions of bytes of each bot, as the kernel counts them.
    fn memory(&mut self, bots: &[Trader]) -> Vec<f64> {
        bots.iter()
            .map(|bot| {
                assert_eq!(self.house.bot(bot)["status"], "online");
                let pid = self.house.instance(&bot.id).unwrap().pid;
                let path = format!("/proc/{pid}/smaps_rollup");
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
                let kib: u32 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
                f64::from(kib) * 1024.0 / 1e6
            })
            .collect()
    }
}

/// Whether the newest that the stream tells of the bot is that it is online.
fn is_online(stream: &str, bot: &str) -> bool {
    let blocks = stream.split("\n\n").filter(|block| block.contains("event: bot\n"));
    let told = blocks.filter_map(|block| {
        let data = block.lines().find_map(|line| line.strip_prefix("data: "))?;
        serde_json::from_str::<Value>(data).ok().filter(|told| told["id"] == bot)
    });
    told.last().is_some_and(|told| told["status"] == "online" && told["phase"] == "online")
}

/// The system template on candles of a minute. Answers its id.
fn trend_follower(house: &mut House) -> String {
    let all = house.owner.get("/api/v1/templates").ok();
    let found = all.as_array().unwrap().iter().find(|template| template["name"] == "Trend Follower").unwrap();
    let mut document = found["document"].clone();
    document["name"] = json!("Trend Follower, one minute");
    document["timeframe"] = json!("1m");
    let mut components = document["components"].as_array_mut().unwrap().iter_mut();
    let trend = components.find(|component| component["kind"] == "mtf_trend").unwrap();
    // An average that is long for the market below, as four hours are for one that moves for days.
    trend["parameters"]["timeframe"] = json!("5m");
    trend["parameters"]["period"] = json!("40");
    let template = house.owner.post("/api/v1/templates", &json!({ "document": document })).ok();
    template["id"].as_str().unwrap().to_owned()
}

/// A market that rises and falls in turns, so that orders come often.
fn market() -> tempfile::TempPath {
    let level = |n: i64| {
        let phase = n.rem_euclid(2 * LEG);
        50_000 + 100 * phase.min(2 * LEG - phase)
    };
    let mut text = String::from("open_time,open,high,low,close,volume\n");
    for n in 0..CANDLES {
        let (open, close) = (level(n), level(n + 1));
        let (high, low) = (open.max(close) + 10, open.min(close) - 10);
        writeln!(text, "{},{open},{high},{low},{close},10", START_MS + n * MINUTE_MS).unwrap();
    }
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.into_temp_path()
}
