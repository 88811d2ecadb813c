//! A position of ours: what we hold, what it cost, and what it becomes when it is closed.
//!
//! It is built from our own fills alone. What the venue says about positions is compared with it in
//! [`crate::step`], never copied into it.

use keyhold_domain::money::{decimal_text, quotient};
use keyhold_domain::{
    Decimal, Fill, Instrument, Money, Price, Quantity, ReasonCode, Side, SignedQuantity, Timestamp, TradeId,
};
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::exit_rule::{EntryStats, Levels};
use crate::plan::Ids;
use crate::trade::Trade;

/// What was known when an entry was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryIntent {
    /// When.
    pub decided_at: Timestamp,
    /// At which price.
    pub price: Price,
    /// The statistics that fix the levels.
    pub stats: EntryStats,
    /// The record; `None` for a position found at the venue.
    pub decision: Option<Box<Decision>>,
}

/// An open position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// Signed size now; never zero.
    pub size: SignedQuantity,
    /// Average entry of what is held now.
    pub entry: Price,
    /// First fill.
    pub opened_at: Timestamp,
    /// Why it was entered.
    pub intent: EntryIntent,
    /// Price levels.
    pub levels: Levels,
    /// Closed candles lived through.
    pub candles: u32,
    /// Highest price since entry.
    pub high: Price,
    /// Lowest price since entry.
    pub low: Price,
    /// The trade's id, from the first order's name.
    pub trade: TradeId,
    /// The side that opened it; holds when the size has come down to zero.
    pub opened_side: Side,
    entered: Average,
    exited: Average,
    #[serde(with = "decimal_text")]
    gross: Decimal,
    #[serde(with = "decimal_text")]
    fees: Decimal,
    other_fees: Vec<Money>,
    #[serde(with = "decimal_text")]
    funding: Decimal,
    /// Sum of quantity times slippage in basis points of the exits.
    #[serde(with = "decimal_text")]
    slippage_out: Decimal,
}

/// A quantity and the average price it was done at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Average {
    #[serde(with = "decimal_text")]
    quantity: Decimal,
    price: Price,
}

impl Average {
    fn add(&mut self, instrument: &Instrument, price: Price, quantity: Quantity) -> Option<()> {
        self.price = match Quantity::new(self.quantity) {
            Ok(held) => instrument.contract().average_entry(self.price, held, price, quantity)?,
            Err(_) => price,
        };
        self.quantity = self.quantity.checked_add(quantity.get())?;
        Some(())
    }
}

/// How an exit came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCause {
    /// Why.
    pub reason: ReasonCode,
    /// The price at which it was decided, or the level of the resting order.
    pub decided: Price,
}

/// A signed cost in basis points of the decided price: positive is worse. Zero on overflow.
pub fn slippage_bps(side: Side, decided: Price, done: Price) -> Decimal {
    if done == decided {
        return Decimal::ZERO;
    }
    let compute = || {
        let worse = side.sign().checked_mul(done.get().checked_sub(decided.get())?)?;
        quotient(worse.checked_mul(Decimal::from(10_000))?, decided.get(), 4)
    };
    compute().unwrap_or(Decimal::ZERO)
}

impl Holding {
    /// A position opened by this fill. `None` on overflow.
    pub fn open(instrument: &Instrument, fill: &Fill, intent: EntryIntent, trade: TradeId) -> Option<Self> {
        let mut entered = Average { quantity: Decimal::ZERO, price: fill.price };
        entered.add(instrument, fill.price, fill.quantity)?;
        // Made where it is returned: it is large, and copying it costs more than making it.
        let mut holding = Some(Self {
            size: SignedQuantity::of(fill.side, fill.quantity),
            entry: fill.price,
            opened_at: fill.at,
            intent,
            levels: Levels::default(),
            candles: 0,
            high: fill.price,
            low: fill.price,
            trade,
            opened_side: fill.side,
            entered,
            exited: Average { quantity: Decimal::ZERO, price: fill.price },
            gross: Decimal::ZERO,
            fees: Decimal::ZERO,
            other_fees: Vec::new(),
            funding: Decimal::ZERO,
            slippage_out: Decimal::ZERO,
        });
        holding.as_mut()?.charge(instrument, fill.fee)?;
        holding
    }

    /// The side that opened it.
    pub const fn side(&self) -> Side {
        self.opened_side
    }

    /// Size without sign.
    pub fn quantity(&self) -> Decimal {
        self.size.get().abs()
    }

    /// All that was ever entered.
    pub const fn entered_quantity(&self) -> Decimal {
        self.entered.quantity
    }

    /// Adds a fill on the position's own side. `None` on overflow.
    pub fn grow(&mut self, instrument: &Instrument, fill: &Fill) -> Option<()> {
        let held = self.size.magnitude()?;
        self.entry = instrument.contract().average_entry(self.entry, held, fill.price, fill.quantity)?;
        self.size = SignedQuantity::new(
            self.size.get().checked_add(SignedQuantity::of(fill.side, fill.quantity).get())?,
        );
        self.entered.add(instrument, fill.price, fill.quantity)?;
        self.seen(fill.price, fill.price);
        self.charge(instrument, fill.fee)
    }

