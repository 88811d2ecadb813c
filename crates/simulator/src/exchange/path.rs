//! The way a price takes: single prices, opens of candles, and the path through a candle.
//!
//! Inside a candle the price visits both extremes and ends at the close. Which extreme comes first depends on the
//! position at that moment: with [`IntrabarRule::StopFirst`] the one that hurts it. A flat account sees the
//! extreme first that lies nearer to the open. A fill on the way can turn the path round, so that an order that
//! opens a position inside a candle also meets its stop before its target. Accounts take their paths one after
//! the other and do not see each other's.

use keyhold_domain::exact::{is_negative, is_positive};
use keyhold_domain::{
    Candle, Decimal, OrderKind, Price, Side, Symbol, Timestamp, TriggerDirection, TriggerSource,
};

use super::account::Freshness;
use super::margin::is_too_high;
use super::matching::{Execution, crosses};
use super::order::Phase;
use super::{Exchange, ExchangeEvent, GapFill, IntrabarRule, Market, Order, Refusal, Session};

/// What a price can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    Stop(usize),
    Liquidation,
    Limit(usize),
}

impl Hit {
    /// At one price stops come first, then the liquidation, then limits.
    const fn rank(self) -> u8 {
        match self {
            Self::Stop(_) => 0,
            Self::Liquidation => 1,
            Self::Limit(_) => 2,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extreme {
    High,
    Low,
}

impl Exchange {
    /// A single price: a trade, or the open of a candle. Waiting orders act now, then stops, liquidations and limit
    /// orders that the price has reached or jumped over.
    pub fn price(
        &mut self,
        symbol: Symbol,
        price: Price,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let m = self.market_index(symbol)?;
        if is_too_high(price) {
            return Err(Refusal::AboveMaximum);
        }
        self.advance(at, out);
        let market = &mut self.markets[m];
        market.last = Some(price);
        market.session = Session::Live;
        if market.orders.is_empty() && market.open_positions == 0 {
            return Ok(());
        }
        self.walk += 1;
        for a in 0..self.accounts.len() {
            if self.has_interest(a, m) {
                self.wake(a, m, out);
                self.settle_at(a, m, price, out);
            }
        }
        Ok(())
    }

    /// The rest of a candle whose open was given to [`Self::price`]: the path to both extremes and to the close.
    /// Fills on the way carry the time `at`. Afterwards the market waits for the next price.
    pub fn play_rest(
        &mut self,
        symbol: Symbol,
        candle: &Candle,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let m = self.market_index(symbol)?;
        if is_too_high(candle.high) {
            return Err(Refusal::AboveMaximum);
        }
        self.advance(at, out);
        if !self.markets[m].orders.is_empty() || self.markets[m].open_positions > 0 {
            self.walk += 1;
            for a in 0..self.accounts.len() {
                if self.has_interest(a, m) {
                    self.walk_candle(a, m, candle, out);
                }
            }
        }
        let market = &mut self.markets[m];
        market.last = Some(candle.close);
        market.session = Session::Waiting;
        Ok(())
    }

    /// A whole candle: its open at its opening time, then the rest at `at`.
    pub fn play_candle(
        &mut self,
        symbol: Symbol,
        candle: &Candle,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        self.price(symbol, candle.open, candle.open_time, out)?;
        self.play_rest(symbol, candle, at, out)
    }

    /// A whole candle in which nothing happens: no order waits for a price, none and no liquidation lies inside the
    /// candle, and no position pays funding. Then it does what [`Self::play_candle`] would have done, without asking along
    /// the way. Otherwise it does nothing and says `false`.
    pub fn pass(
        &mut self,
        symbol: Symbol,
        candle: &Candle,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<bool, Refusal> {
        self.pass_at(self.market_index(symbol)?, candle, at, out)
    }

    /// The same for a market whose place is known: loops over many candles need not look it up.
    #[inline]
    pub(crate) fn pass_at(
        &mut self,
        m: usize,
        candle: &Candle,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<bool, Refusal> {
        if m >= self.markets.len() {
            return Err(Refusal::UnknownSymbol);
        }
        if is_too_high(candle.high) {
            return Err(Refusal::AboveMaximum);
        }
        let funding = |market: &Market| at >= market.next_funding;
        let is_due = self.markets.iter().any(funding);
        if (is_due && self.markets.iter().any(|market| funding(market) && market.open_positions > 0))
            || !self.is_idle(m, candle)
        {
            return Ok(false);
        }
        if is_due {
            self.advance(at, out);
        }
        self.now = self.now.max(at);
        let market = &mut self.markets[m];
        if !market.orders.is_empty() || market.open_positions > 0 {
            // One for the open and one for the rest.
            self.walk += 2;
        }
        market.last = Some(candle.close);
        market.session = Session::Waiting;
        Ok(true)
    }

    #[inline]
    fn is_idle(&mut self, m: usize, candle: &Candle) -> bool {
        let market = &self.markets[m];
        (market.orders.is_empty() && market.open_positions == 0) || self.is_idle_while_held(m, candle)
    }

    #[inline(never)]
    fn is_idle_while_held(&mut self, m: usize, candle: &Candle) -> bool {
        let is_above_low = candle.low <= candle.open && candle.low <= candle.close;
        let whole = is_above_low && candle.high >= candle.open && candle.high >= candle.close;
        whole
            && match self.calm(m) {
                Some(calm) => calm.holds(candle),
                None => {
                    self.markets[m].orders.iter().all(|order| order.phase == Phase::Working)
                        && (0..self.accounts.len()).all(|a| self.is_out_of_reach(a, m, candle))
                }
            }
    }

    /// A mark price from its own feed. From now on liquidations and stops on the mark follow this feed only.
    pub fn mark(
        &mut self,
        symbol: Symbol,
        price: Price,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let m = self.market_index(symbol)?;
        if is_too_high(price) {
            return Err(Refusal::AboveMaximum);
        }
        self.advance(at, out);
        self.markets[m].mark = Some(price);
        self.walk += 1;
        for a in 0..self.accounts.len() {
            self.accounts[a].liquidations = Freshness::Stale;
            if self.has_interest(a, m) && self.markets[m].session == Session::Live {
                self.settle_mark(a, m, price, out);
            }
        }
        Ok(())
    }

    fn has_interest(&self, a: usize, m: usize) -> bool {
        let account = &self.accounts[a];
        !account.positions[m].is_flat()
            || self.markets[m].orders.iter().any(|order| order.account == account.id)
    }

    /// Lets the account's waiting orders act, oldest first.
    fn wake(&mut self, a: usize, m: usize, out: &mut Vec<ExchangeEvent>) {
        let account = self.accounts[a].id;
        let now = self.now;
        let next = |orders: &[Order]| {
            orders.iter().position(|order| {
                order.account == account && matches!(order.phase, Phase::Queued(from) if from <= now)
            })
        };
        while let Some(index) = next(&self.markets[m].orders) {
            self.activate(a, m, index, out);
        }
    }

    /// Everything of an account that the price has reached without a way to it.
    fn settle_at(&mut self, a: usize, m: usize, price: Price, out: &mut Vec<ExchangeEvent>) {
        while let Some(hit) = self.reached(a, m, price) {
            match hit {
                Hit::Stop(index) => {
                    let own = own_price(&self.markets[m].orders[index]);
                    let at = match self.config.fills.stop_gap {
                        GapFill::AtMarket => price,
                        GapFill::AtOrder => own,
                    };
                    self.trigger(a, m, index, at, out);
                }
                Hit::Liquidation => self.liquidate(a, m, price, out),
                Hit::Limit(index) => {
                    let own = own_price(&self.markets[m].orders[index]);
                    let at = match self.config.fills.limit_gap {
                        GapFill::AtMarket => price,
                        GapFill::AtOrder => own,
                    };
                    self.execute(a, m, index, at, Execution::Maker, out);
                }
            }
        }
    }

    /// Stops on the mark and liquidations; both fill at the last price.
    fn settle_mark(&mut self, a: usize, m: usize, mark: Price, out: &mut Vec<ExchangeEvent>) {
        let Some(last) = self.markets[m].last else { return };
        let account = self.accounts[a].id;
        let reached = |orders: &[Order]| {
            orders.iter().position(|order| {
                let on_mark = matches!(order.kind,
                    OrderKind::StopMarket { trigger, direction, source: TriggerSource::Mark | TriggerSource::Index }
                        if is_reached(direction, trigger, mark));
                order.account == account && order.phase == Phase::Working && on_mark
            })
        };
        while let Some(index) = reached(&self.markets[m].orders) {
            self.trigger(a, m, index, last, out);
        }
        self.refresh_liquidations(a, m);
        let state = self.accounts[a].positions[m];
        if state.liquidation.is_some_and(|level| is_beyond(state.size, level, mark)) {
            self.liquidate(a, m, last, out);
        }
    }

    fn reached(&mut self, a: usize, m: usize, price: Price) -> Option<Hit> {
        self.refresh_liquidations(a, m);
        let market = &self.markets[m];
        let state = &self.accounts[a].positions[m];
        // A price that jumps over the liquidation's leaves no time for a stop behind it: the margin is lost, no more.
        if market.mark.is_none() && state.liquidation.is_some_and(|level| is_beyond(state.size, level, price))
        {
            return Some(Hit::Liquidation);
        }
        let account = self.accounts[a].id;
        let mut best: Option<Hit> = None;
        for (index, order) in market.orders.iter().enumerate() {
            let idle =
                order.account != account || order.phase != Phase::Working || order.touched == self.walk;
            if idle {
                continue;
            }
            let hit = match order.kind {
                OrderKind::StopMarket { trigger, direction, source } if self.follows_last(m, source) => {
                    is_reached(direction, trigger, price).then_some(Hit::Stop(index))
                }
                OrderKind::Limit { price: limit, .. } => {
                    crosses(order.side, limit, price).then_some(Hit::Limit(index))
                }
                OrderKind::StopMarket { .. } | OrderKind::Market => None,
            };
            best = earlier(best, hit);
        }
        best
    }

    fn follows_last(&self, m: usize, source: TriggerSource) -> bool {
        source == TriggerSource::Last || self.markets[m].mark.is_none()
    }

    /// Starts a stop order at a market price.
    fn trigger(&mut self, a: usize, m: usize, index: usize, price: Price, out: &mut Vec<ExchangeEvent>) {
        let side = self.markets[m].orders[index].side;
        let price = self.slipped(m, side, price, self.config.slippage.stop_bps);
        self.execute(a, m, index, price, Execution::Market, out);
    }

    /// The path of one account through a candle. Ends: each turn of the loop either uses up an order, a position or
    /// a leg of the path.
    fn walk_candle(&mut self, a: usize, m: usize, candle: &Candle, out: &mut Vec<ExchangeEvent>) {
        if self.is_out_of_reach(a, m, candle) {
            return;
        }
        let mut here = candle.open;
        let mut left = [true, true];
        let mut heading = None;
        loop {
            self.markets[m].last = Some(here);
            heading = self.next_extreme(a, m, candle, left, heading);
            let target = match heading {
                Some(Extreme::High) => candle.high,
                Some(Extreme::Low) => candle.low,
                None => candle.close,
            };
            if let Some((level, hit)) = self.next_hit(a, m, here, target) {
                here = level;
                self.markets[m].last = Some(here);
                match hit {
                    Hit::Stop(index) => self.trigger(a, m, index, level, out),
                    Hit::Liquidation => self.liquidate(a, m, level, out),
                    Hit::Limit(index) => self.execute(a, m, index, level, Execution::Maker, out),
                }
                continue;
            }
            here = target;
            match heading {
                Some(Extreme::High) => left[0] = false,
                Some(Extreme::Low) => left[1] = false,
                None => return,
            }
            heading = None;
        }
    }

    /// Neither an order nor the liquidation price lies inside the candle. For accounts whose liquidation prices move with
    /// every price; the others have [`super::Calm`].
    fn is_out_of_reach(&mut self, a: usize, m: usize, candle: &Candle) -> bool {
        let account = self.accounts[a].id;
        let touches = |order: &Order| match order.kind {
            OrderKind::Market => false,
            OrderKind::Limit { price, .. } => match order.side {
                Side::Buy => price >= candle.low,
                Side::Sell => price <= candle.high,
            },
            OrderKind::StopMarket { trigger, direction, .. } => match direction {
                TriggerDirection::Rises => trigger <= candle.high,
                TriggerDirection::Falls => trigger >= candle.low,
            },
        };
        if self.markets[m].orders.iter().any(|order| order.account == account && touches(order)) {
            return false;
        }
        self.refresh_liquidations(a, m);
        let state = &self.accounts[a].positions[m];
        // A level that is behind already counts as reached, as it does at a single price.
        let extreme = if is_positive(state.size) { candle.low } else { candle.high };
        state.liquidation.is_none_or(|level| !is_beyond(state.size, level, extreme))
    }

    fn next_extreme(
        &self,
        a: usize,
        m: usize,
        candle: &Candle,
        [high, low]: [bool; 2],
        heading: Option<Extreme>,
    ) -> Option<Extreme> {
        match (high, low) {
            (false, false) => None,
            (true, false) => Some(Extreme::High),
            (false, true) => Some(Extreme::Low),
            (true, true) => {
                let size = self.accounts[a].positions[m].size;
                let stop_first = self.config.fills.intrabar == IntrabarRule::StopFirst;
                if size.is_zero() {
                    let up = candle.high.get() - candle.open.get();
                    let down = candle.open.get() - candle.low.get();
                    return heading.or(Some(if up < down { Extreme::High } else { Extreme::Low }));
                }
                let is_long = is_positive(size);
                Some(if is_long == stop_first { Extreme::Low } else { Extreme::High })
            }
        }
    }

    /// The first thing of this account on the way from one price to another.
    fn next_hit(&mut self, a: usize, m: usize, from: Price, to: Price) -> Option<(Price, Hit)> {
        self.refresh_liquidations(a, m);
        let rising = to >= from;
        let account = self.accounts[a].id;
        let mut best: Option<(Price, Hit)> = None;
        for (index, order) in self.markets[m].orders.iter().enumerate() {
            let idle =
                order.account != account || order.phase != Phase::Working || order.touched == self.walk;
            if idle {
                continue;
            }
            let hit = match order.kind {
                OrderKind::StopMarket { trigger, direction, source }
                    if self.follows_last(m, source) && rising == (direction == TriggerDirection::Rises) =>
                {
                    on_the_way(from, to, trigger).map(|level| (level, Hit::Stop(index)))
                }
                OrderKind::Limit { price, .. } if rising == (order.side == Side::Sell) => {
                    on_the_way(from, to, price).map(|level| (level, Hit::Limit(index)))
                }
                OrderKind::StopMarket { .. } | OrderKind::Limit { .. } | OrderKind::Market => None,
            };
            best = nearer(best, hit, from);
        }
        let state = &self.accounts[a].positions[m];
        if self.markets[m].mark.is_none() && rising == is_negative(state.size) {
            let level = state.liquidation.and_then(|level| on_the_way(from, to, level));
            best = nearer(best, level.map(|level| (level, Hit::Liquidation)), from);
        }
        best
    }

    /// Brings cached liquidation prices up to date. With cross margin and several positions each depends on the
    /// others' results, so they are computed anew each time.
    pub(super) fn refresh_liquidations(&mut self, a: usize, m: usize) {
        let account = &self.accounts[a];
        let shared = account.margin_mode == keyhold_domain::MarginMode::Cross
            && account.positions.iter().filter(|state| !state.is_flat()).count() > 1;
        if account.liquidations == Freshness::Fresh && !shared {
            return;
        }
        if shared {
            self.accounts[a].positions[m].liquidation = self.liquidation_of(a, m);
            return;
        }
        for m in 0..self.markets.len() {
            self.accounts[a].positions[m].liquidation = self.liquidation_of(a, m);
            self.markets[m].calm = None;
        }
        self.accounts[a].liquidations = Freshness::Fresh;
    }
}

fn own_price(order: &Order) -> Price {
    match order.kind {
        OrderKind::Limit { price, .. } => price,
        OrderKind::StopMarket { trigger, .. } => trigger,
        OrderKind::Market => order.price_at_creation.expect("orders are taken only after a first price"),
    }
}

fn is_reached(direction: TriggerDirection, trigger: Price, price: Price) -> bool {
    match direction {
        TriggerDirection::Rises => price >= trigger,
        TriggerDirection::Falls => price <= trigger,
    }
}

fn is_beyond(size: Decimal, level: Price, price: Price) -> bool {
    if is_positive(size) { price <= level } else { price >= level }
}

/// Where a level is met between two prices; at the start when it lies behind.
fn on_the_way(from: Price, to: Price, level: Price) -> Option<Price> {
    if to >= from { (level <= to).then(|| level.max(from)) } else { (level >= to).then(|| level.min(from)) }
}

fn earlier(best: Option<Hit>, other: Option<Hit>) -> Option<Hit> {
    match (best, other) {
        (Some(best), Some(other)) if other.rank() < best.rank() => Some(other),
        (Some(best), _) => Some(best),
        (None, other) => other,
    }
}

fn nearer(best: Option<(Price, Hit)>, other: Option<(Price, Hit)>, from: Price) -> Option<(Price, Hit)> {
    let way = |(level, hit): &(Price, Hit)| ((level.get() - from.get()).abs(), hit.rank());
    match (best, other) {
        (Some(best), Some(other)) if way(&other) < way(&best) => Some(other),
        (Some(best), _) => Some(best),
        (None, other) => other,
    }
}
