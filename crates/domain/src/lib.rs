//! The words of the trade: ids, time, money, instruments, candles, orders, fills, positions, reasons.
//!
//! Everything above this crate speaks in these types. It knows no clock, no network, no file and no
//! binary floating point; a value that exists here is valid. Start reading at [`instrument`], where a
//! contract's arithmetic lives, and [`order`], where an order's life is named.

pub mod account;
pub mod candle;
pub mod contract;
pub mod exact;
pub mod exchange;
pub mod fill;
pub mod id;
pub mod instrument;
pub mod key_facts;
pub mod money;
pub mod order;
pub mod position;
pub mod price;
pub mod reason;
pub mod text;
pub mod time;
pub mod timeframe;

pub use account::{AccountSnapshot, Balance};
pub use candle::Candle;
pub use contract::{Contract, ContractType};
pub use exchange::{Environment, Exchange, Site};
pub use fill::{Fill, Liquidity};
pub use id::{
    BotId, CommandId, DeploymentId, EventId, Id, InstallId, JobId, KeyId, PasskeyId, SessionId, TemplateId,
    TradeId, UserId, WorkspaceId,
};
pub use instrument::{Instrument, InstrumentStatus};
pub use key_facts::{KeyFacts, Known};
pub use money::{Asset, Money, Rate};
pub use order::{
    ClientOrderId, NewOrder, OpenOrder, OrderKind, OrderPurpose, OrderStatus, OrderUpdate, PositionEffect,
    Side, TimeInForce, TriggerDirection, TriggerSource, VenueOrderId,
};
pub use position::{MarginMode, Position};
pub use price::{Price, Quantity, Rounding, SignedQuantity};
pub use reason::{ReasonCode, RefusalCode};
pub use rust_decimal::Decimal;
pub use text::{ShortText, Symbol, TextError};
pub use time::Timestamp;
pub use timeframe::Timeframe;
