//! What is known of an instrument's market besides its candles, told to the bot just before each candle.
//!
//! Puts together what [`super::recorded`] and the funding of the specification hold, at the candle's close and without
//! anything later. One event is kept and written anew for every candle; a template that trades on candles alone is told
//! nothing.

use keyhold_domain::{Candle, Rate, Timeframe, Timestamp};
use keyhold_engine::Plan;
use keyhold_engine::catalog::DataNeeds;
use keyhold_engine::event::Event;
use keyhold_engine::market::{MarketFacts, Seen};

use super::recorded::{RecordedFacts, RecordedKind};
use super::spec::Funding;

/// Whether a component that needs this cannot be simulated.
pub(super) fn lacks(recorded: &RecordedFacts, funding: &Funding, needs: DataNeeds) -> bool {
    ((needs.funding || needs.next_funding) && *funding == Funding::Off) || recorded.lacks(needs)
}

/// When funding is paid next after an instant, as far as is known. Times are told long in advance, so a recorded one may
/// be known before it comes.
fn next_funding(funding: &Funding, at: Timestamp, interval_hours: u32) -> Option<Timestamp> {
    match funding {
        Funding::Off => None,
        Funding::Constant(_) => {
            let interval = i64::from(interval_hours.max(1)) * 3_600_000;
            Some(Timestamp::from_ms((at.ms().div_euclid(interval) + 1) * interval))
        }
        Funding::History(rates) => {
            rates.get(rates.partition_point(|(paid, _)| *paid <= at)).map(|(paid, _)| *paid)
        }
    }
}

/// One instrument's facts.
pub(super) struct Besides<'a> {
    needs: DataNeeds,
    timeframe: Timeframe,
    recorded: &'a RecordedFacts,
    funding: &'a Funding,
    interval_hours: u32,
    rate: Option<Rate>,
    event: Event,
    asked: Asked,
}

/// Whether anything can be told: known before the first candle, so that nothing is looked up for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Something,
}

impl<'a> Besides<'a> {
    /// What the plan's components need.
    pub(super) fn new(plan: &Plan, recorded: &'a RecordedFacts, funding: &'a Funding) -> Self {
        let needs = plan.all_needs();
        let besides_funding = (DataNeeds { funding: false, ..needs }).is_any();
        let asked = if besides_funding || recorded.tells() { Asked::Something } else { Asked::Nothing };
        Self {
            asked,
            needs,
            timeframe: plan.timeframe,
            recorded,
            funding,
            interval_hours: plan.instrument.funding_interval_hours,
            rate: None,
            event: Event::Market(Box::new(MarketFacts::none(Timestamp::EPOCH, Timestamp::EPOCH))),
        }
    }

    /// Whether a series was recorded.
    pub(super) fn has(&self, kind: RecordedKind) -> bool {
        self.recorded.kinds().any(|one| one == kind)
    }

    /// The funding rate in force from now on.
    pub(super) const fn rate(&mut self, rate: Rate) {
        self.rate = Some(rate);
    }

    /// What is known when a candle closes. `None` when nothing but the funding rate is asked for, which is an event of its
    /// own whenever it changes.
    #[inline]
    pub(super) fn of(&mut self, candle: &Candle) -> Option<&Event> {
        match self.asked {
            Asked::Nothing => None,
            Asked::Something => self.put_together(candle),
        }
    }

    #[inline(never)]
    fn put_together(&mut self, candle: &Candle) -> Option<&Event> {
        let recorded = self.recorded;
        if let (Some(facts), Event::Market(kept)) = (recorded.told(candle), &mut self.event) {
            kept.as_mut().clone_from(facts);
            return Some(&self.event);
        }
        if !(DataNeeds { funding: false, ..self.needs }).is_any() {
            return None;
        }
        let mut facts = self.recorded.facts(self.needs, candle, self.timeframe);
        let seen = facts.at;
        if self.needs.funding {
            facts.funding = self.rate.map(|value| Seen { value, at: seen });
        }
        if self.needs.next_funding {
            let next = next_funding(self.funding, seen, self.interval_hours);
            facts.next_funding = next.map(|value| Seen { value, at: seen });
        }
        if let Event::Market(kept) = &mut self.event {
            **kept = facts;
        }
        Some(&self.event)
    }
}
