//! Reads scenario files: each line is a deed, the lines after it that begin with `>` are all that must happen.
//!
//! Deeds: `instrument linear|inverse NAME key=value…`, `deposit 1000 USDT`, `mode cross`, `leverage NAME 10`,
//! `rule key=value`, `price NAME P`, `mark NAME P`, `candle NAME O H L C`, `funding NAME RATE`, `hours N`,
//! `buy|sell NAME QTY market|limit P|stop-rises P|stop-falls P [ioc|fok|post-only] [reduce] [as ID]`,
//! `amend NAME ID price=P qty=Q trigger=T`, `cancel NAME ID`, `show position NAME`, `show wallet ASSET`.

use std::fmt::Write as _;
use std::path::Path;

use keyhold_domain::{
    Asset, Candle, Contract, Decimal, Exchange as Venue, Instrument, InstrumentStatus, MarginMode, Money,
    OrderKind, PositionEffect, Price, Rate, Side, Symbol, TimeInForce, Timestamp, TriggerDirection,
    TriggerSource,
};
use keyhold_simulator::exchange::{
    AccountId, Amendment, Exchange, ExchangeConfig, ExchangeEvent, GapFill, Input, IntrabarRule, OrderName,
    OrderRef, OrderRequest, ReduceOnlyExcess, Refusal, Slippage,
};

pub(crate) const TRADER: AccountId = AccountId(1);
const MINUTE: i64 = 60_000;

pub(crate) fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// A Bybit-like instrument; `words` override fields.
pub(crate) fn instrument(kind: &str, name: &str, words: &[&str]) -> Instrument {
    let linear = kind == "linear";
    let contract = if linear {
        Contract::Linear { multiplier: Decimal::ONE }
    } else {
        Contract::Inverse { multiplier: Decimal::ONE }
    };
    let mut made = Instrument {
        exchange: Venue::Bybit,
        symbol: name.parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: if linear { "USDT" } else { "USD" }.parse().unwrap(),
        settle: if linear { "USDT" } else { "BTC" }.parse().unwrap(),
        contract_type: contract.contract_type(),
        multiplier: Decimal::ONE,
        tick: d(if linear { "0.1" } else { "0.5" }),
        lot: d(if linear { "0.001" } else { "1" }),
        min_quantity: if linear { "0.001" } else { "1" }.parse().unwrap(),
        max_quantity: Some("1000000".parse().unwrap()),
        min_notional: linear.then(|| d("5")),
        max_leverage: d("100"),
        maintenance_margin: Rate::new(d("0.005")),
        maker_fee: Rate::new(d("0.0002")),
        taker_fee: Rate::new(d("0.00055")),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    };
    for word in words {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "multiplier" => made.multiplier = d(value),
            "taker" => made.taker_fee = Rate::new(d(value)),
            "maker" => made.maker_fee = Rate::new(d(value)),
            "maintenance" => made.maintenance_margin = Rate::new(d(value)),
            "tick" => made.tick = d(value),
            "lot" => {
                made.lot = d(value);
                made.min_quantity = value.parse().unwrap();
            }
            _ => panic!("unknown field {key}"),
        }
    }
    made
}

struct Stage {
    exchange: Exchange,
    at: Timestamp,
    config: ExchangeConfig,
}

impl Stage {
    fn new() -> Self {
        let config = ExchangeConfig::default();
        let mut exchange = Exchange::new(config);
        exchange.open_account(TRADER);
        Self { exchange, at: Timestamp::from_ms(1_640_995_200_000), config }
    }

    /// Does one line and returns what happened as text lines.
    fn act(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let result = match words.as_slice() {
            ["instrument", kind, name, rest @ ..] => {
                self.exchange.list(instrument(kind, name, rest));
                Ok(Vec::new())
            }
            ["rule", rule] => {
                self.rule(rule);
                Ok(Vec::new())
            }
            ["hours", hours] => {
                self.at = self.at.plus_ms(hours.parse::<i64>().unwrap() * 60 * MINUTE);
                self.exchange.apply(&Input::Advance, self.at)
            }
            ["show", what, name] => return vec![self.show(what, name)],
            _ => {
                let input = self.input(&words);
                let at = self.at;
                if let Input::Candle { .. } = input {
                    self.at = self.at.plus_ms(MINUTE);
                    self.exchange.apply(&input, at.plus_ms(MINUTE - 1))
                } else {
                    self.exchange.apply(&input, at)
                }
            }
        };
        match result {
            Ok(events) => events.iter().filter_map(told).collect(),
            Err(refusal) => vec![format!("refused: {refusal}")],
        }
    }

