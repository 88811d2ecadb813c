//! From Kraken's orders, fills, positions, accounts and keys to the domain's. Pure.
//!
//! Each function takes one record and gives one value or a named error. Market data is converted in
//! [`super::convert_market`].

use keyhold_domain::fill::FillId;
use keyhold_domain::money::Asset;
use keyhold_domain::{
    Balance, ClientOrderId, ContractType, Decimal, Fill, KeyFacts, Known, Liquidity, MarginMode, Money,
    OpenOrder, OrderKind, OrderStatus, OrderUpdate, Position, PositionEffect, Price, Quantity, Side,
    SignedQuantity, TimeInForce, Timestamp, TriggerDirection, TriggerSource,
};

use super::convert_market::{asset, settle_of, symbol};
use super::refusals::{end_of, refusal_of_event};
use super::wire::{
    self, FeedFill, FeedOrder, FeedPosition, Field, WireBooking, WireFill, WireKey, WireLeverage,
    WireOpenOrder, WireOrder, WireOrderStatus, WirePosition, WireSendStatus,
};
use super::wire_market::{FeedAccount, FeedFlex, WireAccount};
use crate::error::WireError;
use crate::event::ForcedBy;
use crate::port::{AccountSettings, FundingPayment};

const ORDER: &str = "order";
const FILL: &str = "fill";
const POSITION: &str = "position";
const ACCOUNT: &str = "account";
const BOOKING: &str = "booking";

/// Our name of an order; `None` when it is not one of ours.
pub fn client_id(field: &Field<'_>) -> Option<ClientOrderId> {
    field.text().parse().ok()
}

/// Kraken writes sides as words, small or great, and on some feeds as 0 and 1.
fn side(field: &Field<'_>, what: &'static str, name: &'static str) -> Result<Side, WireError> {
    if field.is_empty() {
        return Err(WireError::Missing { what, field: name });
    }
    match field.text() {
        "" if *field == Field::Whole(0) => Ok(Side::Buy),
        "" if *field == Field::Whole(1) => Ok(Side::Sell),
        word if word.eq_ignore_ascii_case("buy") => Ok(Side::Buy),
        word if word.eq_ignore_ascii_case("sell") => Ok(Side::Sell),
        _ => Err(WireError::Invalid { what, field: name, expected: "buy or sell" }),
    }
}

fn effect(field: &Field<'_>) -> Result<PositionEffect, WireError> {
    let reduces = wire::flag(field, ORDER, "reduceOnly")?;
    Ok(if reduces { PositionEffect::ReduceOnly } else { PositionEffect::Increase })
}

/// What an order says about its kind.
struct Kind<'a, 'b> {
    word: &'a Field<'b>,
    limit: &'a Field<'b>,
    stop: &'a Field<'b>,
    signal: &'a Field<'b>,
    side: Side,
    /// `take_profit` and its relatives wait on the other side of the price.
    trigger_side: &'a Field<'b>,
}

/// A conditional limit order and a take-profit order, which only others place, are told as stops at their trigger: the
/// domain has no word for them.
fn kind(told: &Kind<'_, '_>) -> Result<OrderKind, WireError> {
    let word = told.word.text();
    if let Some(trigger) = told.stop.nonzero::<Price>(ORDER, "stopPrice")? {
        let takes_profit = word.starts_with("take_profit") || word.starts_with("takeProfit");
        let waits_above = match told.trigger_side.text() {
            "trigger_above" => true,
            "trigger_below" => false,
            _ => (told.side == Side::Buy) != takes_profit,
        };
        let direction = if waits_above { TriggerDirection::Rises } else { TriggerDirection::Falls };
        return Ok(OrderKind::StopMarket { trigger, direction, source: trigger_source(told.signal)? });
    }
    let time_in_force = match word {
        "mkt" | "market" | "Market" => return Ok(OrderKind::Market),
        "lmt" | "limit" | "Limit" => TimeInForce::Gtc,
        "post" | "post_only" | "Post" => TimeInForce::PostOnly,
        "ioc" | "IoC" => TimeInForce::Ioc,
        "" => return Err(WireError::Missing { what: ORDER, field: "type" }),
        _ => return Err(WireError::Invalid { what: ORDER, field: "type", expected: "a known kind" }),
    };
    // An order by market is told as `ioc` without a price of its own by some calls.
    match told.limit.nonzero(ORDER, "limitPrice")? {
        Some(price) => Ok(OrderKind::Limit { price, time_in_force }),
        None if time_in_force == TimeInForce::Ioc => Ok(OrderKind::Market),
        None => Err(WireError::Missing { what: ORDER, field: "limitPrice" }),
    }
}

