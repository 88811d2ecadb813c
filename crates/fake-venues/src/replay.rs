//! Moves the world forward at its pace.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::Timeframe;

use crate::config::Pace;
use crate::server::{Reach, Shared};

/// Candles slower than this show prices on their way.
const SHOW_TICKS_FROM: f64 = 1.0;
/// The most prices shown per candle.
const MAX_TICKS: f64 = 60.0;

/// How long to wait between two moves, and how many moves a candle has. `None` waits for a new pace.
fn rhythm(pace: Pace, base: Timeframe) -> Option<(Duration, u32)> {
    #[expect(clippy::cast_precision_loss, reason = "a candle's length is far below 2^52 ms")]
    let seconds = match pace {
        Pace::Lockstep => return None,
        Pace::CandlesPerSecond(speed) => 1.0 / speed,
        Pace::TimesRealTime(speed) => base.ms() as f64 / 1000.0 / speed,
    };
    let ticks = if seconds < SHOW_TICKS_FROM { 1.0 } else { (seconds * 4.0).clamp(3.0, MAX_TICKS).round() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 60")]
    let parts = ticks as u32;
    Some((Duration::from_secs_f64((seconds / ticks).clamp(0.000_01, 86_400.0)), parts))
}

/// Plays until the program ends.
pub(crate) async fn play(shared: Arc<Shared>) {
    let mut reach = shared.reach.subscribe();
    loop {
        let (pace, base) = {
            let state = shared.lock();
            (state.core().pace, state.core().world.feeds.first().map_or(Timeframe::M1, |feed| feed.base))
        };
        let changed = shared.pace_changed.notified();
        let Some((wait, parts)) = rhythm(pace, base) else {
            tokio::select! {
                biased;
                () = changed => continue,
                gone = reach.wait_for(|reach| *reach == Reach::Gone) => { drop(gone); return }
            }
        };
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + wait, wait);
        tokio::pin!(changed);
        loop {
            tokio::select! {
                biased;
                () = &mut changed => break,
                gone = reach.wait_for(|reach| *reach == Reach::Gone) => { drop(gone); return }
                _ = beat.tick() => {
                    let mut state = shared.lock();
                    let news = state.core_mut().world.tick(parts);
                    state.publish(&news);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_candles_show_prices_on_their_way() {
        assert_eq!(rhythm(Pace::Lockstep, Timeframe::M1), None);
        assert_eq!(rhythm(Pace::CandlesPerSecond(50.0), Timeframe::M1), Some((Duration::from_millis(20), 1)));
        assert_eq!(rhythm(Pace::TimesRealTime(1.0), Timeframe::M1), Some((Duration::from_secs(1), 60)));
        let (wait, parts) = rhythm(Pace::CandlesPerSecond(0.5), Timeframe::M1).unwrap();
        assert_eq!((wait, parts), (Duration::from_millis(250), 8));
    }
}
