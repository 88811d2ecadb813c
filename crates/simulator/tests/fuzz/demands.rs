//! What is demanded of every order, every candle and every level. Each demand is computed here, not by the engine's code.

use keyhold_domain::{
    Balance, ContractType, Decimal, NewOrder, OrderPurpose, PositionEffect, Price, Side, Timestamp, TradeId,
};
use keyhold_engine::decision::{Decision, Done};
use keyhold_engine::event::{Directive, Event};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::position::Holding;
use keyhold_engine::settings::{NotionalAmount, Resting, Sizing};
use keyhold_engine::template::{Enabled, ParameterValue};
use keyhold_engine::{BotEvent, BotPlan, BotState, Plan, State};

use crate::case::Case;

/// The levels of a position that must not loosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    trade: TradeId,
    side: Side,
    stop: Option<Decimal>,
    chandelier: Option<f64>,
}

impl Levels {
    pub(crate) fn of(holding: &Holding) -> Self {
        Self {
            trade: holding.trade,
            side: holding.side(),
            stop: holding.levels.stop.map(|stop| stop.price.get()),
            chandelier: holding.levels.chandelier,
        }
    }
}

/// Within one position a stop, once there, stays, and moves toward the price only.
pub(crate) fn only_tighter(before: Option<Levels>, now: Option<Levels>) {
    let (Some(before), Some(now)) = (before, now) else { return };
    if before.trade != now.trade || before.side != now.side {
        return;
    }
    if let Some(was) = before.stop {
        let is = now.stop.unwrap_or_else(|| panic!("the stop at {was} has gone"));
        assert!((is - was) * before.side.sign() >= Decimal::ZERO, "a stop moved from {was} to {is}: {now:?}");
    }
    if let (Some(was), Some(is)) = (before.chandelier, now.chandelier) {
        let looser = match before.side {
            Side::Buy => is < was,
            Side::Sell => is > was,
        };
        assert!(!looser, "a chandelier moved from {was} to {is}");
    }
}

/// An order lies on the lot; everything but an entry can only shrink the position, and not below nothing.
pub(crate) fn order(plan: &Plan, state: &State, order: &NewOrder) {
    assert!((order.quantity.get() % plan.instrument.lot).is_zero(), "off the lot: {order:?}");
    if order.purpose == OrderPurpose::Entry {
        assert_eq!(order.effect, PositionEffect::Increase);
        assert!(state.holding().is_none(), "an entry beside a position: {order:?}");
        return;
    }
    assert_eq!(order.effect, PositionEffect::ReduceOnly, "{order:?}");
    // The position may have ended while the order was on its way to us.
    let Some(holding) = state.holding() else { return };
    assert_eq!(order.side, holding.side().opposite(), "an exit that would grow the position: {order:?}");
    assert!(order.quantity.get() <= holding.quantity(), "an exit of more than is held: {order:?}");
}

/// Where the decision expects the stop.
pub(crate) fn expected_stop(decision: &Decision) -> Option<Decimal> {
    match decision.done {
        Done::Entered { expected_stop, .. } => expected_stop,
        Done::Nothing | Done::Exited { .. } => None,
    }
}

/// An entry is not above what leverage, the largest position and the risk allow. Numbers beyond 28 digits are excused.
pub(crate) fn size(plan: &Plan, balance: &Balance, price: Price, stop: Option<Decimal>, order: &NewOrder) {
    let _too_large_to_compute = fits(plan, balance, price, stop, order);
}

