//! From OKX's orders, fills, positions and balances to the domain's.
//!
//! Pure. Each function takes one record and gives one value or a named error. Counts of contracts become our unit with
//! [`Sizes`]. Market data is converted in [`super::convert_market`].

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Decimal, Fill, KeyFacts, Known, Liquidity, MarginMode, Money,
    OpenOrder, OrderKind, OrderStatus, OrderUpdate, Position, PositionEffect, Price, Quantity, Side,
    SignedQuantity, Symbol, TimeInForce, Timestamp, TriggerDirection, TriggerSource, VenueOrderId,
};

use super::refusals::{order_refusal, stop_refusal};
use super::sizes::{Sizes, quantity_of};
use super::wire::{Field, WireAccount, WireBalance, WireBill, WireFill, WireOrder, WirePosition, WireStop};
use crate::error::WireError;
use crate::event::ForcedBy;
use crate::port::{FundingPayment, PositionMode};

const ORDER: &str = "order";
const STOP: &str = "stop order";
const FILL: &str = "fill";
const POSITION: &str = "position";

fn side(field: &Field<'_>, what: &'static str) -> Result<Side, WireError> {
    match field.text() {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        "" => Err(WireError::Missing { what, field: "side" }),
        _ => Err(WireError::Invalid { what, field: "side", expected: "buy or sell" }),
    }
}

/// OKX writes booleans as texts in answers and bare in some messages.
fn effect(field: &Field<'_>, what: &'static str) -> Result<PositionEffect, WireError> {
    match (field, field.text()) {
        (Field::True, _) | (_, "true") => Ok(PositionEffect::ReduceOnly),
        (Field::False | Field::Absent, _) | (_, "false") => Ok(PositionEffect::Increase),
        (Field::Text(text), _) if text.is_empty() => Ok(PositionEffect::Increase),
        (Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other, _) => {
            Err(WireError::Invalid { what, field: "reduceOnly", expected: "true or false" })
        }
    }
}

/// Our name of an order: its own, or that of the stop it came from. `None` when it is not one of ours.
pub fn client_id(row: &WireOrder<'_>) -> Option<ClientOrderId> {
    row.client_id.text().parse().or_else(|_| row.algo_client_id.text().parse()).ok()
}

fn order_status(row: &WireOrder<'_>) -> Result<OrderStatus, WireError> {
    match row.state.text() {
        "live" => Ok(OrderStatus::Open),
        "partially_filled" => Ok(OrderStatus::PartiallyFilled),
        "filled" => Ok(OrderStatus::Filled),
        "canceled" | "mmp_canceled" => Ok(OrderStatus::Canceled),
        "" => Err(WireError::Missing { what: ORDER, field: "state" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "state", expected: "a known state" }),
    }
}

fn scaled(size: Decimal, field: &Field<'_>, name: &'static str) -> Result<Decimal, WireError> {
    let contracts = field.maybe::<Decimal>(ORDER, name)?.unwrap_or(Decimal::ZERO);
    quantity_of(size, contracts, ORDER, name)
}

fn quantity(value: Decimal, what: &'static str, field: &'static str) -> Result<Quantity, WireError> {
    Quantity::new(value).map_err(|_| WireError::Invalid { what, field, expected: "a positive quantity" })
}

/// News of one of our orders; `None` when the order is foreign.
pub fn order_update(row: &WireOrder<'_>, sizes: &Sizes) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(row) else { return Ok(None) };
    let (symbol, size) = sizes.of(ORDER, &row.symbol)?;
    let status = order_status(row)?;
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(row.order_id.get(ORDER, "ordId")?),
        symbol,
        status,
        filled: scaled(size, &row.filled, "accFillSz")?,
        refusal: order_refusal(row.cancel_source.text()).filter(|_| status == OrderStatus::Canceled),
        at: row.updated.get(ORDER, "uTime")?,
    }))
}

