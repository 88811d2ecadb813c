//! The bodies of OKX's writes. Pure; every field on the wire is named here and nowhere else.
//!
//! Sizes are counts of contracts. Numbers are texts, as OKX wants them. A stop that shrinks a position is a
//! `conditional` order, whose side says from where its trigger is reached; one that may grow it is a `trigger` order.
//! Rules: OKX v5, "Order Book Trading".

use keyhold_domain::{
    MarginMode, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, Side, Symbol,
    TimeInForce, TriggerDirection, TriggerSource,
};
use serde::Serialize;

use crate::signer::{AmendOrder, CancelOrder, OrderRef, SetLeverage};

/// JSON of a body or frame.
pub fn text_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("our bodies hold only texts and whole numbers under fixed names")
}

/// The price that stands for "at the market" in orders that wait for a trigger.
const AT_MARKET: &str = "-1";

/// OKX's word for a margin mode.
pub const fn margin_word(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Isolated => "isolated",
        MarginMode::Cross => "cross",
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

const fn source_word(source: TriggerSource) -> &'static str {
    match source {
        TriggerSource::Last => "last",
        TriggerSource::Mark => "mark",
        TriggerSource::Index => "index",
    }
}

/// OKX tells how long a limit order stays by the kind of the order.
const fn limit_word(time: TimeInForce) -> &'static str {
    match time {
        TimeInForce::Gtc => "limit",
        TimeInForce::Ioc => "ioc",
        TimeInForce::Fok => "fok",
        TimeInForce::PostOnly => "post_only",
    }
}

/// In which of OKX's two books an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// Orders that rest or execute at once.
    Plain,
    /// Orders that wait for a trigger: OKX calls them algo orders.
    Stops,
}

impl Book {
    /// Where an order of ours is: only protective stops wait for a trigger. Orders by the venue's name are looked for
    /// among the plain ones.
    pub const fn of(order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => Self::of_purpose(id.purpose()),
            OrderRef::Venue(_) => Self::Plain,
        }
    }

    /// The same by what an order is for.
    pub const fn of_purpose(purpose: OrderPurpose) -> Self {
        match purpose {
            OrderPurpose::ProtectiveStop => Self::Stops,
            OrderPurpose::Entry | OrderPurpose::Exit | OrderPurpose::TakeProfit => Self::Plain,
        }
    }
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct PlaceBody {
    inst_id: String,
    td_mode: &'static str,
    side: &'static str,
    ord_type: &'static str,
    sz: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    px: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cl_ord_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algo_cl_ord_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduce_only: Option<bool>,
    #[serde(flatten)]
    trigger: Option<Trigger>,
}

/// The three ways to wait for a price.
#[derive(Serialize)]
#[serde(untagged)]
enum Trigger {
    #[serde(rename_all = "camelCase")]
    StopLoss { sl_trigger_px: Price, sl_ord_px: &'static str, sl_trigger_px_type: &'static str },
    #[serde(rename_all = "camelCase")]
    TakeProfit { tp_trigger_px: Price, tp_ord_px: &'static str, tp_trigger_px_type: &'static str },
    #[serde(rename_all = "camelCase")]
    Either { trigger_px: Price, order_px: &'static str, trigger_px_type: &'static str },
}

/// A new order of either book.
pub fn place(order: &NewOrder, margin: MarginMode) -> (Book, String) {
    let mut body = PlaceBody {
        inst_id: order.symbol.to_string(),
        td_mode: margin_word(margin),
        side: side_word(order.side),
        ord_type: "market",
        sz: order.quantity.get().normalize().to_string(),
        reduce_only: match order.effect {
            PositionEffect::Increase => None,
            PositionEffect::ReduceOnly => Some(true),
        },
        ..PlaceBody::default()
    };
    let name = Some(order.client_id.to_string());
    match order.kind {
        OrderKind::Market => body.cl_ord_id = name,
        OrderKind::Limit { price, time_in_force } => {
            body.ord_type = limit_word(time_in_force);
            body.px = Some(price);
            body.cl_ord_id = name;
        }
        OrderKind::StopMarket { trigger, direction, source } => {
            let (ord_type, trigger) = waiting(order.side, order.effect, (trigger, direction), source);
            body.ord_type = ord_type;
            body.trigger = Some(trigger);
            body.algo_cl_ord_id = name;
            return (Book::Stops, text_of(&body));
        }
    }
    (Book::Plain, text_of(&body))
}