fn trigger_source(field: &Field<'_>) -> Result<TriggerSource, WireError> {
    match field.text() {
        "last" | "last_price" | "" => Ok(TriggerSource::Last),
        "mark" | "mark_price" => Ok(TriggerSource::Mark),
        "index" | "spot" | "spot_price" | "index_price" => Ok(TriggerSource::Index),
        _ => Err(WireError::Invalid { what: ORDER, field: "triggerSignal", expected: "a known price" }),
    }
}

fn working(filled: Decimal) -> OrderStatus {
    if filled.is_zero() { OrderStatus::Open } else { OrderStatus::PartiallyFilled }
}

fn total(left: Decimal, filled: Decimal) -> Result<Quantity, WireError> {
    let invalid = WireError::Invalid { what: ORDER, field: "filled", expected: "a part of the order" };
    let sum = left.checked_add(filled).ok_or(invalid)?;
    Quantity::new(sum.normalize()).map_err(|_| invalid)
}

fn filled(field: &Field<'_>, name: &'static str) -> Result<Decimal, WireError> {
    Ok(field.maybe::<Decimal>(ORDER, name)?.unwrap_or(Decimal::ZERO).normalize())
}

/// An order of `openorders`. Kraken tells there what is left.
pub fn open_order(row: &WireOpenOrder<'_>) -> Result<OpenOrder, WireError> {
    let side = side(&row.side, ORDER, "side")?;
    let kind = kind(&Kind {
        word: &row.kind,
        limit: &row.limit_price,
        stop: &row.stop_price,
        signal: &row.trigger_signal,
        side,
        trigger_side: &Field::Absent,
    })?;
    let filled = filled(&row.filled, "filledSize")?;
    let is_stop = matches!(kind, OrderKind::StopMarket { .. });
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: row.order_id.get(ORDER, "order_id")?,
        symbol: symbol(&row.symbol, ORDER, "symbol")?,
        side,
        kind,
        quantity: total(row.unfilled.get(ORDER, "unfilledSize")?, filled)?,
        filled,
        effect: effect(&row.reduce_only)?,
        status: if is_stop { OrderStatus::Untriggered } else { working(filled) },
    })
}

/// An order of the feed. Kraken tells there what is left.
pub fn feed_order(row: &FeedOrder<'_>) -> Result<OpenOrder, WireError> {
    let side = side(&row.direction, ORDER, "direction")?;
    let kind = kind(&Kind {
        word: &row.kind,
        limit: &row.limit_price,
        stop: &row.stop_price,
        signal: &row.trigger_signal,
        side,
        trigger_side: &Field::Absent,
    })?;
    let filled = filled(&row.filled, "filled")?;
    let is_stop = matches!(kind, OrderKind::StopMarket { .. });
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: row.order_id.get(ORDER, "order_id")?,
        symbol: symbol(&row.symbol, ORDER, "instrument")?,
        side,
        kind,
        quantity: total(row.left.get(ORDER, "qty")?, filled)?,
        filled,
        effect: effect(&row.reduce_only)?,
        status: if is_stop { OrderStatus::Untriggered } else { working(filled) },
    })
}

