//! From Bybit's orders, fills, positions and wallets to the domain's.
//!
//! Pure. Each function takes one record and gives one value or a named error. Market data is converted in
//! [`super::convert_market`].

use keyhold_domain::money::Asset;
use keyhold_domain::{
    AccountSnapshot, Balance, ClientOrderId, ContractType, Decimal, Fill, KeyFacts, Known, Liquidity,
    MarginMode, Money, OpenOrder, OrderKind, OrderStatus, OrderUpdate, Position, PositionEffect, Price, Side,
    SignedQuantity, Symbol, TimeInForce, Timestamp, TriggerDirection, TriggerSource,
};

use super::refusals::order_refusal;
use super::wire::{Field, WireExecution, WireKey, WireOrder, WirePosition, WireWallet};
use crate::error::WireError;
use crate::event::ForcedBy;
use crate::port::{AccountSettings, FundingPayment, PositionMode};

const ORDER: &str = "order";
const EXECUTION: &str = "execution";
const POSITION: &str = "position";
const WALLET: &str = "wallet";

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

fn order_status(row: &WireOrder<'_>) -> Result<OrderStatus, WireError> {
    match row.status.text() {
        "New" | "Created" | "Active" | "Triggered" => Ok(OrderStatus::Open),
        "Untriggered" => Ok(OrderStatus::Untriggered),
        "PartiallyFilled" => Ok(OrderStatus::PartiallyFilled),
        "Filled" => Ok(OrderStatus::Filled),
        "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => Ok(OrderStatus::Canceled),
        "Rejected" => Ok(OrderStatus::Rejected),
        "" => Err(WireError::Missing { what: ORDER, field: "orderStatus" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "orderStatus", expected: "a known state" }),
    }
}

fn filled(row: &WireOrder<'_>) -> Result<Decimal, WireError> {
    Ok(row.filled.maybe(ORDER, "cumExecQty")?.unwrap_or(Decimal::ZERO))
}

/// News of one of our orders; `None` when the order is foreign.
pub fn order_update(row: &WireOrder<'_>) -> Result<Option<OrderUpdate>, WireError> {
    let Some(client_id) = client_id(&row.link_id) else { return Ok(None) };
    let status = order_status(row)?;
    let refusal = match status {
        OrderStatus::Rejected | OrderStatus::Canceled => {
            order_refusal(row.reject_reason.text(), row.cancel_type.text())
        }
        OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled | OrderStatus::Filled => {
            None
        }
    };
    Ok(Some(OrderUpdate {
        client_id,
        venue_id: Some(row.order_id.get(ORDER, "orderId")?),
        symbol: row.symbol.get(ORDER, "symbol")?,
        status,
        filled: filled(row)?,
        refusal,
        at: row.updated.get(ORDER, "updatedTime")?,
    }))
}

/// An order that rests, ours or foreign.
pub fn open_order(row: &WireOrder<'_>) -> Result<OpenOrder, WireError> {
    Ok(OpenOrder {
        client_id: client_id(&row.link_id),
        venue_id: row.order_id.get(ORDER, "orderId")?,
        symbol: row.symbol.get(ORDER, "symbol")?,
        side: side(&row.side, ORDER)?,
        kind: order_kind(row)?,
        quantity: row.qty.get(ORDER, "qty")?,
        filled: filled(row)?,
        effect: effect(&row.reduce_only)?,
        status: order_status(row)?,
    })
}

/// True or false; older records of USDC contracts write 1 or 0.
fn effect(field: &Field<'_>) -> Result<PositionEffect, WireError> {
    match field {
        Field::True | Field::Whole(1) => Ok(PositionEffect::ReduceOnly),
        Field::False | Field::Whole(0) | Field::Absent => Ok(PositionEffect::Increase),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            Err(WireError::Invalid { what: ORDER, field: "reduceOnly", expected: "true or false" })
        }
    }
}