/// A stop loss of a long position sells when the price falls, a take profit when it rises; of a short one the other
/// way round.
fn waiting(
    side: Side,
    effect: PositionEffect,
    (trigger, direction): (Price, TriggerDirection),
    source: TriggerSource,
) -> (&'static str, Trigger) {
    let source = source_word(source);
    let is_loss = matches!(
        (side, direction),
        (Side::Sell, TriggerDirection::Falls) | (Side::Buy, TriggerDirection::Rises)
    );
    match (effect, is_loss) {
        (PositionEffect::ReduceOnly, true) => {
            let sl = Trigger::StopLoss {
                sl_trigger_px: trigger,
                sl_ord_px: AT_MARKET,
                sl_trigger_px_type: source,
            };
            ("conditional", sl)
        }
        (PositionEffect::ReduceOnly, false) => {
            let tp = Trigger::TakeProfit {
                tp_trigger_px: trigger,
                tp_ord_px: AT_MARKET,
                tp_trigger_px_type: source,
            };
            ("conditional", tp)
        }
        (PositionEffect::Increase, _) => {
            let either =
                Trigger::Either { trigger_px: trigger, order_px: AT_MARKET, trigger_px_type: source };
            ("trigger", either)
        }
    }
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct NamedBody {
    inst_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ord_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cl_ord_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algo_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algo_cl_ord_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_sz: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_px: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_sl_trigger_px: Option<Price>,
}

fn named(symbol: Symbol, order: OrderRef, book: Book) -> NamedBody {
    let body = NamedBody { inst_id: symbol.to_string(), ..NamedBody::default() };
    match (book, order) {
        (Book::Plain, OrderRef::Client(id)) => NamedBody { cl_ord_id: Some(id.to_string()), ..body },
        (Book::Plain, OrderRef::Venue(id)) => NamedBody { ord_id: Some(id.to_string()), ..body },
        (Book::Stops, OrderRef::Client(id)) => NamedBody { algo_cl_ord_id: Some(id.to_string()), ..body },
        (Book::Stops, OrderRef::Venue(id)) => NamedBody { algo_id: Some(id.to_string()), ..body },
    }
}

/// A changed order of either book.
pub fn amend(amend: &AmendOrder) -> (Book, String) {
    let book = Book::of(amend.order);
    let new_sz = amend.quantity.map(|quantity: Quantity| quantity.get().normalize().to_string());
    let mut body = NamedBody { new_sz, ..named(amend.symbol, amend.order, book) };
    match book {
        Book::Plain => body.new_px = amend.price,
        Book::Stops => body.new_sl_trigger_px = amend.trigger,
    }
    (book, text_of(&body))
}

/// The end of an order of either book; for stops OKX takes lists only.
pub fn cancel(cancel: &CancelOrder) -> (Book, String) {
    match Book::of(cancel.order) {
        Book::Plain => (Book::Plain, text_of(&named(cancel.symbol, cancel.order, Book::Plain))),
        Book::Stops => (Book::Stops, cancel_many(std::slice::from_ref(cancel), Book::Stops)),
    }
}

/// The end of several orders of one book.
pub fn cancel_many(orders: &[CancelOrder], book: Book) -> String {
    text_of(&orders.iter().map(|one| named(one.symbol, one.order, book)).collect::<Vec<_>>())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeverageBody {
    inst_id: Symbol,
    lever: String,
    mgn_mode: &'static str,
}

/// The leverage of an instrument in one margin mode.
pub fn leverage(set: &SetLeverage, margin: MarginMode) -> String {
    let lever = set.leverage.normalize().to_string();
    text_of(&LeverageBody { inst_id: set.symbol, lever, mgn_mode: margin_word(margin) })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PositionModeBody {
    pos_mode: &'static str,
}

/// One net position per instrument, for the whole account.
pub fn one_way() -> String {
    text_of(&PositionModeBody { pos_mode: "net_mode" })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SwitchBody {
    time_out: String,
}

/// Cancel in so many seconds; 0 switches it off.
pub fn switch(seconds: u64) -> String {
    text_of(&SwitchBody { time_out: seconds.to_string() })
}
