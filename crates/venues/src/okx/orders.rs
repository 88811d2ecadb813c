//! Orders and settings at OKX, and the whole trading port put together.
//!
//! An acknowledgement only says that OKX received the order; the truth comes on the account's stream. A change goes out
//! once; when its outcome is unknown, [`TradingVenue::resolve`] asks until a late arrival is impossible.

use std::time::Duration;

use keyhold_domain::{
    AccountSnapshot, ClientOrderId, ContractType, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder, OrderKind,
    Position, PositionEffect, Quantity, RefusalCode, Symbol, Timestamp,
};

use super::bodies::Book;
use super::wire::{self, WireAccepted};
use super::{Okx, account_stream, endpoints, locked};
use crate::any::delegate_market_data;
use crate::common::rest::{not_signed, unreadable};
use crate::error::{UnknownCause, VenueError};
use crate::event::{AccountEvent, EventStream};
use crate::port::{
    AccountSettings, Fees, FundingPayment, MarketData, OrderReport, Placed, PositionMode, Resolution,
    TradingVenue,
};
use crate::rate_limit::Urgency;
use crate::signer::{
    AmendOrder, CancelAll, CancelMany, CancelOrder, Intent, OrderRef, OrderSelection, Scope, SetLeverage,
    SignerRefusal,
};
use crate::transport::Dialer;

/// For error texts.
const RESOLVING: &str = "looking for an order";

/// Orders of one request at most: OKX takes twenty of the plain and ten of the waiting ones.
const MOST_AT_ONCE: usize = 20;
const MOST_STOPS_AT_ONCE: usize = 10;

/// OKX takes a waiting order for thirty seconds after its time stamp, six times as long as we let it take a plain one;
/// so long it is looked for.
const PATIENCE_FOR_STOPS: u32 = 6;

impl<D: Dialer> Okx<D> {
    async fn change(&self, intent: Intent, urgency: Urgency) -> Result<bytes::Bytes, VenueError> {
        self.market.rest.change(self.signer.as_ref(), &intent, urgency).await
    }

    /// A quantity of ours as a count of contracts.
    async fn contracts(&self, symbol: Symbol, quantity: Quantity) -> Result<Quantity, VenueError> {
        let sizes = self.market.sizes_with(symbol).await?;
        sizes.contracts(symbol, quantity).ok_or_else(|| {
            VenueError::refused(RefusalCode::InvalidOrder, "quantity", "not a count of contracts")
        })
    }

    /// Orders by the venue's name may wait for a trigger.
    async fn cancel_foreign(&self, cancel: &CancelOrder) -> Result<(), VenueError> {
        let many = CancelMany { orders: vec![*cancel], selection: OrderSelection::StopOrders };
        self.change(Intent::CancelMany(many), Urgency::Exit).await.map(drop)
    }

