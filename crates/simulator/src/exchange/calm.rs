//! Candles in which nothing can happen although something is held: known from two prices, found once and kept.

use keyhold_domain::exact::is_positive;
use keyhold_domain::{Candle, OrderKind, Price, Side, TriggerDirection};

use super::account::Freshness;
use super::order::Phase;
use super::{Calm, Exchange};

impl Calm {
    /// Whether a candle stays between the two prices.
    #[inline]
    pub(super) fn holds(&self, candle: &Candle) -> bool {
        self.below.is_none_or(|level| candle.low > level)
            && self.above.is_none_or(|level| candle.high < level)
    }

    fn fall(&mut self, level: Price) {
        self.below = Some(self.below.map_or(level, |known| known.max(level)));
    }

    fn rise(&mut self, level: Price) {
        self.above = Some(self.above.map_or(level, |known| known.min(level)));
    }
}

impl Exchange {
    /// The prices between which a market's candle touches nothing. `None` when an order has not begun to work, or when a
    /// liquidation price depends on more than what is kept.
    #[inline]
    pub(super) fn calm(&mut self, m: usize) -> Option<Calm> {
        for a in 0..self.accounts.len() {
            self.refresh_liquidations(a, m);
            if self.accounts[a].liquidations == Freshness::Stale {
                return None;
            }
        }
        match self.markets[m].calm {
            Some(calm) => Some(calm),
            None => self.find_calm(m),
        }
    }

    #[inline(never)]
    fn find_calm(&mut self, m: usize) -> Option<Calm> {
        let mut calm = Calm::default();
        for order in &self.markets[m].orders {
            if order.phase != Phase::Working {
                return None;
            }
            match (order.kind, order.side) {
                (OrderKind::Market, _) => {}
                (OrderKind::Limit { price, .. }, Side::Buy) => calm.fall(price),
                (OrderKind::Limit { price, .. }, Side::Sell) => calm.rise(price),
                (OrderKind::StopMarket { trigger, direction, .. }, _) => match direction {
                    TriggerDirection::Falls => calm.fall(trigger),
                    TriggerDirection::Rises => calm.rise(trigger),
                },
            }
        }
        for account in &self.accounts {
            let state = &account.positions[m];
            if let Some(level) = state.liquidation {
                if is_positive(state.size) { calm.fall(level) } else { calm.rise(level) }
            }
        }
        self.markets[m].calm = Some(calm);
        Some(calm)
    }
}
