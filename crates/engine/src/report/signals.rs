//! What each component contributed: how often it spoke, whether trades went better when it agreed, and what the entries
//! that it stood against would have met.
//!
//! Fed with every decision of a run in order, it needs memory only for the entries whose later move is not known yet.
//! The later move is that of the closes over a fixed number of candles, without costs, stops or targets: it says whether
//! a filter looked the right way, not what a trade would have earned.

use std::collections::{BTreeMap, VecDeque};

use keyhold_domain::money::decimal_text;
use keyhold_domain::{Decimal, ReasonCode, Side, Symbol};
use serde::{Deserialize, Serialize};

use super::trades::{count, ratio_pct};
use crate::decision::Decision;
use crate::input::decimal_to_f64;
use crate::reading::{Check, Direction, Verdict};
use crate::template::Role;
use crate::trade::Trade;

/// Candles over which the later move of a blocked entry is measured.
pub const HORIZON_CANDLES: usize = 24;

/// What a run's decisions say about its components.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalAnalysis {
    /// Decisions looked at.
    pub decisions: u64,
    /// Candles over which later moves were measured.
    pub horizon_candles: u64,
    /// One per enabled component, in the template's order.
    pub components: Vec<ComponentAnalysis>,
}

/// What one component contributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentAnalysis {
    /// Place in the template's list.
    pub component: u16,
    /// The catalog's name.
    pub kind: String,
    /// What it is used as.
    pub role: Role,
    /// Candles on which it had a verdict.
    pub verdicts: u64,
    /// Candles on which a signal was bullish, or a check let a long entry pass.
    pub long: u64,
    /// Candles on which a signal was bearish, or a check let a short entry pass.
    pub short: u64,
    /// Trades whose entry it agreed with (a signal) or let pass (a check).
    pub agreed: Outcome,
    /// Trades at whose entry it was neutral.
    pub neutral: Outcome,
    /// Trades entered against it.
    pub opposed: Outcome,
    /// Entries that were wanted while flat and that it stood against.
    pub blocked: u64,
    /// Those that nothing else stood against.
    pub blocked_alone: u64,
    /// Blocked entries whose price then moved in the wanted direction: the move was missed.
    pub missed: u64,
    /// Blocked entries whose price then moved the other way: the move was avoided.
    pub avoided: u64,
    /// Mean later move of blocked entries in the wanted direction, in percent.
    pub later_move_pct: Option<f64>,
}

/// What a set of trades brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How many.
    pub trades: u64,
    /// Wins in percent of wins and losses.
    pub win_rate_pct: Option<f64>,
    /// Their net profit, in the settlement asset.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
}

/// Takes decisions in and puts the analysis together.
#[derive(Debug, Clone, Default)]
pub struct SignalAnalyst {
    decisions: u64,
    components: BTreeMap<u16, Tally>,
    waiting: BTreeMap<Symbol, VecDeque<Waiting>>,
}

#[derive(Debug, Clone)]
struct Tally {
    kind: String,
    role: Role,
    verdicts: u64,
    long: u64,
    short: u64,
    blocked: u64,
    blocked_alone: u64,
    missed: u64,
    avoided: u64,
    moves: (f64, u64),
}

/// A blocked entry whose later move is not known yet.
#[derive(Debug, Clone)]
struct Waiting {
    wanted: Direction,
    close: Decimal,
    age: usize,
    components: Vec<u16>,
}

impl SignalAnalyst {
    /// One decision, in order.
    pub fn take(&mut self, decision: &Decision) {
        self.decisions += 1;
        for named in &decision.readings {
            let tally = self.components.entry(named.component).or_insert_with(|| Tally {
                kind: named.kind.to_string(),
                role: named.role,
                verdicts: 0,
                long: 0,
                short: 0,
                blocked: 0,
                blocked_alone: 0,
                missed: 0,
                avoided: 0,
                moves: (0.0, 0),
            });
            tally.hear(named.reading.verdict);
        }
        self.settle(decision);
        self.blocked(decision);
    }

    /// Later moves that are known now.
    fn settle(&mut self, decision: &Decision) {
        let Some(waiting) = self.waiting.get_mut(&decision.symbol) else { return };
        for entry in waiting.iter_mut() {
            entry.age += 1;
        }
        while waiting.front().is_some_and(|entry| entry.age >= HORIZON_CANDLES) {
            let Some(entry) = waiting.pop_front() else { return };
            let (then, now) = (decimal_to_f64(entry.close), decimal_to_f64(decision.close.get()));
            let moved = (now / then - 1.0) * 100.0 * f64::from(entry.wanted.score());
            for component in entry.components {
                if let Some(tally) = self.components.get_mut(&component) {
                    tally.moved(moved);
                }
            }
        }
    }

