//! Every wire parser of every venue, fed with spoiled messages through a whole adapter: answers to all calls of the port,
//! and frames of the public and the private stream.
//!
//! The messages are those of the twins, recorded in the same test, and changed in many ways ([`mutate`]) on their way to the
//! adapter ([`relay`]). No panic; unknown fields change nothing; a field that must be there is named when it is not; no
//! error repeats what a message said; a stream that heard nonsense gets well again. An ordinary test run plays a fixed
//! number of rounds and the seeds that once failed; `./x fuzz` plays fresh ones for some minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyhold_domain::Exchange;
use keyhold_simulator::random::Random;
use keyhold_venues::{AnyVenue, WireError};

use self::calls::{Call, Fate, Outcome, Subject, furnish, make_with, unreadable};
use self::relay::Tap;
use self::streams::{Ears, act, record, spoil_some};
use super::bench::{Bench, KEY, SECRET};
use super::rows::{self, Row};
use super::wire::Wire;

mod calls;
mod mutate;
pub(super) mod relay;
mod streams;

/// Rounds of an ordinary test run, for each row: together about half a minute.
const ROUNDS: u64 = 3;
/// Spoiled answers of a round.
const ANSWERS: u32 = 400;
/// Minutes to play fresh seeds; set by `./x fuzz`.
const MINUTES: &str = "KEYHOLD_FUZZ_MINUTES";
/// Rows and seeds that once failed, one in a line.
const SEEDS: &str = include_str!("seeds.txt");

/// An adapter behind a tap, and what its calls are answered.
struct Lab {
    bench: Bench,
    tap: Arc<Tap>,
}

impl Lab {
    async fn new(row: &'static Row) -> Self {
        let bench = Bench::new(row);
        furnish(&bench).await;
        Self { bench, tap: Tap::open() }
    }

    fn venue(&self) -> Arc<AnyVenue<Wire>> {
        let wire = Wire::tapped(&self.bench.twin, &self.tap);
        Arc::new(self.bench.venue_over(wire, KEY, SECRET))
    }

    /// An adapter that knows its instruments and the clock.
    async fn subject(&self) -> Arc<Subject> {
        let subject = Arc::new(Subject::of(&self.bench, self.venue()));
        for call in [Call::Instruments, Call::ServerTime, Call::Leverage] {
            let (outcome, _) = make_with(&subject, &self.tap, call, Fate::Kept).await;
            assert!(outcome.is_ok(), "{}: {outcome:?}", self.bench.row.name);
        }
        subject
    }

    /// The answers to every call that asks the venue at all.
    async fn known(&self) -> Vec<(Call, Vec<Vec<u8>>)> {
        let mut known = vec![];
        let subject = self.subject().await;
        for call in Call::ALL.iter().copied() {
            let (_, answers) = make_with(&subject, &self.tap, call, Fate::Kept).await;
            if !answers.is_empty() {
                known.push((call, answers));
            }
        }
        assert!(known.len() >= 20, "{}: only {} calls ask", self.bench.row.name, known.len());
        known
    }
}

/// All that a seed stands for; fails by panicking.
async fn round(row: &'static Row, seed: u64) -> (u32, usize) {
    let lab = Lab::new(row).await;
    let mut random = Random::new(seed);
    let known = lab.known().await;
    let mut subject = lab.subject().await;
    for number in 0..ANSWERS {
        // What an adapter remembers of nonsense is a part of the game, but not for ever.
        if number % 50 == 49 {
            subject = lab.subject().await;
        }
        calls::spoil_one(&mut random, &subject, &lab.tap, &known).await;
    }
    let frames = record(&lab.tap);
    let venue = lab.venue();
    let mut ears = Ears::of(&lab.bench, &venue);
    act(&lab.bench, &mut ears, 0..2).await;
    drop(ears);
    let corpus = frames.lock().unwrap().clone();
    assert!(corpus.len() >= 20, "{}: {} frames", row.name, corpus.len());
    let spoiled = spoil_some(&mut random, &lab.bench, &lab.tap, &lab.venue(), &corpus).await;
    (ANSWERS, spoiled)
}

/// A runtime of its own, on virtual time.
fn on_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    built.unwrap().block_on(future)
}

/// Plays one seed; a failing one is printed so that it can be kept.
fn play(row: &'static Row, seed: u64) -> (u32, usize) {
    let played = std::panic::catch_unwind(|| on_virtual_time(Box::pin(round(row, seed))));
    match played {
        Ok(counts) => counts,
        Err(panic) => {
            eprintln!("FAILED: a line for seeds.txt: {} # {seed}", row.name);
            if std::env::var_os(MINUTES).is_some() {
                write_down(row, seed);
            }
            std::panic::resume_unwind(panic)
        }
    }
}