    fn rule(&mut self, rule: &str) {
        let (key, value) = rule.split_once('=').unwrap();
        match (key, value) {
            ("intrabar", "target-first") => self.config.fills.intrabar = IntrabarRule::TargetFirst,
            ("stop-gap", "order") => self.config.fills.stop_gap = GapFill::AtOrder,
            ("limit-gap", "market") => self.config.fills.limit_gap = GapFill::AtMarket,
            ("reduce-excess", "refuse") => self.config.fills.reduce_only = ReduceOnlyExcess::Refuse,
            ("depth", quantity) => self.config.fills.depth = Some(quantity.parse().unwrap()),
            ("slippage-bps", bps) => self.config.slippage = Slippage::uniform(d(bps)),
            _ => panic!("unknown rule {rule}"),
        }
        self.exchange.reconfigure(self.config.fills, self.config.slippage);
    }

    fn input(&self, words: &[&str]) -> Input {
        let price = |text: &str| text.parse::<Price>().unwrap();
        match words {
            ["deposit", amount, asset] => {
                Input::Deposit { account: TRADER, money: Money::new(d(amount), asset.parse().unwrap()) }
            }
            ["mode", mode] => {
                Input::SetMarginMode { account: TRADER, mode: mode.parse::<MarginMode>().unwrap() }
            }
            ["leverage", name, leverage] => {
                Input::SetLeverage { account: TRADER, symbol: name.parse().unwrap(), leverage: d(leverage) }
            }
            ["price", name, value] => Input::Price { symbol: name.parse().unwrap(), price: price(value) },
            ["mark", name, value] => Input::Mark { symbol: name.parse().unwrap(), price: price(value) },
            ["funding", name, rate] => {
                Input::SetFundingRate { symbol: name.parse().unwrap(), rate: Rate::new(d(rate)) }
            }
            ["candle", name, open, high, low, close] => Input::Candle {
                symbol: name.parse().unwrap(),
                candle: Candle {
                    open_time: self.at,
                    open: price(open),
                    high: price(high),
                    low: price(low),
                    close: price(close),
                    volume: Decimal::ONE,
                }
                .check()
                .unwrap(),
            },
            ["buy" | "sell", ..] => Input::Submit { account: TRADER, order: order(words) },
            ["amend", name, id, changes @ ..] => Input::Amend {
                account: TRADER,
                symbol: name.parse().unwrap(),
                order: OrderRef::Name(OrderName::parse(id).unwrap()),
                amendment: amendment(changes),
            },
            ["cancel", name, id] => Input::Cancel {
                account: TRADER,
                symbol: name.parse().unwrap(),
                order: OrderRef::Name(OrderName::parse(id).unwrap()),
            },
            _ => panic!("unknown deed {words:?}"),
        }
    }

    fn show(&self, what: &str, name: &str) -> String {
        match what {
            "position" => {
                let position = self.exchange.position(TRADER, name.parse::<Symbol>().unwrap()).unwrap();
                let mut text = format!("position {}", position.size);
                if let Some(entry) = position.entry {
                    write!(text, " @ {}", entry.get().round_dp(4).normalize()).unwrap();
                    write!(text, " profit {}", position.unrealized.unwrap().normalize()).unwrap();
                }
                if let Some(level) = position.liquidation {
                    write!(text, " liquidation {level}").unwrap();
                }
                text
            }
            "wallet" => {
                let balance = self.exchange.balance(TRADER, name.parse::<Asset>().unwrap()).unwrap();
                let (wallet, free) = (balance.wallet.normalize(), balance.available.normalize());
                format!("wallet {wallet} available {}", free.round_dp(4).normalize())
            }
            _ => panic!("cannot show {what}"),
        }
    }
}

