//! From BitMEX's orders, executions, positions, margins and keys to the domain's.
//!
//! Pure. Each function takes one record and gives one value or a named error; contracts become coins or dollars and
//! minor units whole coins by the instrument's [`Contract`]. Market data is converted in [`super::convert_market`].

use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Decimal, Fill, KeyFacts, Known, Liquidity, MarginMode, Money,
    OpenOrder, OrderKind, OrderStatus, OrderUpdate, Position, PositionEffect, Price, Quantity, Side,
    SignedQuantity, TimeInForce, Timestamp, TriggerDirection, TriggerSource,
};

use super::contracts::{Contract, currency};
use super::refusals::order_refusal;
use super::wire::{Field, Flag, IsoTime, WireExecution, WireKey, WireMargin, WireOrder, WirePosition};
use crate::error::WireError;
use crate::event::ForcedBy;
use crate::port::FundingPayment;

const ORDER: &str = "order";
const EXECUTION: &str = "execution";
const POSITION: &str = "position";
const MARGIN: &str = "margin";

fn side(field: &Field<'_>, what: &'static str) -> Result<Side, WireError> {
    match field.text() {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        "" => Err(WireError::Missing { what, field: "side" }),
        _ => Err(WireError::Invalid { what, field: "side", expected: "Buy or Sell" }),
    }
}

/// Our name of an order; `None` when it is not one of ours.
fn client_id(field: &Field<'_>) -> Option<ClientOrderId> {
    field.text().parse().ok()
}

const fn too_large(what: &'static str, field: &'static str) -> WireError {
    WireError::Invalid { what, field, expected: "small enough to compute with" }
}

/// When it happened; older records have only the time of the row.
fn time(transacted: &Field<'_>, row: &Field<'_>, what: &'static str) -> Result<Timestamp, WireError> {
    match transacted.maybe(what, "transactTime")? {
        Some(IsoTime(at)) => Ok(at),
        None => row.get(what, "timestamp").map(|IsoTime(at)| at),
    }
}

fn is_waiting(row: &WireOrder<'_>) -> bool {
    let stops = matches!(row.order_type.text(), "Stop" | "StopLimit" | "MarketIfTouched" | "LimitIfTouched");
    stops && matches!(row.triggered.text(), "" | "NotTriggered")
}

fn order_status(row: &WireOrder<'_>) -> Result<OrderStatus, WireError> {
    match row.status.text() {
        "New" | "PendingNew" | "PendingReplace" | "PendingCancel" | "Triggered" | "Replaced"
            if is_waiting(row) =>
        {
            Ok(OrderStatus::Untriggered)
        }
        "New" | "PendingNew" | "PendingReplace" | "PendingCancel" | "Triggered" | "Replaced" => {
            Ok(OrderStatus::Open)
        }
        "PartiallyFilled" => Ok(OrderStatus::PartiallyFilled),
        "Filled" => Ok(OrderStatus::Filled),
        "Canceled" | "DoneForDay" | "Expired" | "Stopped" => Ok(OrderStatus::Canceled),
        "Rejected" => Ok(OrderStatus::Rejected),
        "" => Err(WireError::Missing { what: ORDER, field: "ordStatus" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "ordStatus", expected: "a known state" }),
    }
}

fn filled(row: &WireOrder<'_>, contract: Contract) -> Result<Decimal, WireError> {
    let contracts: Decimal = row.filled.maybe(ORDER, "cumQty")?.unwrap_or(Decimal::ZERO);
    contract.quantity(contracts).ok_or(too_large(ORDER, "cumQty"))
}

/// News of one of our orders; `None` when the order is foreign.
pub fn order_update(row: &WireOrder<'_>, contract: Contract) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(&row.client_id) else { return Ok(None) };
    let status = order_status(row)?;
    let refusal = match status {
        OrderStatus::Rejected | OrderStatus::Canceled => {
            order_refusal(row.reject_reason.text(), row.text.text())
        }
        OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled | OrderStatus::Filled => {
            None
        }
    };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(row.order_id.get(ORDER, "orderID")?),
        symbol: row.symbol.get(ORDER, "symbol")?,
        status,
        filled: filled(row, contract)?,
        refusal,
        // The row's time moves with every change, the transaction's with some.
        at: time(&row.at, &row.transacted, ORDER)?,
    }))
}

/// An order that rests, ours or foreign.
pub fn open_order(row: &WireOrder<'_>, contract: Contract) -> Result<OpenOrder, WireError> {
    let side = side(&row.side, ORDER)?;
    let contracts: Quantity = row.qty.get(ORDER, "orderQty")?;
    let quantity = contract.quantity(contracts.get()).and_then(|value| Quantity::new(value).ok());
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: row.order_id.get(ORDER, "orderID")?,
        symbol: row.symbol.get(ORDER, "symbol")?,
        side,
        kind: order_kind(row, side)?,
        quantity: quantity.ok_or(too_large(ORDER, "orderQty"))?,
        filled: filled(row, contract)?,
        effect: effect(row),
        status: order_status(row)?,
    })
}