/// An order that rests, ours or foreign.
pub fn open_order(row: &WireOrder<'_>, sizes: &Sizes) -> Result<OpenOrder, WireError> {
    let (symbol, size) = sizes.of(ORDER, &row.symbol)?;
    let contracts: Decimal = row.size.get(ORDER, "sz")?;
    Ok(OpenOrder {
        client_id: client_id(row),
        venue_id: row.order_id.get(ORDER, "ordId")?,
        symbol,
        side: side(&row.side, ORDER)?,
        kind: order_kind(row)?,
        quantity: quantity(quantity_of(size, contracts, ORDER, "sz")?, ORDER, "sz")?,
        filled: scaled(size, &row.filled, "accFillSz")?,
        effect: effect(&row.reduce_only, ORDER)?,
        status: order_status(row)?,
    })
}

fn order_kind(row: &WireOrder<'_>) -> Result<OrderKind, WireError> {
    let time_in_force = match row.order_type.text() {
        // `optimal_limit_ioc` may not go further than the best price of a moment; it has no price of its own.
        "market" | "optimal_limit_ioc" => return Ok(OrderKind::Market),
        "limit" => TimeInForce::Gtc,
        "post_only" | "mmp_and_post_only" | "mmp" => TimeInForce::PostOnly,
        "fok" | "op_fok" => TimeInForce::Fok,
        "ioc" => TimeInForce::Ioc,
        "" => return Err(WireError::Missing { what: ORDER, field: "ordType" }),
        _ => return Err(WireError::Invalid { what: ORDER, field: "ordType", expected: "a known kind" }),
    };
    Ok(OrderKind::Limit { price: row.price.get(ORDER, "px")?, time_in_force })
}

fn trigger_source(field: &Field<'_>) -> Result<TriggerSource, WireError> {
    match field.text() {
        "last" | "" => Ok(TriggerSource::Last),
        "mark" => Ok(TriggerSource::Mark),
        "index" => Ok(TriggerSource::Index),
        _ => Err(WireError::Invalid { what: STOP, field: "triggerPxType", expected: "a known price" }),
    }
}

/// A stop that became an order is told from then on by the news of that order, which carries its name.
fn stop_status(row: &WireStop<'_>) -> Result<OrderStatus, WireError> {
    match row.state.text() {
        "live" | "pause" => Ok(OrderStatus::Untriggered),
        "effective" | "partially_effective" | "order_placed" | "filled" => Ok(OrderStatus::Open),
        "canceled" => Ok(OrderStatus::Canceled),
        "order_failed" | "partially_failed" => Ok(OrderStatus::Rejected),
        "" => Err(WireError::Missing { what: STOP, field: "state" }),
        _ => Err(WireError::Invalid { what: STOP, field: "state", expected: "a known state" }),
    }
}

/// News of one of our stops; `None` when it is foreign. Nothing of it is filled: that is told of its order.
pub fn stop_update(row: &WireStop<'_>) -> Result<Option<OrderUpdate>, WireError> {
    let Ok(client_id) = row.algo_client_id.text().parse() else { return Ok(None) };
    let status = stop_status(row)?;
    let at = match row.updated.maybe(STOP, "uTime")? {
        Some(at) => at,
        None => row.created.get(STOP, "cTime")?,
    };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(row.algo_id.get(STOP, "algoId")?),
        symbol: row.symbol.get(STOP, "instId")?,
        status,
        filled: Decimal::ZERO,
        refusal: (status == OrderStatus::Rejected).then(|| stop_refusal(row.fail_code.text())),
        at,
    }))
}

/// A stop that waits, ours or foreign. `None` for one that closes whatever is held then: it has no size.
pub fn open_stop(row: &WireStop<'_>, sizes: &Sizes) -> Result<Option<OpenOrder>, WireError> {
    let Some(contracts) = row.size.nonzero::<Decimal>(STOP, "sz")? else { return Ok(None) };
    let (symbol, size) = sizes.of(STOP, &row.symbol)?;
    let side = side(&row.side, STOP)?;
    let Some(kind) = stop_kind(row, side)? else { return Ok(None) };
    Ok(Some(OpenOrder {
        client_id: row.algo_client_id.text().parse().ok(),
        venue_id: row.algo_id.get(STOP, "algoId")?,
        symbol,
        side,
        kind,
        quantity: quantity(quantity_of(size, contracts, STOP, "sz")?, STOP, "sz")?,
        filled: Decimal::ZERO,
        effect: effect(&row.reduce_only, STOP)?,
        status: stop_status(row)?,
    }))
}