/// Keeps a failing seed of `./x fuzz` for every later run.
fn write_down(row: &Row, seed: u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kit/spoil/seeds.txt");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    writeln!(file, "{} # {seed}", row.name).unwrap();
}

fn kept_seeds(row: &Row) -> Vec<u64> {
    let lines = SEEDS.lines().filter_map(|line| line.split_once(" # "));
    lines.filter(|(name, _)| *name == row.name).map(|(_, seed)| seed.trim().parse().unwrap()).collect()
}

fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000_000
}

fn played_rows(exchange: Exchange) -> &'static [Row] {
    rows::rows_of(exchange)
}

/// The ordinary run, or as many minutes as `./x fuzz` says.
fn spoil(exchange: Exchange) {
    let (mut rounds, mut answers, mut frames) = (0, 0, 0);
    let mut count = |(more, others): (u32, usize)| {
        rounds += 1;
        answers += more;
        frames += others;
    };
    for row in played_rows(exchange) {
        for seed in kept_seeds(row).into_iter().chain(0..ROUNDS) {
            count(play(row, seed));
        }
    }
    if let Some(minutes) = std::env::var(MINUTES).ok().and_then(|text| text.parse::<u64>().ok()) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60 * minutes) {
            for row in played_rows(exchange) {
                count(play(row, fresh_seed()));
            }
        }
    }
    println!("{exchange}: {rounds} rounds, {answers} spoiled answers, {frames} spoiled frames");
}

/// Objects whose fields are names of things, so that an unknown field is an unknown thing: what changes there is wanted.
fn names_things(exchange: Exchange, call: Call) -> bool {
    match exchange {
        // Each permission of a key is a field.
        Exchange::Binance | Exchange::KrakenFutures | Exchange::Bybit => call == Call::Key,
        Exchange::Okx | Exchange::Bitmex => false,
    }
}

/// Fields that nobody knows, in every object of every answer and frame, change nothing.
async fn unknown_fields_change_nothing(row: &'static Row) {
    let lab = Lab::new(row).await;
    let subject = lab.subject().await;
    let mut compared = 0;
    for call in Call::ALL.iter().copied() {
        let (plain, answers) = make_with(&subject, &lab.tap, call, Fate::Kept).await;
        let (padded, _) = make_with(&subject, &lab.tap, call, Fate::Padded).await;
        if names_things(row.exchange, call) {
            assert!(padded.is_ok(), "{}: {call:?}: {padded:?}", row.name);
            continue;
        }
        assert_eq!(padded, plain, "{}: {call:?}", row.name);
        compared += usize::from(!answers.is_empty());
    }
    let plain = overheard(row, |frame| frame).await;
    let padded = overheard(row, |frame| mutate::with_unknown_fields(&frame)).await;
    assert!(plain.len() >= 30, "{plain:?}");
    for (number, (padded, plain)) in padded.iter().zip(&plain).enumerate() {
        assert_eq!(padded, plain, "{}: event {number}", row.name);
    }
    assert_eq!(padded.len(), plain.len(), "{}", row.name);
    println!("{}: {compared} calls and {} events are the same", row.name, plain.len());
}

/// What two streams tell of the same minutes when each frame is changed on its way.
async fn overheard(row: &'static Row, change: fn(Vec<u8>) -> Vec<u8>) -> Vec<String> {
    let lab = Lab::new(row).await;
    lab.tap.frames(change);
    let venue = lab.venue();
    let mut ears = Ears::of(&lab.bench, &venue);
    act(&lab.bench, &mut ears, 0..4).await;
    ears.told
}

/// The venue's name of a field and the one that the error says.
const ALIASES: &[(&str, &str)] = &[("orderType", "type"), ("auxiliary", "pv"), ("xbt", "balances")];

/// Rows by name in which the instrument is looked for: without its name it is not there, and the call is refused for that.
/// BitMEX marks what it did not cancel by an error; a row without one was canceled.
const OTHERWISE: &[(Exchange, Call, &[&str])] = &[
    (Exchange::Bybit, Call::Fees, &["symbol"]),
    (Exchange::Bybit, Call::Ticker, &["symbol"]),
    (
        Exchange::KrakenFutures,
        Call::Fees,
        &["uid", "feeSchedules", "feeScheduleUid", "symbol", "instruments"],
    ),
    (Exchange::KrakenFutures, Call::Ticker, &["ticker"]),
    (Exchange::Bitmex, Call::Fees, &["XBTUSDT", "XBTUSD"]),
    (Exchange::Bitmex, Call::Ticker, &["symbol"]),
    (Exchange::Bitmex, Call::CanceledAgain, &["error"]),
    (Exchange::Binance, Call::Ticker, &["symbol"]),
    // That an order is unknown is told by a number; without it, it is a refusal like another.
    (Exchange::Binance, Call::NoOrder, &["code"]),
];

