//! Leverage, margin mode and position mode.

use keyhold_domain::{Decimal, MarginMode, Symbol};

use super::account::Freshness;
use super::margin::initial_margin;
use super::{AccountId, Exchange, ExchangeEvent, PositionMode, Refusal};

impl Exchange {
    /// Sets the leverage of one instrument. Refused when it would need more margin than is free.
    pub fn set_leverage(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        leverage: Decimal,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let a = self.account_index(account)?;
        let m = self.market_index(symbol)?;
        let instrument = self.markets[m].instrument;
        if leverage < Decimal::ONE || leverage > instrument.max_leverage {
            return Err(Refusal::LeverageOutOfRange(instrument.max_leverage));
        }
        let state = self.accounts[a].positions[m];
        if state.leverage == leverage {
            return Err(Refusal::NoChange);
        }
        let size = keyhold_domain::SignedQuantity::new(state.size).magnitude();
        let margin = match (state.entry, size) {
            (Some(entry), Some(size)) => initial_margin(&instrument, entry, size, leverage),
            _ => Decimal::ZERO,
        };
        let available = self.available(a, instrument.settle) + state.margin;
        if margin > available && !margin.is_zero() {
            return Err(Refusal::InsufficientMargin {
                needed: margin.normalize(),
                available: available.normalize(),
            });
        }
        let state = &mut self.accounts[a].positions[m];
        state.leverage = leverage;
        state.margin = margin;
        self.accounts[a].liquidations = Freshness::Stale;
        if self.accounts[a].positions[m].is_flat() {
            return Ok(());
        }
        self.tell_position(a, m, out);
        self.tell_balance(a, instrument.settle, out);
        Ok(())
    }

    /// Sets the margin mode of the whole account. Refused while positions or orders are open.
    pub fn set_margin_mode(&mut self, account: AccountId, mode: MarginMode) -> Result<(), Refusal> {
        let a = self.account_index(account)?;
        if self.accounts[a].margin_mode == mode {
            return Err(Refusal::NoChange);
        }
        self.require_idle(a)?;
        self.accounts[a].margin_mode = mode;
        Ok(())
    }

    /// Sets the position mode of the whole account. Refused while positions or orders are open.
    pub fn set_position_mode(&mut self, account: AccountId, mode: PositionMode) -> Result<(), Refusal> {
        let a = self.account_index(account)?;
        if self.accounts[a].position_mode == mode {
            return Err(Refusal::NoChange);
        }
        self.require_idle(a)?;
        self.accounts[a].position_mode = mode;
        Ok(())
    }

    fn require_idle(&self, a: usize) -> Result<(), Refusal> {
        let account = &self.accounts[a];
        let idle = account.positions.iter().all(super::PositionState::is_flat)
            && self.open_orders(account.id).next().is_none();
        if idle { Ok(()) } else { Err(Refusal::PositionsOpen) }
    }
}