/// A conditional limit order, which only others place, is told as a stop at its trigger: the domain has no word for it.
fn order_kind(row: &WireOrder<'_>) -> Result<OrderKind, WireError> {
    if let Some(trigger) = row.trigger_price.nonzero::<Price>(ORDER, "triggerPrice")? {
        let direction = trigger_direction(row, trigger)?;
        return Ok(OrderKind::StopMarket { trigger, direction, source: trigger_source(&row.trigger_by)? });
    }
    match row.order_type.text() {
        "Market" => Ok(OrderKind::Market),
        "Limit" => Ok(OrderKind::Limit {
            price: row.price.get(ORDER, "price")?,
            time_in_force: match row.time_in_force.text() {
                "GTC" | "" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                "PostOnly" | "RPI" => TimeInForce::PostOnly,
                _ => return Err(WireError::Invalid { what: ORDER, field: "timeInForce", expected: "known" }),
            },
        }),
        "" => Err(WireError::Missing { what: ORDER, field: "orderType" }),
        _ => Err(WireError::Invalid { what: ORDER, field: "orderType", expected: "Market or Limit" }),
    }
}

fn trigger_direction(row: &WireOrder<'_>, trigger: Price) -> Result<TriggerDirection, WireError> {
    match row.trigger_direction.whole() {
        Some(1) => return Ok(TriggerDirection::Rises),
        Some(2) => return Ok(TriggerDirection::Falls),
        Some(_) | None => {}
    }
    // Stops attached to a position come without a direction; the price at their birth tells it.
    match row.last_price.nonzero::<Price>(ORDER, "lastPriceOnCreated")? {
        Some(last) if trigger > last => Ok(TriggerDirection::Rises),
        Some(_) => Ok(TriggerDirection::Falls),
        None => Err(WireError::Missing { what: ORDER, field: "triggerDirection" }),
    }
}

fn trigger_source(field: &Field<'_>) -> Result<TriggerSource, WireError> {
    match field.text() {
        "LastPrice" | "" | "UNKNOWN" => Ok(TriggerSource::Last),
        "MarkPrice" => Ok(TriggerSource::Mark),
        "IndexPrice" => Ok(TriggerSource::Index),
        _ => Err(WireError::Invalid { what: ORDER, field: "triggerBy", expected: "a known price" }),
    }
}

/// What an execution was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// A part of an order was done; by force when the venue itself sent the order.
    Fill(Fill, Option<ForcedBy>),
    /// Funding.
    Funding(FundingPayment),
    /// Settlement and other events that change no order and no perpetual position.
    Other,
}

/// One execution.
pub fn execution(product: ContractType, row: &WireExecution<'_>) -> Result<Execution, WireError> {
    match row.kind.text() {
        "Trade" | "" | "BlockTrade" | "MovePosition" => Ok(Execution::Fill(fill(product, row)?, None)),
        "BustTrade" => Ok(Execution::Fill(fill(product, row)?, Some(ForcedBy::Liquidation))),
        "AdlTrade" => Ok(Execution::Fill(fill(product, row)?, Some(ForcedBy::Deleveraging))),
        "Funding" => Ok(Execution::Funding(FundingPayment {
            symbol: row.symbol.get(EXECUTION, "symbol")?,
            paid: fee(product, row)?,
            at: row.at.get(EXECUTION, "execTime")?,
            id: row.exec_id.get(EXECUTION, "execId")?,
        })),
        _ => Ok(Execution::Other),
    }
}

fn fill(product: ContractType, row: &WireExecution<'_>) -> Result<Fill, WireError> {
    Ok(Fill {
        fill_id: row.exec_id.get(EXECUTION, "execId")?,
        client_id: client_id(&row.link_id),
        venue_order_id: row.order_id.get(EXECUTION, "orderId")?,
        symbol: row.symbol.get(EXECUTION, "symbol")?,
        side: side(&row.side, EXECUTION)?,
        price: row.price.get(EXECUTION, "execPrice")?,
        quantity: row.qty.get(EXECUTION, "execQty")?,
        fee: fee(product, row)?,
        liquidity: match row.is_maker {
            Field::True => Liquidity::Maker,
            Field::False => Liquidity::Taker,
            Field::Absent => return Err(WireError::Missing { what: EXECUTION, field: "isMaker" }),
            Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
                return Err(WireError::Invalid {
                    what: EXECUTION,
                    field: "isMaker",
                    expected: "true or false",
                });
            }
        },
        at: row.at.get(EXECUTION, "execTime")?,
    })
}

/// Positive when paid. Without its currency it is in the settlement asset, which the symbol tells.
fn fee(product: ContractType, row: &WireExecution<'_>) -> Result<Money, WireError> {
    let amount = row.fee.get(EXECUTION, "execFee")?;
    let asset = match row.fee_currency.maybe(EXECUTION, "feeCurrency")? {
        Some(asset) => asset,
        None => settle_of(product, row.symbol.text())
            .ok_or(WireError::Missing { what: EXECUTION, field: "feeCurrency" })?,
    };
    Ok(Money::new(amount, asset))
}

