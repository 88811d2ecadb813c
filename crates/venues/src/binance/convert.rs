//! From Binance's orders, fills, positions and balances to the domain's.
//!
//! Pure. Each function takes one record and gives one value or a named error. Quantities of COIN-M are contracts on the
//! wire and dollars here; see [`super::convert_market`], where market data is converted.

use std::collections::BTreeMap;

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Decimal, Fill, KeyFacts, Known, Liquidity, MarginMode, Money,
    OpenOrder, OrderKind, OrderStatus, OrderUpdate, Position, PositionEffect, Price, RefusalCode, Side,
    SignedQuantity, Symbol, TimeInForce, Timestamp, TriggerDirection, TriggerSource, VenueOrderId,
};

use super::convert_market::scaled;
use super::render::algo_id;
use super::wire::{
    Field, StreamAlgoRow, StreamBalance, StreamOrderRow, StreamPosition, WireAlgo, WireAsset, WireIncome,
    WireOrder, WirePosition, WireTrade,
};
use crate::error::{WireError, scrub};
use crate::event::ForcedBy;
use crate::port::{FundingPayment, PositionMode};

const ORDER: &str = "order";
const ALGO: &str = "conditional order";
const FILL: &str = "fill";
const POSITION: &str = "position";
const BALANCE: &str = "balance";

fn side(field: &Field<'_>, what: &'static str) -> Result<Side, WireError> {
    match field.text() {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        "" => Err(WireError::Missing { what, field: "side" }),
        _ => Err(WireError::Invalid { what, field: "side", expected: "BUY or SELL" }),
    }
}

/// Our name of an order; `None` when it is not one of ours.
pub fn client_id(field: &Field<'_>) -> Option<ClientOrderId> {
    field.text().parse().ok()
}

/// The venue's numbers are whole; ours are texts.
pub fn order_number(
    field: &Field<'_>,
    what: &'static str,
    name: &'static str,
) -> Result<VenueOrderId, WireError> {
    let number: i64 = field.get(what, name)?;
    VenueOrderId::new(&number.to_string()).map_err(|_| WireError::Invalid {
        what,
        field: name,
        expected: "a number",
    })
}

fn algo_number(field: &Field<'_>, name: &'static str) -> Result<VenueOrderId, WireError> {
    let number: i64 = field.get(ALGO, name)?;
    algo_id(number).ok_or(WireError::Invalid { what: ALGO, field: name, expected: "a number" })
}

fn is_true(field: &Field<'_>) -> bool {
    *field == Field::True || field.text() == "true"
}

fn effect(field: &Field<'_>) -> PositionEffect {
    if is_true(field) { PositionEffect::ReduceOnly } else { PositionEffect::Increase }
}

/// State and, where the venue ended the order by itself, why. A post-only order that would have taken expires.
fn order_status(
    status: &Field<'_>,
    time_in_force: &Field<'_>,
) -> Result<(OrderStatus, Option<RefusalCode>), WireError> {
    Ok(match status.text() {
        "NEW" | "NEW_ADL" | "NEW_INSURANCE" | "PENDING_CANCEL" => (OrderStatus::Open, None),
        "PARTIALLY_FILLED" => (OrderStatus::PartiallyFilled, None),
        "FILLED" => (OrderStatus::Filled, None),
        "EXPIRED" if time_in_force.text() == "GTX" => {
            (OrderStatus::Canceled, Some(RefusalCode::PostOnlyWouldCross))
        }
        "CANCELED" | "EXPIRED" => (OrderStatus::Canceled, None),
        "EXPIRED_IN_MATCH" => (OrderStatus::Canceled, Some(RefusalCode::Other)),
        "REJECTED" => (OrderStatus::Rejected, None),
        "" => return Err(WireError::Missing { what: ORDER, field: "status" }),
        _ => return Err(WireError::Invalid { what: ORDER, field: "status", expected: "a known state" }),
    })
}

/// News of one of our orders; `None` when the order is foreign.
pub fn order_update(row: &WireOrder<'_>, size: Decimal) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(&row.client_id) else { return Ok(None) };
    update_named(row, size, client_id).map(Some)
}