/// What a call does without one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    /// The same as with it.
    Same,
    /// Less is told.
    Less,
    /// It is missed by its name.
    Named,
    /// A refusal or an unknown outcome stays one, with fewer words.
    StillAnError,
    /// As the table says.
    Otherwise,
    /// Anything else.
    Wrong,
}

fn judge(exchange: Exchange, call: Call, name: &str, plain: &Outcome, outcome: &Outcome) -> Without {
    let is_otherwise =
        OTHERWISE.iter().any(|(of, one, names)| (*of, *one) == (exchange, call) && names.contains(&name));
    match (plain, outcome, unreadable(outcome)) {
        _ if plain == outcome => Without::Same,
        (_, _, Some(WireError::Missing { field, .. }))
            if field == name || ALIASES.contains(&(name, field)) =>
        {
            Without::Named
        }
        _ if is_otherwise => Without::Otherwise,
        (Ok(_), Ok(_), _) => Without::Less,
        (Err(_), Err(_), _) => Without::StillAnError,
        (Ok(_), Err(_), _) | (Err(_), Ok(_), _) => Without::Wrong,
    }
}

/// Every field of every answer, left out: the call works without it, or says which field it lacks.
async fn missing_fields_are_named(row: &'static Row) {
    let lab = Lab::new(row).await;
    let known = lab.known().await;
    let (mut named, mut counts, mut wrong) = (BTreeSet::new(), BTreeMap::<String, u32>::new(), vec![]);
    for (call, answers) in &known {
        let (plain, _) = make_with(&lab.subject().await, &lab.tap, *call, Fate::Kept).await;
        for answer in answers {
            let shape = mutate::fields(answer);
            let mut seen = BTreeSet::new();
            for (place, name) in &shape {
                // One row of a list is like the next.
                let kind: String = place.chars().filter(|letter| !letter.is_ascii_digit()).collect();
                if !seen.insert(kind) {
                    continue;
                }
                let fate = Fate::Without(place.clone(), shape.clone());
                let (outcome, _) = make_with(&lab.subject().await, &lab.tap, *call, fate).await;
                let without = judge(row.exchange, *call, name, &plain, &outcome);
                *counts.entry(format!("{without:?}")).or_default() += 1;
                match without {
                    Without::Named => drop(named.insert(format!("{call:?} {name}"))),
                    Without::Wrong => wrong.push(format!("{call:?} {place}: {outcome:?}")),
                    Without::Same | Without::Less | Without::StillAnError | Without::Otherwise => {}
                }
            }
        }
    }
    println!("{}: {} fields are named; {counts:?}", row.name, named.len());
    assert!(wrong.is_empty(), "{}: {wrong:#?}", row.name);
    assert!(named.len() >= 60, "{}: only {} fields are named: {named:?}", row.name, named.len());
}

macro_rules! spoil {
    ($($name:ident: $exchange:ident;)+) => {
        $(mod $name {
            use keyhold_domain::Exchange;

            #[test]
            fn spoiled_messages_do_no_harm() {
                super::spoil(Exchange::$exchange);
            }

            #[tokio::test(start_paused = true)]
            async fn unknown_fields_change_nothing() {
                for row in super::played_rows(Exchange::$exchange) {
                    Box::pin(super::unknown_fields_change_nothing(row)).await;
                }
            }

            #[tokio::test(start_paused = true)]
            async fn missing_fields_are_named() {
                for row in super::played_rows(Exchange::$exchange) {
                    Box::pin(super::missing_fields_are_named(row)).await;
                }
            }
        })+
    };
}

spoil! {
    bybit: Bybit;
    kraken: KrakenFutures;
    okx: Okx;
    bitmex: Bitmex;
    binance: Binance;
}

#[test]
fn every_kept_seed_is_of_a_row() {
    for line in SEEDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, seed) = line.split_once(" # ").unwrap_or_else(|| panic!("{line}: a row, \" # \", a seed"));
        assert!(rows::all().any(|row| row.name == name), "{name} is no row");
        assert!(seed.trim().parse::<u64>().is_ok(), "{line}");
    }
}
