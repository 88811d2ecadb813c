//! The bot's guardrails, and the only place where an order is approved.
//!
//! Limits override the strategy and never an exit: an exit is approved for being reduce-only and for nothing else.
//! [`Approved`] can be made in this file alone, so an order that nobody approved does not compile.

use std::ops::ControlFlow;

use keyhold_domain::{
    Balance, Decimal, NewOrder, OrderPurpose, PositionEffect, Price, ReasonCode, Rounding, Side, Timestamp,
};
use serde::Serialize;

use crate::decision::Block;
use crate::input::decimal_to_f64;
use crate::ledger::{BotFacts, Hit};
use crate::plan::Plan;

/// Something the limits have let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// What the limits look at besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct LimitInputs<'a> {
    /// The whole bot.
    pub bot: &'a BotFacts,
    /// The balance in the settlement asset.
    pub balance: Option<&'a Balance>,
    /// When the candle closed.
    pub closed_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Everything that stands against any entry now, whatever its size, until `object` has heard enough.
pub fn blocks<B>(
    plan: &Plan,
    inputs: &LimitInputs<'_>,
    object: &mut impl FnMut(Block) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let limits = &plan.settings.limits;
    let bot = inputs.bot;
    let hit = |reason, hit: Hit| Block::limit(reason, decimal_to_f64(hit.value), decimal_to_f64(hit.limit));
    if let Some(loss) = bot.daily_loss {
        object(hit(ReasonCode::LimitDailyLoss, loss))?;
    }
    if let Some(loss) = bot.weekly_loss {
        object(hit(ReasonCode::LimitWeeklyLoss, loss))?;
    }
    if let Some(halt) = bot.halted {
        object(hit(halt.reason, halt.hit))?;
    }
    if let Some(until) = bot.cool_off_until
        && inputs.closed_at < until
    {
        object(Block::plain(ReasonCode::LimitConsecutiveLosses))?;
    }
    let counts = [
        (limits.max_positions_per_asset, bot.positions_in_asset, ReasonCode::LimitPositionsAsset),
        (limits.max_positions_total, bot.open_positions, ReasonCode::LimitPositionsTotal),
        (limits.max_trades_per_day, bot.trades_today, ReasonCode::LimitTradesPerDay),
    ];
    for (limit, value, reason) in counts {
        if let Some(limit) = limit
            && value >= limit
        {
            object(Block::limit(reason, value.into(), limit.into()))?;
        }
    }
    if let Some(limit) = limits.max_data_age_s {
        let age_ms = inputs.now.since_ms(inputs.closed_at);
        if age_ms > i64::from(limit) * 1000 {
            object(Block::limit(ReasonCode::LimitDataAge, seconds(age_ms), limit.into()))?;
        }
    }
    if let Some(block) = limits.min_free_margin_pct.and_then(|limit| free_margin(inputs.balance, limit)) {
        object(block)?;
    }
    if bot.equity_quote.is_none() && needs_equity(plan) {
        object(Block::plain(ReasonCode::BalanceUnavailable))?;
    }
    ControlFlow::Continue(())
}

/// Limits in percent cannot be kept without knowing of what.
fn needs_equity(plan: &Plan) -> bool {
    let limits = &plan.settings.limits;
    limits.weekly_loss_pct.is_some()
        || limits.max_drawdown_pct.is_some()
        || limits.max_total_exposure_pct.is_some()
        || matches!(limits.daily_loss, Some(loss) if matches!(loss.most, crate::settings::LossAmount::Pct(_)))
}

fn free_margin(balance: Option<&Balance>, limit: Decimal) -> Option<Block> {
    let free = balance
        .filter(|balance| balance.equity > Decimal::ZERO)
        .and_then(|balance| balance.available.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(balance.equity));
    let value = match free {
        Some(free) if free >= limit => return None,
        Some(free) => decimal_to_f64(free),
        None => 0.0,
    };
    Some(Block::limit(ReasonCode::LimitFreeMargin, value, decimal_to_f64(limit)))
}

#[expect(clippy::cast_precision_loss, reason = "shown to people; 2^53 milliseconds are 285,000 years")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Approves an entry of a known size, or says which limit of size it breaks.
pub fn approve_entry(
    plan: &Plan,
    bot: &BotFacts,
    order: NewOrder,
    price: Price,
) -> Result<Approved<NewOrder>, Block> {
    let limits = &plan.settings.limits;
    let value = plan.contract.quote_value(price, order.quantity).unwrap_or(Decimal::MAX);
    let exposure = bot.exposure_quote.saturating_add(value);
    if let Some(limit) = limits.max_total_exposure_pct {
        let share = bot
            .equity_quote
            .filter(|equity| *equity > Decimal::ZERO)
            .and_then(|equity| exposure.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(equity));
        if share.is_none_or(|share| share > limit) {
            let value = share.map_or(f64::MAX, decimal_to_f64);
            return Err(Block::limit(ReasonCode::LimitExposure, value, decimal_to_f64(limit)));
        }
    }
    let most_leverage = limits
        .max_leverage
        .map_or(plan.instrument.max_leverage, |limit| limit.min(plan.instrument.max_leverage));
    if plan.settings.leverage > most_leverage {
        let (value, limit) = (decimal_to_f64(plan.settings.leverage), decimal_to_f64(most_leverage));
        return Err(Block::limit(ReasonCode::LimitLeverage, value, limit));
    }
    if let (Some(limit), Some(equity)) = (limits.max_leverage, bot.equity_quote)
        && equity.checked_mul(limit).is_some_and(|most| exposure > most)
    {
        let value = if equity > Decimal::ZERO { decimal_to_f64(exposure / equity) } else { f64::MAX };
        return Err(Block::limit(ReasonCode::LimitLeverage, value, decimal_to_f64(limit)));
    }
    debug_assert_eq!(order.purpose, OrderPurpose::Entry, "exits are approved by approve_exit");
    Ok(Approved(order))
}

/// Approves an order that can only shrink a position. `None` for any other: there is no other way to be an exit.
pub fn approve_exit(order: NewOrder) -> Option<Approved<NewOrder>> {
    (order.effect == PositionEffect::ReduceOnly && order.purpose != OrderPurpose::Entry)
        .then_some(Approved(order))
}

/// The worst price an entry may have, on the tick inside the limit; `None` without a limit.
pub fn worst_entry_price(plan: &Plan, side: Side, decided: Price) -> Option<Price> {
    let bps = plan.settings.limits.max_slippage_bps?;
    let share = side.sign().checked_mul(bps)?.checked_div(Decimal::from(10_000))?;
    let raw = decided.get().checked_mul(Decimal::ONE.checked_add(share)?)?;
    let rounding = match side {
        Side::Buy => Rounding::Down,
        Side::Sell => Rounding::Up,
    };
    plan.instrument.price(raw, rounding)
}