/// News of an order of ours from the feed; `None` when the order is foreign. `reason` counts when it is gone.
pub fn feed_update(order: &OpenOrder, gone: Option<&str>, at: Timestamp) -> Option<OrderUpdate> {
    let client_id = order.client_id?;
    let (status, refusal) = match gone {
        None => (order.status, None),
        Some(reason) => end_of(reason),
    };
    let filled = if status == OrderStatus::Filled { order.quantity.get() } else { order.filled };
    Some(OrderUpdate {
        client_id,
        venue_id: Some(order.venue_id),
        symbol: order.symbol,
        status,
        filled,
        refusal,
        at,
    })
}

/// An order of an event or of `orders/status`, with the whole size. `status` is told beside it.
pub fn whole_order(row: &WireOrder<'_>, status: OrderStatus) -> Result<OpenOrder, WireError> {
    let side = side(&row.side, ORDER, "side")?;
    let stop = if row.trigger_price.is_empty() { &row.stop_price } else { &row.trigger_price };
    let kind = kind(&Kind {
        word: &row.kind,
        limit: &row.limit_price,
        stop,
        signal: &row.trigger_signal,
        side,
        trigger_side: &row.trigger_side,
    })?;
    Ok(OpenOrder {
        client_id: client_id(&row.client_id),
        venue_id: row.order_id.get(ORDER, "orderId")?,
        symbol: symbol(&row.symbol, ORDER, "symbol")?,
        side,
        kind,
        quantity: row.quantity.get(ORDER, "quantity")?,
        filled: filled(&row.filled, "filled")?,
        effect: effect(&row.reduce_only)?,
        status,
    })
}

/// What `orders/status` knows of an order of ours; `None` when it is foreign.
pub fn order_status(row: &WireOrderStatus<'_>) -> Result<Option<OrderUpdate>, WireError> {
    let order = row.order.as_ref().ok_or(WireError::Missing { what: ORDER, field: "order" })?;
    let Some(client_id) = client_id(&order.client_id) else { return Ok(None) };
    let filled = filled(&order.filled, "filled")?;
    let status = match row.status.text() {
        "ENTERED_BOOK" => working(filled),
        "TRIGGER_PLACED" => OrderStatus::Untriggered,
        "FULLY_EXECUTED" => OrderStatus::Filled,
        "CANCELLED" => OrderStatus::Canceled,
        "REJECTED" | "TRIGGER_ACTIVATION_FAILURE" => OrderStatus::Rejected,
        "" => return Err(WireError::Missing { what: ORDER, field: "status" }),
        _ => return Err(WireError::Invalid { what: ORDER, field: "status", expected: "a known state" }),
    };
    let word = if row.error.is_empty() { &row.update_reason } else { &row.error };
    let quantity: Quantity = order.quantity.get(ORDER, "quantity")?;
    let updated = if order.updated.is_empty() { &order.placed } else { &order.updated };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(order.order_id.get(ORDER, "orderId")?),
        symbol: symbol(&order.symbol, ORDER, "symbol")?,
        status,
        filled: if status == OrderStatus::Filled { quantity.get() } else { filled },
        refusal: if status.is_final() { refusal_of_event(word.text()) } else { None },
        at: updated.get(ORDER, "lastUpdateTimestamp")?,
    }))
}

/// The end of an accepted order that cannot rest, when the answer tells it: it was executed, wholly or in part, and nothing
/// of it was placed. The feeds tell of all others.
pub fn sent_update(
    order: &keyhold_domain::NewOrder,
    row: &WireSendStatus<'_>,
) -> Result<Option<OrderUpdate>, WireError> {
    let rests = match order.kind {
        OrderKind::Market => false,
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Ioc | TimeInForce::Fok => false,
            TimeInForce::Gtc | TimeInForce::PostOnly => true,
        },
        OrderKind::StopMarket { .. } => true,
    };
    if rests {
        return Ok(None);
    }
    let mut filled = Decimal::ZERO;
    for event in row.order_events.iter().flatten() {
        match event.kind.text() {
            "EXECUTION" => {
                let amount: Decimal = event.amount.get("execution", "amount")?;
                filled = filled.saturating_add(amount);
            }
            "PLACE" => return Ok(None),
            _ => {}
        }
    }
    if filled.is_zero() {
        return Ok(None);
    }
    let whole = filled >= order.quantity.get();
    Ok(Some(OrderUpdate {
        client_id: order.client_id,
        venue_id: Some(row.order_id.get(ORDER, "order_id")?),
        symbol: order.symbol,
        status: if whole { OrderStatus::Filled } else { OrderStatus::Canceled },
        filled: filled.normalize(),
        refusal: None,
        at: row.received_time.get(ORDER, "receivedTime")?,
    }))
}

