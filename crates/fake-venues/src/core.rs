//! Everything behind a venue's one lock that no protocol changes: the world, the sockets, the troubles, rate counters.

use std::collections::BTreeMap;

use keyhold_domain::{Asset, Decimal, Timestamp};

use crate::config::{Pace, RateLimits};
use crate::hub::Hub;
use crate::trouble::Trouble;
use crate::world::World;

/// Requests counted in one window, for example one second per account and path.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    length_ms: i64,
    count: u32,
}

/// The most rate windows, and other small things a protocol remembers of each order, that are kept.
pub(crate) const MAX_SMALL: usize = 20_000;

/// The neutral part of a venue's state.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) world: World,
    pub(crate) hub: Hub,
    pub(crate) trouble: Trouble,
    pub(crate) pace: Pace,
    pub(crate) rate_limits: RateLimits,
    windows: BTreeMap<String, Window>,
    /// Requests that were one too many for their window.
    pub(crate) too_many: u64,
}

impl Core {
    pub(crate) fn new(world: World, trouble: Trouble, pace: Pace, rate_limits: RateLimits) -> Self {
        Self { world, hub: Hub::default(), trouble, pace, rate_limits, windows: BTreeMap::new(), too_many: 0 }
    }

    /// Counts a request and returns how many are left in the window, or `None` when it is one too many, and when the
    /// window ends.
    pub(crate) fn count(
        &mut self,
        what: String,
        limit: (u32, i64),
        now: Timestamp,
    ) -> (Option<u32>, Timestamp) {
        self.spend(what, 1, limit, now)
    }

    /// The same for a request that costs more than one, at venues that weigh their calls.
    pub(crate) fn spend(
        &mut self,
        what: String,
        cost: u32,
        (limit, length_ms): (u32, i64),
        now: Timestamp,
    ) -> (Option<u32>, Timestamp) {
        if self.windows.len() > MAX_SMALL {
            self.windows.retain(|_, window| now.since_ms(window.since) < window.length_ms);
        }
        let fresh = Window { since: now, length_ms, count: 0 };
        let window = self.windows.entry(what).or_insert(fresh);
        if now.since_ms(window.since) >= length_ms || now < window.since {
            *window = fresh;
        }
        window.count = window.count.saturating_add(cost);
        let reset = window.since.plus_ms(length_ms);
        let left = limit.checked_sub(window.count);
        match self.rate_limits {
            RateLimits::Enforced => {
                self.too_many += u64::from(left.is_none());
                (left, reset)
            }
            RateLimits::Off => (Some(limit), reset),
        }
    }

    /// What one unit of an asset is worth in USD: 1 for stable coins, else the last price of a market of it.
    pub(crate) fn usd_price(&self, asset: Asset) -> Decimal {
        let market = self.world.feeds.iter().find(|feed| feed.instrument.base == asset);
        let price = market.and_then(|feed| self.world.exchange.last_price(feed.instrument.symbol));
        match price {
            Some(price) => price.get(),
            None if matches!(asset.as_str(), "USDT" | "USDC" | "USD") => Decimal::ONE,
            None => Decimal::ZERO,
        }
    }
}

/// A number as text without trailing zeros.
pub(crate) fn number(value: Decimal) -> String {
    value.normalize().to_string()
}
