//! Plays seeds on all processors, counts what happened, and stops at the first that fails.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::{hostile, past, problems};

/// Seeds that once failed, one in a line.
const REGRESSIONS: &str = include_str!("regressions.txt");

/// What the cases have brought about.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    cases: u64,
    entered: u64,
    left: u64,
    held_candles: usize,
    traded: u64,
    trades: usize,
    balanced: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.entered += other.entered;
        self.left += other.left;
        self.held_candles += other.held_candles;
        self.traded += other.traded;
        self.trades += other.trades;
        self.balanced += other.balanced;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cases; live: {} entered, {} left, {} candles in a position; backtests: {} traded, {} trades, {} balanced to the last unit",
            self.cases, self.entered, self.left, self.held_candles, self.traded, self.trades, self.balanced
        )
    }
}

fn play(case: &Case) -> Tally {
    problems::play(case);
    let traded = past::play(case);
    let lived = hostile::play(case);
    Tally {
        cases: 1,
        entered: u64::from(lived.entries > 0),
        left: u64::from(lived.exits > 0),
        held_candles: lived.held_candles,
        traded: u64::from(traded.trades > 0),
        trades: traded.trades,
        balanced: traded.balanced,
    }
}

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a panic says is kept for the report instead of being printed at once.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        SAID.with(|said| *said.borrow_mut() = panic.to_string());
    }));
}

/// A seed whose case has failed, with all that is needed to look at it.
fn try_one(seed: u64) -> Result<Tally, String> {
    let made = std::panic::catch_unwind(|| Case::new(seed));
    let Ok(case) = made else { return Err(failure(seed, "the generators themselves have failed")) };
    std::panic::catch_unwind(AssertUnwindSafe(|| play(&case))).map_err(|_| failure(seed, &case.describe()))
}

fn failure(seed: u64, about: &str) -> String {
    let said = SAID.with(|said| said.borrow().clone());
    format!(
        "seed {seed} has failed\n{said}\n\n{about}\n\nagain: ./x fuzz --seed {seed}\nwhen it is repaired, add {seed} to crates/simulator/tests/fuzz/regressions.txt"
    )
}

/// Plays one seed and says what it is made of.
pub(crate) fn one(seed: u64) -> ExitCode {
    match try_one(seed) {
        Ok(tally) => {
            println!("{}\n\nseed {seed} passes: {tally}", Case::new(seed).describe());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// A fixed number of cases from fixed seeds, and those that once failed.
pub(crate) fn fixed(count: u64) -> ExitCode {
    let once = REGRESSIONS.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut seeds: Vec<u64> =
        once.filter(|line| !line.is_empty()).map(|line| line.parse().unwrap()).collect();
    seeds.extend(0..count);
    let seeds_ref = &seeds;
    let seed_of =
        move |index: u64| usize::try_from(index).ok().and_then(|index| seeds_ref.get(index)).copied();
    let result = together(&seed_of, &|_, _| {});
    let Ok(tally) = &result else { return end(&result) };
    // Cases that do nothing prove nothing.
    let enough = tally.entered * 4 > tally.cases && tally.traded * 5 > tally.cases && tally.balanced > 0;
    if !enough {
        println!("fuzz: too little happens: {tally}");
        return ExitCode::FAILURE;
    }
    end(&result)
}

/// Fresh seeds until the time is over.
pub(crate) fn fresh(time: Duration) -> ExitCode {
    let first = std::hash::RandomState::new().build_hasher().finish() >> 16;
    let started = Instant::now();
    println!("fuzz: seeds from {first} on, for {} minutes", time.as_secs() / 60);
    let seed_of = |index: u64| (started.elapsed() < time).then_some(first + index);
    let shown = Mutex::new(Duration::ZERO);
    let show = |done: u64, newest: u64| {
        let Ok(mut last) = shown.lock() else { return };
        let elapsed = started.elapsed();
        if elapsed < *last + Duration::from_secs(5) {
            return;
        }
        *last = elapsed;
        let per_second = f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / elapsed.as_secs_f64();
        let left = time.saturating_sub(elapsed).as_secs();
        println!(
            "fuzz: {done} cases, {per_second:.1} a second, newest seed {newest}, {}:{:02} left",
            left / 60,
            left % 60
        );
    };
    end(&together(&seed_of, &show))
}

fn end(result: &Result<Tally, String>) -> ExitCode {
    match result {
        Ok(tally) => {
            println!("fuzz: {tally}; all passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// All processors take the next seed when they have finished one. The first failure stops them.
fn together(
    seed_of: &(dyn Fn(u64) -> Option<u64> + Sync),
    show: &(dyn Fn(u64, u64) + Sync),
) -> Result<Tally, String> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sum, failed) = (Mutex::new(Tally::default()), Mutex::new(None));
    let work = || {
        while !stop.load(Ordering::Relaxed)
            && let Some(seed) = seed_of(next.fetch_add(1, Ordering::Relaxed))
        {
            match try_one(seed) {
                Ok(tally) => {
                    let mut sum = sum.lock().unwrap();
                    sum.add(tally);
                    show(sum.cases, seed);
                }
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    failed.lock().unwrap().get_or_insert(failure);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failed.into_inner().unwrap() {
        Some(failure) => Err(failure),
        None => Ok(sum.into_inner().unwrap()),
    }
}