fn fits(plan: &Plan, balance: &Balance, price: Price, stop: Option<Decimal>, order: &NewOrder) -> Option<()> {
    let (instrument, settings) = (&plan.instrument, &plan.settings);
    let quantity = order.quantity.get();
    assert!(order.quantity >= instrument.min_quantity, "below the smallest size: {order:?}");
    assert!(
        instrument.max_quantity.is_none_or(|most| order.quantity <= most),
        "above the largest size: {order:?}"
    );
    let contracts = quantity.checked_mul(instrument.multiplier)?;
    let (value, in_quote) = match instrument.contract_type {
        ContractType::Linear => (contracts.checked_mul(price.get())?, Decimal::ONE),
        ContractType::Inverse => (contracts, price.get()),
    };
    let free = balance.available.min(balance.equity).checked_mul(in_quote)?;
    let equity = balance.equity.checked_mul(in_quote)?;
    let most = free.checked_mul(settings.leverage)?;
    assert!(value <= most, "worth {value} with {most} allowed by equity and leverage: {order:?}");
    if let Some(limit) = settings.limits.max_position_notional {
        let most = match limit.most {
            NotionalAmount::Quote(quote) => quote,
            NotionalAmount::PctEquity(pct) => equity.checked_mul(pct)?.checked_div(Decimal::ONE_HUNDRED)?,
        };
        assert!(value <= most, "worth {value} with {most} allowed: {order:?}");
    }
    if let (Sizing::RiskPerTrade { pct }, Some(stop)) = (settings.sizing, stop) {
        let distance = (price.get() - stop).abs();
        let lost = contracts.checked_mul(distance)?.checked_mul(Decimal::ONE_HUNDRED)?;
        let allowed = balance.equity.checked_mul(pct)?;
        let allowed = match instrument.contract_type {
            ContractType::Linear => allowed,
            ContractType::Inverse => allowed.checked_mul(price.get())?.checked_mul(stop)?,
        };
        assert!(lost <= allowed, "a stop at {stop} loses more than {pct} %: {order:?}");
    }
    Some(())
}

/// A bot without pause, limits, sessions and with a whole key, told the candle on time, leaves: then the real one does.
pub(crate) fn exits_as_if_free(
    plan: &BotPlan,
    mut free: BotState,
    (candle, at): (&ClosedCandle, Timestamp),
    real: &State,
) {
    let mut ignored = Vec::new();
    for directive in [Directive::Resume, Directive::EntriesAllowed, Directive::ClearLimits] {
        // Of an old instant: time does not run backward, so the state's own now stays.
        let at = Timestamp::EPOCH;
        free.take(plan, &BotEvent::Directed { directive, at }, &mut ignored);
    }
    let event = Event::CandleClosed { candle: *candle, at };
    free.take(plan, &BotEvent::Instrument { slot: 0, event }, &mut ignored);
    let leaves = |state: &State| state.orders().with_purpose(OrderPurpose::Exit).next().is_some();
    if free.instrument(0).is_some_and(leaves) {
        assert!(leaves(real), "something that may block entries has blocked an exit");
    }
}

/// A stop that the engine watches and the candle has touched, and an age that is reached, lead to an exit.
pub(crate) fn exits_that_are_due(case: &Case, before: &BotState, candle: &ClosedCandle, after: &BotState) {
    let (Some(was), Some(is)) = (before.instrument(0), after.instrument(0)) else { return };
    let newer = was.newest_candle().is_none_or(|newest| candle.candle.open_time > newest);
    let (Some(held), Some(holds)) = (was.holding(), is.holding()) else { return };
    if !newer {
        return;
    }
    let touched = case.settings.protective_stop == Resting::InEngine
        && held.levels.stop.is_some_and(|stop| match held.side() {
            Side::Buy => candle.candle.low <= stop.price,
            Side::Sell => candle.candle.high >= stop.price,
        });
    let old = most_candles(case).is_some_and(|most| holds.candles >= most);
    let forgotten = (touched || old) && wanted_exit(after).is_null();
    assert!(!forgotten, "stop touched: {touched}, too old: {old}, and no exit is wanted; {:?}", holds.levels);
}

/// The age at which the template's time stop closes whatever the profit.
fn most_candles(case: &Case) -> Option<u32> {
    let rule =
        case.template.exits.iter().find(|rule| rule.kind == "time_stop" && rule.enabled == Enabled::Yes)?;
    if rule.parameters.contains_key("only_if_profit_below") {
        return None;
    }
    match rule.parameters.get("max_candles") {
        Some(ParameterValue::Number(number)) => u32::try_from(number.0).ok(),
        Some(_) => None,
        None => Some(48),
    }
}

/// The exit that the instrument is busy with, from its snapshot.
fn wanted_exit(bot: &BotState) -> serde_json::Value {
    serde_json::to_value(bot).unwrap()["instruments"][0]["exit"].clone()
}
