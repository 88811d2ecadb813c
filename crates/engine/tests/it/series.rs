//! Candles for tests: read from the reference series, made from a seed, or written as a table.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use keyhold_domain::{Candle, Decimal, Price, Timeframe, Timestamp};
use keyhold_engine::component::{Component, Context};
use keyhold_engine::exit_rule::{Distance, ExitDistances};
use keyhold_engine::input::{ClosedCandle, Facts, Inputs};
use keyhold_engine::market::{BookSums, DepthSum, LevelSum, MarketFacts, Quote, Seen, TakerVolume};
use keyhold_engine::reading::Reading;
use keyhold_engine::template::Number;

/// Candles last a minute where nothing else is said; the exits are a stop at two ATRs and a target at 0.6 %, the fee is 5 bp.
pub(crate) const CONTEXT: Context = Context {
    timeframe: Timeframe::M1,
    exits: Some(ExitDistances {
        stop: Some(Distance::Atr { period: 14, multiple: 2.0 }),
        target: Some(Distance::Percent(Decimal::from_parts(6, 0, 0, false, 1))),
    }),
    taker_fee: Some(Decimal::from_parts(5, 0, 0, false, 4)),
};

/// The candles of the random series that every component is fed: days of them fit into it.
pub(crate) const SERIES: Context = Context { timeframe: Timeframe::M15, ..CONTEXT };

/// A file of the reference data, or `None` with a loud word when the data is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("SKIPPED: ../shared is absent ({})", file.display());
    None
}

/// The text of a gzip file.
pub(crate) fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// A candle from texts in the order open, high, low, close, volume.
pub(crate) fn candle(open_time_ms: i64, numbers: [&str; 5]) -> ClosedCandle {
    let price = |text: &str| text.parse::<Price>().unwrap();
    let candle = Candle {
        open_time: Timestamp::from_ms(open_time_ms),
        open: price(numbers[0]),
        high: price(numbers[1]),
        low: price(numbers[2]),
        close: price(numbers[3]),
        volume: Decimal::from_str_exact(numbers[4]).unwrap(),
    };
    ClosedCandle::new(candle.check().unwrap())
}

/// What a component may look at on a candle.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) candle: ClosedCandle,
    pub(crate) funding_rate: Option<f64>,
    pub(crate) market: Option<MarketFacts>,
    pub(crate) facts: Facts,
    pub(crate) timeframe: Timeframe,
}

impl Moment {
    pub(crate) fn of(candle: ClosedCandle) -> Self {
        let facts = Facts::default();
        Self { candle, funding_rate: None, market: None, facts, timeframe: CONTEXT.timeframe }
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            candle: &self.candle,
            closed_at: self.candle.candle.close_time(self.timeframe),
            funding_rate: self.funding_rate,
            market: self.market.as_ref(),
            facts: self.facts,
        }
    }
}

/// The readings of a component over all moments.
pub(crate) fn run(component: &mut Component, moments: &[Moment]) -> Vec<Reading> {
    moments.iter().map(|moment| component.update(&moment.inputs())).collect()
}

/// A small generator of our own (xorshift64*), so that a seed means the same series for ever.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to `below - 1`.
    pub(crate) fn roll(&mut self, below: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        i64::try_from(bits).unwrap() % below
    }
}

/// A random walk with trends, gaps, flat stretches, candles without volume, funding and past exits.
pub(crate) fn random_moments(seed: u64, count: usize) -> Vec<Moment> {
    random_moments_of(SERIES.timeframe, seed, count)
}

/// The same with candles of another length.
pub(crate) fn random_moments_of(timeframe: Timeframe, seed: u64, count: usize) -> Vec<Moment> {
    let (mut dice, mut beside) = (Dice::new(seed), Dice::new(seed + 1_000));
    let mut cents: i64 = 100_000;
    let mut since_exit: Option<u32> = None;
    let mut moments = Vec::with_capacity(count);
    for index in 0..count {
        let flat = (index / 40) % 7 == 3;
        let drift = [60, -60, 0, 25][(index / 25) % 4];
        let mut step = |range: i64| if flat { 0 } else { dice.roll(2 * range + 1) - range };
        let open = (cents + step(30)).max(5_000);
        let close = (open + drift + step(150)).max(5_000);
        let close = if flat { open } else { close };
        let high = open.max(close) + step(80).abs();
        let low = (open.min(close) - step(80).abs()).max(1_000);
        cents = close;
        let volume = if dice.roll(9) == 0 { 0 } else { dice.roll(5_000) };
        since_exit = match dice.roll(10) {
            0 => Some(0),
            _ => since_exit.map(|since| since + 1),
        };
        let decimal = |cents: i64| Price::new(Decimal::new(cents, 2)).unwrap();
        let candle = Candle {
            open_time: Timestamp::from_ms(i64::try_from(index).unwrap() * timeframe.ms()),
            open: decimal(open),
            high: decimal(high),
            low: decimal(low),
            close: decimal(close),
            volume: Decimal::new(volume, 2),
        };
        let funding_rate = Some(f64::from(i32::try_from(dice.roll(2_001) - 1_000).unwrap()) / 1_000_000.0);
        let facts = Facts {
            candles_since_exit: since_exit,
            candles_since_loss: since_exit,
            candles_since_bot_exit: since_exit,
            candles_since_bot_loss: since_exit,
        };
        let market = Some(random_market(&mut beside, &candle, timeframe));
        let candle = ClosedCandle::new(candle.check().unwrap());
        moments.push(Moment { candle, funding_rate, market, facts, timeframe });
    }
    moments
}

/// A book, trades and prices beside a candle, each of them missing now and then.
fn random_market(dice: &mut Dice, candle: &Candle, timeframe: Timeframe) -> MarketFacts {
    let at = candle.close_time(timeframe);
    let close = candle.close.get();
    let mut there = |chance: i64| dice.roll(chance) != 0;
    let (book, trades, interest, premium) = (there(20), there(40), there(30), there(20));
    let mut some = |least: i64, range: i64| Decimal::new(least + dice.roll(range), 2);
    let price = |value: Decimal| Price::new(value).unwrap();
    let quote = Quote { bid: price(close - some(1, 100)), ask: price(close + some(1, 100)) };
    let levels =
        [1, 10].map(|levels| LevelSum { levels, bid: Number(some(1, 9_000)), ask: Number(some(1, 9_000)) });
    let depth = vec![DepthSum {
        within_bps: Number(Decimal::TEN),
        bid: Number(some(1_000_000, 9_000_000)),
        ask: Number(some(1_000_000, 9_000_000)),
    }];
    let share = some(0, 101);
    MarketFacts {
        quote: book.then_some(Seen { value: quote, at }),
        book: book.then(|| Seen { value: BookSums { levels: levels.to_vec(), depth }, at }),
        taker: trades.then(|| TakerVolume {
            buy: Number(candle.volume * share),
            sell: Number(candle.volume * (Decimal::ONE - share)),
        }),
        open_interest: interest.then(|| Seen { value: Number(Decimal::from(100) + some(0, 1_000)), at }),
        mark: Some(Seen { value: price(close + some(0, 600)), at }),
        index: premium.then(|| Seen { value: price(close + some(0, 600)), at }),
        funding: None,
        next_funding: Some(Seen { value: at.plus_ms(dice.roll(40) * 60_000), at }),
        ..MarketFacts::none(candle.open_time, at)
    }
}
