//! An endless market out of a seed: trends up, trends down and quiet stretches, in whole ticks.
//!
//! Integer arithmetic only, so the same seed gives the same candles on every machine. It is made for trend
//! followers to find something to do, not to be mistaken for a real market.

use keyhold_domain::{Candle, Decimal, Price, Timeframe, Timestamp};

use crate::random::Random;

/// What a synthetic market is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticConfig {
    /// Source of all chance.
    pub seed: u64,
    /// Tells apart the markets of one seed.
    pub stream: u64,
    /// First price.
    pub start_price: Price,
    /// Prices are multiples of this.
    pub tick: Decimal,
    /// Open time of the first candle.
    pub start: Timestamp,
    /// Length of the candles.
    pub timeframe: Timeframe,
    /// Typical move within one candle, in millionths of the price.
    pub volatility_ppm: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Regime {
    Up,
    Down,
    Quiet,
}

/// The market: an iterator that never ends.
///
/// ```
/// use keyhold_domain::{Decimal, Timeframe, Timestamp};
/// use keyhold_simulator::market::{Synthetic, SyntheticConfig};
/// let config = SyntheticConfig {
///     seed: 1,
///     stream: 0,
///     start_price: "60000".parse().unwrap(),
///     tick: Decimal::new(1, 1),
///     start: Timestamp::from_ms(0),
///     timeframe: Timeframe::M1,
///     volatility_ppm: 800,
/// };
/// let candles: Vec<_> = Synthetic::new(config).take(100).collect();
/// assert!(candles.iter().all(|candle| candle.check().is_ok()));
/// assert_eq!(candles, Synthetic::new(config).take(100).collect::<Vec<_>>());
/// ```
#[derive(Debug, Clone)]
pub struct Synthetic {
    config: SyntheticConfig,
    random: Random,
    /// The price in ticks.
    ticks: i64,
    /// The start price in ticks: the market is drawn back toward it when it strays far.
    home: i64,
    next_open: Timestamp,
    regime: Regime,
    regime_left: u64,
}

const MILLION: i64 = 1_000_000;
const STEPS_PER_CANDLE: usize = 6;

impl Synthetic {
    /// A market at its start.
    pub fn new(config: SyntheticConfig) -> Self {
        let ticks =
            config.start_price.get().checked_div(config.tick).map_or(Decimal::ONE, |ticks| ticks.trunc());
        let ticks = i64::try_from(ticks).unwrap_or(1).clamp(1_000, 1_000_000_000_000);
        Self {
            random: Random::of(config.seed, config.stream),
            ticks,
            home: ticks,
            next_open: config.timeframe.open_of(config.start),
            regime: Regime::Quiet,
            regime_left: 0,
            config,
        }
    }

    fn change_regime(&mut self) {
        // Up and down share 60 of 100; far from home the way back is likelier.
        let up = if self.ticks > self.home.saturating_mul(2) {
            10
        } else if self.ticks < self.home / 2 {
            50
        } else {
            30
        };
        self.regime = match self.random.below(100) {
            draw if draw < up => Regime::Up,
            draw if draw < 60 => Regime::Down,
            _ => Regime::Quiet,
        };
        self.regime_left = 40 + self.random.below(160);
    }

    /// One small move: drift of the regime plus noise, in millionths of the price.
    fn step(&mut self) {
        let volatility = i64::from(self.config.volatility_ppm);
        let (drift, noise) = match self.regime {
            Regime::Up => (volatility / 12, volatility / 2),
            Regime::Down => (-volatility / 12, volatility / 2),
            Regime::Quiet => (0, volatility / 3),
        };
        let spread = u64::try_from(2 * noise + 1).unwrap_or(1);
        let draw = i64::try_from(self.random.below(spread)).unwrap_or(0) - noise;
        let shift = self.ticks.saturating_mul(drift + draw) / MILLION;
        self.ticks = (self.ticks + shift).clamp(self.home / 20 + 1, self.home.saturating_mul(20));
    }

    fn price(&self, ticks: i64) -> Price {
        Price::new(Decimal::from(ticks) * self.config.tick).expect("the price is kept above zero")
    }
}

impl Iterator for Synthetic {
    type Item = Candle;

    fn next(&mut self) -> Option<Candle> {
        if self.regime_left == 0 {
            self.change_regime();
        }
        self.regime_left -= 1;
        let open = self.ticks;
        let (mut high, mut low) = (open, open);
        for _ in 0..STEPS_PER_CANDLE {
            self.step();
            high = high.max(self.ticks);
            low = low.min(self.ticks);
        }
        let close = self.ticks;
        // A little gap before the next open, as real markets have.
        self.ticks += i64::try_from(self.random.below(3)).unwrap_or(0) - 1;
        let volume = Decimal::new(i64::try_from(1 + self.random.below(90_000)).unwrap_or(1), 3);
        let open_time = self.next_open;
        self.next_open = open_time.plus_ms(self.config.timeframe.ms());
        Some(Candle {
            open_time,
            open: self.price(open),
            high: self.price(high),
            low: self.price(low),
            close: self.price(close),
            volume,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(seed: u64) -> SyntheticConfig {
        SyntheticConfig {
            seed,
            stream: 0,
            start_price: "60000".parse().unwrap(),
            tick: Decimal::new(1, 1),
            start: Timestamp::from_ms(1_700_000_000_000),
            timeframe: Timeframe::M1,
            volatility_ppm: 800,
        }
    }

    #[test]
    fn candles_are_valid_consecutive_and_on_the_tick() {
        let mut expected = Timeframe::M1.open_of(Timestamp::from_ms(1_700_000_000_000));
        for candle in Synthetic::new(config(5)).take(20_000) {
            let candle = candle.check().unwrap();
            assert_eq!(candle.open_time, expected);
            assert!((candle.close.get() % Decimal::new(1, 1)).is_zero());
            expected = expected.plus_ms(60_000);
        }
    }

    /// A follower of a slow average must find trends both ways: closes stay on one side for long stretches.
    #[test]
    fn there_are_trends_both_ways() {
        let closes: Vec<i64> = Synthetic::new(config(5))
            .take(20_000)
            .map(|candle| i64::try_from(candle.close.get().trunc()).unwrap())
            .collect();
        let moves: Vec<i64> =
            closes.windows(101).map(|window| (window[100] - window[0]) * 1000 / window[0]).collect();
        assert!(moves.iter().filter(|per_mille| **per_mille > 20).count() > 500, "too few rises");
        assert!(moves.iter().filter(|per_mille| **per_mille < -20).count() > 500, "too few falls");
        assert!(
            moves.iter().filter(|per_mille| per_mille.abs() < 10).count() > 500,
            "too few quiet stretches"
        );
    }
}