fn instructions<'a>(row: &'a WireOrder<'_>) -> impl Iterator<Item = &'a str> {
    row.instructions.text().split(',').map(str::trim)
}

fn effect(row: &WireOrder<'_>) -> PositionEffect {
    if instructions(row).any(|word| matches!(word, "ReduceOnly" | "Close")) {
        PositionEffect::ReduceOnly
    } else {
        PositionEffect::Increase
    }
}

/// Conditional limit orders, which only others place, are told as stops at their trigger: the domain has no word for
/// them. A pegged order is told as the limit order that it is at the moment.
fn order_kind(row: &WireOrder<'_>, side: Side) -> Result<OrderKind, WireError> {
    let (with, against) = match side {
        Side::Buy => (TriggerDirection::Rises, TriggerDirection::Falls),
        Side::Sell => (TriggerDirection::Falls, TriggerDirection::Rises),
    };
    let stop = |direction| {
        let trigger: Price = row.stop.get(ORDER, "stopPx")?;
        Ok(OrderKind::StopMarket { trigger, direction, source: trigger_source(row) })
    };
    match row.order_type.text() {
        "Market" => Ok(OrderKind::Market),
        "Stop" | "StopLimit" => stop(with),
        "MarketIfTouched" | "LimitIfTouched" => stop(against),
        "Limit" | "Pegged" => {
            Ok(OrderKind::Limit { price: row.price.get(ORDER, "price")?, time_in_force: time_in_force(row)? })
        }
        "" => Err(WireError::Missing { what: ORDER, field: "ordType" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "ordType", expected: "a known type" }),
    }
}

fn time_in_force(row: &WireOrder<'_>) -> Result<TimeInForce, WireError> {
    match row.time_in_force.text() {
        "GoodTillCancel" | "Day" | "" => {
            let post_only = instructions(row).any(|word| word == "ParticipateDoNotInitiate");
            Ok(if post_only { TimeInForce::PostOnly } else { TimeInForce::Gtc })
        }
        "ImmediateOrCancel" => Ok(TimeInForce::Ioc),
        "FillOrKill" => Ok(TimeInForce::Fok),
        _ => Err(WireError::Invalid { what: ORDER, field: "timeInForce", expected: "known" }),
    }
}

/// BitMEX takes the mark price unless told otherwise.
fn trigger_source(row: &WireOrder<'_>) -> TriggerSource {
    let named = instructions(row).find_map(|word| match word {
        "LastPrice" => Some(TriggerSource::Last),
        "IndexPrice" => Some(TriggerSource::Index),
        "MarkPrice" => Some(TriggerSource::Mark),
        _ => None,
    });
    named.unwrap_or(TriggerSource::Mark)
}

/// What an execution was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// A part of an order was done; by force when the venue itself sent the order.
    Fill(Fill, Option<ForcedBy>),
    /// Funding.
    Funding(FundingPayment),
    /// News of an order without a trade, settlement, and whatever else changes no perpetual position.
    Other,
}

/// One execution.
pub fn execution(row: &WireExecution<'_>, contract: Contract) -> Result<Execution, WireError> {
    match row.kind.text() {
        "Trade" => Ok(Execution::Fill(fill(row, contract)?, forced(row))),
        "Liquidation" | "Bankruptcy" => {
            Ok(Execution::Fill(fill(row, contract)?, Some(ForcedBy::Liquidation)))
        }
        "Funding" => Ok(Execution::Funding(FundingPayment {
            symbol: row.symbol.get(EXECUTION, "symbol")?,
            paid: fee(row, contract)?,
            at: time(&row.transacted, &row.at, EXECUTION)?,
            id: row.exec_id.get(EXECUTION, "execID")?,
        })),
        "" => Err(WireError::Missing { what: EXECUTION, field: "execType" }),
        _ => Ok(Execution::Other),
    }
}

/// The venue's own orders carry the reason in their text.
fn forced(row: &WireExecution<'_>) -> Option<ForcedBy> {
    let text = row.text.text();
    if text.starts_with("Liquidation") {
        Some(ForcedBy::Liquidation)
    } else if text.starts_with("Deleverag") {
        Some(ForcedBy::Deleveraging)
    } else {
        None
    }
}

fn fill(row: &WireExecution<'_>, contract: Contract) -> Result<Fill, WireError> {
    let contracts: Quantity = row.qty.get(EXECUTION, "lastQty")?;
    let quantity = contract.quantity(contracts.get()).and_then(|value| Quantity::new(value).ok());
    Ok(Fill {
        fill_id: row.exec_id.get(EXECUTION, "execID")?,
        client_id: client_id(&row.client_id),
        venue_order_id: row.order_id.get(EXECUTION, "orderID")?,
        symbol: row.symbol.get(EXECUTION, "symbol")?,
        side: side(&row.side, EXECUTION)?,
        price: row.price.get(EXECUTION, "lastPx")?,
        quantity: quantity.ok_or(too_large(EXECUTION, "lastQty"))?,
        fee: fee(row, contract)?,
        liquidity: match row.liquidity.text() {
            "AddedLiquidity" | "Added" => Liquidity::Maker,
            "RemovedLiquidity" | "Removed" => Liquidity::Taker,
            "" => return Err(WireError::Missing { what: EXECUTION, field: "lastLiquidityInd" }),
            _ => {
                return Err(WireError::Invalid {
                    what: EXECUTION,
                    field: "lastLiquidityInd",
                    expected: "added or removed",
                });
            }
        },
        at: time(&row.transacted, &row.at, EXECUTION)?,
    })
}