/// The settlement asset by Bybit's naming of perpetual contracts: `BTCUSDT` settles in USDT, `BTCPERP` in USDC,
/// the inverse `BTCUSD` in BTC.
pub fn settle_of(product: ContractType, symbol: &str) -> Option<Asset> {
    match product {
        ContractType::Linear if symbol.ends_with("USDT") => Asset::new("USDT").ok(),
        ContractType::Linear if symbol.ends_with("PERP") || symbol.ends_with("USDC") => {
            Asset::new("USDC").ok()
        }
        ContractType::Linear => None,
        ContractType::Inverse => symbol.strip_suffix("USD").and_then(|base| Asset::new(base).ok()),
    }
}

/// A position with its place: one-way or one of two. The stream and REST name the entry price differently.
pub fn position(row: &WirePosition<'_>) -> Result<(Position, PositionMode), WireError> {
    let size: Decimal = row.size.get(POSITION, "size")?;
    let size = if size.is_zero() {
        SignedQuantity::ZERO
    } else {
        match side(&row.side, POSITION)? {
            Side::Buy => SignedQuantity::new(size.abs()),
            Side::Sell => SignedQuantity::new(-size.abs()),
        }
    };
    let entry = match row.avg_price.nonzero(POSITION, "avgPrice")? {
        Some(price) => Some(price),
        None => row.entry_price.nonzero(POSITION, "entryPrice")?,
    };
    if entry.is_none() && !size.is_flat() {
        return Err(WireError::Missing { what: POSITION, field: "avgPrice" });
    }
    let position = Position {
        symbol: row.symbol.get(POSITION, "symbol")?,
        size,
        entry: entry.filter(|_| !size.is_flat()),
        mark: row.mark.nonzero(POSITION, "markPrice")?,
        liquidation: row.liquidation.nonzero(POSITION, "liqPrice")?,
        leverage: row.leverage.nonzero(POSITION, "leverage")?,
        unrealized: row.unrealized.maybe(POSITION, "unrealisedPnl")?,
        // A unified account writes 0 whatever its mode is; only 1 says something.
        margin_mode: (row.trade_mode.whole() == Some(1)).then_some(MarginMode::Isolated),
    };
    let mode = match row.index.maybe::<i64>(POSITION, "positionIdx")? {
        Some(0) | None => PositionMode::OneWay,
        Some(_) => PositionMode::Hedge,
    };
    Ok((position, mode))
}

/// Balances of the unified wallet. Coins whose names we cannot hold cannot be margin of our contracts and are left
/// out. `available` is computed: wallet or equity, whichever is less, minus margin in use and what spot orders lock;
/// Bybit's own field for it is empty in unified accounts.
pub fn balances(wallet: &WireWallet<'_>) -> Result<Vec<Balance>, WireError> {
    let coins = wallet.coins.as_ref().ok_or(WireError::Missing { what: WALLET, field: "coin" })?;
    let mut balances = Vec::with_capacity(coins.len());
    for row in coins {
        if row.coin.is_empty() {
            return Err(WireError::Missing { what: WALLET, field: "coin" });
        }
        let Ok(asset) = Asset::new(row.coin.text()) else { continue };
        let wallet: Decimal = row.wallet.get(WALLET, "walletBalance")?;
        let equity: Decimal = row.equity.get(WALLET, "equity")?;
        let in_use = [
            row.position_margin.maybe(WALLET, "totalPositionIM")?,
            row.order_margin.maybe(WALLET, "totalOrderIM")?,
            row.locked.maybe(WALLET, "locked")?,
        ];
        let rest = in_use.into_iter().flatten().try_fold(wallet.min(equity), Decimal::checked_sub);
        let rest = rest.ok_or(WireError::Invalid {
            what: WALLET,
            field: "totalPositionIM",
            expected: "small enough to compute with",
        })?;
        balances.push(Balance { asset, wallet, equity, available: rest.max(Decimal::ZERO) });
    }
    Ok(balances)
}

