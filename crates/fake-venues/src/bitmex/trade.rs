//! Orders over REST. Answers show the order as it stands after the request.

use keyhold_domain::{
    Decimal, Instrument, OrderKind, PositionEffect, Quantity, Side, Symbol, TimeInForce, TriggerDirection,
    TriggerSource, VenueOrderId,
};
use keyhold_simulator::exchange::{Amendment, CancelFilter, Input, Order, OrderName, OrderRef, OrderRequest};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes;
use super::units;

/// The longest time the dead-man's switch takes, in milliseconds: a day.
const LONGEST_SWITCH: usize = 86_400_000;

pub(crate) fn place(call: &mut Call<'_>) -> Result<Value, Failure> {
    let order = request(call)?;
    let id = call.state.core.world.exchange.next_order_id();
    let account = call.account;
    call.state.core.world.apply(&Input::Submit { account, order })?;
    shown(call, &id)
}

/// An order as it stands.
fn shown(call: &Call<'_>, id: &VenueOrderId) -> Result<Value, Failure> {
    let order = call.records()?.orders.get(id).ok_or_else(Failure::not_found)?;
    let instrument = call.instrument(order.symbol).ok_or_else(Failure::not_found)?;
    Ok(shapes::order(order, instrument))
}

/// The words of `execInst`.
struct Instructions(Vec<String>);

impl Instructions {
    fn of(call: &Call<'_>) -> Result<Self, Failure> {
        const KNOWN: [&str; 6] =
            ["ParticipateDoNotInitiate", "ReduceOnly", "Close", "MarkPrice", "LastPrice", "IndexPrice"];
        let words = call.params.text("execInst").unwrap_or_default();
        let words: Vec<String> =
            words.split([',', ' ']).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect();
        match words.iter().find(|word| !KNOWN.contains(&word.as_str())) {
            Some(word) => Err(Failure::new(400, format!("Invalid execInst: {word}"))),
            None => Ok(Self(words)),
        }
    }

    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|held| held == word)
    }
}

fn request(call: &Call<'_>) -> Result<OrderRequest, Failure> {
    let params = &call.params;
    let instrument = call.feed()?.instrument;
    let instructions = Instructions::of(call)?;
    let asked = params.decimal("orderQty")?;
    let side = match params.text("side") {
        Some("Buy") => Side::Buy,
        Some("Sell") => Side::Sell,
        Some(_) => return Err(Failure::invalid("Invalid side")),
        // A negative quantity sells.
        None if asked.is_some_and(|asked| asked.is_sign_negative()) => Side::Sell,
        None => Side::Buy,
    };
    let closes = instructions.has("Close");
    let quantity = match asked {
        Some(asked) => whole(&instrument, asked.abs())?,
        None if closes => held(call, instrument.symbol)?,
        None => return Err(Failure::invalid("Invalid orderQty")),
    };
    let effect = if closes || instructions.has("ReduceOnly") {
        PositionEffect::ReduceOnly
    } else {
        PositionEffect::Increase
    };
    let name = params.text("clOrdID").map(|text| {
        OrderName::parse(text).ok_or_else(|| Failure::invalid("clOrdID must be at most 36 characters"))
    });
    let kind = kind(call, side, &instructions)?;
    Ok(OrderRequest { name: name.transpose()?, symbol: instrument.symbol, side, kind, quantity, effect })
}

/// A quantity in contracts, which are whole.
fn whole(instrument: &Instrument, contracts: Decimal) -> Result<Quantity, Failure> {
    let whole = Some(contracts.normalize()).filter(|contracts| contracts.scale() == 0);
    whole
        .and_then(|contracts| units::quantity(instrument, contracts))
        .ok_or_else(|| Failure::invalid("Invalid orderQty"))
}

fn held(call: &Call<'_>, symbol: Symbol) -> Result<Quantity, Failure> {
    let position = call.state.core.world.exchange.position(call.account, symbol)?;
    position.size.magnitude().ok_or_else(|| keyhold_simulator::exchange::Refusal::NothingToReduce.into())
}

fn kind(call: &Call<'_>, side: Side, instructions: &Instructions) -> Result<OrderKind, Failure> {
    let params = &call.params;
    let (price, stop) = (params.price("price")?, params.price("stopPx")?);
    let usual = match (price.is_some(), stop.is_some()) {
        (true, false) => "Limit",
        (false, false) => "Market",
        (false, true) => "Stop",
        (true, true) => "StopLimit",
    };
    let (with, against) = match side {
        Side::Buy => (TriggerDirection::Rises, TriggerDirection::Falls),
        Side::Sell => (TriggerDirection::Falls, TriggerDirection::Rises),
    };
    let waiting = |direction| {
        let trigger = stop.ok_or_else(|| Failure::invalid("stopPx is required"))?;
        let source = if instructions.has("LastPrice") {
            TriggerSource::Last
        } else if instructions.has("IndexPrice") {
            TriggerSource::Index
        } else {
            TriggerSource::Mark
        };
        Ok(OrderKind::StopMarket { trigger, direction, source })
    };
    match params.text("ordType").unwrap_or(usual) {
        "Market" => Ok(OrderKind::Market),
        "Limit" => Ok(OrderKind::Limit {
            price: price.ok_or_else(|| Failure::invalid("price is required"))?,
            time_in_force: time_in_force(params.text("timeInForce"), instructions)?,
        }),
        "Stop" => waiting(with),
        "MarketIfTouched" => waiting(against),
        other => Err(Failure::invalid(format!("ordType {other} is not simulated"))),
    }
}