    async fn cancel_list(&self, orders: &[OpenOrder], selection: OrderSelection) -> Result<(), VenueError> {
        let most = match selection {
            OrderSelection::All => MOST_AT_ONCE,
            OrderSelection::StopOrders | OrderSelection::TriggerOrders => MOST_STOPS_AT_ONCE,
        };
        for some in orders.chunks(most) {
            let orders = some
                .iter()
                .map(|order| CancelOrder { order: OrderRef::Venue(order.venue_id), symbol: order.symbol })
                .collect();
            match self.change(Intent::CancelMany(CancelMany { orders, selection }), Urgency::Exit).await {
                Ok(_) => {}
                // It has ended meanwhile.
                Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Only protective stops wait for a trigger: by its purpose an order is found again in its book.
fn in_its_book(order: &NewOrder) -> Result<(), VenueError> {
    let waits = matches!(order.kind, OrderKind::StopMarket { .. });
    let named = Book::of_purpose(order.client_id.purpose()) == Book::Stops;
    if waits == named {
        return Ok(());
    }
    let message = "orders that wait for a trigger, and no others, are protective stops";
    Err(VenueError::refused(RefusalCode::InvalidOrder, "purpose", message))
}

/// Whether an instrument belongs to a scope. The settlement asset stands second in linear names and first in inverse ones.
fn is_in(scope: Scope, product: ContractType, symbol: Symbol) -> bool {
    let name = symbol.to_string();
    let mut parts = name.split('-');
    match scope {
        Scope::Symbol(wanted) => symbol == wanted,
        Scope::Product => true,
        Scope::Settle(asset) => {
            let settle = match product {
                ContractType::Linear => parts.nth(1),
                ContractType::Inverse => parts.next(),
            };
            settle == Some(asset.as_str())
        }
    }
}

impl<D: Dialer> MarketData for Okx<D> {
    delegate_market_data!(self => self.market);
}

impl<D: Dialer> TradingVenue for Okx<D> {
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
        in_its_book(order)?;
        let urgency = match order.effect {
            PositionEffect::ReduceOnly => Urgency::Exit,
            PositionEffect::Increase => Urgency::Normal,
        };
        let quantity = self.contracts(order.symbol, order.quantity).await?;
        let margin = *locked(&self.margin);
        let body = self.change(Intent::PlaceIn(NewOrder { quantity, ..*order }, margin), urgency).await?;
        let (endpoint, is_stop) = match Book::of_purpose(order.client_id.purpose()) {
            Book::Plain => (endpoints::PLACE, false),
            Book::Stops => (endpoints::PLACE_STOP, true),
        };
        let accepted: Result<WireAccepted<'_>, _> = wire::first("accepted order", &body);
        let venue_id = accepted.and_then(|accepted| {
            let field = if is_stop { &accepted.algo_id } else { &accepted.order_id };
            field.get("accepted order", "ordId")
        });
        Ok(Placed { venue_id: venue_id.map_err(|error| unreadable(endpoint, error))? })
    }

    async fn amend(&self, amend: &AmendOrder) -> Result<(), VenueError> {
        let quantity = match amend.quantity {
            Some(quantity) => Some(self.contracts(amend.symbol, quantity).await?),
            None => None,
        };
        self.change(Intent::Amend(AmendOrder { quantity, ..*amend }), Urgency::Normal).await.map(drop)
    }

    async fn cancel(&self, cancel: &CancelOrder) -> Result<(), VenueError> {
        match (self.change(Intent::Cancel(*cancel), Urgency::Exit).await, cancel.order) {
            (Ok(_), _) => Ok(()),
            (Err(error), OrderRef::Venue(_)) if error.refusal() == Some(RefusalCode::OrderNotFound) => {
                self.cancel_foreign(cancel).await
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Lists what there is and cancels it by name: OKX has no call for all.
    async fn cancel_all(&self, cancel: &CancelAll) -> Result<(), VenueError> {
        let symbol = match cancel.scope {
            Scope::Symbol(symbol) => Some(symbol),
            Scope::Settle(_) | Scope::Product => None,
        };
        let selections: &[OrderSelection] = match cancel.selection {
            OrderSelection::All => {
                &[OrderSelection::All, OrderSelection::StopOrders, OrderSelection::TriggerOrders]
            }
            OrderSelection::StopOrders => &[OrderSelection::StopOrders, OrderSelection::TriggerOrders],
            OrderSelection::TriggerOrders => &[OrderSelection::TriggerOrders],
        };
        for selection in selections {
            let mut orders = self.read_list(symbol, *selection).await?;
            orders.retain(|order| is_in(cancel.scope, self.product(), order.symbol));
            self.cancel_list(&orders, *selection).await?;
        }
        Ok(())
    }

    async fn set_leverage(&self, leverage: &SetLeverage) -> Result<(), VenueError> {
        let margin = *locked(&self.margin);
        let set = self.change(Intent::SetLeverageIn(*leverage, margin), Urgency::Normal).await;
        set.map(drop)
    }

    /// Takes effect with the next order; OKX itself is not asked.
    async fn set_margin_mode(&self, mode: MarginMode) -> Result<(), VenueError> {
        *locked(&self.margin) = mode;
        Ok(())
    }

    async fn position_mode(&self, _symbol: Symbol) -> Result<PositionMode, VenueError> {
        self.read_position_mode().await
    }

    async fn use_one_way_mode(&self, symbol: Symbol) -> Result<(), VenueError> {
        match self.read_position_mode().await? {
            PositionMode::OneWay => Ok(()),
            PositionMode::Hedge => {
                self.change(Intent::UseOneWayMode { symbol }, Urgency::Normal).await.map(drop)
            }
        }
    }

    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        let factor = match Book::of_purpose(id.purpose()) {
            Book::Plain => 1,
            Book::Stops => PATIENCE_FOR_STOPS,
        };
        let mut last = Err(VenueError::unknown(RESOLVING, UnknownCause::NotAsked));
        for wait in &self.market.rest.settings.resolve_waits {
            tokio::time::sleep(*wait * factor).await;
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

    /// For the whole account. OKX takes 10 to 120 seconds. Orders that wait for a trigger stay.
    async fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> Result<(), VenueError> {
        let seconds = after.map_or(0, |after| after.as_secs());
        if after.is_some() && !super::render::SWITCH_RANGE.contains(&seconds) {
            return Err(not_signed(SignerRefusal::NotOffered));
        }
        self.change(Intent::DeadMansSwitch { symbol, after }, Urgency::Normal).await.map(drop)
    }

    fn account_events(&self) -> EventStream<AccountEvent> {
        account_stream::start(self.market.clone(), std::sync::Arc::clone(&self.signer))
    }
}
