//! Funding. Some venues book it without a word on the account's stream (OKX, Kraken), and a stream may lose it: when a
//! position was held at a full hour and nothing was heard, the venue is asked.
//!
//! A payment for a position of which the bot does not know is a word of that position: it is set aside, the venue is asked
//! for the truth, and the payment is booked with what comes to light.
//!
//! Every full hour counts, because venues change their intervals and their offsets. It decides nothing; what is found is
//! booked for the position that was held when it was due.

use std::collections::VecDeque;

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
    /// When the newest booked payment was due.
    newest: Option<Timestamp>,
    /// Payments that were heard while nothing was known to be held. The oldest are forgotten.
    set_aside: VecDeque<FundingPayment>,
}

/// Payments that wait for the venue's truth at most; it comes long before the next one.
const MOST_SET_ASIDE: usize = 16;

impl FundingWatch {
    /// A payment is known.
    pub(super) fn hear(&mut self, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
    }

    /// Keeps a payment until the venue has said what was held.
    fn set_aside(&mut self, payment: FundingPayment) {
        if self.set_aside.len() >= MOST_SET_ASIDE {
            self.set_aside.pop_front();
        }
        self.set_aside.push_back(payment);
    }

    /// The payments of the venue's answer and those that waited for it, oldest first, each once.
    pub(super) fn with_set_aside(&mut self, mut told: Vec<FundingPayment>) -> Vec<FundingPayment> {
        told.extend(self.set_aside.drain(..));
        told.sort_by_key(|payment| (payment.at, payment.id));
        told.dedup_by_key(|payment| payment.id);
        told
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

    /// The stream tells of a payment.
    pub(super) fn heard_funding(&mut self, slot: u16, payment: FundingPayment) -> Result<(), RunError> {
        if self.mind.was_held(slot, payment.at) {
            return self.book_funding(slot, &[payment]);
        }
        let work = self.slot(slot);
        work.funding.set_aside(payment);
        work.lanes.disturb();
        work.lanes.want_truth();
        Ok(())
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
    fn payments_that_were_set_aside_come_once_and_in_their_order() {
        let payment = |id: &str, minute: i64| FundingPayment {
            symbol: "XBTUSDT".parse().unwrap(),
            paid: Money::zero("USDT".parse().unwrap()),
            at: Timestamp::from_ms(minute * 60_000),
            id: id.parse().unwrap(),
        };
        let mut watch = FundingWatch::default();
        watch.set_aside(payment("p-2", 480));
        watch.set_aside(payment("p-1", 420));
        let told = watch.with_set_aside(vec![payment("p-2", 480), payment("p-3", 540)]);
        let names: Vec<String> = told.iter().map(|payment| payment.id.to_string()).collect();
        assert_eq!(names, ["p-1", "p-2", "p-3"]);
        assert!(watch.with_set_aside(Vec::new()).is_empty(), "none waits any more");
        for minute in 0..100 {
            watch.set_aside(payment(&format!("p-{minute}"), minute));
        }
        assert_eq!(watch.with_set_aside(Vec::new()).len(), MOST_SET_ASIDE);
    }

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
