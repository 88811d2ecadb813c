//! What would the bot do? Events on the left, the actions expected on the right, in files a trader can read.
//!
//! A file begins with settings: `template`, `settings` (JSON that replaces parts of the test bot's documents) and
//! `answers` (`accept` answers every order at once, `manual` leaves it to the lines). After a line of dashes each line is
//! `event | actions`; a bar alone continues the actions, `#` begins a comment. What the actions say is in [`say`].

use std::fmt::Write as _;
use std::path::Path;

use keyhold_domain::{
    ClientOrderId, Decimal, Fill, NewOrder, OpenOrder, OrderKind, OrderPurpose, OrderStatus, OrderUpdate,
    Position, ShortText, SignedQuantity,
};
use keyhold_engine::action::{Action, Note};
use keyhold_engine::event::{AtStop, Directive, Event, Outcome, Request};

use crate::rig::{Rig, d, plan, price};

#[derive(PartialEq)]
enum Answers {
    Accept,
    Manual,
}

struct Play {
    rig: Rig,
    answers: Answers,
    last_fill: Option<Fill>,
}

#[test]
fn every_scenario_ends_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= 12, "the scenarios have gone missing");
    for file in files {
        run(&file);
    }
}

fn run(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let (head, body) = text.split_once("\n---\n").unwrap_or_else(|| panic!("{} has no ---", file.display()));
    let mut play = open(head);
    let mut lines = body.lines().enumerate().peekable();
    let first = head.lines().count() + 2;
    while let Some((index, line)) = lines.next() {
        let line = line.split('#').next().unwrap().trim();
        if line.is_empty() {
            continue;
        }
        let (event, expected) = line.split_once('|').unwrap_or((line, ""));
        let mut expected = expected.trim().to_owned();
        while let Some((_, more)) = lines.peek().filter(|(_, next)| next.trim_start().starts_with('|')) {
            let more = more.trim_start().trim_start_matches('|').split('#').next().unwrap().trim();
            write!(expected, "; {more}").unwrap();
            lines.next();
        }
        let place = format!("{}:{}", file.display(), first + index);
        let said = play.event(event.trim(), &place).join("; ");
        assert_eq!(said, expected.trim_start_matches("; "), "{place}: {event}");
    }
}

fn open(head: &str) -> Play {
    let field = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map_or("", str::trim)
    };
    let json = |text: &str| -> serde_json::Value {
        if text.is_empty() { serde_json::json!({}) } else { serde_json::from_str(text).unwrap() }
    };
    let plan = plan(&json(field("template")), &json(field("settings")));
    let answers = if field("answers") == "manual" { Answers::Manual } else { Answers::Accept };
    Play { rig: Rig::started(plan), answers, last_fill: None }
}

