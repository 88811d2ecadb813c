//! Orders and settings at Binance, and the whole trading port put together.
//!
//! A change goes out once; when its outcome is unknown, [`TradingVenue::resolve`] asks both books until a late arrival is
//! impossible. A cancel that finds nothing where the order's name points to is tried in the other book.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{
    AccountSnapshot, ClientOrderId, Fill, KeyFacts, MarginMode, NewOrder, OpenOrder, OrderKind, Position,
    PositionEffect, Quantity, RefusalCode, Symbol, Timestamp,
};

use super::endpoints::Call;
use super::render::{Book, algo_id};
use super::wire::{self, WireAlgo, WireOrder};
use super::{Binance, account_stream, convert};
use crate::any::delegate_market_data;
use crate::common::resolve;
use crate::common::rest::not_signed;
use crate::error::{VenueError, WireError};
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

impl<D: Dialer> Binance<D> {
    pub(super) async fn change(&self, intent: Intent, urgency: Urgency) -> Result<Bytes, VenueError> {
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

    /// A quantity in the venue's unit.
    async fn in_contracts(&self, symbol: Symbol, quantity: Quantity) -> Result<Quantity, VenueError> {
        self.market.ensure_sizes(Some(symbol)).await?;
        self.market.sizes.to_venue(symbol, quantity).ok_or_else(|| {
            let message = "the quantity is no whole number of contracts";
            VenueError::refused(RefusalCode::InvalidOrder, "contract-size", message)
        })
    }

    /// Ends both books of an instrument, or one.
    async fn cancel_all_of(&self, symbol: Symbol, selection: OrderSelection) -> Result<(), VenueError> {
        let scope = Scope::Symbol(symbol);
        if selection == OrderSelection::All {
            let plain = CancelAll { scope, selection: OrderSelection::All };
            self.change(Intent::CancelAll(plain), Urgency::Exit).await?;
        }
        let algo = CancelAll { scope, selection: OrderSelection::StopOrders };
        self.change(Intent::CancelAll(algo), Urgency::Exit).await.map(drop)
    }
}

impl<D: Dialer> MarketData for Binance<D> {
    delegate_market_data!(self => self.market);
}

impl<D: Dialer> TradingVenue for Binance<D> {
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

    /// Every instrument has its own margin mode; told is the one that an instrument has before anybody changes it.
    async fn account_settings(&self) -> Result<AccountSettings, VenueError> {
        self.read_mode().await.map(|_| AccountSettings { margin_mode: Some(MarginMode::Cross) })
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
        let (call, venue_id) = match order.kind {
            OrderKind::StopMarket { .. } => (Call::PlaceAlgo, placed_algo(&body)),
            OrderKind::Market | OrderKind::Limit { .. } => (Call::Place, placed(&body)),
        };
        let venue_id = venue_id.map_err(|error| self.market.unreadable(call, error))?;
        Ok(Placed { venue_id })
    }

    /// Binance wants direction, price and quantity with each change, so the order is read first. Conditional orders
    /// cannot be changed.
    async fn amend(&self, amend: &AmendOrder) -> Result<(), VenueError> {
        if amend.trigger.is_some() || Book::of(amend.order) == Book::Algo {
            return Err(not_signed(SignerRefusal::NotOffered));
        }
        let resting = self.resting(amend.order, amend.symbol).await?;
        let quantity = match amend.quantity {
            Some(quantity) => self.in_contracts(amend.symbol, quantity).await?,
            None => resting.quantity,
        };
        let price = match (amend.price, resting.kind) {
            (Some(price), _) | (None, OrderKind::Limit { price, .. }) => price,
            (None, OrderKind::Market | OrderKind::StopMarket { .. }) => {
                return Err(not_signed(SignerRefusal::NotOffered));
            }
        };
        let whole = AmendOrder { quantity: Some(quantity), price: Some(price), ..*amend };
        self.change(Intent::AmendOn(whole, resting.side), Urgency::Normal).await.map(drop)
    }

    async fn cancel(&self, cancel: &CancelOrder) -> Result<(), VenueError> {
        let first = self.change(Intent::Cancel(*cancel), Urgency::Exit).await;
        let not_there =
            first.as_ref().err().and_then(VenueError::refusal) == Some(RefusalCode::OrderNotFound);
        // A number of the venue's says for sure which book it is of.
        if !not_there || matches!(cancel.order, OrderRef::Venue(_)) {
            return first.map(drop);
        }
        let selection = Book::of(cancel.order).other().selection();
        let elsewhere = CancelMany { orders: vec![*cancel], selection };
        match self.change(Intent::CancelMany(elsewhere), Urgency::Exit).await {
            Err(error) if error.refusal() == Some(RefusalCode::OrderNotFound) => first.map(drop),
            other => other.map(drop),
        }
    }

    async fn cancel_all(&self, cancel: &CancelAll) -> Result<(), VenueError> {
        let symbols = match cancel.scope {
            Scope::Symbol(symbol) => BTreeSet::from([symbol]),
            // There is no call for all instruments.
            Scope::Settle(_) | Scope::Product => {
                self.read_open_orders(None).await?.iter().map(|order| order.symbol).collect()
            }
        };
        for symbol in symbols {
            self.cancel_all_of(symbol, cancel.selection).await?;
        }
        Ok(())
    }

    async fn set_leverage(&self, leverage: &SetLeverage) -> Result<(), VenueError> {
        self.set(Intent::SetLeverage(*leverage)).await
    }

    async fn set_margin_mode(&self, _mode: MarginMode) -> Result<(), VenueError> {
        // Every instrument has its own.
        Err(not_signed(SignerRefusal::NotOffered))
    }

    async fn set_margin_mode_of(&self, symbol: Symbol, mode: MarginMode) -> Result<(), VenueError> {
        self.set(Intent::SetMarginModeOf { symbol, mode }).await
    }

    async fn position_mode(&self, _symbol: Symbol) -> Result<PositionMode, VenueError> {
        self.read_mode().await
    }

    async fn use_one_way_mode(&self, symbol: Symbol) -> Result<(), VenueError> {
        match self.read_mode().await? {
            PositionMode::OneWay => Ok(()),
            PositionMode::Hedge => self.set(Intent::UseOneWayMode { symbol }).await,
        }
    }

    async fn resolve(&self, symbol: Symbol, id: ClientOrderId) -> Result<Resolution, VenueError> {
        let waits = &self.market.rest.settings.resolve_waits;
        resolve::resolve(waits, || self.read_report(symbol, id)).await
    }

    async fn dead_mans_switch(&self, symbol: Symbol, after: Option<Duration>) -> Result<(), VenueError> {
        self.change(Intent::DeadMansSwitch { symbol, after }, Urgency::Exit).await.map(drop)
    }

    fn account_events(&self) -> EventStream<AccountEvent> {
        account_stream::start(self.clone())
    }
}

fn placed(body: &[u8]) -> Result<keyhold_domain::VenueOrderId, WireError> {
    let row: WireOrder<'_> = wire::json("accepted order", body)?;
    convert::order_number(&row.order_id, "accepted order", "orderId")
}

fn placed_algo(body: &[u8]) -> Result<keyhold_domain::VenueOrderId, WireError> {
    const WHAT: &str = "accepted conditional order";
    let row: WireAlgo<'_> = wire::json(WHAT, body)?;
    let number: i64 = row.algo_id.get(WHAT, "algoId")?;
    algo_id(number).ok_or(WireError::Invalid { what: WHAT, field: "algoId", expected: "a number" })
}
