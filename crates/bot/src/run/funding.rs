//! Funding. Some venues book it without a word on the account's stream (OKX, Kraken), and a stream may lose it: when a
//! position was held at a full hour and nothing was heard, the venue is asked.
//!
//! Every full hour counts, because venues change their intervals and their offsets. It decides nothing; what is found is
//! booked for the position that was held when it was due.

use keyhold_domain::{Money, Timestamp};
use keyhold_engine::State;
use keyhold_venues::port::FundingPayment;

use super::{Bot, RunError};
use crate::mind::record::Record;
use crate::outside::Outside;

const HOUR_MS: i64 = 3_600_000;
/// How long after the full hour the venue is asked, and asked again.
const ASKED_AFTER_MS: [i64; 2] = [20_000, 300_000];

/// What is known of one instrument's funding.
#[derive(Debug, Default)]
pub(super) struct FundingWatch {
    /// The full hour in question.
    hour: Option<Timestamp>,
    /// How often the venue was asked about it.
    asked: usize,
    /// When the newest known payment was due.
    newest: Option<Timestamp>,
}

impl FundingWatch {
    /// A payment is known.
    pub(super) fn hear(&mut self, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
    }

    /// Whether the venue is to be asked now. Counts as asked.
    fn is_due(&mut self, now: Timestamp, was_held: impl Fn(Timestamp) -> bool) -> bool {
        let hour = now.plus_ms(-now.ms().rem_euclid(HOUR_MS));
        if self.hour != Some(hour) {
            (self.hour, self.asked) = (Some(hour), 0);
        }
        let late = ASKED_AFTER_MS.get(self.asked).is_some_and(|after| now.since_ms(hour) >= *after);
        let due = late && self.newest.is_none_or(|newest| newest < hour) && was_held(hour);
        self.asked += usize::from(due);
        due
    }
}

impl<O: Outside> Bot<O> {
    /// Asks for funding that should have been heard of. Called from time to time.
    pub(super) fn watch_funding(&mut self) {
        let now = self.now();
        let slots: Vec<u16> = self.mind.plans().map(|(slot, _)| slot).collect();
        for slot in slots {
            let newest = self.mind.state(slot).and_then(State::newest_candle);
            if newest.is_none() || self.fills_from(newest).is_none() {
                continue;
            }
            let mut watch = std::mem::take(&mut self.slot(slot).funding);
            let due = watch.is_due(now, |hour| self.mind.was_held(slot, hour));
            let work = self.slot(slot);
            work.funding = watch;
            if due {
                work.lanes.want_truth();
            }
        }
    }

    /// Books funding of which the stream has not told. Only what fell due while the bot held something: the rest was paid for
    /// another's position.
    pub(super) fn book_funding(&mut self, slot: u16, payments: &[FundingPayment]) -> Result<(), RunError> {
        for payment in payments {
            if !self.mind.was_held(slot, payment.at) {
                continue;
            }
            self.slot(slot).funding.hear(payment.at);
            if !self.mind.knows_payment(payment.id) {
                let amount = Money::new(-payment.paid.amount, payment.paid.asset);
                self.record(Record::Funding { slot, id: payment.id, amount, at: payment.at })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_hour_is_asked_for_twice_unless_something_was_heard() {
        let at = |minutes: i64, seconds: i64| Timestamp::from_ms((minutes * 60 + seconds) * 1_000);
        let mut watch = FundingWatch::default();
        let always = |_: Timestamp| true;
        assert!(!watch.is_due(at(60, 10), always), "it may still come");
        assert!(!watch.is_due(at(60, 30), |_| false), "nothing was held");
        assert!(watch.is_due(at(60, 40), always));
        assert!(!watch.is_due(at(61, 0), always));
        assert!(watch.is_due(at(65, 0), always));
        assert!(!watch.is_due(at(90, 0), always), "twice is enough");
        watch.hear(at(120, 0));
        assert!(!watch.is_due(at(120, 40), always), "it was heard of");
        watch.hear(at(60, 0));
        assert!(!watch.is_due(at(121, 0), always), "older news changes nothing");
        assert!(watch.is_due(at(181, 0), always));
    }
}