/// Bybit's margin mode; portfolio margin is none of ours.
pub fn account_settings(margin_mode: &Field<'_>) -> Result<AccountSettings, WireError> {
    let margin_mode = match margin_mode.text() {
        "ISOLATED_MARGIN" => Some(MarginMode::Isolated),
        "REGULAR_MARGIN" => Some(MarginMode::Cross),
        "PORTFOLIO_MARGIN" => None,
        "" => return Err(WireError::Missing { what: "account", field: "marginMode" }),
        _ => {
            return Err(WireError::Invalid {
                what: "account",
                field: "marginMode",
                expected: "a known mode",
            });
        }
    };
    Ok(AccountSettings { margin_mode })
}

/// Permission words that move no money: group and word.
const HARMLESS: &[(&str, &str)] = &[
    ("ContractTrade", "Order"),
    ("ContractTrade", "Position"),
    ("Spot", "SpotTrade"),
    ("Options", "OptionsTrade"),
    ("Derivatives", "DerivativesTrade"),
    ("CopyTrading", "CopyTrading"),
    ("BlockTrade", "BlockTrade"),
    ("Exchange", "ExchangeHistory"),
    ("NFT", "NFTQueryProductList"),
    ("Affiliate", "Affiliate"),
];

/// Permission words that move or bind money without being a withdrawal to the chain.
const MOVES_MONEY: &[(&str, &str)] = &[
    ("Wallet", "AccountTransfer"),
    ("Wallet", "SubMemberTransfer"),
    ("Wallet", "SubMemberTransferList"),
    ("Earn", "Earn"),
    ("FiatP2P", "FiatP2POrder"),
    ("FiatP2P", "Advertising"),
    ("FiatBybitPay", "FaitPayOrder"),
    ("FiatBitPay", "FaitPayOrder"),
    ("FiatConvertBroker", "FiatConvertBrokerOrder"),
    ("BitCard", "BitCard"),
];

/// What a key may do. Words that we do not know are listed and count as dangerous.
pub fn key_facts(key: &WireKey<'_>) -> Result<KeyFacts, WireError> {
    const WHAT: &str = "key";
    let missing = |field| WireError::Missing { what: WHAT, field };
    let permissions = key.permissions.as_ref().ok_or(missing("permissions"))?;
    let read_only: i64 = key.read_only.get(WHAT, "readOnly")?;
    let mut words = Vec::new();
    for (group, list) in permissions {
        words.extend(list.iter().flatten().map(|word| (group.as_ref(), word.text())));
    }
    let holds = |group: &str, word: &str| words.contains(&(group, word));
    let known = |yes| if yes { Known::Yes } else { Known::No };
    let contracts = holds("ContractTrade", "Order") || holds("Derivatives", "DerivativesTrade");
    let unknown = words.iter().filter(|pair| {
        !HARMLESS.contains(pair) && !MOVES_MONEY.contains(pair) && **pair != ("Wallet", "Withdraw")
    });
    let addresses: Vec<_> = key.ips.as_ref().ok_or(missing("ips"))?.iter().map(Field::text).collect();
    let anywhere = addresses.is_empty() || addresses.iter().any(|ip| matches!(*ip, "*" | ""));
    Ok(KeyFacts {
        read: Known::Yes,
        trade: known(read_only == 0 && contracts),
        withdraw: known(holds("Wallet", "Withdraw")),
        transfer: known(words.iter().any(|pair| MOVES_MONEY.contains(pair))),
        ip_bound: known(!anywhere),
        ip_addresses: if anywhere {
            vec![]
        } else {
            addresses.iter().map(|ip| crate::error::scrub(ip)).collect()
        },
        expires_at: key.expired_at.text().parse().ok().filter(|at| *at > Timestamp::EPOCH),
        unknown_permissions: unknown
            .map(|(group, word)| crate::error::scrub(&format!("{group}.{word}")))
            .collect(),
        contract_types: if contracts { ContractType::ALL.to_vec() } else { vec![] },
    })
}

/// The account's three lists as one snapshot.
pub fn snapshot(
    balances: Vec<Balance>,
    positions: Vec<Position>,
    open_orders: Vec<OpenOrder>,
    at: Timestamp,
) -> AccountSnapshot {
    AccountSnapshot { balances, positions, open_orders, at }
}

/// Whether a row belongs to the product; rows over REST carry no category and belong to it.
pub fn is_of(product: ContractType, category: &Field<'_>) -> bool {
    category.is_empty() || category.text() == super::render::category(product)
}

/// The symbol of a topic such as `kline.5.BTCUSDT`.
pub fn symbol_of_topic(topic: &str) -> Option<Symbol> {
    topic.rsplit('.').next().and_then(|symbol| symbol.parse().ok())
}
