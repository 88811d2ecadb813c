//! A new template under a running bot: what goes on and what begins anew.
//!
//! Positions with their levels, orders, results and limits go on; components and statistics know nothing yet and learn
//! from candles again. Instruments cannot change this way: their slots are part of the orders' names.

use crate::bot::{BotPlan, BotState};
use crate::exit_rule::Stats;
use crate::exit_rule::levels::Followed;
use crate::plan::Plan;
use crate::state::{Scratch, State};

impl State {
    /// The same position, orders and results under a plan with another template. Needs its history again.
    #[must_use]
    pub fn replanned(mut self, plan: &Plan) -> Self {
        let inner = &mut *self.0;
        inner.components.clone_from(&plan.fresh);
        inner.stats = Stats::new(&plan.exits);
        inner.candles_seen = 0;
        inner.last = None;
        inner.last_shown = None;
        inner.scratch = Scratch::default();
        if let Some(holding) = &mut inner.holding {
            holding.levels.followed = Followed::default();
        }
        self
    }
}

impl BotState {
    /// The same for a whole bot. `None` when the plan has other instruments.
    pub fn replanned(self, old: &BotPlan, plan: &BotPlan) -> Option<Self> {
        let names = |plan: &BotPlan| plan.plans.iter().map(|one| one.instrument.symbol).collect::<Vec<_>>();
        (names(old) == names(plan) && self.fits(plan))
            .then(|| self.map_instruments(&plan.plans, State::replanned))
    }
}
