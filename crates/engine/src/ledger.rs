//! The bot's own book of results: what the limits that see the whole bot are measured on.
//!
//! It counts the bot's results, not the account's: deposits, withdrawals and other people's positions neither hide nor
//! fake a loss. Results of different settlement assets have a book each and are never added. Days and weeks begin at
//! 00:00 UTC. It places no orders; [`crate::limits`] turns its facts into blocks.

use std::cmp::Ordering;
use std::collections::VecDeque;

use keyhold_domain::exact::{add, compare, saturating_add};
use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{Asset, Decimal, ReasonCode, Timestamp};
use serde::{Deserialize, Serialize};

use crate::settings::{Limits, LossAmount, LossCounting, WhenHit};

/// What one instrument has brought so far, in its settlement asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earned {
    /// In which asset.
    pub asset: Asset,
    /// Profit of closed parts after fees and funding.
    pub realized: Decimal,
    /// Profit of what is open.
    pub unrealized: Decimal,
}

/// The whole bot as one of its instruments sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotFacts {
    /// Positions of the bot, entries on their way included.
    pub open_positions: u32,
    /// Those in instruments with this instrument's base asset.
    pub positions_in_asset: u32,
    /// Value of all positions, in quote currency.
    #[serde(with = "decimal_text")]
    pub exposure_quote: Decimal,
    /// Equity of all settlement assets together, in quote currency; `None` before the account was read.
    #[serde(with = "optional_decimal_text")]
    pub equity_quote: Option<Decimal>,
    /// The daily loss limit, when it is reached.
    pub daily_loss: Option<Hit>,
    /// The weekly loss limit, when it is reached.
    pub weekly_loss: Option<Hit>,
    /// A limit that has paused the bot until it is cleared by hand.
    pub halted: Option<Halt>,
    /// Entries filled since 00:00 UTC.
    pub trades_today: u32,
    /// Entries wait until then after too many losses.
    pub cool_off_until: Option<Timestamp>,
    /// When the bot last left a market.
    #[serde(default)]
    pub last_exits: LastExits,
}

/// When the bot last left a market, in any instrument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExits {
    /// With any result.
    pub any: Option<Timestamp>,
    /// With a loss.
    pub loss: Option<Timestamp>,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The number.
    #[serde(with = "decimal_text")]
    pub value: Decimal,
    /// The limit it reached.
    #[serde(with = "decimal_text")]
    pub limit: Decimal,
}

/// A limit that has paused the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Which.
    pub reason: ReasonCode,
    /// Its numbers when it was reached.
    pub hit: Hit,
}

/// The bot's book of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    books: Vec<AssetBook>,
    day: Timestamp,
    week: Timestamp,
    trades_today: u32,
    /// When the losses in a row happened; a trade that did not lose empties it.
    losses: VecDeque<Timestamp>,
    cool_off_until: Option<Timestamp>,
    errors: VecDeque<Timestamp>,
    halted: Option<Halt>,
    #[serde(default)]
    last_exits: LastExits,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AssetBook {
    asset: Asset,
    /// The account's wallet minus what the bot has realized, when the account was last read.
    #[serde(with = "optional_decimal_text")]
    base: Option<Decimal>,
    now: Mark,
    day: Mark,
    week: Mark,
    /// The best result ever, or since the limits were cleared.
    #[serde(with = "decimal_text")]
    peak: Decimal,
}

/// Results at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    #[serde(with = "decimal_text")]
    realized: Decimal,
    #[serde(with = "decimal_text")]
    total: Decimal,
    /// The base then; filled in by the first reading of the account when it was not known.
    #[serde(with = "optional_decimal_text")]
    base: Option<Decimal>,
}

/// More than the limit's largest window can hold.
const MOST_REMEMBERED: usize = 100;

