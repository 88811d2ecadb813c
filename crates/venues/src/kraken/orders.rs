//! Orders and settings at Kraken, and the whole trading port put together.
//!
//! A change goes out once and is bound to be handled within five seconds or not at all (`processBefore`); when its outcome
//! is unknown, [`TradingVenue::resolve`] asks three lists until a late arrival is impossible.

use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, ClientOrderId, ContractType, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder, OrderKind,
    Position, PositionEffect, Side, Symbol, Timestamp, TriggerDirection,
};

use super::account::Back;
use super::lookup::Depth;
use super::wire::{self, WireSent};
use super::{Kraken, account_stream, convert, endpoints};
use crate::any::delegate_market_data;
use crate::common::rest::{not_signed, unreadable};
use crate::error::{UnknownCause, VenueError, WireError};
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

impl<D: Dialer> Kraken<D> {
    async fn change(&self, intent: Intent, urgency: Urgency) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.change(self.signer.as_ref(), &intent, urgency).await
    }

    async fn look_up(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
        depth: Depth,
    ) -> Result<Option<OrderReport>, VenueError> {
        self.market.rest.ensure_venue_time().await?;
        self.read_report(symbol, id, depth).await
    }
}

/// Kraken knows stops by their side alone: one to buy waits above the price, one to sell below. The other two would be
/// take-profits, which Keyhold sends as limit orders.
fn can_be_sent(order: &NewOrder) -> Result<(), VenueError> {
    match (order.kind, order.side) {
        (OrderKind::StopMarket { direction: TriggerDirection::Falls, .. }, Side::Buy)
        | (OrderKind::StopMarket { direction: TriggerDirection::Rises, .. }, Side::Sell) => {
            Err(not_signed(SignerRefusal::NotOffered))
        }
        (OrderKind::Market | OrderKind::Limit { .. } | OrderKind::StopMarket { .. }, _) => Ok(()),
    }
}

impl<D: Dialer> MarketData for Kraken<D> {
    delegate_market_data!(self => self.market);
}

impl<D: Dialer> TradingVenue for Kraken<D> {
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
        self.look_up(symbol, id, Depth::History).await
    }

    async fn fills_since(&self, symbol: Option<Symbol>, from: Timestamp) -> Result<Vec<Fill>, VenueError> {
        self.read_fills(Back::To(from), |fill| symbol.is_none_or(|symbol| fill.symbol == symbol)).await
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
        can_be_sent(order)?;
        let urgency = match order.effect {
            PositionEffect::ReduceOnly => Urgency::Exit,
            PositionEffect::Increase => Urgency::Normal,
        };
        let body = self.change(Intent::Place(*order), urgency).await?;
        let read = || {
            let sent: WireSent<'_> = wire::json("accepted order", &body)?;
            let missing = WireError::Missing { what: "accepted order", field: "sendStatus" };
            let status = sent.send_status.ok_or(missing)?;
            let venue_id = status.order_id.get("accepted order", "order_id")?;
            Ok((venue_id, convert::sent_update(order, &status)?))
        };
        let (venue_id, end) = read().map_err(|error| unreadable(endpoints::PLACE, error))?;
        if let Some(end) = end {
            self.outcomes.note(end);
        }
        Ok(Placed { venue_id })
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

    /// Makes the instrument's margin isolated with this leverage. Inverse contracts have a wallet of their own and no
    /// leverage to set: a position may use as much of it as the instrument's margin demands.
    async fn set_leverage(&self, leverage: &SetLeverage) -> Result<(), VenueError> {
        match self.product() {
            ContractType::Linear => {
                self.change(Intent::SetLeverage(*leverage), Urgency::Normal).await.map(drop)
            }
            ContractType::Inverse => Ok(()),
        }
    }

    async fn set_margin_mode(&self, _mode: MarginMode) -> Result<(), VenueError> {
        // It follows from each instrument's leverage.
        Err(not_signed(SignerRefusal::NotOffered))
    }

    async fn position_mode(&self, _symbol: Symbol) -> Result<PositionMode, VenueError> {
        Ok(PositionMode::OneWay)
    }

    async fn use_one_way_mode(&self, _symbol: Symbol) -> Result<(), VenueError> {
        Ok(())
    }

    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        let mut last = Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked));
        let mut waits = self.market.rest.settings.resolve_waits.iter().peekable();
        while let Some(wait) = waits.next() {
            tokio::time::sleep(*wait).await;
            // Only the last look decides, so only it asks the history: six orders would use its allowance up.
            let depth = if waits.peek().is_some() { Depth::Lists } else { Depth::History };
            last = self.look_up(symbol, id, depth).await;
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

    async fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> Result<(), VenueError> {
        self.change(Intent::DeadMansSwitch { symbol, after }, Urgency::Exit).await.map(drop)
    }

    fn account_events(&self) -> EventStream<AccountEvent> {
        account_stream::start(self)
    }
}