/// How a fill came about, by Kraken's word.
fn liquidity(field: &Field<'_>) -> Result<(Liquidity, Option<ForcedBy>), WireError> {
    match field.text() {
        "maker" => Ok((Liquidity::Maker, None)),
        "taker" | "takerAfterEdit" | "assignor" | "assignee" | "block" => Ok((Liquidity::Taker, None)),
        "liquidation" => Ok((Liquidity::Taker, Some(ForcedBy::Liquidation))),
        "unwindBankrupt" | "unwindCounterparty" => Ok((Liquidity::Taker, Some(ForcedBy::Deleveraging))),
        "" => Err(WireError::Missing { what: FILL, field: "fillType" }),
        _ => Err(WireError::Invalid { what: FILL, field: "fillType", expected: "a known kind" }),
    }
}

/// The asset of a fee: told, or by the contract's name.
fn fee_asset(told: &Field<'_>, name: &Field<'_>) -> Result<Asset, WireError> {
    let by_name = || settle_of(&name.text().to_ascii_uppercase());
    let found = if told.is_empty() { by_name() } else { asset(told.text()) };
    found.ok_or(WireError::Missing { what: FILL, field: "fee_currency" })
}

/// A fill of the feed, with what is left of its order.
pub fn feed_fill(row: &FeedFill<'_>) -> Result<(Fill, Option<ForcedBy>, Option<Decimal>), WireError> {
    let (liquidity, forced) = liquidity(&row.kind)?;
    let side = match row.buy {
        Field::True => Side::Buy,
        Field::False => Side::Sell,
        Field::Absent => return Err(WireError::Missing { what: FILL, field: "buy" }),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            return Err(WireError::Invalid { what: FILL, field: "buy", expected: "true or false" });
        }
    };
    let fee: Decimal = row.fee.get(FILL, "fee_paid")?;
    let fill = Fill {
        fill_id: row.fill_id.get(FILL, "fill_id")?,
        client_id: client_id(&row.client_id),
        venue_order_id: row.order_id.get(FILL, "order_id")?,
        symbol: symbol(&row.symbol, FILL, "instrument")?,
        side,
        price: row.price.get(FILL, "price")?,
        quantity: row.size.get(FILL, "qty")?,
        fee: Money::new(fee.normalize(), fee_asset(&row.fee_currency, &row.symbol)?),
        liquidity,
        at: row.at.get(FILL, "time")?,
    };
    Ok((fill, forced, row.left.maybe(FILL, "remaining_order_qty")?))
}

/// A fill over REST. `booked` is its fee in the account's log, for answers that do not tell it.
pub fn fill(row: &WireFill<'_>, booked: Option<Money>) -> Result<Fill, WireError> {
    let (liquidity, _) = liquidity(&row.kind)?;
    let fee = match (row.fee.maybe::<Decimal>(FILL, "fee_paid")?, booked) {
        (Some(fee), _) => Money::new(fee.normalize(), fee_asset(&row.fee_currency, &row.symbol)?),
        (None, Some(booked)) => booked,
        (None, None) => return Err(WireError::Missing { what: FILL, field: "fee_paid" }),
    };
    Ok(Fill {
        fill_id: row.fill_id.get(FILL, "fill_id")?,
        client_id: client_id(&row.client_id),
        venue_order_id: row.order_id.get(FILL, "order_id")?,
        symbol: symbol(&row.symbol, FILL, "symbol")?,
        side: side(&row.side, FILL, "side")?,
        price: row.price.get(FILL, "price")?,
        quantity: row.size.get(FILL, "size")?,
        fee,
        liquidity,
        at: row.at.get(FILL, "fillTime")?,
    })
}

