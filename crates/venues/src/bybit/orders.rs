//! Orders and settings at Bybit, and the whole trading port put together.
//!
//! An acknowledgement only says that Bybit received the order; the truth comes on the account's stream. A change goes
//! out once; when its outcome is unknown, [`TradingVenue::resolve`] asks three lists until a late arrival is impossible.

use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, ClientOrderId, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder, Position,
    PositionEffect, RefusalCode, Symbol, Timestamp,
};

use super::wire::{self, WireAccepted};
use super::{Bybit, account_stream, convert, endpoints};
use crate::any::delegate_market_data;
use crate::common::resolve;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, VenueError};
use crate::event::{AccountEvent, EventStream};
use crate::port::{
    AccountSettings, Fees, FundingPayment, MarketData, OrderReport, Placed, PositionMode, Resolution,
    TradingVenue,
};
use crate::rate_limit::Urgency;
use crate::signer::{AmendOrder, CancelAll, CancelOrder, Intent, SetLeverage, SignerRefusal};
use crate::transport::Dialer;

impl<D: Dialer> Bybit<D> {
    async fn change(&self, intent: Intent, urgency: Urgency) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.change(self.signer.as_ref(), &intent, urgency).await
    }

    /// A setting that is already as wanted is as good as set.
    async fn set(&self, intent: Intent) -> Result<(), VenueError> {
        match self.change(intent, Urgency::Normal).await {
            Ok(_) => Ok(()),
            Err(error) if error.refusal() == Some(RefusalCode::NoChange) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl<D: Dialer> MarketData for Bybit<D> {
    delegate_market_data!(self => self.market);
}

impl<D: Dialer> TradingVenue for Bybit<D> {
    async fn inspect_key(&self) -> Result<KeyFacts, VenueError> {
        self.read_key().await
    }

    async fn account(&self) -> Result<AccountSnapshot, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        // The instant before the first question: what happens while we ask is news to the caller.
        let at = self.market.rest.venue_now();
        let balances = self.read_balances().await?;
        let positions = self.read_positions().await?;
        let orders = self.read_open_orders(None).await?;
        Ok(convert::snapshot(balances, positions, orders, at))
    }

    async fn account_settings(&self) -> Result<AccountSettings, VenueError> {
        self.read_settings().await
    }

    async fn positions(&self) -> Result<Vec<Position>, VenueError> {
        self.read_positions().await
    }

    async fn open_orders(&self, symbol: Option<Symbol>) -> Result<Vec<OpenOrder>, VenueError> {
        self.read_open_orders(symbol).await
    }

    async fn order(&self, symbol: Symbol, id: ClientOrderId) -> Result<Option<OrderReport>, VenueError> {
        self.read_report(symbol, id).await
    }

    async fn fills_since(&self, symbol: Option<Symbol>, from: Timestamp) -> Result<Vec<Fill>, VenueError> {
        self.read_fills(symbol, from).await
    }

    async fn funding_since(
        &self,
        symbol: Option<Symbol>,
        from: Timestamp,
    ) -> Result<Vec<FundingPayment>, VenueError> {
        self.read_funding(symbol, from).await
    }

    async fn fees(&self, symbol: Symbol) -> Result<Fees, VenueError> {
        self.read_fees(symbol).await
    }

    async fn place(&self, order: &NewOrder) -> Result<Placed, VenueError> {
        let urgency = match order.effect {
            PositionEffect::ReduceOnly => Urgency::Exit,
            PositionEffect::Increase => Urgency::Normal,
        };
        let body = self.change(Intent::Place(*order), urgency).await?;
        let accepted: Result<WireAccepted<'_>, _> = wire::result("accepted order", &body);
        let venue_id = accepted.and_then(|accepted| accepted.order_id.get("accepted order", "orderId"));
        Ok(Placed { venue_id: venue_id.map_err(|error| unreadable(endpoints::PLACE, error))? })
    }

    async fn amend(&self, amend: &AmendOrder) -> Result<(), VenueError> {
        self.change(Intent::Amend(*amend), Urgency::Normal).await.map(drop)
    }

    async fn cancel(&self, cancel: &CancelOrder) -> Result<(), VenueError> {
        self.change(Intent::Cancel(*cancel), Urgency::Exit).await.map(drop)
    }

    async fn cancel_all(&self, cancel: &CancelAll) -> Result<(), VenueError> {
        self.change(Intent::CancelAll(*cancel), Urgency::Exit).await.map(drop)
    }

    async fn set_leverage(&self, leverage: &SetLeverage) -> Result<(), VenueError> {
        self.set(Intent::SetLeverage(*leverage)).await
    }

    async fn set_margin_mode(&self, mode: MarginMode) -> Result<(), VenueError> {
        self.set(Intent::SetMarginMode(mode)).await
    }

    async fn position_mode(&self, symbol: Symbol) -> Result<PositionMode, VenueError> {
        self.read_position_mode(symbol).await
    }

    async fn use_one_way_mode(&self, symbol: Symbol) -> Result<(), VenueError> {
        match self.read_position_mode(symbol).await? {
            PositionMode::OneWay => Ok(()),
            PositionMode::Hedge => self.set(Intent::UseOneWayMode { symbol }).await,
        }
    }

    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        let waits = &self.market.rest.settings.resolve_waits;
        resolve::resolve(waits, || self.read_report(symbol, id)).await
    }

    async fn dead_mans_switch(&self, _symbol: Symbol, _after: Option<Duration>) -> Result<(), VenueError> {
        // Bybit's own acts for institutional clients only.
        Err(VenueError::not_sent(Duration::ZERO, NotSentCause::Signer(SignerRefusal::NotOffered)))
    }

    fn account_events(&self) -> EventStream<AccountEvent> {
        account_stream::start(self.market.clone(), std::sync::Arc::clone(&self.signer))
    }
}
