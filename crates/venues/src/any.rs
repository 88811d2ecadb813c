//! One type for whichever venue a key belongs to, chosen at run time without `dyn`.
//!
//! A new venue adds one arm to each enum and to each `match`, and nothing else here.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, Candle, ClientOrderId, Exchange, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder,
    Position, Symbol, Timestamp,
};

use crate::binance::{Binance, BinanceMarket};
use crate::bitmex::{Bitmex, BitmexMarket};
use crate::bybit::{Bybit, BybitMarket};
use crate::clock::Clock;
use crate::error::VenueError;
use crate::event::{AccountEvent, EventStream, MarketEvent};
use crate::hosts::HostError;
use crate::kraken::{Kraken, KrakenMarket};
use crate::okx::{Okx, OkxMarket};
use crate::port::{
    AccountSettings, CandleRange, Capabilities, Fees, FundingPayment, FundingRate, Instruments, MarketData,
    MarketSubscription, OrderReport, Placed, PositionMode, Resolution, SymbolRange, Ticker, TradingVenue,
    VenueId, VenueStatus,
};
use crate::settings::VenueConfig;
use crate::signer::{AmendOrder, CancelAll, CancelOrder, SetLeverage, Signer};
use crate::transport::Dialer;

/// Writes the methods of [`MarketData`] as calls of another value that has them.
macro_rules! delegate_market_data {
    ($self:ident => $inner:expr) => {
        fn venue(&$self) -> crate::port::VenueId {
            $inner.venue()
        }
        fn capabilities(&$self) -> crate::port::Capabilities {
            $inner.capabilities()
        }
        async fn server_time(&$self) -> Result<keyhold_domain::Timestamp, crate::error::VenueError> {
            $inner.server_time().await
        }
        async fn venue_status(&$self) -> Result<crate::port::VenueStatus, crate::error::VenueError> {
            $inner.venue_status().await
        }
        async fn instruments(&$self) -> Result<crate::port::Instruments, crate::error::VenueError> {
            $inner.instruments().await
        }
        async fn candles(
            &$self,
            range: &crate::port::CandleRange,
        ) -> Result<Vec<keyhold_domain::Candle>, crate::error::VenueError> {
            $inner.candles(range).await
        }
        async fn funding_history(
            &$self,
            range: &crate::port::SymbolRange,
        ) -> Result<Vec<crate::port::FundingRate>, crate::error::VenueError> {
            $inner.funding_history(range).await
        }
        async fn ticker(
            &$self,
            symbol: keyhold_domain::Symbol,
        ) -> Result<crate::port::Ticker, crate::error::VenueError> {
            $inner.ticker(symbol).await
        }
        fn market_events(
            &$self,
            subscription: crate::port::MarketSubscription,
        ) -> crate::event::EventStream<crate::event::MarketEvent> {
            $inner.market_events(subscription)
        }
    };
}
pub(crate) use delegate_market_data;

/// Any venue's public side.
#[derive(Debug)]
pub enum AnyMarket<D> {
    /// BitMEX.
    Bitmex(BitmexMarket<D>),
    /// Bybit.
    Bybit(BybitMarket<D>),
    /// OKX.
    Okx(OkxMarket<D>),
    /// Kraken Futures.
    Kraken(KrakenMarket<D>),
    /// Binance.
    Binance(BinanceMarket<D>),
}

/// Any venue with a key.
#[derive(Debug)]
pub enum AnyVenue<D> {
    /// BitMEX.
    Bitmex(Bitmex<D>),
    /// Bybit.
    Bybit(Bybit<D>),
    /// OKX.
    Okx(Okx<D>),
    /// Kraken Futures.
    Kraken(Kraken<D>),
    /// Binance.
    Binance(Binance<D>),
}

impl<D: Dialer> AnyMarket<D> {
    /// The public side of the exchange that the addresses were checked for. Makes no connection yet.
    pub fn new(config: VenueConfig, dialer: Arc<D>, clock: Arc<dyn Clock>) -> Result<Self, HostError> {
        match config.endpoints.exchange() {
            Exchange::Bybit => BybitMarket::from_config(config, dialer, clock).map(Self::Bybit),
            Exchange::Okx => OkxMarket::from_config(config, dialer, clock).map(Self::Okx),
            Exchange::KrakenFutures => KrakenMarket::from_config(config, dialer, clock).map(Self::Kraken),
            Exchange::Binance => BinanceMarket::from_config(config, dialer, clock).map(Self::Binance),
            Exchange::Bitmex => BitmexMarket::from_config(config, dialer, clock).map(Self::Bitmex),
        }
    }

    /// Adds a key's rights.
    pub fn with_key(self, signer: Arc<dyn Signer>) -> AnyVenue<D> {
        match self {
            Self::Bitmex(market) => AnyVenue::Bitmex(Bitmex::new(market, signer)),
            Self::Bybit(market) => AnyVenue::Bybit(Bybit::new(market, signer)),
            Self::Okx(market) => AnyVenue::Okx(Okx::new(market, signer)),
            Self::Kraken(market) => AnyVenue::Kraken(Kraken::new(market, signer)),
            Self::Binance(market) => AnyVenue::Binance(Binance::new(market, signer)),
        }
    }
}