/// A stop loss of a sale waits for the price to fall, a take profit for it to rise; of a purchase the other way round.
/// The other half of a pair is left out: whichever comes first ends both. A trigger that only others place has no
/// direction of its own; the side tells the usual one.
fn stop_kind(row: &WireStop<'_>, side: Side) -> Result<Option<OrderKind>, WireError> {
    use TriggerDirection::{Falls, Rises};
    let (against, with) = match side {
        Side::Sell => (Falls, Rises),
        Side::Buy => (Rises, Falls),
    };
    let choices = [
        (&row.loss_trigger, "slTriggerPx", &row.loss_by, against),
        (&row.profit_trigger, "tpTriggerPx", &row.profit_by, with),
        (&row.trigger, "triggerPx", &row.trigger_by, against),
    ];
    for (field, name, by, direction) in choices {
        if let Some(trigger) = field.nonzero::<Price>(STOP, name)? {
            return Ok(Some(OrderKind::StopMarket { trigger, direction, source: trigger_source(by)? }));
        }
    }
    Ok(None)
}

/// The order that a stop has become.
pub fn order_of_stop(row: &WireStop<'_>) -> Result<Option<VenueOrderId>, WireError> {
    row.order_id.maybe(STOP, "ordId")
}

fn liquidity(field: &Field<'_>, what: &'static str) -> Result<Liquidity, WireError> {
    match field.text() {
        "M" => Ok(Liquidity::Maker),
        "T" => Ok(Liquidity::Taker),
        "" => Err(WireError::Missing { what, field: "execType" }),
        _ => Err(WireError::Invalid { what, field: "execType", expected: "M or T" }),
    }
}

/// A trade's number counts within an instrument; with the order's it is unique.
fn fill_id(order: VenueOrderId, trade: &Field<'_>) -> Result<keyhold_domain::fill::FillId, WireError> {
    let trade: keyhold_domain::ShortText<30> = trade.get(FILL, "tradeId")?;
    format!("{order}-{trade}").parse().map_err(|_| WireError::Invalid {
        what: FILL,
        field: "ordId",
        expected: "short",
    })
}

/// A fill of a list. The name of the order is its own; fills of stops carry none, and `owner` tells it.
pub fn fill(row: &WireFill<'_>, owner: Option<ClientOrderId>, sizes: &Sizes) -> Result<Fill, WireError> {
    let (symbol, size) = sizes.of(FILL, &row.symbol)?;
    let venue_order_id = row.order_id.get(FILL, "ordId")?;
    let contracts: Decimal = row.size.get(FILL, "fillSz")?;
    let at = match row.filled_at.nonzero(FILL, "fillTime")? {
        Some(at) => at,
        None => row.at.get(FILL, "ts")?,
    };
    Ok(Fill {
        fill_id: fill_id(venue_order_id, &row.trade_id)?,
        client_id: row.client_id.text().parse().ok().or(owner),
        venue_order_id,
        symbol,
        side: side(&row.side, FILL)?,
        price: row.price.get(FILL, "fillPx")?,
        quantity: quantity(quantity_of(size, contracts, FILL, "fillSz")?, FILL, "fillSz")?,
        // OKX writes what is paid with a minus.
        fee: Money::new(-row.fee.get::<Decimal>(FILL, "fee")?, row.fee_asset.get(FILL, "feeCcy")?),
        liquidity: liquidity(&row.liquidity, FILL)?,
        at,
    })
}

