//! The books of bot and venue, side by side.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{ClientOrderId, Decimal, OrderPurpose, OrderStatus, Timestamp};
use keyhold_fake_venues::FakeVenue;
use keyhold_protocol::uplink::{OrderOutcome, OrderReport, Phase, Report, TradeReport};
use serde_json::{Value, json};

use crate::market::{NOTIONAL, VenueKind};
use crate::server::TestServer;

/// What the end must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Whatever, as long as both say the same.
    Anything,
    /// No position, no orders, and the same money.
    Flat,
}

#[derive(Clone)]
pub(crate) struct Books {
    kind: &'static VenueKind,
    pub(crate) truth: Value,
    pub(crate) trades: Vec<TradeReport>,
    pub(crate) imbalance: Value,
    pub(crate) wallet: Decimal,
    deposit: Decimal,
    pub(crate) size: Decimal,
    pub(crate) orders: BTreeMap<ClientOrderId, OrderReport>,
    pub(crate) beat: Option<(Phase, u32)>,
    /// Commands that the bot has not carried out.
    pub(crate) commands: usize,
    pub(crate) faults: Vec<String>,
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not a number: {value}"))
}

pub(crate) fn name_of(order: &Value) -> Option<ClientOrderId> {
    order["client_id"].as_str()?.parse().ok()
}