/// When a row of `fills` happened, for paging.
pub fn fill_time(row: &WireFill<'_>) -> Result<Timestamp, WireError> {
    row.at.get(FILL, "fillTime")
}

/// The fee of a booked trade and the fill it belongs to; `None` for other bookings.
pub fn booked_fee(row: &WireBooking<'_>) -> Result<Option<(FillId, Money)>, WireError> {
    if row.execution.is_empty() || row.fee.is_empty() {
        return Ok(None);
    }
    let asset = asset(row.asset.text()).ok_or(WireError::Missing { what: BOOKING, field: "asset" })?;
    let fee: Decimal = row.fee.get(BOOKING, "fee")?;
    Ok(Some((row.execution.get(BOOKING, "execution")?, Money::new(fee.normalize(), asset))))
}

/// A booking's time, for paging.
pub fn booking_time(row: &WireBooking<'_>) -> Result<Timestamp, WireError> {
    row.at.get(BOOKING, "date")
}

/// A booking of funding; Kraken books what was received. `None` for bookings that moved nothing.
pub fn funding_payment(row: &WireBooking<'_>) -> Result<Option<FundingPayment>, WireError> {
    let Some(received) = row.funding.maybe::<Decimal>(BOOKING, "realized_funding")? else { return Ok(None) };
    let asset = asset(row.asset.text()).ok_or(WireError::Missing { what: BOOKING, field: "asset" })?;
    Ok(Some(FundingPayment {
        symbol: symbol(&row.contract, BOOKING, "contract")?,
        paid: Money::new((-received).normalize(), asset),
        at: row.at.get(BOOKING, "date")?,
        id: row.uid.get(BOOKING, "booking_uid")?,
    }))
}

fn signed(size: Decimal, word: &str) -> Result<SignedQuantity, WireError> {
    let invalid = WireError::Invalid { what: POSITION, field: "side", expected: "long or short" };
    match word {
        _ if size.is_zero() => Ok(SignedQuantity::ZERO),
        "long" => Ok(SignedQuantity::new(size.abs().normalize())),
        "short" => Ok(SignedQuantity::new(-size.abs().normalize())),
        "" => Err(WireError::Missing { what: POSITION, field: "side" }),
        _ => Err(invalid),
    }
}

const fn margin(leverage: Option<Decimal>) -> MarginMode {
    if leverage.is_some() { MarginMode::Isolated } else { MarginMode::Cross }
}

/// A position over REST. Its size has no sign, and mark and liquidation price are told on the stream only.
pub fn position(row: &WirePosition<'_>) -> Result<Position, WireError> {
    let size = signed(row.size.get(POSITION, "size")?, row.side.text())?;
    let leverage: Option<Decimal> = row.leverage.nonzero(POSITION, "maxFixedLeverage")?;
    let entry: Price = row.entry.get(POSITION, "price")?;
    Ok(Position {
        symbol: symbol(&row.symbol, POSITION, "symbol")?,
        size,
        entry: (!size.is_flat()).then_some(entry),
        mark: None,
        liquidation: None,
        leverage,
        unrealized: row.unrealized.maybe(POSITION, "unrealizedPnl")?,
        margin_mode: Some(margin(leverage)),
    })
}