/// The fill that an order's news tells, if any, and who forced it.
pub fn fill_of_order(
    row: &WireOrder<'_>,
    sizes: &Sizes,
) -> Result<Option<(Fill, Option<ForcedBy>)>, WireError> {
    let Some(contracts) = row.fill_size.nonzero::<Decimal>(ORDER, "fillSz")? else { return Ok(None) };
    let (symbol, size) = sizes.of(ORDER, &row.symbol)?;
    let venue_order_id = row.order_id.get(ORDER, "ordId")?;
    let (fee, asset) = if row.fill_fee.is_empty() {
        // Without the fee of the last fill the sum of all is as good when there is but one.
        let all: Decimal = row.filled.get(ORDER, "accFillSz")?;
        if all != contracts {
            return Err(WireError::Missing { what: ORDER, field: "fillFee" });
        }
        (row.fee.get::<Decimal>(ORDER, "fee")?, row.fee_asset.get(ORDER, "feeCcy")?)
    } else {
        (row.fill_fee.get(ORDER, "fillFee")?, row.fill_fee_asset.get(ORDER, "fillFeeCcy")?)
    };
    let fill = Fill {
        fill_id: fill_id(venue_order_id, &row.trade_id)?,
        client_id: client_id(row),
        venue_order_id,
        symbol,
        side: side(&row.side, ORDER)?,
        price: row.fill_price.get(ORDER, "fillPx")?,
        quantity: quantity(quantity_of(size, contracts, ORDER, "fillSz")?, ORDER, "fillSz")?,
        fee: Money::new(-fee, asset),
        liquidity: liquidity(&row.liquidity, ORDER)?,
        at: row.fill_time.get(ORDER, "fillTime")?,
    };
    let forced = match row.category.text() {
        "full_liquidation" | "partial_liquidation" => Some(ForcedBy::Liquidation),
        "adl" => Some(ForcedBy::Deleveraging),
        _ => None,
    };
    Ok(Some((fill, forced)))
}

/// A funding payment of the ledger. Receipts are positive there and negative here.
pub fn funding(row: &WireBill<'_>) -> Result<FundingPayment, WireError> {
    const WHAT: &str = "bill";
    let amount: Decimal = match row.pnl.nonzero(WHAT, "pnl")? {
        Some(amount) => amount,
        None => row.change.get(WHAT, "balChg")?,
    };
    Ok(FundingPayment {
        symbol: row.symbol.get(WHAT, "instId")?,
        paid: Money::new(-amount, row.asset.get(WHAT, "ccy")?),
        at: row.at.get(WHAT, "ts")?,
        id: row.bill_id.get(WHAT, "billId")?,
    })
}

/// A position with its place: one net one, or one of two.
pub fn position(row: &WirePosition<'_>, sizes: &Sizes) -> Result<(Position, PositionMode), WireError> {
    let (symbol, size) = sizes.of(POSITION, &row.symbol)?;
    let contracts: Decimal = row.size.maybe(POSITION, "pos")?.unwrap_or(Decimal::ZERO);
    let amount = quantity_of(size, contracts, POSITION, "pos")?;
    let (signed, mode) = match row.pos_side.text() {
        "net" | "" => (amount, PositionMode::OneWay),
        "long" => (amount.abs(), PositionMode::Hedge),
        "short" => (-amount.abs(), PositionMode::Hedge),
        _ => {
            return Err(WireError::Invalid {
                what: POSITION,
                field: "posSide",
                expected: "net, long or short",
            });
        }
    };
    let size = SignedQuantity::new(signed);
    let entry: Option<Price> = row.entry.nonzero(POSITION, "avgPx")?;
    if entry.is_none() && !size.is_flat() {
        return Err(WireError::Missing { what: POSITION, field: "avgPx" });
    }
    let position = Position {
        symbol,
        size,
        entry: entry.filter(|_| !size.is_flat()),
        mark: row.mark.nonzero(POSITION, "markPx")?,
        liquidation: row
            .liquidation
            .maybe::<Decimal>(POSITION, "liqPx")?
            .and_then(|raw| Price::new(raw).ok()),
        leverage: row.leverage.nonzero(POSITION, "lever")?,
        unrealized: row.unrealized.maybe(POSITION, "upl")?,
        margin_mode: match row.margin_mode.text() {
            "isolated" => Some(MarginMode::Isolated),
            "cross" => Some(MarginMode::Cross),
            _ => None,
        },
    };
    Ok((position, mode))
}