/// In minor units; positive when paid.
fn fee(row: &WireExecution<'_>, contract: Contract) -> Result<Money, WireError> {
    let minor: Decimal = row.comm.get(EXECUTION, "execComm")?;
    let amount = contract.money(minor).ok_or(too_large(EXECUTION, "execComm"))?;
    Ok(Money::new(amount, contract.settle.asset))
}

/// A position. BitMEX has one per instrument.
pub fn position(row: &WirePosition<'_>, contract: Contract) -> Result<Position, WireError> {
    let contracts: Decimal = row.contracts.get(POSITION, "currentQty")?;
    let size = contract.quantity(contracts).ok_or(too_large(POSITION, "currentQty"))?;
    let size = SignedQuantity::new(size);
    let entry = row.entry.nonzero(POSITION, "avgEntryPrice")?;
    if entry.is_none() && !size.is_flat() {
        return Err(WireError::Missing { what: POSITION, field: "avgEntryPrice" });
    }
    let leverage: Option<Decimal> = row.leverage.nonzero(POSITION, "leverage")?;
    let unrealized: Option<Decimal> = row.unrealized.maybe(POSITION, "unrealisedPnl")?;
    let cross: Option<Flag> = row.cross.maybe(POSITION, "crossMargin")?;
    Ok(Position {
        symbol: row.symbol.get(POSITION, "symbol")?,
        size,
        entry: entry.filter(|_| !size.is_flat()),
        mark: row.mark.nonzero(POSITION, "markPrice")?,
        liquidation: row.liquidation.nonzero(POSITION, "liquidationPrice")?,
        // Below 1 is possible here and nowhere else.
        leverage: leverage.filter(|leverage| *leverage >= Decimal::ONE),
        unrealized: unrealized.and_then(|minor| contract.money(minor)),
        margin_mode: cross.map(|Flag(cross)| if cross { MarginMode::Cross } else { MarginMode::Isolated }),
    })
}

/// The balance of one currency; `None` for one that cannot be margin of our contracts.
pub fn balance(row: &WireMargin<'_>) -> Result<Option<Balance>, WireError> {
    if row.currency.is_empty() {
        return Err(WireError::Missing { what: MARGIN, field: "currency" });
    }
    let Some(currency) = currency(row.currency.text()) else { return Ok(None) };
    let money = |field: &Field<'_>, name| {
        let minor: Decimal = field.get(MARGIN, name)?;
        minor.checked_mul(currency.unit).map(|amount| amount.normalize()).ok_or(too_large(MARGIN, name))
    };
    let available = if row.available.is_empty() {
        money(&row.excess, "excessMargin")?
    } else {
        money(&row.available, "availableMargin")?
    };
    Ok(Some(Balance {
        asset: currency.asset,
        wallet: money(&row.wallet, "walletBalance")?,
        equity: money(&row.equity, "marginBalance")?,
        available: available.max(Decimal::ZERO),
    }))
}

/// Ranges that are no bound at all.
fn is_anywhere(cidr: &str) -> bool {
    matches!(cidr, "" | "0.0.0.0" | "0.0.0.0/0" | "::/0")
}

/// What a key may do. Reading needs no permission word. Words that we do not know are listed and count as dangerous.
pub fn key_facts(key: &WireKey<'_>) -> Result<KeyFacts, WireError> {
    let permissions = key.permissions.as_ref();
    let permissions = permissions.ok_or(WireError::Missing { what: "key", field: "permissions" })?;
    let holds = |word: &str| permissions.iter().any(|held| held.text() == word);
    let known = |yes| if yes { Known::Yes } else { Known::No };
    let mut addresses: Vec<&str> = key.cidrs.iter().flatten().map(Field::text).collect();
    if addresses.is_empty() {
        addresses.push(key.cidr.text());
    }
    let anywhere = addresses.iter().any(|cidr| is_anywhere(cidr));
    let trade = holds("order");
    let unknown =
        permissions.iter().filter(|word| !matches!(word.text(), "order" | "orderCancel" | "withdraw"));
    Ok(KeyFacts {
        read: Known::Yes,
        trade: known(trade),
        withdraw: known(holds("withdraw")),
        // BitMEX has no word for moving money between accounts.
        transfer: Known::Unknown,
        ip_bound: known(!anywhere),
        ip_addresses: if anywhere {
            vec![]
        } else {
            addresses.iter().map(|cidr| crate::error::scrub(cidr)).collect()
        },
        expires_at: None,
        unknown_permissions: unknown.map(|word| crate::error::scrub(word.text())).collect(),
        contract_types: if trade { ContractType::ALL.to_vec() } else { vec![] },
    })
}