/// Writes one method of an enum as the same method of its arm.
macro_rules! each_arm {
    ($enum:ident, $self:ident, $inner:ident => $call:expr) => {
        match $self {
            $enum::Bitmex($inner) => $call,
            $enum::Bybit($inner) => $call,
            $enum::Okx($inner) => $call,
            $enum::Kraken($inner) => $call,
            $enum::Binance($inner) => $call,
        }
    };
}

macro_rules! market_data_of {
    ($enum:ident) => {
        impl<D: Dialer> MarketData for $enum<D> {
            fn venue(&self) -> VenueId {
                each_arm!($enum, self, it => it.venue())
            }
            fn capabilities(&self) -> Capabilities {
                each_arm!($enum, self, it => it.capabilities())
            }
            async fn server_time(&self) -> Result<Timestamp, VenueError> {
                each_arm!($enum, self, it => it.server_time().await)
            }
            async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
                each_arm!($enum, self, it => it.venue_status().await)
            }
            async fn instruments(&self) -> Result<Instruments, VenueError> {
                each_arm!($enum, self, it => it.instruments().await)
            }
            async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
                each_arm!($enum, self, it => it.candles(range).await)
            }
            async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
                each_arm!($enum, self, it => it.funding_history(range).await)
            }
            async fn ticker(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
                each_arm!($enum, self, it => it.ticker(symbol).await)
            }
            fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
                each_arm!($enum, self, it => it.market_events(subscription))
            }
        }
    };
}

market_data_of!(AnyMarket);
market_data_of!(AnyVenue);

impl<D: Dialer> TradingVenue for AnyVenue<D> {
    async fn inspect_key(&self) -> Result<KeyFacts, VenueError> {
        each_arm!(AnyVenue, self, it => it.inspect_key().await)
    }
    async fn account(&self) -> Result<AccountSnapshot, VenueError> {
        each_arm!(AnyVenue, self, it => it.account().await)
    }
    async fn account_settings(&self) -> Result<AccountSettings, VenueError> {
        each_arm!(AnyVenue, self, it => it.account_settings().await)
    }
    async fn positions(&self) -> Result<Vec<Position>, VenueError> {
        each_arm!(AnyVenue, self, it => it.positions().await)
    }
    async fn open_orders(&self, symbol: Option<Symbol>) -> Result<Vec<OpenOrder>, VenueError> {
        each_arm!(AnyVenue, self, it => it.open_orders(symbol).await)
    }
    async fn order(&self, symbol: Symbol, id: ClientOrderId) -> Result<Option<OrderReport>, VenueError> {
        each_arm!(AnyVenue, self, it => it.order(symbol, id).await)
    }
    async fn fills_since(&self, symbol: Option<Symbol>, from: Timestamp) -> Result<Vec<Fill>, VenueError> {
        each_arm!(AnyVenue, self, it => it.fills_since(symbol, from).await)
    }
    async fn funding_since(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        each_arm!(AnyVenue, self, it => it.funding_since(symbol, from).await)
    }
    async fn fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        each_arm!(AnyVenue, self, it => it.fees(symbol).await)
    }
    async fn place(&self, order: &NewOrder) -> Result<Placed, VenueError> {
        each_arm!(AnyVenue, self, it => it.place(order).await)
    }
    async fn amend(&self, amend: &AmendOrder) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.amend(amend).await)
    }
    async fn cancel(&self, cancel: &CancelOrder) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.cancel(cancel).await)
    }
    async fn cancel_all(&self, cancel: &CancelAll) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.cancel_all(cancel).await)
    }
    async fn set_leverage(&self, leverage: &SetLeverage) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.set_leverage(leverage).await)
    }
    async fn set_margin_mode(&self, mode: MarginMode) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.set_margin_mode(mode).await)
    }
    async fn set_margin_mode_of(&self, symbol: Symbol, mode: MarginMode) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.set_margin_mode_of(symbol, mode).await)
    }
    async fn position_mode(&self, symbol: Symbol) -> Result<PositionMode, VenueError> {
        each_arm!(AnyVenue, self, it => it.position_mode(symbol).await)
    }
    async fn use_one_way_mode(&self, symbol: Symbol) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.use_one_way_mode(symbol).await)
    }
    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        each_arm!(AnyVenue, self, it => it.resolve(symbol, id).await)
    }
    async fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> Result<(), VenueError> {
        each_arm!(AnyVenue, self, it => it.dead_mans_switch(symbol, after).await)
    }
    fn account_events(&self) -> EventStream<AccountEvent> {
        each_arm!(AnyVenue, self, it => it.account_events())
    }
}
