//! A bot for tests: one linear instrument, candles of a minute, a strategy that follows the last closes.
//!
//! With averages of 2 and 3 closes the signal is long while closes rise and short while they fall. Candles begin on
//! Monday 2024-01-01 00:00 UTC; news comes one second apart.

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    Balance, BotId, Candle, ClientOrderId, ContractType, Decimal, Exchange, Fill, Instrument,
    InstrumentStatus, Liquidity, Money, NewOrder, OrderPurpose, Price, Quantity, Rate, ShortText, TemplateId,
    Timestamp,
};
use keyhold_engine::action::Action;
use keyhold_engine::event::{AccountView, Event, Outcome, Reconciliation, Request};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;
use keyhold_engine::{Ids, Plan, State, step};

pub(crate) const START_MS: i64 = 1_704_067_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

pub(crate) fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub(crate) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn linear() -> Instrument {
    Instrument {
        exchange: Exchange::Bybit,
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        settle: "USDT".parse().unwrap(),
        contract_type: ContractType::Linear,
        multiplier: Decimal::ONE,
        tick: d("0.01"),
        lot: d("0.1"),
        min_quantity: quantity("0.1"),
        max_quantity: None,
        min_notional: Some(d("5")),
        max_leverage: d("50"),
        maintenance_margin: Rate::new(d("0.005")),
        maker_fee: Rate::new(d("0.0002")),
        taker_fee: Rate::new(d("0.0005")),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

pub(crate) fn inverse() -> Instrument {
    Instrument {
        symbol: "BTCUSD".parse().unwrap(),
        quote: "USD".parse().unwrap(),
        settle: "BTC".parse().unwrap(),
        contract_type: ContractType::Inverse,
        tick: d("0.5"),
        lot: d("1"),
        min_quantity: quantity("1"),
        min_notional: None,
        ..linear()
    }
}

/// A template whose parts a test replaces by JSON.
pub(crate) fn template(changes: &serde_json::Value) -> Template {
    let mut document = serde_json::json!({
        "format": 1,
        "name": "Test",
        "timeframe": "1m",
        "combination": {"mode": "all"},
        "components": [{"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}}],
        "exits": [{"kind": "hard_stop", "parameters": {"pct": 2}}]
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    serde_json::from_value(document).unwrap()
}

/// Settings whose parts a test replaces by JSON.
pub(crate) fn settings(changes: &serde_json::Value) -> BotSettings {
    let mut document = serde_json::json!({
        "format": 1,
        "sizing": {"mode": "fixed_quantity", "quantity": "1"},
        "leverage": "5",
        "recording": "actions"
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    serde_json::from_value(document).unwrap()
}

pub(crate) fn ids(slot: u16) -> Ids {
    Ids {
        bot: BotId::from_u128(1 << 90),
        slot,
        epoch: 1,
        template: TemplateId::from_u128(5),
        template_version: 3,
    }
}

pub(crate) fn plan(template_changes: &serde_json::Value, settings_changes: &serde_json::Value) -> Plan {
    Plan::compile(&template(template_changes), &linear(), &settings(settings_changes), ids(0)).unwrap()
}

pub(crate) fn candle(number: i64, prices: [&str; 4]) -> ClosedCandle {
    let candle = Candle {
        open_time: Timestamp::from_ms(START_MS + number * MINUTE_MS),
        open: price(prices[0]),
        high: price(prices[1]),
        low: price(prices[2]),
        close: price(prices[3]),
        volume: Decimal::ONE,
    };
    ClosedCandle::new(candle.check().unwrap())
}

/// A bot with its clock and its fills.
pub(crate) struct Rig {
    pub(crate) plan: Plan,
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    next_candle: i64,
    fills: u32,
}

impl Rig {
    pub(crate) fn new(plan: Plan) -> Self {
        let state = State::new(&plan);
        Self { plan, state, now: Timestamp::from_ms(START_MS), next_candle: 0, fills: 0 }
    }

    /// Reconciled as flat, with 10,000 of the settlement asset.
    pub(crate) fn started(plan: Plan) -> Self {
        let mut rig = Self::new(plan);
        rig.reconciled(None, Vec::new());
        rig.funds("10000", "10000");
        rig
    }

    pub(crate) fn take(&mut self, event: &Event) -> Vec<Action> {
        let state = std::mem::replace(&mut self.state, State::new(&self.plan));
        let (state, actions) = step(&self.plan, state, event);
        self.state = state;
        actions
    }

    pub(crate) fn second(&mut self) -> Timestamp {
        self.now = self.now.plus_ms(1000);
        self.now
    }

    pub(crate) fn candle(&mut self, prices: [&str; 4]) -> Vec<Action> {
        let candle = candle(self.next_candle, prices);
        self.next_candle += 1;
        let at = candle.candle.close_time(self.plan.timeframe);
        self.now = at;
        self.take(&Event::CandleClosed { candle, at })
    }

    /// Open time and close of the next candle.
    pub(crate) fn coming(&self) -> (Timestamp, Timestamp) {
        let open = Timestamp::from_ms(START_MS + self.next_candle * MINUTE_MS);
        (open, open.plus_ms(self.plan.interval_ms()))
    }

    pub(crate) fn skip_candles(&mut self, count: i64) {
        self.next_candle += count;
    }

    /// A candle whose four prices are one.
    pub(crate) fn flat_candle(&mut self, close: &str) -> Vec<Action> {
        self.candle([close; 4])
    }

    pub(crate) fn funds(&mut self, equity: &str, available: &str) -> Vec<Action> {
        let at = self.now;
        let balance = Balance {
            asset: self.plan.instrument.settle,
            wallet: d(equity),
            equity: d(equity),
            available: d(available),
        };
        self.take(&Event::AccountRefreshed(AccountView { balance: Some(balance), position: None, at }))
    }

    pub(crate) fn reconciled(
        &mut self,
        position: Option<keyhold_domain::Position>,
        open_orders: Vec<keyhold_domain::OpenOrder>,
    ) -> Vec<Action> {
        self.reconciled_by(position, open_orders, Vec::new())
    }

    /// With fills that nobody has told of.
    pub(crate) fn reconciled_by(
        &mut self,
        position: Option<keyhold_domain::Position>,
        open_orders: Vec<keyhold_domain::OpenOrder>,
        fills: Vec<Fill>,
    ) -> Vec<Action> {
        let at = self.second();
        self.take(&Event::Reconciled(Reconciliation { position, open_orders, fills, at }))
    }

    /// The newest living order with a purpose.
    pub(crate) fn order(&self, purpose: OrderPurpose) -> NewOrder {
        self.find(purpose).unwrap_or_else(|| panic!("there is no living order of purpose {purpose}"))
    }

    pub(crate) fn find(&self, purpose: OrderPurpose) -> Option<NewOrder> {
        self.state.orders().with_purpose(purpose).last().map(|tracked| tracked.order)
    }

    pub(crate) fn outcome(&mut self, id: ClientOrderId, request: Request, outcome: Outcome) -> Vec<Action> {
        let at = self.second();
        self.take(&Event::OrderOutcome { client_id: id, request, outcome, at })
    }

    pub(crate) fn accept(&mut self, purpose: OrderPurpose) -> Vec<Action> {
        let id = self.order(purpose).client_id;
        self.outcome(id, Request::Place, Outcome::Accepted)
    }

    pub(crate) fn fill(&mut self, purpose: OrderPurpose, amount: &str, at_price: &str) -> Vec<Action> {
        let order = self.order(purpose);
        let fill = self.make_fill(&order, amount, at_price);
        self.take(&Event::Filled(fill))
    }

    pub(crate) fn make_fill(&mut self, order: &NewOrder, amount: &str, at_price: &str) -> Fill {
        self.fills += 1;
        let name = format!("fill-{}", self.fills);
        let (price, quantity) = (price(at_price), quantity(amount));
        let value = self.plan.instrument.value(price, quantity).unwrap();
        Fill {
            fill_id: FillId::new(&name).unwrap(),
            client_id: Some(order.client_id),
            venue_order_id: ShortText::new("venue-1").unwrap(),
            symbol: order.symbol,
            side: order.side,
            price,
            quantity,
            fee: Money::new(value.amount * self.plan.instrument.taker_fee.get(), value.asset),
            liquidity: Liquidity::Taker,
            at: self.second(),
        }
    }
}
