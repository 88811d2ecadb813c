//! Work shared by threads: each takes the next piece when it has finished one. Results come in the order of the pieces,
//! whatever the number of threads.
//!
//! It knows nothing of what the work is. Nothing is locked while a piece is worked on.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared<T> {
    /// By piece; `None` for those that nobody has finished because the work was stopped.
    pub results: Vec<Option<T>>,
    /// How many pieces each thread has finished.
    pub shares: Vec<usize>,
}

/// Does `count` pieces of work on at most `threads` threads. A piece that breaks stops all threads after the piece they
/// are at.
pub fn share<T, W>(count: usize, threads: NonZeroUsize, work: &W) -> Shared<T>
where
    T: Send,
    W: Fn(usize) -> ControlFlow<(), T> + Sync,
{
    let next = AtomicUsize::new(0);
    let threads = threads.get().min(count.max(1));
    let done: Vec<Vec<(usize, T)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| one(count, &next, work))).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().map(join).collect()
    });
    let shares = done.iter().map(Vec::len).collect();
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (piece, result) in done.into_iter().flatten() {
        results[piece] = Some(result);
    }
    Shared { results, shares }
}

fn one<T>(count: usize, next: &AtomicUsize, work: &impl Fn(usize) -> ControlFlow<(), T>) -> Vec<(usize, T)> {
    let mut done = Vec::new();
    loop {
        let piece = next.fetch_add(1, Ordering::Relaxed);
        if piece >= count {
            return done;
        }
        match work(piece) {
            ControlFlow::Continue(result) => done.push((piece, result)),
            ControlFlow::Break(()) => {
                next.store(count, Ordering::Relaxed);
                return done;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        let work = |piece: usize| ControlFlow::Continue(piece * piece);
        let expected: Vec<_> = (0..100).map(|piece| Some(piece * piece)).collect();
        for count in [1, 2, 7] {
            let shared = share(100, threads(count), &work);
            assert_eq!(shared.results, expected);
            assert_eq!((shared.shares.len(), shared.shares.iter().sum::<usize>()), (count, 100));
        }
        assert_eq!(share(0, threads(4), &work).results, []);
    }

    #[test]
    fn a_break_stops_everybody() {
        let work = |piece: usize| if piece < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let shared = share(1_000_000, threads(2), &work);
        assert_eq!(shared.results.iter().flatten().count(), 10);
    }

    /// Nobody is ahead of anybody by more than one piece: every thread waits for the others before it takes the next.
    /// If the work were done one piece after the other, the wait would never end.
    #[test]
    fn threads_work_at_the_same_time() {
        let turns = Mutex::new(BTreeMap::<String, usize>::new());
        let changed = Condvar::new();
        let work = |_: usize| {
            let me = format!("{:?}", std::thread::current().id());
            let mut turns = turns.lock().unwrap();
            *turns.entry(me.clone()).or_default() += 1;
            changed.notify_all();
            let mine = turns[&me];
            let (_turns, waited) = changed
                .wait_timeout_while(turns, Duration::from_mins(1), |turns| {
                    turns.len() < 2 || turns.values().any(|other| *other < mine)
                })
                .unwrap();
            assert!(!waited.timed_out(), "the other thread does nothing");
            ControlFlow::Continue(())
        };
        assert_eq!(share(1000, threads(2), &work).shares, [500, 500]);
    }
}