/// News of an order that goes by this name of ours, whatever the venue calls it.
pub fn update_named(
    row: &WireOrder<'_>,
    size: Decimal,
    client_id: ClientOrderId,
) -> Result<OrderUpdate, WireError> {
    let (status, refusal) = order_status(&row.status, &row.time_in_force)?;
    let filled = row.filled.maybe(ORDER, "executedQty")?.unwrap_or(Decimal::ZERO);
    let at = match row.updated.whole() {
        Some(0) | None => row.at.get(ORDER, "time")?,
        Some(_) => row.updated.get(ORDER, "updateTime")?,
    };
    Ok(OrderUpdate {
        client_id,
        venue_id: Some(order_number(&row.order_id, ORDER, "orderId")?),
        symbol: row.symbol.get(ORDER, "symbol")?,
        status,
        filled: scaled(filled, size, ORDER, "executedQty")?,
        refusal,
        at,
    })
}

/// An order that rests, ours or foreign.
pub fn open_order(row: &WireOrder<'_>, size: Decimal) -> Result<OpenOrder, WireError> {
    let quantity = scaled(row.quantity.get(ORDER, "origQty")?, size, ORDER, "origQty")?;
    let filled = row.filled.maybe(ORDER, "executedQty")?.unwrap_or(Decimal::ZERO);
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: order_number(&row.order_id, ORDER, "orderId")?,
        symbol: row.symbol.get(ORDER, "symbol")?,
        side: side(&row.side, ORDER)?,
        kind: order_kind(row)?,
        quantity: keyhold_domain::Quantity::new(quantity).map_err(|_| WireError::Invalid {
            what: ORDER,
            field: "origQty",
            expected: "positive",
        })?,
        filled: scaled(filled, size, ORDER, "executedQty")?,
        effect: effect(&row.reduce_only),
        status: order_status(&row.status, &row.time_in_force)?.0,
    })
}

fn order_kind(row: &WireOrder<'_>) -> Result<OrderKind, WireError> {
    match row.kind.text() {
        // A conditional order that has been triggered rests as what it became.
        "MARKET" | "STOP_MARKET" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" | "LIQUIDATION" => {
            Ok(OrderKind::Market)
        }
        "LIMIT" | "STOP" | "TAKE_PROFIT" => Ok(OrderKind::Limit {
            price: row.price.get(ORDER, "price")?,
            time_in_force: match row.time_in_force.text() {
                "GTC" | "GTD" | "GTE_GTC" | "" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                "GTX" | "RPI" => TimeInForce::PostOnly,
                _ => return Err(WireError::Invalid { what: ORDER, field: "timeInForce", expected: "known" }),
            },
        }),
        "" => Err(WireError::Missing { what: ORDER, field: "type" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "type", expected: "a known type" }),
    }
}

/// State of a conditional order. Triggered, it is an order of the matching engine, which tells what becomes of it;
/// finished, it was filled when as much was executed as it was sent for.
fn algo_status(status: &str, filled: Decimal, quantity: Option<Decimal>) -> Result<OrderStatus, WireError> {
    Ok(match status {
        "NEW" | "TRIGGERING" => OrderStatus::Untriggered,
        "TRIGGERED" if filled.is_zero() => OrderStatus::Open,
        "TRIGGERED" => OrderStatus::PartiallyFilled,
        "FINISHED" if quantity.is_some_and(|whole| filled >= whole && !whole.is_zero()) => {
            OrderStatus::Filled
        }
        "FINISHED" | "CANCELED" | "EXPIRED" => OrderStatus::Canceled,
        "REJECTED" => OrderStatus::Rejected,
        "" => return Err(WireError::Missing { what: ALGO, field: "algoStatus" }),
        _ => return Err(WireError::Invalid { what: ALGO, field: "algoStatus", expected: "a known state" }),
    })
}

/// News of one of our conditional orders; `None` when it is foreign.
pub fn algo_update(row: &WireAlgo<'_>, size: Decimal) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(&row.client_id) else { return Ok(None) };
    let told = if row.filled.is_empty() { &row.actual_quantity } else { &row.filled };
    let filled: Decimal = told.maybe(ALGO, "executedQty")?.unwrap_or(Decimal::ZERO);
    let status = algo_status(row.status.text(), filled, row.quantity.maybe(ALGO, "quantity")?)?;
    let at = match row.updated.whole() {
        Some(0) | None => row.created.get(ALGO, "createTime")?,
        Some(_) => row.updated.get(ALGO, "updateTime")?,
    };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(algo_number(&row.algo_id, "algoId")?),
        symbol: row.symbol.get(ALGO, "symbol")?,
        status,
        filled: scaled(filled, size, ALGO, "executedQty")?,
        refusal: None,
        at,
    }))
}