    fn blocked(&mut self, decision: &Decision) {
        let busy = |reason| matches!(reason, ReasonCode::PositionOpen | ReasonCode::OrderPending);
        if decision.wanted == Direction::Neutral || decision.blocks.iter().any(|block| busy(block.reason)) {
            return;
        }
        // A component that is warming up has no opinion that could have been right or wrong.
        let by_component = decision.blocks.iter().filter(|block| block.reason != ReasonCode::WarmingUp);
        let components: Vec<u16> = by_component.filter_map(|block| block.component).collect();
        for component in &components {
            if let Some(tally) = self.components.get_mut(component) {
                tally.blocked += 1;
                if decision.blocks.len() == 1 {
                    tally.blocked_alone += 1;
                }
            }
        }
        if !components.is_empty() {
            let close = decision.close.get();
            let entry = Waiting { wanted: decision.wanted, close, age: 0, components };
            self.waiting.entry(decision.symbol).or_default().push_back(entry);
        }
    }

    /// The analysis, with the outcomes of the run's trades.
    pub fn finish(self, trades: &[Trade]) -> SignalAnalysis {
        let components = self.components.into_iter();
        SignalAnalysis {
            decisions: self.decisions,
            horizon_candles: u64::try_from(HORIZON_CANDLES).unwrap_or(u64::MAX),
            components: components.map(|(component, tally)| tally.finish(component, trades)).collect(),
        }
    }
}

impl Tally {
    fn hear(&mut self, verdict: Verdict) {
        let (long, short) = match verdict {
            Verdict::WarmingUp | Verdict::NoData => return,
            Verdict::Signal { direction } => (direction == Direction::Long, direction == Direction::Short),
            Verdict::Check { long, short } => (long == Check::Pass, short == Check::Pass),
        };
        self.verdicts += 1;
        self.long += u64::from(long);
        self.short += u64::from(short);
    }

    fn moved(&mut self, pct: f64) {
        self.moves = (self.moves.0 + pct, self.moves.1 + 1);
        self.missed += u64::from(pct > 0.0);
        self.avoided += u64::from(pct < 0.0);
    }

    fn finish(self, component: u16, trades: &[Trade]) -> ComponentAnalysis {
        let (mut agreed, mut neutral, mut opposed) = (Sum::default(), Sum::default(), Sum::default());
        for trade in trades {
            let Some(decision) = &trade.entry_decision else { continue };
            let Some(named) = decision.readings.iter().find(|named| named.component == component) else {
                continue;
            };
            match opinion(named.reading.verdict, trade.side) {
                Opinion::Agreed => agreed.add(trade),
                Opinion::Neutral => neutral.add(trade),
                Opinion::Opposed => opposed.add(trade),
            }
        }
        ComponentAnalysis {
            component,
            kind: self.kind,
            role: self.role,
            verdicts: self.verdicts,
            long: self.long,
            short: self.short,
            agreed: agreed.outcome(),
            neutral: neutral.outcome(),
            opposed: opposed.outcome(),
            blocked: self.blocked,
            blocked_alone: self.blocked_alone,
            missed: self.missed,
            avoided: self.avoided,
            later_move_pct: (self.moves.1 > 0).then(|| self.moves.0 / count(self.moves.1)),
        }
    }
}

enum Opinion {
    Agreed,
    Neutral,
    Opposed,
}

fn opinion(verdict: Verdict, side: Side) -> Opinion {
    match verdict {
        Verdict::WarmingUp | Verdict::NoData => Opinion::Neutral,
        Verdict::Signal { direction } => match (direction, side) {
            (Direction::Neutral, _) => Opinion::Neutral,
            (Direction::Long, Side::Buy) | (Direction::Short, Side::Sell) => Opinion::Agreed,
            (Direction::Long, Side::Sell) | (Direction::Short, Side::Buy) => Opinion::Opposed,
        },
        Verdict::Check { long, short } => {
            let check = match side {
                Side::Buy => long,
                Side::Sell => short,
            };
            match check {
                Check::Pass => Opinion::Agreed,
                Check::Block => Opinion::Opposed,
            }
        }
    }
}

#[derive(Default)]
struct Sum {
    trades: u64,
    wins: u64,
    losses: u64,
    net: Decimal,
}

impl Sum {
    fn add(&mut self, trade: &Trade) {
        self.trades += 1;
        self.wins += u64::from(trade.net > Decimal::ZERO);
        self.losses += u64::from(trade.net < Decimal::ZERO);
        self.net = self.net.saturating_add(trade.net);
    }

    fn outcome(&self) -> Outcome {
        let win_rate_pct = ratio_pct(self.wins, self.wins + self.losses);
        Outcome { trades: self.trades, win_rate_pct, net: self.net }
    }
}