/// A position of the feed.
pub fn feed_position(row: &FeedPosition<'_>) -> Result<Position, WireError> {
    let size = SignedQuantity::new(row.balance.get::<Decimal>(POSITION, "balance")?.normalize());
    let leverage: Option<Decimal> = row.leverage.nonzero(POSITION, "max_fixed_leverage")?;
    Ok(Position {
        symbol: symbol(&row.symbol, POSITION, "instrument")?,
        size,
        entry: if size.is_flat() { None } else { Some(row.entry.get(POSITION, "entry_price")?) },
        mark: row.mark.nonzero(POSITION, "mark_price")?,
        liquidation: row.liquidation.nonzero(POSITION, "liquidation_threshold")?,
        leverage,
        unrealized: row.unrealized.maybe(POSITION, "pnl")?,
        margin_mode: Some(margin(leverage)),
    })
}

/// The balance of an account that is margin of the product; `None` for others.
///
/// Linear contracts share the multi-collateral account. Its coins are worth dollars there, less a haircut, and Kraken
/// sums them up; that sum is the one balance, in dollars. Inverse contracts have an account per coin.
pub fn balance(product: ContractType, row: &WireAccount<'_>) -> Result<Option<Balance>, WireError> {
    match (row.kind.text(), product) {
        ("multiCollateralMarginAccount", ContractType::Linear) => Ok(Some(Balance {
            asset: Asset::new("USD").expect("three letters"),
            wallet: row.balance_value.get(ACCOUNT, "balanceValue")?,
            equity: row.portfolio_value.get(ACCOUNT, "portfolioValue")?,
            available: not_negative(row.available_margin.get(ACCOUNT, "availableMargin")?),
        })),
        ("marginAccount", ContractType::Inverse) => {
            let Some(asset) = asset(row.currency.text()) else { return Ok(None) };
            let balances = row.balances.as_ref();
            let held = balances.and_then(|all| all.get(row.currency.text()));
            let held = held.ok_or(WireError::Missing { what: ACCOUNT, field: "balances" })?;
            Ok(Some(Balance {
                asset,
                wallet: held.get(ACCOUNT, "balances")?,
                equity: row.auxiliary.equity.get(ACCOUNT, "pv")?,
                available: not_negative(row.auxiliary.available.get(ACCOUNT, "af")?),
            }))
        }
        ("", _) => Err(WireError::Missing { what: ACCOUNT, field: "type" }),
        _ => Ok(None),
    }
}

fn not_negative(value: Decimal) -> Decimal {
    value.max(Decimal::ZERO)
}

/// The same from the feed.
pub fn feed_balance(row: &FeedAccount<'_>) -> Result<Option<Balance>, WireError> {
    if row.unit.is_empty() {
        return Err(WireError::Missing { what: ACCOUNT, field: "unit" });
    }
    let Some(asset) = asset(row.unit.text()) else { return Ok(None) };
    Ok(Some(Balance {
        asset,
        wallet: row.balance.get(ACCOUNT, "balance")?,
        equity: row.equity.get(ACCOUNT, "portfolio_value")?,
        available: not_negative(row.available.get(ACCOUNT, "available")?),
    }))
}

/// The multi-collateral account from the feed.
pub fn feed_flex(row: &FeedFlex<'_>) -> Result<Balance, WireError> {
    Ok(Balance {
        asset: Asset::new("USD").expect("three letters"),
        wallet: row.balance.get(ACCOUNT, "balance_value")?,
        equity: row.equity.get(ACCOUNT, "portfolio_value")?,
        available: not_negative(row.available.get(ACCOUNT, "available_margin")?),
    })
}

/// Accounts of one coin may be several (dated and perpetual contracts of old); the first with money counts.
pub fn merge(balances: Vec<Balance>) -> Vec<Balance> {
    let mut merged: Vec<Balance> = Vec::with_capacity(balances.len());
    for balance in balances {
        match merged.iter_mut().find(|known| known.asset == balance.asset) {
            Some(known) if known.equity.is_zero() => *known = balance,
            Some(_) => {}
            None => merged.push(balance),
        }
    }
    merged
}