/// Whether an order of the matching engine was a conditional one before.
pub fn was_conditional(row: &WireOrder<'_>) -> bool {
    is_conditional(if row.original_kind.is_empty() { &row.kind } else { &row.original_kind })
}

/// The same of an order on the stream.
pub fn stream_was_conditional(row: &StreamOrderRow<'_>) -> bool {
    is_conditional(if row.original_kind.is_empty() { &row.kind } else { &row.original_kind })
}

fn is_conditional(kind: &Field<'_>) -> bool {
    matches!(
        kind.text(),
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET"
    )
}

/// The order of the matching engine that a conditional order has become.
pub fn actual_order(field: &Field<'_>) -> Option<i64> {
    field.whole().filter(|number| *number > 0)
}

/// A conditional order that waits. One that closes a whole position names no quantity and is left out by the caller.
/// Conditional limit orders, which only others place, are told as stops at their triggers: the domain has no word for
/// them.
pub fn open_algo(row: &WireAlgo<'_>, size: Decimal) -> Result<OpenOrder, WireError> {
    let side = side(&row.side, ALGO)?;
    let quantity = scaled(row.quantity.get(ALGO, "quantity")?, size, ALGO, "quantity")?;
    let kind = if row.order_type.is_empty() { &row.kind } else { &row.order_type };
    let direction = match (kind.text(), side) {
        ("STOP" | "STOP_MARKET" | "TRAILING_STOP_MARKET", Side::Buy)
        | ("TAKE_PROFIT" | "TAKE_PROFIT_MARKET", Side::Sell) => TriggerDirection::Rises,
        ("STOP" | "STOP_MARKET" | "TRAILING_STOP_MARKET", Side::Sell)
        | ("TAKE_PROFIT" | "TAKE_PROFIT_MARKET", Side::Buy) => TriggerDirection::Falls,
        ("", _) => return Err(WireError::Missing { what: ALGO, field: "orderType" }),
        _ => return Err(WireError::Invalid { what: ALGO, field: "orderType", expected: "a known type" }),
    };
    let source = match row.working_type.text() {
        "CONTRACT_PRICE" | "" => TriggerSource::Last,
        "MARK_PRICE" => TriggerSource::Mark,
        _ => return Err(WireError::Invalid { what: ALGO, field: "workingType", expected: "a known price" }),
    };
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: algo_number(&row.algo_id, "algoId")?,
        symbol: row.symbol.get(ALGO, "symbol")?,
        side,
        kind: OrderKind::StopMarket { trigger: row.trigger.get(ALGO, "triggerPrice")?, direction, source },
        quantity: keyhold_domain::Quantity::new(quantity).map_err(|_| WireError::Invalid {
            what: ALGO,
            field: "quantity",
            expected: "positive",
        })?,
        filled: Decimal::ZERO,
        effect: effect(&row.reduce_only),
        status: algo_status(row.status.text(), Decimal::ZERO, None)?,
    })
}

/// Whether an order belongs to hedge mode.
pub fn mode_of(position_side: &Field<'_>) -> PositionMode {
    match position_side.text() {
        "LONG" | "SHORT" => PositionMode::Hedge,
        _ => PositionMode::OneWay,
    }
}

/// A trade's number is unique within its instrument only.
fn fill_id(symbol: Symbol, number: i64) -> Result<keyhold_domain::fill::FillId, WireError> {
    keyhold_domain::fill::FillId::new(&format!("{symbol}:{number}")).map_err(|_| WireError::Invalid {
        what: FILL,
        field: "id",
        expected: "a short number",
    })
}

fn liquidity(field: &Field<'_>, name: &'static str) -> Result<Liquidity, WireError> {
    match field {
        Field::True => Ok(Liquidity::Maker),
        Field::False => Ok(Liquidity::Taker),
        Field::Absent => Err(WireError::Missing { what: FILL, field: name }),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            Err(WireError::Invalid { what: FILL, field: name, expected: "true or false" })
        }
    }
}