impl Play {
    fn event(&mut self, text: &str, place: &str) -> Vec<String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let actions = match words.as_slice() {
            ["candle", o, h, l, c] => self.rig.candle([o, h, l, c]),
            ["close", c] => self.rig.flat_candle(c),
            ["skip", count] => {
                self.rig.skip_candles(count.parse().unwrap());
                Vec::new()
            }
            ["fill", order, amount, "@", at] => {
                let order = self.named(order);
                let fill = self.rig.make_fill(&order, amount, at);
                self.last_fill = Some(fill);
                self.rig.take(&Event::Filled(fill))
            }
            ["fill", "again"] => self.rig.take(&Event::Filled(self.last_fill.unwrap())),
            ["wait", seconds] => {
                self.rig.now = self.rig.now.plus_ms(seconds.parse::<i64>().unwrap() * 1000);
                self.rig.take(&Event::TimerFired { at: self.rig.now })
            }
            ["restart"] => {
                let at = self.rig.second();
                self.rig.take(&Event::Restarted { at })
            }
            [word, rest @ ..] => self.news(word, rest, place),
            [] => panic!("{place}: no event"),
        };
        self.answered(&actions)
    }

    fn news(&mut self, word: &str, rest: &[&str], place: &str) -> Vec<Action> {
        match (word, rest) {
            ("accept", [order]) => self.rig.accept(purpose(order)),
            ("refuse", [order, code]) => self.placed(order, Outcome::Refused { code: code.parse().unwrap() }),
            ("unknown", [order]) => self.placed(order, Outcome::Unknown),
            ("unsent", [order]) => self.placed(order, Outcome::NotSent),
            ("canceled", [order]) => self.ended(order),
            ("reconcile", rest) => self.reconcile(rest),
            ("overtake", [side, amount, "@", at]) => self.overtake(side, amount, at),
            ("say", [directive]) => {
                let at = self.rig.second();
                let directive = match *directive {
                    "pause" => Directive::Pause,
                    "resume" => Directive::Resume,
                    "exits_only" => Directive::ExitsOnly,
                    "entries_allowed" => Directive::EntriesAllowed,
                    "flatten" => Directive::Flatten,
                    "stop_close" => Directive::Stop { position: AtStop::Close },
                    "stop_leave" => Directive::Stop { position: AtStop::Leave },
                    other => panic!("{place}: unknown directive {other}"),
                };
                self.rig.take(&Event::Directed { directive, at })
            }
            _ => panic!("{place}: unknown event {word} {rest:?}"),
        }
    }

    /// `target` is the newest living target, `target1` the oldest.
    fn named(&self, word: &str) -> NewOrder {
        match word.strip_suffix(|c: char| c.is_ascii_digit()) {
            Some(kind) => {
                let place: usize = word[kind.len()..].parse().unwrap();
                let mut living = self.rig.state.orders().with_purpose(purpose(kind));
                living.nth(place - 1).unwrap().order
            }
            None => self.rig.order(purpose(word)),
        }
    }

    fn placed(&mut self, order: &str, outcome: Outcome) -> Vec<Action> {
        let id = self.rig.order(purpose(order)).client_id;
        self.rig.outcome(id, Request::Place, outcome)
    }

    fn ended(&mut self, order: &str) -> Vec<Action> {
        let oldest = self.rig.state.orders().with_purpose(purpose(order)).next().copied().unwrap();
        let at = self.rig.second();
        self.rig.take(&Event::OrderUpdated(OrderUpdate {
            client_id: oldest.order.client_id,
            venue_id: None,
            symbol: oldest.order.symbol,
            status: OrderStatus::Canceled,
            filled: oldest.filled,
            refusal: None,
            at,
        }))
    }

    /// `reconcile <size> [by <side> <quantity> @ <price>] [with <purpose> ...]`: the venue's position, a fill of somebody
    /// else while our stop rests, and which of our orders rest there.
    fn reconcile(&mut self, rest: &[&str]) -> Vec<Action> {
        let size = d(rest[0]);
        let (fills, rest) = match rest {
            [_, "by", side, amount, "@", at, rest @ ..] => (vec![self.foreign(side, amount, at)], rest),
            [_, rest @ ..] => (Vec::new(), rest),
            [] => panic!("a size is missing"),
        };
        let symbol = self.rig.plan.instrument.symbol;
        let position = (!size.is_zero()).then(|| Position {
            symbol,
            size: SignedQuantity::new(size),
            entry: Some(price("100")),
            mark: None,
            liquidation: None,
            leverage: None,
            unrealized: None,
            margin_mode: None,
        });
        let resting = rest.iter().skip(1).map(|word| open_order(&self.rig.order(purpose(word)))).collect();
        self.rig.reconciled_by(position, resting, fills)
    }

    /// A fill of somebody else that happens after the next one of our entry and is heard before it.
    fn overtake(&mut self, side: &str, amount: &str, at: &str) -> Vec<Action> {
        let order = NewOrder { side: side.parse().unwrap(), ..self.rig.order(OrderPurpose::Entry) };
        let fill = self.rig.make_fill(&order, amount, at);
        let fill = Fill { client_id: None, at: fill.at.plus_ms(5_000), ..fill };
        self.rig.take(&Event::Filled(fill))
    }

    fn foreign(&mut self, side: &str, amount: &str, at: &str) -> Fill {
        let order = NewOrder { side: side.parse().unwrap(), ..self.rig.order(OrderPurpose::ProtectiveStop) };
        let fill = Fill { client_id: None, ..self.rig.make_fill(&order, amount, at) };
        self.last_fill = Some(fill);
        fill
    }

    /// What the actions say; orders and cancels are answered when the file wants it, and what follows is said as well.
    fn answered(&mut self, actions: &[Action]) -> Vec<String> {
        let mut said: Vec<String> = actions.iter().map(|action| self.say(action)).collect();
        if self.answers == Answers::Manual {
            return said;
        }
        for action in actions {
            let more = match action {
                Action::Place(order) => {
                    self.rig.outcome(order.get().client_id, Request::Place, Outcome::Accepted)
                }
                Action::Cancel(id) => self.cancel(*id),
                Action::Reconcile(_)
                | Action::WakeAt(_)
                | Action::Record(_)
                | Action::TradeClosed(_)
                | Action::Note(_) => Vec::new(),
            };
            said.extend(self.answered(&more));
        }
        said
    }

    fn cancel(&mut self, id: ClientOrderId) -> Vec<Action> {
        let Some(tracked) = self.rig.state.orders().get(id).copied() else { return Vec::new() };
        let at = self.rig.second();
        self.rig.take(&Event::OrderUpdated(OrderUpdate {
            client_id: id,
            venue_id: None,
            symbol: tracked.order.symbol,
            status: OrderStatus::Canceled,
            filled: tracked.filled,
            refusal: None,
            at,
        }))
    }

    fn say(&self, action: &Action) -> String {
        let now = self.rig.now;
        match action {
            Action::Place(order) => say_order(order.get()),
            Action::Cancel(id) => format!("cancel {}", name(id.purpose())),
            Action::Reconcile(_) => String::from("reconcile"),
            Action::WakeAt(at) => format!("wake in {} s", at.since_ms(now) / 1000),
            Action::Record(decision) => format!("[{}]", decision.headline),
            Action::TradeClosed(trade) => format!(
                "trade {} {} from {} to {} net {}",
                trade.exit_reason,
                trade.quantity,
                trade.entry_price,
                trade.exit_price,
                trade.net.normalize()
            ),
            Action::Note(note) => say_note(*note),
        }
    }
}