/// Margin is cross unless an instrument has a leverage of its own.
pub fn account_settings(preferences: &[WireLeverage<'_>]) -> AccountSettings {
    let isolated = preferences.iter().any(|row| !row.leverage.is_empty());
    AccountSettings { margin_mode: Some(if isolated { MarginMode::Isolated } else { MarginMode::Cross }) }
}

/// The levels of a permission, as Kraken's page of keys names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    None,
    Read,
    Full,
}

/// The words under which a level was seen or documented. Letters count and nothing else.
fn level(field: &Field<'_>) -> Option<Level> {
    let word = match field {
        Field::True => return Some(Level::Full),
        Field::False | Field::Absent => return Some(Level::None),
        Field::Text(text) => text.to_ascii_lowercase(),
        Field::Whole(_) | Field::Number(_) | Field::Other => return None,
    };
    let word: String = word.chars().filter(char::is_ascii_lowercase).collect();
    match word.as_str() {
        "" | "none" | "noaccess" => Some(Level::None),
        "read" | "readonly" => Some(Level::Read),
        "full" | "fullaccess" | "readwrite" | "trade" => Some(Level::Full),
        _ => None,
    }
}

/// What a key may do. The documentation shows `permissions` without what is in it: areas and levels are those of the page
/// on which keys are made. What we do not know is listed and counts as dangerous; an area that is not told is unknown.
pub fn key_facts(key: &WireKey<'_>) -> Result<KeyFacts, WireError> {
    const WHAT: &str = "key";
    let permissions =
        key.permissions.as_ref().ok_or(WireError::Missing { what: WHAT, field: "permissions" })?;
    let mut unknown_permissions = vec![];
    let mut general: Option<Level> = None;
    let mut withdrawal: Option<Level> = None;
    for (area, field) in permissions {
        let told = level(field);
        let lower = area.to_ascii_lowercase();
        let known = match lower.trim_end_matches("access").trim_end_matches(['_', ' ']) {
            "general" | "trading" | "trade" => Some(&mut general),
            "withdrawal" | "withdrawals" | "withdraw" | "transfer" | "transfers" => Some(&mut withdrawal),
            _ => None,
        };
        match (known, told) {
            (Some(slot), Some(told)) => *slot = Some(slot.map_or(told, |had| highest(had, told))),
            (None, Some(Level::None)) => {}
            (Some(_), None) | (None, _) => unknown_permissions.push(crate::error::scrub(area)),
        }
    }
    let known = |level: Option<Level>, least: Level| match level {
        None => Known::Unknown,
        Some(level) if rank(level) >= rank(least) => Known::Yes,
        Some(_) => Known::No,
    };
    let blocks = key.allowed_cidr_blocks.iter().flatten().chain([&key.allowed_cidr_block]);
    let mut addresses: Vec<String> =
        blocks.filter(|block| !block.is_empty()).map(|block| crate::error::scrub(block.text())).collect();
    addresses.sort();
    addresses.dedup();
    let anywhere = addresses.is_empty() || addresses.iter().any(|block| block.ends_with("/0"));
    // One permission rules transfers between own wallets and withdrawals at Kraken Futures.
    let moves = known(withdrawal, Level::Read);
    Ok(KeyFacts {
        // It answered.
        read: if general.is_none() { Known::Unknown } else { known(general, Level::Read) },
        trade: known(general, Level::Full),
        withdraw: moves,
        transfer: moves,
        ip_bound: if anywhere { Known::No } else { Known::Yes },
        ip_addresses: if anywhere { vec![] } else { addresses },
        expires_at: key.expires_at.maybe(WHAT, "expiresAt").ok().flatten(),
        unknown_permissions,
        contract_types: match known(general, Level::Full) {
            Known::Yes | Known::Unknown => ContractType::ALL.to_vec(),
            Known::No => vec![],
        },
    })
}

const fn rank(level: Level) -> u8 {
    match level {
        Level::None => 0,
        Level::Read => 1,
        Level::Full => 2,
    }
}

fn highest(one: Level, other: Level) -> Level {
    if rank(one) >= rank(other) { one } else { other }
}
