//! The clock of the exchange and what happens at its marks: funding.

use keyhold_domain::{Decimal, Money, Quantity, Rate, Symbol, Timestamp};

use super::ledger::Page;
use super::margin::BOUNDED;
use super::{Exchange, ExchangeEvent, FundingPayment, Refusal};

const HOUR_MS: i64 = 3_600_000;

impl Exchange {
    /// Moves the exchange's time forward and charges funding at the times that pass: positions held at that moment,
    /// at the mark price of that moment. Time never runs backward; an earlier `at` changes nothing.
    pub fn advance(&mut self, at: Timestamp, out: &mut Vec<ExchangeEvent>) {
        if at <= self.now {
            return;
        }
        for m in 0..self.markets.len() {
            if at < self.markets[m].next_funding {
                continue;
            }
            self.pass_funding_times(m, at, out);
        }
        self.now = at;
    }

    fn pass_funding_times(&mut self, m: usize, at: Timestamp, out: &mut Vec<ExchangeEvent>) {
        let hours = self.markets[m].instrument.funding_interval_hours.max(1);
        let interval = i64::from(hours) * HOUR_MS;
        let following = Timestamp::from_ms((at.ms().div_euclid(interval) + 1) * interval);
        let first = self.markets[m].next_funding;
        self.markets[m].next_funding = following;
        let idle = self.markets[m].open_positions == 0 || self.markets[m].funding_rate == Rate::ZERO;
        if idle || first.ms() == i64::MIN {
            return;
        }
        let mut due = first;
        while due < following {
            self.now = due;
            self.charge_funding(m, self.markets[m].funding_rate, out);
            due = due.plus_ms(interval);
        }
    }

    /// The rate for the coming funding times. Longs pay a positive rate to shorts.
    pub fn set_funding_rate(&mut self, symbol: Symbol, rate: Rate) -> Result<(), Refusal> {
        let m = self.market_index(symbol)?;
        self.markets[m].funding_rate = rate;
        Ok(())
    }

    /// Charges funding once at this rate and time, besides the schedule: for recorded funding histories.
    /// Set the scheduled rate to zero when every payment comes from here.
    pub fn pay_funding(
        &mut self,
        symbol: Symbol,
        rate: Rate,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let m = self.market_index(symbol)?;
        self.advance(at, out);
        self.charge_funding(m, rate, out);
        Ok(())
    }

    fn charge_funding(&mut self, m: usize, rate: Rate, out: &mut Vec<ExchangeEvent>) {
        let instrument = self.markets[m].instrument;
        let Some(mark) = self.markets[m].mark() else { return };
        for a in 0..self.accounts.len() {
            let size = self.accounts[a].positions[m].size;
            let Ok(quantity) = Quantity::new(size.abs()) else { continue };
            let value = instrument.contract().value(mark, quantity).expect(BOUNDED);
            let sign = if size > Decimal::ZERO { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
            let amount = self.booked(sign * value * rate.get());
            self.flow(a, instrument.settle, Page::Funding, amount);
            self.credit_position(a, m, amount);
            let payment = FundingPayment {
                symbol: instrument.symbol,
                rate,
                mark,
                amount: Money::new(amount, instrument.settle),
                size,
                at: self.now,
            };
            out.push(ExchangeEvent::Funding(self.accounts[a].id, payment));
            self.tell_balance(a, instrument.settle, out);
        }
    }
}
