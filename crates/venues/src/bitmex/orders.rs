//! Orders and settings at BitMEX, and the whole trading port put together.
//!
//! Quantities leave here in contracts. A change goes out once; when its outcome is unknown, [`TradingVenue::resolve`]
//! asks orders and executions until a late arrival is impossible: a request is dead once its `expires` is past, which is
//! [`super::render::LIFETIME_S`] seconds after it was signed.

use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, ClientOrderId, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder, Position,
    PositionEffect, Quantity, RefusalCode, Symbol, Timestamp,
};

use super::wire::{self, WireOrder};
use super::{Bitmex, account_stream, endpoints};
use crate::any::delegate_market_data;
use crate::common::rest::{not_signed, unreadable};
use crate::error::{UnknownCause, VenueError};
use crate::event::{AccountEvent, EventStream};
use crate::port::{
    AccountSettings, Fees, FundingPayment, MarketData, OrderReport, Placed, PositionMode, Resolution,
    TradingVenue,
};
use crate::rate_limit::Urgency;
use crate::signer::{AmendOrder, CancelAll, CancelOrder, Intent, SetLeverage, SignerRefusal};
use crate::transport::Dialer;

/// For error texts.
const RESOLVING: &str = "looking for an order";

impl<D: Dialer> Bitmex<D> {
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

    /// A quantity in contracts. One that is no whole number of them never leaves us.
    async fn in_contracts(&self, symbol: Symbol, quantity: Quantity) -> Result<Quantity, VenueError> {
        let contract = self.market.contract(symbol).await?;
        contract.contracts(quantity).ok_or_else(|| {
            VenueError::refused(RefusalCode::InvalidOrder, "not-whole", "not a whole number of contracts")
        })
    }
}

impl<D: Dialer> MarketData for Bitmex<D> {
    delegate_market_data!(self => self.market);
}

impl<D: Dialer> TradingVenue for Bitmex<D> {
    async fn inspect_key(&self) -> Result<KeyFacts, VenueError> {
        self.read_key().await
    }

    async fn account(&self) -> Result<AccountSnapshot, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        // The instant before the first question: what happens while we ask is news to the caller.
        let at = self.market.rest.venue_now();
        let balances = self.read_balances().await?;
        let positions = self.read_positions().await?;
        let open_orders = self.read_open_orders(None).await?;
        Ok(AccountSnapshot { balances, positions, open_orders, at })
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
        let quantity = self.in_contracts(order.symbol, order.quantity).await?;
        let body = self.change(Intent::Place(NewOrder { quantity, ..*order }), urgency).await?;
        let accepted: Result<WireOrder<'_>, _> = wire::json("accepted order", &body);
        let venue_id = accepted.and_then(|accepted| accepted.order_id.get("accepted order", "orderID"));
        Ok(Placed { venue_id: venue_id.map_err(|error| unreadable(endpoints::PLACE, error))? })
    }

    async fn amend(&self, amend: &AmendOrder) -> Result<(), VenueError> {
        let quantity = match amend.quantity {
            Some(quantity) => Some(self.in_contracts(amend.symbol, quantity).await?),
            None => None,
        };
        self.change(Intent::Amend(AmendOrder { quantity, ..*amend }), Urgency::Normal).await.map(drop)
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

    async fn set_margin_mode(&self, _mode: MarginMode) -> Result<(), VenueError> {
        // Each instrument has its own.
        Err(not_signed(SignerRefusal::NotOffered))
    }

    async fn set_margin_mode_of(&self, symbol: Symbol, mode: MarginMode) -> Result<(), VenueError> {
        self.set(Intent::SetMarginModeOf { symbol, mode }).await
    }

    async fn position_mode(&self, _symbol: Symbol) -> Result<PositionMode, VenueError> {
        Ok(PositionMode::OneWay)
    }

    async fn use_one_way_mode(&self, _symbol: Symbol) -> Result<(), VenueError> {
        Ok(())
    }

    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        let mut last = Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked));
        for wait in &self.market.rest.settings.resolve_waits {
            tokio::time::sleep(*wait).await;
            last = self.read_report(symbol, id).await;
            if let Ok(Some(report)) = last {
                return Ok(Resolution::Found(report));
            }
        }
        // The last look counts: it came after any late request would have been refused. That it failed says nothing
        // about the order, so it must not sound as if the order had been refused or had not been sent.
        match last {
            Ok(_) => Ok(Resolution::NeverArrived),
            Err(VenueError::Unknown { cause, .. }) => Err(VenueError::unknown(RESOLVING, cause)),
            Err(VenueError::Refused { .. } | VenueError::NotSent { .. }) => {
                Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked))
            }
        }
    }

    /// BitMEX counts for the whole account; the symbol says nothing to it.
    async fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> Result<(), VenueError> {
        self.change(Intent::DeadMansSwitch { symbol, after }, Urgency::Exit).await.map(drop)
    }

    fn account_events(&self) -> EventStream<AccountEvent> {
        account_stream::start(self.market.clone(), std::sync::Arc::clone(&self.signer))
    }
}
