//! An account's state: wallets, one net position per instrument, modes, used order names.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use keyhold_domain::exact::saturating_add;
use keyhold_domain::{Asset, Decimal, MarginMode, Price, Timestamp};

use super::OrderName;

/// Names an account inside one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// One net position per instrument, or one per side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionMode {
    /// One net position.
    #[default]
    OneWay,
    /// One position per side. Accepted as a setting; orders are refused while it is on.
    Hedge,
}

/// A position with its history, richer than [`keyhold_domain::Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionState {
    /// Signed size; zero when flat.
    pub size: Decimal,
    /// Average entry price; `None` when flat.
    pub entry: Option<Price>,
    /// Leverage, 1 or more.
    pub leverage: Decimal,
    /// Initial margin set aside, in the settlement asset.
    pub margin: Decimal,
    /// Realized profit less fees plus funding since the position was opened.
    pub realized: Decimal,
    /// The same over all positions of this instrument.
    pub realized_total: Decimal,
    /// Where it would be liquidated.
    pub liquidation: Option<Price>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl PositionState {
    pub(super) const fn new(leverage: Decimal) -> Self {
        Self {
            size: Decimal::ZERO,
            entry: None,
            leverage,
            margin: Decimal::ZERO,
            realized: Decimal::ZERO,
            realized_total: Decimal::ZERO,
            liquidation: None,
            opened_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        }
    }

    /// Neither long nor short.
    pub const fn is_flat(&self) -> bool {
        self.size.is_zero()
    }
}

/// Whether cached liquidation prices still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    Fresh,
    Stale,
}

/// Multiply and rotate. Whoever crafts names that collide slows down only the simulation that runs for him.
#[derive(Debug, Clone, Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) margin_mode: MarginMode,
    pub(super) position_mode: PositionMode,
    pub(super) wallets: Vec<(Asset, Decimal)>,
    /// One entry per listed instrument, in the same order.
    pub(super) positions: Vec<PositionState>,
    /// Only asked for membership, never listed; a hash set cannot change an output.
    pub(super) names: HashSet<OrderName, BuildHasherDefault<NameHasher>>,
    pub(super) liquidations: Freshness,
}

/// `sum += amount`, the short way for short numbers.
pub(super) fn grow(sum: &mut Decimal, amount: Decimal) {
    let grown = saturating_add(*sum, amount);
    // Only what has the most digits can have been cut; then the long way says that it does not fit.
    *sum = if grown.unpack().hi == u32::MAX { *sum + amount } else { grown };
}

impl Account {
    pub(super) fn wallet(&self, asset: Asset) -> Decimal {
        self.wallets.iter().find(|(held, _)| *held == asset).map_or(Decimal::ZERO, |(_, amount)| *amount)
    }

    pub(super) fn credit(&mut self, asset: Asset, amount: Decimal) {
        match self.wallets.iter_mut().find(|(held, _)| *held == asset) {
            Some((_, wallet)) => grow(wallet, amount),
            None => self.wallets.push((asset, amount)),
        }
    }
}