impl Ledger {
    /// An empty book for these settlement assets.
    pub fn new(assets: impl Iterator<Item = Asset>) -> Self {
        let mut books: Vec<AssetBook> = Vec::new();
        for asset in assets {
            if !books.iter().any(|book| book.asset == asset) {
                let mark = Mark::default();
                books.push(AssetBook {
                    asset,
                    base: None,
                    now: mark,
                    day: mark,
                    week: mark,
                    peak: Decimal::ZERO,
                });
            }
        }
        Self {
            books,
            day: Timestamp::from_ms(i64::MIN),
            week: Timestamp::from_ms(i64::MIN),
            trades_today: 0,
            losses: VecDeque::new(),
            cool_off_until: None,
            errors: VecDeque::new(),
            halted: None,
            last_exits: LastExits::default(),
        }
    }

    /// Takes in the results of all instruments as they are now and begins a new day or week when it is time.
    pub fn mark(&mut self, now: Timestamp, results: &(impl Iterator<Item = Earned> + Clone)) {
        for book in &mut self.books {
            let mut own = results.clone().filter(|result| result.asset == book.asset);
            // Most bots trade one instrument: its numbers are added up in place of zeros, and number by number, because a
            // copy of several would have to wait for them.
            let (mut realized, mut total) = (Decimal::ZERO, Decimal::ZERO);
            if let Some(first) = own.next() {
                realized = first.realized;
                total = saturating_add(first.realized, first.unrealized);
            }
            for result in own {
                realized = realized.saturating_add(result.realized);
                total = total.saturating_add(result.realized).saturating_add(result.unrealized);
            }
            book.now.base = book.base;
            book.now.realized = realized;
            book.now.total = total;
            if compare(book.now.total, book.peak) == Ordering::Greater {
                book.peak = book.now.total;
            }
        }
        self.pass(now);
    }

    /// Time passes and nothing has been earned or lost since the results were last taken in.
    pub fn pass(&mut self, now: Timestamp) {
        // Most events fall into the day of the one before; the calendar is asked only when they may not.
        if now.since_ms(self.day) >= keyhold_domain::time::DAY_MS {
            self.day = now.start_of_day();
            self.trades_today = 0;
            for book in &mut self.books {
                book.day = book.now;
            }
            if self.week != now.start_of_week() {
                self.week = now.start_of_week();
                for book in &mut self.books {
                    book.week = book.now;
                }
            }
        }
    }

    /// The account was read. The wallet moves with realized results only, so it does not matter at which price the
    /// venue values what is open. The caller has marked the results just before.
    pub fn account(&mut self, asset: Asset, wallet: Decimal) {
        if let Some(book) = self.books.iter_mut().find(|book| book.asset == asset) {
            let base = wallet.saturating_sub(book.now.realized);
            book.base = Some(base);
            book.now.base = Some(base);
            for mark in [&mut book.day, &mut book.week] {
                mark.base = mark.base.or(Some(base));
            }
        }
    }

    /// A position was opened.
    pub const fn opened(&mut self) {
        self.trades_today = self.trades_today.saturating_add(1);
    }

    /// A round trip was completed.
    pub fn closed(&mut self, at: Timestamp, net: Decimal, limits: &Limits, interval_ms: i64) {
        self.last_exits.any = Some(at);
        if net < Decimal::ZERO {
            self.last_exits.loss = Some(at);
        }
        let Some(limit) = limits.consecutive_losses else { return };
        if net >= Decimal::ZERO {
            self.losses.clear();
            return;
        }
        remember(&mut self.losses, at);
        let lookback = interval_ms.saturating_mul(limit.lookback_candles.into());
        while self.losses.front().is_some_and(|first| at.since_ms(*first) > lookback) {
            self.losses.pop_front();
        }
        if self.losses.len() >= usize::try_from(limit.count).unwrap_or(usize::MAX) {
            self.cool_off_until = Some(at.plus_ms(interval_ms.saturating_mul(limit.cool_off_candles.into())));
        }
    }

    /// An order failed.
    pub fn order_failed(&mut self, at: Timestamp, limits: &Limits) {
        let Some(limit) = limits.order_errors else { return };
        remember(&mut self.errors, at);
        let window = i64::from(limit.window_s) * 1000;
        while self.errors.front().is_some_and(|first| at.since_ms(*first) > window) {
            self.errors.pop_front();
        }
        let count = u32::try_from(self.errors.len()).unwrap_or(u32::MAX);
        if count >= limit.count && self.halted.is_none() {
            let hit = Hit { value: count.into(), limit: limit.count.into() };
            self.halted = Some(Halt { reason: ReasonCode::LimitOrderErrors, hit });
        }
    }