    /// Takes a quantity off at a price and books its profit. The caller has capped it at the size held.
    /// `None` on overflow; the result otherwise, in the settlement asset and before costs.
    pub fn shrink(
        &mut self,
        instrument: &Instrument,
        price: Price,
        quantity: Quantity,
        cause: ExitCause,
    ) -> Option<Decimal> {
        let side = self.side();
        let closed = SignedQuantity::of(side, quantity);
        let profit = instrument.contract().profit(self.entry, price, closed)?;
        self.gross = self.gross.checked_add(profit)?;
        self.exited.add(instrument, price, quantity)?;
        let bps = slippage_bps(side.opposite(), cause.decided, price);
        self.slippage_out = self.slippage_out.checked_add(bps.checked_mul(quantity.get())?)?;
        self.size = SignedQuantity::new(self.size.get().checked_sub(closed.get())?);
        self.seen(price, price);
        Some(profit)
    }

    /// Books a fee. Fees in other assets are kept apart. `None` on overflow.
    pub fn charge(&mut self, instrument: &Instrument, fee: Money) -> Option<()> {
        if fee.asset == instrument.settle {
            self.fees = self.fees.checked_add(fee.amount)?;
            return Some(());
        }
        match self.other_fees.iter_mut().find(|held| held.asset == fee.asset) {
            Some(held) => held.amount = held.amount.checked_add(fee.amount)?,
            None => self.other_fees.push(fee),
        }
        Some(())
    }

    /// Books funding, positive when received. `None` on overflow.
    pub fn fund(&mut self, amount: Decimal) -> Option<()> {
        self.funding = self.funding.checked_add(amount)?;
        Some(())
    }

    /// Widens the extremes.
    pub fn seen(&mut self, low: Price, high: Price) {
        self.low = self.low.min(low);
        self.high = self.high.max(high);
    }

    /// The extreme in the position's favor.
    pub fn best(&self) -> Price {
        match self.side() {
            Side::Buy => self.high,
            Side::Sell => self.low,
        }
    }

    /// Profit of what is held at a price, before costs. `None` on overflow.
    pub fn unrealized(&self, instrument: &Instrument, price: Price) -> Option<Decimal> {
        instrument.contract().profit(self.entry, price, self.size)
    }

    /// The same, or `otherwise` on overflow.
    pub fn unrealized_or(&self, instrument: &Instrument, price: Price, otherwise: Decimal) -> Decimal {
        instrument.contract().profit_or((self.entry, price), self.size, otherwise)
    }

    /// The record of the round trip, once flat, with the decision that led to it, which the position gives away. `side` is
    /// the side that opened it.
    pub fn take_trade(&mut self, ids: &Ids, instrument: &Instrument, end: TradeEnd) -> Option<Trade> {
        let side = end.side;
        let entry = self.entered.price.get();
        let percent = |move_: Decimal| -> Option<Decimal> {
            if move_ <= Decimal::ZERO {
                return Some(Decimal::ZERO);
            }
            quotient(move_.checked_mul(Decimal::ONE_HUNDRED)?, entry, 6)
        };
        let (up, down) = (self.high.get().checked_sub(entry)?, entry.checked_sub(self.low.get())?);
        let (favorable, adverse) = match side {
            Side::Buy => (up, down),
            Side::Sell => (down, up),
        };
        let net = self.gross.checked_sub(self.fees)?.checked_add(self.funding)?;
        let quantity = Quantity::new(self.entered.quantity).ok()?;
        let risk = self.levels.initial_stop.and_then(|stop| {
            let held = SignedQuantity::of(side, quantity);
            instrument.contract().profit(self.entered.price, stop, held)
        });
        let out = self.slippage_out.checked_div(self.exited.quantity).unwrap_or(Decimal::ZERO);
        Some(Trade {
            id: self.trade,
            symbol: instrument.symbol,
            side,
            quantity,
            entry_price: self.entered.price,
            exit_price: self.exited.price,
            decided_at: self.intent.decided_at,
            entered_at: self.opened_at,
            exited_at: end.at,
            candles: self.candles,
            asset: instrument.settle,
            gross: self.gross,
            fees: self.fees,
            other_fees: std::mem::take(&mut self.other_fees),
            funding: self.funding,
            net,
            exit_reason: end.reason,
            initial_stop: self.levels.initial_stop.map(Price::get),
            target: self.levels.targets.last().map(|target| target.price.get()),
            r_multiple: risk.filter(|risk| *risk < Decimal::ZERO).and_then(|risk| quotient(net, -risk, 6)),
            adverse_pct: percent(adverse)?,
            favorable_pct: percent(favorable)?,
            slippage_in_bps: slippage_bps(side, self.intent.price, self.entered.price),
            slippage_out_bps: out.round_dp(4),
            template: ids.template,
            template_version: ids.template_version,
            entry_decision: self.intent.decision.take(),
        })
    }
}

/// How a round trip ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeEnd {
    /// The side that had opened it.
    pub side: Side,
    /// Why.
    pub reason: ReasonCode,
    /// When.
    pub at: Timestamp,
}