/// A fill over REST, which names the venue's order only; `names` holds ours.
pub fn fill(
    row: &WireTrade<'_>,
    size: Decimal,
    names: &BTreeMap<VenueOrderId, ClientOrderId>,
) -> Result<Fill, WireError> {
    let symbol: Symbol = row.symbol.get(FILL, "symbol")?;
    let venue_order_id = order_number(&row.order_id, FILL, "orderId")?;
    let quantity = scaled(row.quantity.get(FILL, "qty")?, size, FILL, "qty")?;
    let asset: Asset = row.commission_asset.get(FILL, "commissionAsset")?;
    Ok(Fill {
        fill_id: fill_id(symbol, row.id.get(FILL, "id")?)?,
        client_id: names.get(&venue_order_id).copied(),
        venue_order_id,
        symbol,
        side: side(&row.side, FILL)?,
        price: row.price.get(FILL, "price")?,
        quantity: keyhold_domain::Quantity::new(quantity).map_err(|_| WireError::Invalid {
            what: FILL,
            field: "qty",
            expected: "positive",
        })?,
        fee: Money::new(row.commission.get(FILL, "commission")?, asset),
        liquidity: liquidity(&row.maker, "maker")?,
        at: row.at.get(FILL, "time")?,
    })
}

/// What an order's message on the stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamNews {
    /// The state of one of our orders.
    pub update: Option<OrderUpdate>,
    /// A part of an order was done.
    pub fill: Option<Fill>,
    /// The venue sent the order itself.
    pub forced: Option<ForcedBy>,
}

/// An order's message. `known` is our name of a conditional order that has become this one.
pub fn stream_order(
    product: ContractType,
    row: &StreamOrderRow<'_>,
    size: Decimal,
    known: Option<ClientOrderId>,
) -> Result<StreamNews, WireError> {
    let name = client_id(&row.client_id).or(known);
    let symbol: Symbol = row.symbol.get(ORDER, "s")?;
    let at = row.at.get(ORDER, "T")?;
    let order_id = order_number(&row.order_id, ORDER, "i")?;
    let (status, refusal) = order_status(&row.status, &row.time_in_force)?;
    let filled = scaled(row.filled.maybe(ORDER, "z")?.unwrap_or(Decimal::ZERO), size, ORDER, "z")?;
    let update = name.map(|client_id| OrderUpdate {
        client_id,
        venue_id: Some(order_id),
        symbol,
        status,
        filled,
        refusal,
        at,
    });
    let forced = match row.client_id.text() {
        text if text.starts_with("autoclose-") => Some(ForcedBy::Liquidation),
        text if text.starts_with("adl_autoclose") => Some(ForcedBy::Deleveraging),
        _ => None,
    };
    let quantity: Option<Decimal> = row.last_quantity.nonzero(FILL, "l")?;
    let executed = matches!(row.execution.text(), "TRADE" | "CALCULATED");
    let Some(quantity) = quantity.filter(|_| executed) else {
        return Ok(StreamNews { update, fill: None, forced: None });
    };
    let asset = match row.commission_asset.maybe(FILL, "N")? {
        Some(asset) => asset,
        None => settle_of(product, symbol.as_str()).ok_or(WireError::Missing { what: FILL, field: "N" })?,
    };
    let fill = Fill {
        fill_id: fill_id(symbol, row.trade_id.get(FILL, "t")?)?,
        client_id: name,
        venue_order_id: order_id,
        symbol,
        side: side(&row.side, FILL)?,
        price: row.last_price.get(FILL, "L")?,
        quantity: keyhold_domain::Quantity::new(scaled(quantity, size, FILL, "l")?)
            .map_err(|_| WireError::Invalid { what: FILL, field: "l", expected: "positive" })?,
        fee: Money::new(row.commission.maybe(FILL, "n")?.unwrap_or(Decimal::ZERO), asset),
        liquidity: liquidity(&row.maker, "m")?,
        at,
    };
    Ok(StreamNews { update, fill: Some(fill), forced })
}

/// The settlement asset by Binance's naming: `BTCUSDT` settles in USDT, `BTCUSD_PERP` in BTC.
pub fn settle_of(product: ContractType, symbol: &str) -> Option<Asset> {
    let pair = symbol.split('_').next().unwrap_or_default();
    match product {
        ContractType::Linear => ["USDT", "USDC", "BUSD", "FDUSD", "USD1"]
            .into_iter()
            .find(|asset| pair.ends_with(asset))
            .and_then(|asset| Asset::new(asset).ok()),
        ContractType::Inverse => pair.strip_suffix("USD").and_then(|base| Asset::new(base).ok()),
    }
}