fn order(words: &[&str]) -> OrderRequest {
    let side: Side = words[0].parse().unwrap();
    let value = |offset: usize| words[offset].parse::<Price>().unwrap();
    let has = |word: &str| words.contains(&word);
    let time_in_force = if has("ioc") {
        TimeInForce::Ioc
    } else if has("fok") {
        TimeInForce::Fok
    } else if has("post-only") {
        TimeInForce::PostOnly
    } else {
        TimeInForce::Gtc
    };
    let source = if has("on-mark") { TriggerSource::Mark } else { TriggerSource::Last };
    let kind = match words[3] {
        "market" => OrderKind::Market,
        "limit" => OrderKind::Limit { price: value(4), time_in_force },
        "stop-rises" => {
            OrderKind::StopMarket { trigger: value(4), direction: TriggerDirection::Rises, source }
        }
        "stop-falls" => {
            OrderKind::StopMarket { trigger: value(4), direction: TriggerDirection::Falls, source }
        }
        other => panic!("unknown order kind {other}"),
    };
    let name = words.iter().position(|word| *word == "as").map(|at| words[at + 1]);
    OrderRequest {
        name: name.map(|name| OrderName::parse(name).unwrap()),
        symbol: words[1].parse().unwrap(),
        side,
        kind,
        quantity: words[2].parse().unwrap(),
        effect: if has("reduce") { PositionEffect::ReduceOnly } else { PositionEffect::Increase },
    }
}

fn amendment(changes: &[&str]) -> Amendment {
    let mut amendment = Amendment::default();
    for change in changes {
        let (key, value) = change.split_once('=').unwrap();
        match key {
            "price" => amendment.price = value.parse().ok(),
            "qty" => amendment.quantity = value.parse().ok(),
            "trigger" => amendment.trigger = value.parse().ok(),
            _ => panic!("unknown change {key}"),
        }
    }
    amendment
}

/// The text of an event; positions and balances are asked for with `show`.
fn told(event: &ExchangeEvent) -> Option<String> {
    match event {
        ExchangeEvent::Order(order) => {
            let name = order.name.map_or_else(String::new, |name| format!("{name} "));
            let mut text = format!("order {name}{}", order.status);
            if let Some(refusal) = order.refusal {
                write!(text, " {refusal}").unwrap();
            }
            Some(text)
        }
        ExchangeEvent::Fill(_, report) => {
            let fill = &report.fill;
            let fee = fill.fee.amount.normalize();
            let mut text =
                format!("fill {} {} @ {} {} fee {fee}", fill.side, fill.quantity, fill.price, fill.liquidity);
            if !report.closed.is_zero() {
                write!(text, " profit {}", report.realized.normalize()).unwrap();
            }
            Some(text)
        }
        ExchangeEvent::Funding(_, payment) => Some(format!("funding {}", payment.amount)),
        ExchangeEvent::Liquidation(_, liquidation) => {
            Some(format!("liquidated @ {} clearance {}", liquidation.price, liquidation.clearance))
        }
        ExchangeEvent::Position(..) | ExchangeEvent::Balance(..) => None,
    }
}

fn run(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut stage = Stage::new();
    let mut happened: std::collections::VecDeque<String> = std::collections::VecDeque::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{}:{}", path.display(), number + 1);
        let line = line.split('#').next().unwrap().trim();
        if line.is_empty() {
            continue;
        }
        if line == "restart" {
            assert!(happened.is_empty(), "{place}: more happened: {happened:?}");
            stage = Stage::new();
        } else if let Some(expected) = line.strip_prefix('>') {
            assert_eq!(happened.pop_front().as_deref(), Some(expected.trim()), "{place}");
        } else {
            assert!(happened.is_empty(), "{place}: more happened before: {happened:?}");
            happened = stage.act(line).into();
        }
    }
    assert!(happened.is_empty(), "{}: more happened at the end: {happened:?}", path.display());
    for asset in ["USDT", "BTC"] {
        let imbalance = stage.exchange.imbalance(asset.parse().unwrap());
        assert!(imbalance.amount.is_zero(), "{}: money appeared: {imbalance}", path.display());
    }
}

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
            run(&folder.join(concat!(stringify!($name), ".txt")));
        }
    )+};
}

scenarios!(orders, candles, inverse, margin);

#[test]
fn refusals_have_a_word() {
    assert_eq!(Refusal::DuplicateName.code().as_str(), "duplicate_client_order_id");
}