fn time_in_force(word: Option<&str>, instructions: &Instructions) -> Result<TimeInForce, Failure> {
    match word {
        None | Some("GoodTillCancel" | "Day") if instructions.has("ParticipateDoNotInitiate") => {
            Ok(TimeInForce::PostOnly)
        }
        None | Some("GoodTillCancel" | "Day") => Ok(TimeInForce::Gtc),
        Some("ImmediateOrCancel") => Ok(TimeInForce::Ioc),
        Some("FillOrKill") => Ok(TimeInForce::Fok),
        Some(_) => Err(Failure::invalid("Invalid timeInForce")),
    }
}

/// An order by its id or by its client's name, open or ended.
fn known(call: &Call<'_>, reference: &OrderRef) -> Result<Order, Failure> {
    let found = call.records()?.orders.values().find(|order| reference.matches(order));
    found.copied().ok_or_else(Failure::not_found)
}

pub(crate) fn amend(call: &mut Call<'_>) -> Result<Value, Failure> {
    let reference = match (call.params.text("orderID"), call.params.text("origClOrdID")) {
        (Some(id), _) => OrderRef::Venue(id.parse().map_err(|_| Failure::not_found())?),
        (None, Some(name)) => OrderRef::Name(OrderName::parse(name).ok_or_else(Failure::not_found)?),
        (None, None) => return Err(Failure::invalid("Must specify orderID or origClOrdID")),
    };
    let order = known(call, &reference)?;
    let instrument = *call.instrument(order.symbol).ok_or_else(Failure::not_found)?;
    let quantity = match (call.params.decimal("orderQty")?, call.params.decimal("leavesQty")?) {
        (Some(quantity), _) => Some(whole(&instrument, quantity)?),
        (None, Some(leaves)) => {
            let filled = units::contracts(&instrument, order.filled);
            Some(whole(&instrument, leaves + filled)?)
        }
        (None, None) => None,
    };
    let (price, trigger) = (call.params.price("price")?, call.params.price("stopPx")?);
    let amendment = Amendment { quantity, price, trigger };
    let (account, symbol) = (call.account, order.symbol);
    let id = order.venue_id;
    let order = OrderRef::Venue(id);
    call.state.core.world.apply(&Input::Amend { account, symbol, order, amendment })?;
    shown(call, &id)
}

/// One row per named order; one that cannot be canceled says why in its row.
pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Value, Failure> {
    let ids = call.params.names("orderID");
    let names = call.params.names("clOrdID");
    let mut references = Vec::new();
    for id in ids {
        references.push(OrderRef::Venue(id.parse().map_err(|_| Failure::not_found())?));
    }
    for name in names {
        references.push(OrderRef::Name(OrderName::parse(&name).ok_or_else(Failure::not_found)?));
    }
    if references.is_empty() {
        return Err(Failure::invalid("Must specify orderID or clOrdID"));
    }
    let mut rows = Vec::new();
    for reference in references {
        let order = known(call, &reference)?;
        let (account, symbol, id) = (call.account, order.symbol, order.venue_id);
        let order = OrderRef::Venue(id);
        let done = call.state.core.world.apply(&Input::Cancel { account, symbol, order });
        let mut row = shown(call, &id)?;
        if done.is_err() {
            let state = row["ordStatus"].as_str().unwrap_or_default().to_owned();
            row["error"] = json!(format!("Unable to cancel order due to existing state: {state}"));
        }
        rows.push(row);
    }
    Ok(Value::Array(rows))
}

pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.params.symbol()?;
    let filter = call.params.filter()?;
    let account = call.account;
    let open: Vec<Order> = call.state.core.world.exchange.open_orders(account).copied().collect();
    let mut rows = Vec::new();
    for order in open {
        let row = shown(call, &order.venue_id)?;
        if symbol.is_some_and(|symbol| symbol != order.symbol) || !filter.fits(&row) {
            continue;
        }
        let (symbol, id) = (order.symbol, order.venue_id);
        let order = OrderRef::Venue(id);
        call.state.core.world.apply(&Input::Cancel { account, symbol, order })?;
        rows.push(shown(call, &id)?);
    }
    Ok(Value::Array(rows))
}

/// The dead-man's switch of the account, in milliseconds of the wall clock; 0 switches it off.
pub(crate) fn cancel_all_after(call: &mut Call<'_>) -> Result<Value, Failure> {
    let timeout = call.params.count("timeout")?;
    let timeout = timeout.filter(|timeout| *timeout <= LONGEST_SWITCH);
    let timeout = timeout.ok_or_else(|| Failure::invalid("timeout must be a number of milliseconds"))?;
    let at = call.wall.plus_ms(i64::try_from(timeout).unwrap_or(i64::MAX));
    call.state.switch(call.account, (timeout > 0).then_some(at));
    let canceled = if timeout > 0 { json!(units::stamp(at)) } else { Value::Null };
    Ok(json!({ "now": units::stamp(call.wall), "cancelTime": canceled }))
}

/// Every order that rests, for the switch.
pub(crate) const ALL_ORDERS: CancelFilter = CancelFilter::All;

/// Orders, oldest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.params.symbol()?;
    let filter = call.params.filter()?;
    let records = call.records()?;
    let mut rows = Vec::new();
    for order in records.sequence.iter().filter_map(|id| records.orders.get(id)) {
        let Some(instrument) = call.instrument(order.symbol) else { continue };
        let row = shapes::order(order, instrument);
        let wanted = symbol.is_none_or(|symbol| symbol == order.symbol);
        if wanted && filter.fits(&row) && call.in_range(order.created_at)? {
            rows.push(row);
        }
    }
    call.page(rows, 100)
}