impl Books {
    pub(crate) fn open(kind: &'static VenueKind, venue: &FakeVenue, server: &TestServer) -> Self {
        let (settle, deposit) = kind.money;
        let account = json!({ "account": 1 });
        let truth = venue.control("truth", &account).unwrap();
        let tally = venue.control("tally", &account).unwrap();
        let commands = server.unanswered();
        let heard = server.heard.lock().unwrap();
        let (mut size, mut orders, mut trades) = (Decimal::ZERO, BTreeMap::new(), BTreeMap::new());
        for report in &heard.reports {
            match report {
                Report::Position(position) => size = position.size.get(),
                Report::Order(order) => drop(orders.insert(order.order.client_id, order.clone())),
                // A trade is told again when its funding becomes known later.
                Report::Trade(trade) => drop(trades.insert((trade.entered_at, trade.id), (**trade).clone())),
                _ => {}
            }
        }
        Self {
            kind,
            truth,
            trades: trades.into_values().collect(),
            imbalance: venue.control("imbalance", &Value::Null).unwrap(),
            wallet: decimal(&tally["wallets"][settle]),
            deposit: deposit.parse().unwrap(),
            size,
            orders,
            beat: heard.beat,
            commands,
            faults: heard.faults.clone(),
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self.truth[name].as_array().map_or(&[], Vec::as_slice)
    }

    fn venue_size(&self) -> Decimal {
        self.list("positions").iter().map(|position| decimal(&position["size"])).sum()
    }

    /// What differs now and may still settle; `None` when everything agrees.
    pub(crate) fn difference(&self, wanted: Wanted) -> Option<String> {
        match self.beat {
            None => return Some("no heartbeat".to_owned()),
            Some((Phase::Online | Phase::ExitsOnly, 0)) => {}
            Some(beat) => return Some(format!("the bot is not at rest: {beat:?}")),
        }
        let held = self.venue_size();
        if self.size != held {
            return Some(format!("position: the bot says {}, the venue {held}", self.size));
        }
        let alive = |order: &&OrderReport| {
            let rests = matches!(
                order.status,
                Some(OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled)
            );
            rests && order.outcome == OrderOutcome::Accepted
        };
        let ours: BTreeSet<ClientOrderId> =
            self.orders.values().filter(alive).map(|order| order.order.client_id).collect();
        let theirs: BTreeSet<ClientOrderId> = self.list("open_orders").iter().filter_map(name_of).collect();
        if ours != theirs || theirs.len() != self.list("open_orders").len() {
            return Some(format!(
                "open orders: the bot says {ours:?}, the venue {:?}",
                self.truth["open_orders"]
            ));
        }
        let lost =
            |order: &&OrderReport| matches!(order.outcome, OrderOutcome::InFlight | OrderOutcome::Unknown);
        if let Some(order) = self.orders.values().find(lost) {
            return Some(format!("an order without outcome: {order:?}"));
        }
        self.unprotected(held).or_else(|| match wanted {
            Wanted::Anything => None,
            Wanted::Flat => self.not_flat(held),
        })
    }

    /// Says when a position stands without its stop.
    fn unprotected(&self, held: Decimal) -> Option<String> {
        if held.is_zero() {
            return None;
        }
        let is_stop = |order: &&Value| {
            name_of(order).is_some_and(|name| name.purpose() == OrderPurpose::ProtectiveStop)
        };
        let covered: Decimal =
            self.list("open_orders").iter().filter(is_stop).map(|order| decimal(&order["quantity"])).sum();
        (covered != held.abs())
            .then(|| format!("{held} is held and stops for {covered} rest: {}", self.truth["open_orders"]))
    }

    fn not_flat(&self, held: Decimal) -> Option<String> {
        if self.commands != 0 {
            return Some("the bot has not said that it closed everything".to_owned());
        }
        if !held.is_zero() || !self.list("open_orders").is_empty() {
            return Some(format!("{held} is still held; resting: {}", self.truth["open_orders"]));
        }
        let told: Decimal = self.trades.iter().map(|trade| trade.net).sum();
        let made = self.wallet - self.deposit;
        // The engine rounds each trade's money; a venue's ledger does not.
        let slack = self.kind.slack() * Decimal::from(1 + self.trades.len());
        ((told - made).abs() > slack).then(|| {
            let parts: Vec<_> = self
                .trades
                .iter()
                .map(|trade| {
                    format!(
                        "{} {} fees {} funding {}",
                        trade.entered_at, trade.gross, trade.fees, trade.funding
                    )
                })
                .collect();
            format!(
                "money: the bot made {told}, the venue says {made}; trades {parts:?}; truth {}",
                self.truth
            )
        })
    }

    /// What must not have happened at any time.
    pub(crate) fn never(&self) -> Option<String> {
        if let Some(fault) = self.faults.first() {
            return Some(format!("the line: {fault}"));
        }
        let amounts = self.imbalance.as_object().expect("one amount per asset");
        if amounts.values().any(|amount| !decimal(amount).is_zero()) {
            return Some(format!("money appeared or vanished: {}", self.imbalance));
        }
        self.unknown_order().or_else(|| self.doubled())
    }

    /// Orders at the venue of which the bot knows nothing.
    fn unknown_order(&self) -> Option<String> {
        self.list("orders").iter().find_map(|order| {
            let known = name_of(order).is_some_and(|name| self.orders.contains_key(&name));
            // A liquidation is the venue's own order.
            let forced = order["link_id"] == "" && self.truth["liquidations"] != 0;
            (!known && !forced).then(|| format!("an order that the bot does not know: {order}"))
        })
    }

    /// Entries that went out twice: two orders of one name or one decision, or a position larger than one entry.
    fn doubled(&self) -> Option<String> {
        let mut decisions: BTreeMap<Timestamp, ClientOrderId> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for order in self.list("orders") {
            let Some(name) = name_of(order) else { continue };
            if !names.insert(name) {
                return Some(format!("two orders are named {name}"));
            }
            let decision = self.orders.get(&name).and_then(|order| order.decision);
            if let (OrderPurpose::Entry, Some(at)) = (name.purpose(), decision)
                && order["status"] != "rejected"
                && let Some(other) = decisions.insert(at, name)
            {
                return Some(format!("{other} and {name} are both entries of {at}"));
            }
        }
        let mut held = Decimal::ZERO;
        for fill in self.list("fills").iter().map(|fill| &fill["fill"]) {
            let quantity = decimal(&fill["quantity"]);
            held += if fill["side"] == "buy" { quantity } else { -quantity };
            let worth = self.kind.worth(held, decimal(&fill["price"]));
            if worth > Decimal::from(NOTIONAL) * Decimal::new(15, 1) {
                return Some(format!("{held} was held after {fill}"));
            }
        }
        None
    }
}
