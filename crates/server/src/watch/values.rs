//! Small values as the API shows them: amounts, candles, what an order asked for.
//!
//! Numbers are decimal text and times integer milliseconds; the structs exist so that the API's description names every
//! field. They compute nothing.

use keyhold_domain::money::decimal_text;
use keyhold_domain::order::PositionEffect;
use keyhold_domain::{
    Asset, Candle, ClientOrderId, Decimal, Fill, Liquidity, Money, NewOrder, OrderKind, OrderPurpose, Price,
    Quantity, Side, Symbol, TimeInForce, Timestamp, TriggerDirection, TriggerSource, VenueOrderId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::shape;

/// An amount of one asset. Amounts of different assets are never added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Amount {
    /// Decimal text; null when a part of it is not known.
    #[schema(required)]
    pub(crate) amount: Option<String>,
    #[schema(value_type = String)]
    pub(crate) asset: Asset,
}

impl Amount {
    /// A sum that is known, or not.
    pub(crate) fn new(amount: Option<Decimal>, asset: Asset) -> Self {
        Self { amount: amount.map(decimal), asset }
    }
}

/// The shortest text of a number.
pub(crate) fn decimal(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CandleView {
    #[schema(value_type = i64)]
    pub(crate) open_time: Timestamp,
    #[schema(value_type = String)]
    open: Price,
    #[schema(value_type = String)]
    high: Price,
    #[schema(value_type = String)]
    low: Price,
    #[schema(value_type = String)]
    pub(crate) close: Price,
    /// In the unit of the venue.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    volume: Decimal,
}

impl From<Candle> for CandleView {
    fn from(candle: Candle) -> Self {
        let Candle { open_time, open, high, low, close, volume } = candle;
        Self { open_time, open, high, low, close, volume }
    }
}

/// How an order is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OrderKindView {
    /// At whatever price.
    Market,
    /// At this price or better.
    Limit {
        #[schema(value_type = String)]
        price: Price,
        #[schema(value_type = shape::TimeInForce)]
        time_in_force: TimeInForce,
    },
    /// At whatever price once the trigger is reached.
    StopMarket {
        #[schema(value_type = String)]
        trigger: Price,
        #[schema(value_type = shape::TriggerDirection)]
        direction: TriggerDirection,
        #[schema(value_type = shape::TriggerSource)]
        source: TriggerSource,
    },
}

impl From<OrderKind> for OrderKindView {
    fn from(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Market => Self::Market,
            OrderKind::Limit { price, time_in_force } => Self::Limit { price, time_in_force },
            OrderKind::StopMarket { trigger, direction, source } => {
                Self::StopMarket { trigger, direction, source }
            }
        }
    }
}

/// What an order asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OrderAsked {
    #[schema(value_type = String)]
    pub(crate) client_id: ClientOrderId,
    #[schema(value_type = String)]
    symbol: Symbol,
    #[schema(value_type = shape::Side)]
    side: Side,
    kind: OrderKindView,
    #[schema(value_type = String)]
    quantity: Quantity,
    #[schema(value_type = shape::PositionEffect)]
    effect: PositionEffect,
    #[schema(value_type = shape::OrderPurpose)]
    purpose: OrderPurpose,
}

impl From<NewOrder> for OrderAsked {
    fn from(order: NewOrder) -> Self {
        let NewOrder { client_id, symbol, side, kind, quantity, effect, purpose } = order;
        Self { client_id, symbol, side, kind: kind.into(), quantity, effect, purpose }
    }
}

/// What was done of an order at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FillFacts {
    fill_id: String,
    #[schema(value_type = Option<String>, required)]
    client_id: Option<ClientOrderId>,
    #[schema(value_type = String)]
    venue_order_id: VenueOrderId,
    #[schema(value_type = String)]
    symbol: Symbol,
    #[schema(value_type = shape::Side)]
    side: Side,
    #[schema(value_type = String)]
    price: Price,
    #[schema(value_type = String)]
    quantity: Quantity,
    /// Negative for a rebate.
    fee: Amount,
    #[schema(value_type = shape::Liquidity)]
    liquidity: Liquidity,
    #[schema(value_type = i64)]
    at: Timestamp,
}

impl From<Fill> for FillFacts {
    fn from(fill: Fill) -> Self {
        let Money { amount, asset } = fill.fee;
        Self {
            fill_id: fill.fill_id.to_string(),
            client_id: fill.client_id,
            venue_order_id: fill.venue_order_id,
            symbol: fill.symbol,
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            fee: Amount::new(Some(amount), asset),
            liquidity: fill.liquidity,
            at: fill.at,
        }
    }
}