    /// The owner has seen it: drawdown and errors are counted anew.
    pub fn clear(&mut self) {
        self.halted = None;
        self.errors.clear();
        for book in &mut self.books {
            book.peak = book.now.total;
        }
    }

    /// The limit that has paused the bot, if any; a drawdown that has just been reached is latched.
    pub fn halt(&mut self, limits: &Limits) -> Option<Halt> {
        if let (None, Some(limit)) = (self.halted, limits.max_drawdown_pct) {
            let fall = |book: &AssetBook| {
                let peak_equity = book.base?.checked_add(book.peak)?;
                percent(book.peak.checked_sub(book.now.total)?, peak_equity)
            };
            let value = self.books.iter().filter_map(fall).find(|fall| *fall >= limit);
            self.halted =
                value.map(|value| Halt { reason: ReasonCode::LimitDrawdown, hit: Hit { value, limit } });
        }
        self.halted
    }

    /// The daily loss limit, when it is reached in any asset.
    pub fn daily_loss(&self, limits: &Limits) -> Option<Hit> {
        let limit = limits.daily_loss?;
        self.books.iter().find_map(|book| {
            let lost = match limit.counting {
                LossCounting::RealizedAndUnrealized => book.day.total.checked_sub(book.now.total)?,
                LossCounting::Realized => book.day.realized.checked_sub(book.now.realized)?,
            };
            let (value, most) = match limit.most {
                LossAmount::Amount(most) => (lost, most),
                LossAmount::Pct(most) => (percent(lost, book.day.equity()?)?, most),
            };
            (value >= most).then_some(Hit { value, limit: most })
        })
    }

    /// The weekly loss limit, when it is reached in any asset.
    pub fn weekly_loss(&self, limits: &Limits) -> Option<Hit> {
        let limit = limits.weekly_loss_pct?;
        self.books.iter().find_map(|book| {
            let lost = book.week.total.checked_sub(book.now.total)?;
            let value = percent(lost, book.week.equity()?)?;
            (value >= limit).then_some(Hit { value, limit })
        })
    }

    /// Whether open positions are to be closed because of the daily loss.
    pub fn closes_all(&self, limits: &Limits) -> bool {
        limits.daily_loss.is_some_and(|limit| limit.when_hit == WhenHit::CloseAll)
            && self.daily_loss(limits).is_some()
    }

    /// The equity in an asset: the account's, moved on by the bot's results since it was read.
    pub fn equity(&self, asset: Asset) -> Option<Decimal> {
        let book = self.books.iter().find(|book| book.asset == asset)?;
        add(book.base?, book.now.total)
    }

    /// The equity in an asset when the bot has earned so much in it.
    pub(crate) fn equity_with(&self, asset: Asset, earned: Decimal) -> Option<Decimal> {
        let book = self.books.iter().find(|book| book.asset == asset)?;
        book.base?.checked_add(earned)
    }

    /// Entries filled since 00:00 UTC.
    pub const fn trades_today(&self) -> u32 {
        self.trades_today
    }

    /// When the bot last left a market.
    pub const fn last_exits(&self) -> LastExits {
        self.last_exits
    }

    /// Entries wait until then after too many losses.
    pub const fn cool_off_until(&self) -> Option<Timestamp> {
        self.cool_off_until
    }
}

impl Mark {
    fn equity(&self) -> Option<Decimal> {
        self.base?.checked_add(self.total)
    }
}

fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    if whole <= Decimal::ZERO {
        // Nothing is left to lose a share of: any loss is more than every limit.
        return (part > Decimal::ZERO).then_some(Decimal::ONE_HUNDRED);
    }
    part.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(whole)
}

fn remember(list: &mut VecDeque<Timestamp>, at: Timestamp) {
    if list.len() >= MOST_REMEMBERED {
        list.pop_front();
    }
    list.push_back(at);
}