/// A conditional order's message; `None` when it is foreign. Message time is given, the record has none of its own.
pub fn stream_algo(
    row: &StreamAlgoRow<'_>,
    size: Decimal,
    at: Timestamp,
) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(&row.client_id) else { return Ok(None) };
    let filled: Decimal = row.filled.maybe(ALGO, "aq")?.unwrap_or(Decimal::ZERO);
    let status = algo_status(row.status.text(), filled, row.quantity.maybe(ALGO, "q")?)?;
    let refusal = match status {
        OrderStatus::Rejected => Some(reject_reason(row.reason.text())),
        OrderStatus::Open
        | OrderStatus::Untriggered
        | OrderStatus::PartiallyFilled
        | OrderStatus::Filled
        | OrderStatus::Canceled => None,
    };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(algo_number(&row.algo_id, "aid")?),
        symbol: row.symbol.get(ALGO, "s")?,
        status,
        filled: scaled(filled, size, ALGO, "aq")?,
        refusal,
        at,
    }))
}

/// Why the matching engine did not take a triggered order, as far as the text tells.
fn reject_reason(text: &str) -> RefusalCode {
    let text = text.to_ascii_lowercase();
    if text.contains("reduceonly") || text.contains("reduce only") {
        RefusalCode::ReduceOnlyRejected
    } else if text.contains("margin") || text.contains("balance") {
        RefusalCode::InsufficientMargin
    } else {
        RefusalCode::Other
    }
}

fn margin_mode(field: &Field<'_>) -> Option<MarginMode> {
    match field.text().to_ascii_lowercase().as_str() {
        "isolated" => Some(MarginMode::Isolated),
        "cross" | "crossed" => Some(MarginMode::Cross),
        _ => None,
    }
}

/// A position with its mode.
pub fn position(row: &WirePosition<'_>, size: Decimal) -> Result<(Position, PositionMode), WireError> {
    let amount = scaled(row.size.get(POSITION, "positionAmt")?, size, POSITION, "positionAmt")?;
    let held = SignedQuantity::new(amount);
    let told = margin_mode(&row.margin_type);
    // USD-M tells no margin type here, but only isolated positions have a wallet of their own.
    let own_wallet: Option<Decimal> = row.isolated_wallet.maybe(POSITION, "isolatedWallet")?;
    let by_wallet =
        own_wallet.map(|own| if own.is_zero() { MarginMode::Cross } else { MarginMode::Isolated });
    let entry: Option<Price> = row.entry.nonzero(POSITION, "entryPrice")?;
    if entry.is_none() && !held.is_flat() {
        return Err(WireError::Missing { what: POSITION, field: "entryPrice" });
    }
    let position = Position {
        symbol: row.symbol.get(POSITION, "symbol")?,
        size: held,
        entry: entry.filter(|_| !held.is_flat()),
        mark: row.mark.nonzero(POSITION, "markPrice")?,
        liquidation: row.liquidation.nonzero(POSITION, "liquidationPrice")?,
        leverage: row.leverage.nonzero(POSITION, "leverage")?,
        unrealized: row.unrealized.maybe(POSITION, "unRealizedProfit")?,
        margin_mode: told.or(by_wallet),
    };
    Ok((position, mode_of(&row.side)))
}

/// A position of the stream with its mode.
pub fn stream_position(
    row: &StreamPosition<'_>,
    size: Decimal,
) -> Result<(Position, PositionMode), WireError> {
    let amount = scaled(row.size.get(POSITION, "pa")?, size, POSITION, "pa")?;
    let held = SignedQuantity::new(amount);
    let entry: Option<Price> = row.entry.nonzero(POSITION, "ep")?;
    let position = Position {
        entry: entry.filter(|_| !held.is_flat()),
        unrealized: row.unrealized.maybe(POSITION, "up")?,
        margin_mode: margin_mode(&row.margin_type),
        ..Position::sized(row.symbol.get(POSITION, "s")?, held)
    };
    Ok((position, mode_of(&row.side)))
}

