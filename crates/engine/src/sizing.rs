//! How large an entry is. Always rounded down to the lot; never larger than the settings, the limits and the equity
//! times leverage allow.
//!
//! It knows no orders. What stands against a size is said as blocks, so that a person sees needed against available.

use keyhold_domain::{Balance, Contract, Decimal, Instrument, Price, Quantity, ReasonCode};

use crate::decision::Block;
use crate::input::decimal_to_f64;
use crate::settings::{BotSettings, NotionalAmount, Sizing, WhenLarger};

/// What a size is computed from.
#[derive(Debug, Clone, Copy)]
pub struct SizeInputs<'a> {
    /// The instrument.
    pub instrument: &'a Instrument,
    /// The bot's settings.
    pub settings: &'a BotSettings,
    /// The balance in the settlement asset, when it was ever read.
    pub balance: Option<&'a Balance>,
    /// The price of the decision.
    pub price: Price,
    /// Where the hard stop would lie; `None` without one.
    pub stop: Option<Price>,
}

/// The entry's quantity, or what stands against it.
pub fn entry_quantity(inputs: &SizeInputs<'_>) -> Result<Quantity, Block> {
    let SizeInputs { instrument, settings, price, .. } = *inputs;
    let contract = instrument.contract();
    let wanted = wanted(inputs)?;
    let mut raw = wanted;
    if let Some(limit) = settings.limits.max_position_notional {
        let most_quote = match limit.most {
            NotionalAmount::Quote(quote) => Some(quote),
            NotionalAmount::PctEquity(pct) => Some(percent_of_equity(inputs, pct)?),
        };
        let most = most_quote.and_then(|quote| contract.quantity_for_quote(quote, price)).unwrap_or_default();
        if raw > most {
            match limit.when_larger {
                WhenLarger::Reduce => raw = most,
                WhenLarger::Refuse => {
                    return Err(too_much(ReasonCode::LimitNotional, contract, price, raw, most));
                }
            }
        }
    }
    if let Some(balance) = inputs.balance {
        let equity = in_quote(contract, balance.available.min(balance.equity), price).unwrap_or_default();
        let bought = equity.checked_mul(settings.leverage);
        let most = |quote: Option<Decimal>| {
            quote.and_then(|quote| contract.quantity_for_quote(quote, price)).unwrap_or_default()
        };
        // A fixed size that the account cannot carry is refused, so that it is never silently another one.
        match settings.sizing {
            Sizing::FixedQuantity { .. } | Sizing::FixedNotional { .. } if raw > most(bought) => {
                return Err(too_much(ReasonCode::InsufficientBalance, contract, price, raw, most(bought)));
            }
            Sizing::FixedQuantity { .. } | Sizing::FixedNotional { .. } => {}
            Sizing::PercentEquity { .. } | Sizing::RiskPerTrade { .. } => {
                raw = raw.min(most(bought.and_then(|quote| payable(inputs, quote))));
            }
        }
    }
    let quantity = instrument.quantity(raw).ok_or_else(|| below(instrument, raw))?;
    if instrument.meets_minimum(quantity, price) { Ok(quantity) } else { Err(below(instrument, raw)) }
}

/// How far the price may move against an entry between its decision and its fill without the venue refusing it.
const HEADROOM: Decimal = Decimal::from_parts(25, 0, 0, false, 4);

/// What of `bought` (equity times leverage) leaves enough for the fees of entering and leaving, which a venue demands beside
/// the margin, and for a small move of the price until the order arrives. The whole would be refused.
fn payable(inputs: &SizeInputs<'_>, bought: Decimal) -> Option<Decimal> {
    let fees = inputs.instrument.taker_fee.get().max(Decimal::ZERO).checked_mul(Decimal::TWO)?;
    let cost =
        fees.checked_mul(inputs.settings.leverage)?.checked_add(Decimal::ONE)?.checked_add(HEADROOM)?;
    bought.checked_div(cost)
}

/// The unrounded quantity that the sizing mode wants.
fn wanted(inputs: &SizeInputs<'_>) -> Result<Decimal, Block> {
    let contract = inputs.instrument.contract();
    let of_quote = |quote: Decimal| contract.quantity_for_quote(quote, inputs.price).unwrap_or_default();
    match inputs.settings.sizing {
        Sizing::FixedQuantity { quantity } => Ok(quantity),
        Sizing::FixedNotional { quote } => Ok(of_quote(quote)),
        Sizing::PercentEquity { pct } => percent_of_equity(inputs, pct).map(of_quote),
        Sizing::RiskPerTrade { pct } => risk_quantity(inputs, pct),
    }
}

/// Equity times percent, in quote currency.
fn percent_of_equity(inputs: &SizeInputs<'_>, pct: Decimal) -> Result<Decimal, Block> {
    let balance = inputs.balance.ok_or(Block::plain(ReasonCode::BalanceUnavailable))?;
    let contract = inputs.instrument.contract();
    in_quote(contract, balance.equity, inputs.price)
        .and_then(|equity| equity.checked_mul(pct)?.checked_div(Decimal::ONE_HUNDRED))
        .ok_or(Block::plain(ReasonCode::InsufficientBalance))
}

/// An amount of the settlement asset in quote currency. `None` on overflow.
pub(crate) fn in_quote(contract: Contract, amount: Decimal, price: Price) -> Option<Decimal> {
    match contract {
        Contract::Linear { .. } => Some(amount),
        Contract::Inverse { .. } => amount.checked_mul(price.get()),
    }
}

/// As much as loses `pct` percent of the equity between the price and the stop, in the settlement asset.
fn risk_quantity(inputs: &SizeInputs<'_>, pct: Decimal) -> Result<Decimal, Block> {
    let balance = inputs.balance.ok_or(Block::plain(ReasonCode::BalanceUnavailable))?;
    let stop = inputs.stop.ok_or(Block::plain(ReasonCode::BelowMinimum))?;
    let contract = inputs.instrument.contract();
    let (entry, stop) = (inputs.price.get(), stop.get());
    let quantity = || {
        let most = balance.equity.checked_mul(pct)?.checked_div(Decimal::ONE_HUNDRED)?;
        let move_ = entry.checked_sub(stop)?.abs();
        let worth = contract.multiplier().checked_mul(move_)?;
        // One division at the end, so that a size that comes out even is not rounded below itself.
        match contract {
            Contract::Linear { .. } => most.checked_div(worth),
            Contract::Inverse { .. } => most.checked_mul(entry.checked_mul(stop)?)?.checked_div(worth),
        }
    };
    quantity().ok_or(Block::plain(ReasonCode::BelowMinimum))
}

fn too_much(reason: ReasonCode, contract: Contract, price: Price, raw: Decimal, most: Decimal) -> Block {
    let quote = |raw: Decimal| {
        Quantity::new(raw).ok().and_then(|q| contract.quote_value(price, q)).map_or(0.0, decimal_to_f64)
    };
    Block::limit(reason, quote(raw), quote(most))
}

fn below(instrument: &Instrument, raw: Decimal) -> Block {
    let least = decimal_to_f64(instrument.min_quantity.get());
    Block::limit(ReasonCode::BelowMinimum, decimal_to_f64(raw), least)
}
