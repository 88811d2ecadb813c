//! Every limit: not reached, reached, reset; none of them stands before an exit.

use keyhold_domain::{AccountSnapshot, Asset, Balance, Instrument, OrderPurpose, ReasonCode, Timestamp};
use keyhold_engine::action::Action;
use keyhold_engine::event::{Directive, Event, Outcome, Reconciliation, Request};
use keyhold_engine::{BotAction, BotEvent, BotPlan, BotState, Plan, step_bot};
use serde_json::json;

use crate::rig::{MINUTE_MS, START_MS, candle, d, ids, inverse, linear, quantity, settings, template};

/// A bot with one or two instruments, answered by hand.
struct Bot {
    plan: BotPlan,
    state: BotState,
    now: Timestamp,
    number: i64,
    fills: u32,
}

impl Bot {
    fn new(limits: &serde_json::Value, symbols: &[&str]) -> Self {
        Self::with(&json!([]), limits, symbols)
    }

    /// With more components beside the signal.
    fn with(more: &serde_json::Value, limits: &serde_json::Value, symbols: &[&str]) -> Self {
        let signal = json!({"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}});
        let components: Vec<_> = [&signal].into_iter().chain(more.as_array().unwrap()).collect();
        let exits = json!([{"kind": "hard_stop", "parameters": {"pct": 10}}, {"kind": "signal_flip"}]);
        let parts = json!({"components": components, "exits": exits});
        let settings = settings(&json!({"limits": limits, "recording": "everything"}));
        let plans = symbols.iter().enumerate().map(|(slot, symbol)| {
            let mut instrument = linear();
            instrument.symbol = symbol.parse().unwrap();
            instrument.base = symbol.strip_suffix("USDT").unwrap().parse().unwrap();
            let slot = u16::try_from(slot).unwrap();
            Plan::compile(&template(&parts), &instrument, &settings, ids(slot)).unwrap()
        });
        let mut bot = Self::start(plans.collect());
        bot.account("1000", "1000");
        bot
    }

    /// On one instrument, with so much of its settlement asset.
    fn on(instrument: &Instrument, equity: &str, limits: &serde_json::Value) -> Self {
        let exits = json!([{"kind": "hard_stop", "parameters": {"pct": 10}}, {"kind": "signal_flip"}]);
        let settings = settings(&json!({"limits": limits, "recording": "everything"}));
        let plan = Plan::compile(&template(&json!({"exits": exits})), instrument, &settings, ids(0)).unwrap();
        let mut bot = Self::start(vec![plan]);
        bot.account(equity, equity);
        bot
    }

    /// Reconciled as flat in every instrument.
    fn start(plans: Vec<Plan>) -> Self {
        let plan = BotPlan { plans };
        let state = BotState::new(&plan);
        let mut bot = Self { plan, state, now: Timestamp::from_ms(START_MS), number: 0, fills: 0 };
        for slot in 0..u16::try_from(bot.plan.plans.len()).unwrap() {
            let truth =
                Reconciliation { position: None, open_orders: Vec::new(), fills: Vec::new(), at: bot.now };
            bot.tell(slot, Event::Reconciled(truth));
        }
        bot
    }

    fn asset(&self) -> Asset {
        self.plan.plans[0].instrument.settle
    }

    fn take(&mut self, event: &BotEvent) -> Vec<BotAction> {
        let state = std::mem::replace(&mut self.state, BotState::new(&self.plan));
        let (state, actions) = step_bot(&self.plan, state, event);
        self.state = state;
        actions
    }

    fn tell(&mut self, slot: u16, event: Event) -> Vec<BotAction> {
        self.take(&BotEvent::Instrument { slot, event })
    }

    fn account(&mut self, equity: &str, available: &str) {
        let balance =
            Balance { asset: self.asset(), wallet: d(equity), equity: d(equity), available: d(available) };
        let account = AccountSnapshot {
            balances: vec![balance],
            positions: Vec::new(),
            open_orders: Vec::new(),
            at: self.now,
        };
        self.take(&BotEvent::Account(account));
    }

    /// The same candle for every instrument. The headlines, one per instrument.
    fn close(&mut self, price: &str) -> Vec<ReasonCode> {
        self.close_each(&vec![price; self.plan.plans.len()])
    }

    /// A candle for each instrument. The headlines, one per instrument.
    fn close_each(&mut self, prices: &[&str]) -> Vec<ReasonCode> {
        let number = self.number;
        self.number += 1;
        let mut headlines = Vec::new();
        for (slot, price) in (0..).zip(prices) {
            let candle = candle(number, [price; 4]);
            self.now = candle.candle.open_time.plus_ms(MINUTE_MS);
            let actions = self.tell(slot, Event::CandleClosed { candle, at: self.now });
            headlines.extend(actions.iter().filter_map(headline));
            self.work(slot, &actions, price);
        }
        headlines
    }

    /// Accepts every order and fills market orders at `price`.
    fn work(&mut self, slot: u16, actions: &[BotAction], price: &str) {
        for action in actions {
            let Action::Place(order) = &action.action else { continue };
            let order = *order.get();
            let (id, at) = (order.client_id, self.now);
            let request = Request::Place;
            let more = self
                .tell(slot, Event::OrderOutcome { client_id: id, request, outcome: Outcome::Accepted, at });
            self.work(slot, &more, price);
            if matches!(order.purpose, OrderPurpose::Entry | OrderPurpose::Exit) {
                self.fills += 1;
                let fill = keyhold_domain::Fill {
                    fill_id: format!("fill-{}", self.fills).parse().unwrap(),
                    client_id: Some(id),
                    venue_order_id: "venue".parse().unwrap(),
                    symbol: order.symbol,
                    side: order.side,
                    price: price.parse().unwrap(),
                    quantity: order.quantity,
                    fee: keyhold_domain::Money::zero(self.asset()),
                    liquidity: keyhold_domain::Liquidity::Taker,
                    at,
                };
                let more = self.tell(slot, Event::Filled(fill));
                self.work(slot, &more, price);
            }
        }
    }

    /// The newest record's headline for a long signal after `prices`.
    fn run(&mut self, prices: &[&str]) -> ReasonCode {
        let mut last = ReasonCode::NoSignal;
        for price in prices {
            last = *self.close(price).last().unwrap();
        }
        last
    }

    fn skip_to(&mut self, day: i64) {
        self.number = day * 1440;
    }
}

fn headline(action: &BotAction) -> Option<ReasonCode> {
    match &action.action {
        Action::Record(decision) => Some(decision.headline),
        Action::Place(_)
        | Action::Cancel(_)
        | Action::Reconcile(_)
        | Action::WakeAt(_)
        | Action::TradeClosed(_)
        | Action::Note(_) => None,
    }
}

fn one(limits: &serde_json::Value) -> Bot {
    Bot::new(limits, &["BTCUSDT"])
}

const RISE: [&str; 3] = ["100", "101", "103"];

#[test]
fn without_limits_the_signal_enters() {
    assert_eq!(one(&json!({})).run(&RISE), ReasonCode::Entered);
}

#[test]
fn the_daily_loss_blocks_until_midnight() {
    for (counting, most) in [
        ("realized_and_unrealized", json!({"pct": "1"})),
        ("realized", json!({"pct": "1"})),
        ("realized", json!({"amount": "10"})),
    ] {
        let mut bot = one(&json!({"daily_loss": {"most": most, "counting": counting}}));
        assert_eq!(bot.run(&RISE), ReasonCode::Entered);
        // Down 10 of 1000: exactly one percent, which counts as reached. The flip closes the position.
        assert_eq!(bot.run(&["93"]), ReasonCode::ExitSignalFlip);
        assert_eq!(bot.run(&["92"]), ReasonCode::LimitDailyLoss, "{counting}");
        bot.skip_to(1);
        assert_eq!(bot.run(&["90"]), ReasonCode::Entered, "a new day, {counting}");
    }
    let mut bot = one(&json!({"daily_loss": {"most": {"pct": "1.01"}}}));
    bot.run(&RISE);
    bot.run(&["93"]);
    assert_eq!(bot.run(&["92"]), ReasonCode::Entered, "one percent is below 1.01");
}

#[test]
fn unrealized_losses_count_unless_told_otherwise_and_may_close_everything() {
    let limit = |counting: &str, when_hit: &str| json!({"daily_loss": {"most": {"pct": "0.5"}, "counting": counting, "when_hit": when_hit}});
    // A long from 103; the averages still point up at 105 and 97 closes five below while 104 keeps them up.
    let mut bot = one(&limit("realized_and_unrealized", "close_all"));
    bot.run(&RISE);
    assert_eq!(bot.run(&["120"]), ReasonCode::PositionOpen);
    assert_eq!(bot.run(&["97"]), ReasonCode::ExitSignalFlip, "a rule comes before the limit");
    let mut bot = one(&limit("realized", "close_all"));
    bot.run(&RISE);
    assert_eq!(bot.run(&["103"]), ReasonCode::PositionOpen);
}

#[test]
fn the_weekly_loss_blocks_until_monday() {
    let mut bot = one(&json!({"weekly_loss_pct": "1"}));
    bot.run(&RISE);
    bot.run(&["93"]);
    assert_eq!(bot.run(&["92"]), ReasonCode::LimitWeeklyLoss);
    bot.skip_to(6);
    assert_eq!(bot.run(&["90", "89"]), ReasonCode::LimitWeeklyLoss, "still the same week");
    bot.skip_to(7);
    assert_eq!(bot.run(&["88"]), ReasonCode::Entered, "Monday");
}

#[test]
fn a_drawdown_pauses_until_it_is_cleared_by_hand() {
    let mut bot = one(&json!({"max_drawdown_pct": "1"}));
    bot.run(&RISE);
    bot.run(&["93"]);
    assert_eq!(bot.run(&["92"]), ReasonCode::LimitDrawdown);
    bot.skip_to(30);
    assert_eq!(bot.run(&["90", "89"]), ReasonCode::LimitDrawdown, "time does not clear it");
    let at = bot.now;
    bot.take(&BotEvent::Directed { directive: Directive::ClearLimits, at });
    assert_eq!(bot.run(&["88"]), ReasonCode::Entered);
}

#[test]
fn losses_in_a_row_wait_for_some_candles() {
    let limit = json!({"consecutive_losses": {"count": 1, "lookback_candles": 100, "cool_off_candles": 3}});
    let mut bot = one(&limit);
    bot.run(&RISE);
    assert_eq!(bot.run(&["93"]), ReasonCode::ExitSignalFlip);
    assert_eq!(bot.run(&["92"]), ReasonCode::LimitConsecutiveLosses);
    assert_eq!(bot.run(&["91"]), ReasonCode::LimitConsecutiveLosses);
    assert_eq!(bot.run(&["90"]), ReasonCode::Entered, "three candles after the loss");
}

#[test]
fn positions_are_counted_over_the_whole_bot() {
    let mut bot = Bot::new(&json!({"max_positions_total": 1}), &["BTCUSDT", "ETHUSDT"]);
    bot.close("100");
    bot.close("101");
    assert_eq!(bot.close("103"), [ReasonCode::Entered, ReasonCode::LimitPositionsTotal]);
    let mut bot = Bot::new(&json!({"max_positions_per_asset": 1}), &["BTCUSDT", "ETHUSDT"]);
    bot.close("100");
    bot.close("101");
    assert_eq!(bot.close("103"), [ReasonCode::Entered, ReasonCode::Entered], "different assets");
}

#[test]
fn sizes_are_cut_or_refused() {
    // One unit at 103 is worth 103.
    let notional = |most: &str, when: &str| json!({"max_position_notional": {"most": {"quote": most}, "when_larger": when}});
    assert_eq!(one(&notional("103", "refuse")).run(&RISE), ReasonCode::Entered);
    assert_eq!(one(&notional("102.9", "refuse")).run(&RISE), ReasonCode::LimitNotional);
    let mut bot = one(&notional("60", "reduce"));
    assert_eq!(bot.run(&RISE), ReasonCode::Entered);
    let held = bot.state.instrument(0).unwrap().holding().unwrap().size;
    assert_eq!(held.magnitude(), Some(quantity("0.5")), "60 / 103 on the lot, down");
    // Exposure: 103 of 1000.
    assert_eq!(one(&json!({"max_total_exposure_pct": "10.3"})).run(&RISE), ReasonCode::Entered);
    assert_eq!(one(&json!({"max_total_exposure_pct": "10.2"})).run(&RISE), ReasonCode::LimitExposure);
    let mut bot = Bot::new(&json!({"max_total_exposure_pct": "20"}), &["BTCUSDT", "ETHUSDT"]);
    bot.close("100");
    bot.close("101");
    assert_eq!(bot.close("103"), [ReasonCode::Entered, ReasonCode::LimitExposure], "together 206 of 1000");
}

/// When a limit lets entries through again.
enum Again {
    /// On the candle that closes at midnight UTC after so many days.
    Days(i64),
    /// When the owner has cleared it.
    ByHand,
}

/// Limits that last: reached by a loss of one percent or one trade, on contracts of both kinds. The exit of that trade goes
/// through; entries wait until the last minute before midnight UTC, and not a candle longer.
#[test]
fn limits_of_a_period_end_with_it_in_utc_on_linear_and_inverse_contracts() {
    use ReasonCode::{LimitDailyLoss, LimitDrawdown, LimitTradesPerDay, LimitWeeklyLoss};
    // A long from 103 to 93 loses 10 of 1000 USDT, or 1/93 - 1/103 = 0.00104 of 0.1 BTC.
    for (instrument, equity, lost) in [(linear(), "1000", "10"), (inverse(), "0.1", "0.00104")] {
        let rows = [
            (json!({"daily_loss": {"most": {"pct": "1"}}}), LimitDailyLoss, Again::Days(1)),
            (json!({"daily_loss": {"most": {"amount": lost}}}), LimitDailyLoss, Again::Days(1)),
            (
                json!({"daily_loss": {"most": {"pct": "1"}, "counting": "realized"}}),
                LimitDailyLoss,
                Again::Days(1),
            ),
            (json!({"max_trades_per_day": 1}), LimitTradesPerDay, Again::Days(1)),
            (json!({"weekly_loss_pct": "1"}), LimitWeeklyLoss, Again::Days(7)),
            (json!({"max_drawdown_pct": "1"}), LimitDrawdown, Again::ByHand),
        ];
        for (limits, reason, again) in rows {
            let name = format!("{limits} on {}", instrument.symbol);
            let mut bot = Bot::on(&instrument, equity, &limits);
            assert_eq!(bot.run(&RISE), ReasonCode::Entered, "{name}");
            assert_eq!(bot.run(&["93"]), ReasonCode::ExitSignalFlip, "{name} never blocks an exit");
            assert_eq!(bot.run(&["92"]), reason, "{name}");
            let days = match again {
                Again::Days(days) => days,
                Again::ByHand => 30,
            };
            // The candle that closes a minute before midnight.
            bot.number = days * 1440 - 2;
            assert_eq!(bot.run(&["91"]), reason, "{name} a minute before");
            if matches!(again, Again::ByHand) {
                assert_eq!(bot.run(&["90", "89"]), reason, "{name} does not end by itself");
                let at = bot.now;
                bot.take(&BotEvent::Directed { directive: Directive::ClearLimits, at });
            }
            assert_eq!(bot.run(&["88"]), ReasonCode::Entered, "{name} has ended");
        }
    }
}

/// Limits of size at their exact edge, on contracts of both kinds: a position worth 103 of 1000, or 1 of 10.3 dollars.
#[test]
fn limits_of_size_hold_on_linear_and_inverse_contracts() {
    use ReasonCode::{Entered, LimitExposure, LimitNotional};
    let notional =
        |most: serde_json::Value| json!({"max_position_notional": {"most": most, "when_larger": "refuse"}});
    let rows = [
        (linear(), "1000", notional(json!({"quote": "103"})), Entered),
        (linear(), "1000", notional(json!({"quote": "102"})), LimitNotional),
        (linear(), "1000", notional(json!({"pct_equity": "10.3"})), Entered),
        (linear(), "1000", notional(json!({"pct_equity": "10.2"})), LimitNotional),
        (linear(), "1000", json!({"max_total_exposure_pct": "10.3"}), Entered),
        (linear(), "1000", json!({"max_total_exposure_pct": "10.2"}), LimitExposure),
        (inverse(), "0.1", notional(json!({"quote": "1"})), Entered),
        (inverse(), "0.1", notional(json!({"quote": "0.9"})), LimitNotional),
        (inverse(), "0.1", notional(json!({"pct_equity": "9.71"})), Entered),
        (inverse(), "0.1", notional(json!({"pct_equity": "9.7"})), LimitNotional),
        (inverse(), "0.1", json!({"max_total_exposure_pct": "9.71"}), Entered),
        (inverse(), "0.1", json!({"max_total_exposure_pct": "9.7"}), LimitExposure),
    ];
    for (instrument, equity, limits, expected) in rows {
        let mut bot = Bot::on(&instrument, equity, &limits);
        assert_eq!(bot.run(&RISE), expected, "{limits} on {}", instrument.symbol);
    }
}

#[test]
fn trades_of_a_day_are_counted() {
    let mut bot = one(&json!({"max_trades_per_day": 1}));
    assert_eq!(bot.run(&RISE), ReasonCode::Entered);
    assert_eq!(bot.run(&["95"]), ReasonCode::ExitSignalFlip);
    assert_eq!(bot.run(&["94"]), ReasonCode::LimitTradesPerDay);
    bot.skip_to(1);
    assert_eq!(bot.run(&["93"]), ReasonCode::Entered);
}

#[test]
fn free_margin_and_a_known_balance_are_needed() {
    let mut bot = one(&json!({"min_free_margin_pct": "50"}));
    bot.account("1000", "499");
    assert_eq!(bot.run(&RISE), ReasonCode::LimitFreeMargin);
    bot.account("1000", "500");
    assert_eq!(bot.run(&["104"]), ReasonCode::Entered);
}

#[test]
fn old_data_is_refused() {
    let mut bot = one(&json!({"max_data_age_s": 10}));
    bot.close("100");
    bot.close("101");
    for (late_ms, expected) in [(10_001, ReasonCode::LimitDataAge), (10_000, ReasonCode::Entered)] {
        let candle = candle(bot.number, ["103"; 4]);
        bot.number += 1;
        let at = candle.candle.open_time.plus_ms(MINUTE_MS + late_ms);
        let actions = bot.tell(0, Event::CandleClosed { candle, at });
        assert_eq!(actions.iter().find_map(headline), Some(expected), "{late_ms} ms late");
    }
}

#[test]
fn failed_orders_pause_until_cleared() {
    let mut bot = one(&json!({"order_errors": {"count": 2, "window_s": 3600}}));
    bot.close("100");
    bot.close("101");
    let mut refused = |price: &str| {
        let candle = candle(bot.number, [price; 4]);
        bot.number += 1;
        let at = candle.candle.open_time.plus_ms(MINUTE_MS);
        let actions = bot.tell(0, Event::CandleClosed { candle, at });
        for action in &actions {
            if let Action::Place(order) = &action.action {
                let outcome = Outcome::Refused { code: keyhold_domain::RefusalCode::InsufficientMargin };
                let (client_id, request) = (order.get().client_id, Request::Place);
                bot.tell(0, Event::OrderOutcome { client_id, request, outcome, at });
            }
        }
        actions.iter().find_map(headline).unwrap()
    };
    assert_eq!(refused("103"), ReasonCode::Entered);
    assert_eq!(refused("104"), ReasonCode::Entered);
    assert_eq!(refused("105"), ReasonCode::LimitOrderErrors);
}

#[test]
fn slippage_limits_make_entries_that_fill_at_once_or_not_at_all() {
    let mut bot = one(&json!({"max_slippage_bps": "10"}));
    bot.close("100");
    bot.close("101");
    let candle = candle(bot.number, ["103"; 4]);
    let at = candle.candle.open_time.plus_ms(MINUTE_MS);
    let actions = bot.tell(0, Event::CandleClosed { candle, at });
    let order = actions.iter().find_map(|action| match &action.action {
        Action::Place(order) => Some(*order.get()),
        _ => None,
    });
    // 103 plus ten basis points is 103.103, on the tick inside the limit 103.1.
    let expected = keyhold_domain::OrderKind::Limit {
        price: "103.1".parse().unwrap(),
        time_in_force: keyhold_domain::TimeInForce::Ioc,
    };
    assert_eq!(order.unwrap().kind, expected);
}

#[test]
fn a_reached_limit_never_stands_before_an_exit() {
    let everything = json!({
        "daily_loss": {"most": {"pct": "0.1"}}, "weekly_loss_pct": "0.1", "max_drawdown_pct": "0.1",
        "max_positions_total": 1, "max_positions_per_asset": 1, "max_trades_per_day": 1,
        "max_total_exposure_pct": "50", "max_leverage": "50", "min_free_margin_pct": "1",
        "consecutive_losses": {"count": 1, "lookback_candles": 10, "cool_off_candles": 10},
        "order_errors": {"count": 1, "window_s": 10}, "max_slippage_bps": "100"
    });
    let mut bot = one(&everything);
    assert_eq!(bot.run(&RISE), ReasonCode::Entered);
    let at = bot.now;
    for directive in [Directive::Pause, Directive::ExitsOnly] {
        bot.take(&BotEvent::Directed { directive, at });
    }
    assert_eq!(bot.run(&["95"]), ReasonCode::ExitSignalFlip);
    assert!(bot.state.instrument(0).unwrap().holding().is_none());
}

#[test]
fn a_cooldown_of_the_whole_bot_waits_after_exits_in_other_instruments() {
    let after = |scope: &str, after: &str, first: &str| {
        let guard = json!([{
            "kind": "cooldown", "role": "entry_guard", "parameters": {"candles": 2, "scope": scope, "after": after}
        }]);
        let mut bot = Bot::with(&guard, &json!({}), &["BTCUSDT", "ETHUSDT"]);
        for price in [first, "101", "103"] {
            bot.close_each(&[price, "100"]);
        }
        // The first instrument leaves while the second stands still; then the second one wants to enter.
        assert_eq!(bot.close_each(&["93", "100"])[0], ReasonCode::ExitSignalFlip);
        ["104", "105"].map(|price| bot.close_each(&["93", price])[1])
    };
    assert_eq!(after("symbol", "any", "100"), [ReasonCode::Entered, ReasonCode::PositionOpen]);
    assert_eq!(after("bot", "any", "100"), [ReasonCode::GuardBlocked, ReasonCode::Entered]);
    assert_eq!(after("bot", "loss", "100"), [ReasonCode::GuardBlocked, ReasonCode::Entered]);
}

#[test]
fn a_cooldown_of_the_whole_bot_after_losses_does_not_wait_after_a_gain() {
    let guard = json!([{
        "kind": "cooldown", "role": "entry_guard", "parameters": {"candles": 2, "scope": "bot", "after": "loss"}
    }]);
    let mut bot = Bot::with(&guard, &json!({}), &["BTCUSDT", "ETHUSDT"]);
    for price in ["100", "101", "103", "150"] {
        bot.close_each(&[price, "100"]);
    }
    // From 103 to 105: a gain.
    assert_eq!(bot.close_each(&["105", "100"])[0], ReasonCode::ExitSignalFlip);
    assert_eq!(bot.close_each(&["105", "104"])[1], ReasonCode::Entered);
}