/// One asset of the account; `None` when its name is none that we can hold, so that it cannot be margin of ours.
pub fn balance(row: &WireAsset<'_>) -> Result<Option<Balance>, WireError> {
    if row.asset.is_empty() {
        return Err(WireError::Missing { what: BALANCE, field: "asset" });
    }
    let Ok(asset) = Asset::new(row.asset.text()) else { return Ok(None) };
    Ok(Some(Balance {
        asset,
        wallet: row.wallet.get(BALANCE, "walletBalance")?,
        equity: row.equity.get(BALANCE, "marginBalance")?,
        available: row.available.get::<Decimal>(BALANCE, "availableBalance")?.max(Decimal::ZERO),
    }))
}

/// A balance of the stream. It tells the wallet and its part behind cross positions, and not what positions have gained
/// or bind: the account is asked for the rest.
pub fn stream_balance(row: &StreamBalance<'_>) -> Result<Option<Balance>, WireError> {
    if row.asset.is_empty() {
        return Err(WireError::Missing { what: BALANCE, field: "a" });
    }
    let Ok(asset) = Asset::new(row.asset.text()) else { return Ok(None) };
    let wallet: Decimal = row.wallet.get(BALANCE, "wb")?;
    let cross: Option<Decimal> = row.cross.maybe(BALANCE, "cw")?;
    Ok(Some(Balance { asset, wallet, equity: wallet, available: cross.unwrap_or(wallet).max(Decimal::ZERO) }))
}

/// A funding payment; Binance writes what was received as positive.
pub fn funding(row: &WireIncome<'_>) -> Result<FundingPayment, WireError> {
    const WHAT: &str = "income";
    let amount: Decimal = row.amount.get(WHAT, "income")?;
    let symbol: Symbol = row.symbol.get(WHAT, "symbol")?;
    let number: i64 = row.id.get(WHAT, "tranId")?;
    let id = keyhold_domain::fill::FillId::new(&format!("{symbol}:f{number}"))
        .map_err(|_| WireError::Invalid { what: WHAT, field: "tranId", expected: "a short number" })?;
    Ok(FundingPayment {
        symbol,
        paid: Money::new(-amount, row.asset.get::<Asset>(WHAT, "asset")?),
        at: row.at.get(WHAT, "time")?,
        id,
    })
}

/// Permissions that move no money.
const HARMLESS: &[&str] = &[
    "enableReading",
    "enableFutures",
    "enableMargin",
    "enableSpotAndMarginTrading",
    "enableVanillaOptions",
    "enablePortfolioMarginTrading",
    "enableFixApiTrade",
    "enableFixReadOnly",
    "ipRestrict",
];

/// Permissions that move money within Binance.
const MOVES_MONEY: &[&str] = &["enableInternalTransfer", "permitsUniversalTransfer"];

const WITHDRAW: &str = "enableWithdrawals";

/// What a key may do. A permission that is granted and that we do not know is listed and counts as dangerous. Which
/// addresses the key is bound to is not told.
pub fn key_facts(key: &BTreeMap<String, Field<'_>>) -> Result<KeyFacts, WireError> {
    let flag = |name: &'static str| match key.get(name) {
        Some(Field::True) => Ok(Known::Yes),
        Some(Field::False) => Ok(Known::No),
        Some(_) => Err(WireError::Invalid { what: "key", field: name, expected: "true or false" }),
        None => Err(WireError::Missing { what: "key", field: name }),
    };
    let granted = |name: &&str| key.get(*name) == Some(&Field::True);
    let trade = flag("enableFutures")?;
    let known = |name: &str| HARMLESS.contains(&name) || MOVES_MONEY.contains(&name) || name == WITHDRAW;
    let unknown = key.iter().filter(|(name, value)| **value == Field::True && !known(name));
    let expires = key.get("tradingAuthorityExpirationTime").and_then(Field::whole).filter(|ms| *ms > 0);
    Ok(KeyFacts {
        read: flag("enableReading")?,
        trade,
        withdraw: flag(WITHDRAW)?,
        transfer: if MOVES_MONEY.iter().any(granted) { Known::Yes } else { Known::No },
        ip_bound: flag("ipRestrict")?,
        ip_addresses: vec![],
        expires_at: expires.map(Timestamp::from_ms),
        unknown_permissions: unknown.map(|(name, _)| scrub(name)).collect(),
        contract_types: if trade == Known::Yes { ContractType::ALL.to_vec() } else { vec![] },
    })
}
