//! A line on the terminal that says how far it is and how long it will take, and Ctrl-C.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keyhold_engine::report::digits::duration;
use keyhold_simulator::backtest::Control;

use super::CommandError;
use crate::clock::Stopwatch;

/// The line is written at most this often.
const EVERY_MS: u64 = 200;

/// Tells how far a command is, from any thread, and whether it shall go on.
pub(super) struct Meter {
    what: &'static str,
    shown: bool,
    watch: Stopwatch,
    next_ms: AtomicU64,
    canceled: Arc<AtomicBool>,
}

impl Meter {
    /// Begins to measure and to listen for Ctrl-C. `what` is counted: candles, backtests.
    pub(super) fn new(what: &'static str) -> Result<Self, CommandError> {
        let canceled = Arc::new(AtomicBool::new(false));
        listen(Arc::clone(&canceled))?;
        Ok(Self {
            what,
            shown: std::io::stderr().is_terminal(),
            watch: Stopwatch::start(),
            next_ms: AtomicU64::new(0),
            canceled,
        })
    }

    /// So much is done.
    pub(super) fn tell(&self, done: usize, all: usize) -> Control {
        let elapsed = self.watch.elapsed_ms();
        let next = self.next_ms.load(Ordering::Relaxed);
        let due = elapsed >= next || done >= all;
        if self.shown && due && self.take_turn(next, elapsed + EVERY_MS) {
            let end = if done >= all { "\n" } else { "" };
            let text = format!("\r\u{1b}[K{}{end}", line(done, all, elapsed, self.what));
            // A terminal that has gone away does not end a backtest.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        if self.canceled.load(Ordering::Relaxed) { Control::Cancel } else { Control::Continue }
    }

    fn take_turn(&self, now: u64, next: u64) -> bool {
        self.next_ms.compare_exchange(now, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The first Ctrl-C asks for an orderly end, the second ends at once.
fn listen(canceled: Arc<AtomicBool>) -> Result<(), CommandError> {
    let failed = |source| CommandError::File { path: "Ctrl-C".into(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let entered = runtime.enter();
    let mut interrupts =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(failed)?;
    drop(entered);
    std::thread::spawn(move || {
        runtime.block_on(async {
            while interrupts.recv().await.is_some() {
                if canceled.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    });
    Ok(())
}

/// ` 37 %  370 of 1000 backtests, 2m 10s left`.
fn line(done: usize, all: usize, elapsed_ms: u64, what: &str) -> String {
    let percent = (done * 100).checked_div(all).unwrap_or(100);
    let left =
        left_ms(done, all, elapsed_ms).map_or_else(String::new, |left| format!(", {} left", duration(left)));
    format!("{percent:>3} %  {done} of {all} {what}{left}")
}

/// How long the rest takes if it takes as long as what is done; unknown at first.
fn left_ms(done: usize, all: usize, elapsed_ms: u64) -> Option<i64> {
    let rest = u128::try_from(all.checked_sub(done)?).ok()?;
    let left = u128::from(elapsed_ms).checked_mul(rest)?.checked_div(u128::try_from(done).ok()?)?;
    i64::try_from(left).ok()
}

/// How many threads work when nobody says.
pub(super) fn all_processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        assert_eq!(left_ms(250, 1000, 10_000), Some(30_000));
        assert_eq!(left_ms(0, 1000, 10_000), None);
        assert_eq!(left_ms(1000, 1000, 10_000), Some(0));
        assert_eq!(line(370, 1000, 76_000, "backtests"), " 37 %  370 of 1000 backtests, 2m 9s left");
        assert_eq!(line(0, 10, 5, "candles"), "  0 %  0 of 10 candles");
    }
}
