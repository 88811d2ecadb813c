//! The storm: a whole bot and a whole venue in one process, on a clock of their own, with everything going wrong by seed.
//!
//! ```text
//! storm [runs] [--venue bybit] [--seed 17]
//! ```
//!
//! Bot, adapter, protocol and twin are the real ones; only sockets and clock are replaced ([`world`]). Each run draws its
//! troubles from its seed ([`storm`]), then lets the sky clear, and compares the bot's books with the venue's ([`judge`]).
//! Seeds that failed once stand in `seeds.txt` and run first. `--seed` runs one seed and shows the bot's log.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and talks on standard output"
)]

mod burst;
mod judge;
mod keeper;
mod market;
mod plants;
mod server;
mod storm;
mod world;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use market::{VENUES, VenueKind};
use storm::Voice;

/// Runs per venue when nobody says how many.
const USUAL_RUNS: u64 = 5;
/// Every so many seeds are played twice, and both must leave the same trace.
const TWICE_EVERY: u64 = 8;

const KEPT: &str = include_str!("seeds.txt");

struct Wanted {
    runs: u64,
    venue: Option<String>,
    seed: Option<u64>,
}

fn wanted() -> Option<Wanted> {
    let mut wanted = Wanted { runs: USUAL_RUNS, venue: None, seed: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--venue" => wanted.venue = arguments.next(),
            "--seed" => wanted.seed = arguments.next().map(|seed| seed.parse().expect("a seed is a number")),
            // The usual test harness is asked for its list by tools.
            "--list" => return None,
            flag if flag.starts_with("--") => {}
            word => match word.parse() {
                Ok(runs) => wanted.runs = runs,
                // A filter of names.
                Err(_) if "storm".contains(word) => {}
                Err(_) => return None,
            },
        }
    }
    Some(wanted)
}

/// The kept seeds of a venue, then as many more as are wanted.
fn seeds(venue: &VenueKind, wanted: &Wanted) -> Vec<u64> {
    if let Some(seed) = wanted.seed {
        return vec![seed];
    }
    let kept = KEPT.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == venue.name).then(|| words.next()?.parse::<u64>().ok())?
    });
    let mut seeds: Vec<u64> = kept.collect();
    seeds.extend((1..=wanted.runs).filter(|seed| !seeds.contains(seed)).collect::<Vec<_>>());
    seeds
}

#[derive(Default)]
struct Progress {
    next: usize,
    failed: Vec<(u64, String)>,
    tally: storm::Tally,
}

fn run_all(venue: &'static VenueKind, seeds: &[u64], wanted: &Wanted) -> Progress {
    let progress = Mutex::new(Progress::default());
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = {
                        let mut progress = progress.lock().unwrap();
                        progress.next += 1;
                        progress.next - 1
                    };
                    let Some(seed) = seeds.get(index).copied() else { return };
                    let voice = if wanted.seed.is_some() { Voice::Aloud } else { Voice::Quiet };
                    let result = one(venue, seed, voice);
                    let mut progress = progress.lock().unwrap();
                    match result {
                        Ok(tally) => progress.tally.add(tally),
                        Err(what) => {
                            println!("storm: {} seed {seed} FAILED: {what}", venue.name);
                            progress.failed.push((seed, what));
                        }
                    }
                    let done = index + 1;
                    if done.is_multiple_of(100) {
                        println!(
                            "storm: {} {done}/{} runs, {} failed, {:.1} runs per second",
                            venue.name,
                            seeds.len(),
                            progress.failed.len(),
                            f64::from(u32::try_from(done).unwrap()) / began.elapsed().as_secs_f64()
                        );
                    }
                }
            });
        }
    });
    let progress = progress.into_inner().unwrap();
    println!(
        "storm: {}: {} runs, {} failed, {:.1} s; {:?}",
        venue.name,
        seeds.len(),
        progress.failed.len(),
        began.elapsed().as_secs_f64(),
        progress.tally
    );
    progress
}

/// One seed; some are played twice.
fn one(venue: &'static VenueKind, seed: u64, voice: Voice) -> Result<storm::Tally, String> {
    let play = || {
        std::panic::catch_unwind(|| storm::play(venue, seed, voice)).unwrap_or_else(|cause| {
            let text = cause.downcast_ref::<String>().cloned();
            Err(text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
        })
    };
    let first = play()?;
    if seed.is_multiple_of(TWICE_EVERY) && voice == Voice::Quiet {
        let second = play()?;
        if first.trace != second.trace {
            return Err("the same seed left two different traces".to_owned());
        }
    }
    Ok(first)
}

fn main() -> ExitCode {
    let Some(wanted) = wanted() else { return ExitCode::SUCCESS };
    storm::watch_panics();
    let mut code = ExitCode::SUCCESS;
    for venue in VENUES.iter().filter(|venue| wanted.venue.as_ref().is_none_or(|name| name == venue.name)) {
        if wanted.seed.is_none() {
            for (name, result) in [("plants", storm::plants(venue)), ("burst", storm::burst(venue))] {
                match result {
                    Ok(said) => println!("{name}: {}: {said}", venue.name),
                    Err(what) => {
                        println!("{name}: {} FAILED: {what}", venue.name);
                        code = ExitCode::FAILURE;
                    }
                }
            }
        }
        let progress = run_all(venue, &seeds(venue, &wanted), &wanted);
        for (seed, what) in &progress.failed {
            println!("storm: failed: ./x storm --venue {} --seed {seed}: {what}", venue.name);
            code = ExitCode::FAILURE;
        }
    }
    code
}