/// Balances. Coins whose names we cannot hold cannot be margin of our contracts and are left out. What is available is
/// told for margin accounts and for simple ones in two fields.
pub fn balances(row: &WireBalance<'_>) -> Result<Vec<Balance>, WireError> {
    const WHAT: &str = "balance";
    let coins = row.coins.as_ref().ok_or(WireError::Missing { what: WHAT, field: "details" })?;
    let mut balances = Vec::with_capacity(coins.len());
    for row in coins {
        if row.coin.is_empty() {
            return Err(WireError::Missing { what: WHAT, field: "ccy" });
        }
        let Ok(asset) = Asset::new(row.coin.text()) else { continue };
        let available: Decimal = match row.available_equity.maybe(WHAT, "availEq")? {
            Some(available) => available,
            None => row.available_balance.get(WHAT, "availBal")?,
        };
        balances.push(Balance {
            asset,
            wallet: row.cash.get(WHAT, "cashBal")?,
            equity: row.equity.get(WHAT, "eq")?,
            available: available.max(Decimal::ZERO),
        });
    }
    Ok(balances)
}

/// Whether the kind of account can trade perpetual contracts in a margin mode of ours: 1 is spot only, 4 is portfolio
/// margin.
pub fn can_margin(row: &WireAccount<'_>) -> Result<bool, WireError> {
    const WHAT: &str = "account";
    match row.level.get::<i64>(WHAT, "acctLv")? {
        2 | 3 => Ok(true),
        1 | 4 => Ok(false),
        _ => Err(WireError::Invalid { what: WHAT, field: "acctLv", expected: "1 to 4" }),
    }
}

/// One net position per instrument or two; it holds for the whole account.
pub fn position_mode(row: &WireAccount<'_>) -> Result<PositionMode, WireError> {
    const WHAT: &str = "account";
    match row.position_mode.text() {
        "net_mode" => Ok(PositionMode::OneWay),
        "long_short_mode" => Ok(PositionMode::Hedge),
        "" => Err(WireError::Missing { what: WHAT, field: "posMode" }),
        _ => Err(WireError::Invalid { what: WHAT, field: "posMode", expected: "a known mode" }),
    }
}

/// What a key may do. OKX has no word for transfers between own accounts: whether the right to trade allows them is not
/// told. Words that we do not know are listed and count as dangerous.
pub fn key_facts(row: &WireAccount<'_>) -> Result<KeyFacts, WireError> {
    const WHAT: &str = "key";
    if row.permissions.is_empty() {
        return Err(WireError::Missing { what: WHAT, field: "perm" });
    }
    let split = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let words = split(row.permissions.text());
    let known = |yes| if yes { Known::Yes } else { Known::No };
    let holds = |word: &str| words.iter().any(|held| held == word);
    let addresses = split(row.addresses.text());
    let contracts = match row.level.whole() {
        Some(2..=4) => vec![ContractType::Linear, ContractType::Inverse],
        Some(_) | None => vec![],
    };
    Ok(KeyFacts {
        // Every key reads; a key whose words we misread must not look blind.
        read: Known::Yes,
        trade: known(holds("trade")),
        withdraw: known(holds("withdraw")),
        transfer: if holds("trade") { Known::Unknown } else { Known::No },
        ip_bound: known(!addresses.is_empty()),
        ip_addresses: addresses,
        expires_at: None::<Timestamp>,
        unknown_permissions: words
            .iter()
            .filter(|word| !["read_only", "trade", "withdraw"].contains(&word.as_str()))
            .map(|word| crate::error::scrub(word))
            .collect(),
        contract_types: contracts,
    })
}

/// Whether a record is about a perpetual contract of a product.
pub fn is_of(product: ContractType, symbol: &Field<'_>) -> bool {
    super::sizes::product_of(symbol.text()) == Some(product)
}

/// The symbol of a record, for filters.
pub fn symbol_of(field: &Field<'_>) -> Option<Symbol> {
    field.text().parse().ok()
}