fn say_note(note: Note) -> String {
    match note {
        Note::OrderRefused { client_id, code } => format!("refused {} {code}", name(client_id.purpose())),
        Note::EntryGivenUp { .. } => String::from("entry given up"),
        Note::PartialFill { .. } => String::from("partial fill"),
        Note::ImpossibleNews { error, .. } => format!("impossible: {error}"),
        Note::OrphanOrder { .. } => String::from("orphan order"),
        Note::ForeignFill(_) => String::from("foreign fill"),
        Note::StopMissing { .. } => String::from("stop missing"),
        Note::Slippage { bps } => format!("slippage {bps}"),
        Note::Position(reason) => format!("{reason}"),
        Note::StaleData => String::from("stale data"),
        Note::FeedGap { .. } => String::from("gap"),
        Note::LimitHit(reason) => format!("limit {reason}"),
        Note::Overflow => String::from("overflow"),
    }
}

fn say_order(order: &NewOrder) -> String {
    let kind = match order.kind {
        OrderKind::Market => String::from("market"),
        OrderKind::Limit { price, time_in_force } => format!("limit {price} {time_in_force}"),
        OrderKind::StopMarket { trigger, direction, .. } => format!("when {direction} to {trigger}"),
    };
    format!("{} {} {} {kind}", name(order.purpose), order.side, order.quantity)
}

fn open_order(order: &NewOrder) -> OpenOrder {
    OpenOrder {
        client_id: Some(order.client_id),
        venue_id: ShortText::new("venue-1").unwrap(),
        symbol: order.symbol,
        side: order.side,
        kind: order.kind,
        quantity: order.quantity,
        filled: Decimal::ZERO,
        effect: order.effect,
        status: OrderStatus::Open,
    }
}

const fn name(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::Entry => "entry",
        OrderPurpose::Exit => "exit",
        OrderPurpose::ProtectiveStop => "stop",
        OrderPurpose::TakeProfit => "target",
    }
}

fn purpose(word: &str) -> OrderPurpose {
    OrderPurpose::ALL.iter().copied().find(|purpose| name(*purpose) == word).unwrap()
}
