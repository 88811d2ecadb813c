//! The synthetic market of the reference backtests, bit for bit: only IEEE-754 `+ − × ÷ √` and floor.
//!
//! The algorithm is described with the reference data (`benchmarks/gen_data.py`); every length is a prefix of every
//! longer one.

use keyhold_domain::{Candle, Decimal, Price, Timestamp};

const SEED: u64 = 20_240_607;
const CALM: f64 = 0.0006;
const START_MS: i64 = 1_672_531_200_000;
const DRAWS: u64 = 73;

/// SplitMix64 (Steele, Lea, Flood, 2014), the k-th number as a fraction of one.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
fn uniform(k: u64) -> f64 {
    let mut z = SEED.wrapping_add((k + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Sum of twelve uniforms minus six.
fn normal(first: u64) -> f64 {
    let mut sum = uniform(first);
    for k in 1..12 {
        sum += uniform(first + k);
    }
    sum - 6.0
}

#[expect(clippy::cast_possible_truncation, reason = "prices are far below 2^53")]
fn ticks(price: f64) -> i64 {
    (price * 100.0 + 0.5).floor() as i64
}

#[expect(clippy::cast_precision_loss, reason = "prices are far below 2^53")]
fn units(ticks: i64) -> f64 {
    ticks as f64 / 100.0
}

/// The first `count` candles of one minute.
pub(crate) fn candles(count: u64) -> Vec<Candle> {
    let (mut previous, mut variance) = (30_000.0_f64, CALM * CALM);
    let mut candles = Vec::new();
    for i in 0..count {
        let s = variance.sqrt();
        let first = DRAWS * i;
        let mut gap = normal(first) * s * 0.1;
        if uniform(first + 72) < 0.0005 {
            gap *= 60.0;
        }
        let mut path = [previous * (1.0 + gap); 5];
        for k in 1..5 {
            let step = u64::try_from(k).expect("a small number");
            path[k] = path[k - 1] * (1.0 + normal(first + 12 * step) * s * 0.5);
        }
        let high = path.iter().copied().fold(path[0], f64::max);
        let low = path.iter().copied().fold(path[0], f64::min);
        let volume = ((5.0 + 3.0 * normal(first + 60).abs() * (s / CALM)) * 1000.0 + 0.5).floor();
        let price = |value: f64| Price::new(Decimal::new(ticks(value), 2)).expect("prices stay above zero");
        candles.push(Candle {
            open_time: Timestamp::from_ms(START_MS + 60_000 * i64::try_from(i).expect("few candles")),
            open: price(path[0]),
            high: price(high),
            low: price(low),
            close: price(path[4]),
            #[expect(clippy::cast_possible_truncation, reason = "a small volume")]
            volume: Decimal::new(volume as i64, 3),
        });
        let r = (path[4] - path[0]) / path[0];
        variance = CALM * CALM * 0.02 + 0.08 * r * r + 0.90 * variance;
        previous = units(ticks(path[4]));
    }
    candles
}
