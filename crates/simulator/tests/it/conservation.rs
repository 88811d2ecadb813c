//! No money appears or vanishes, and equal inputs give equal outputs, for any sequence of inputs.

use keyhold_domain::{
    Candle, Decimal, MarginMode, Money, OrderKind, PositionEffect, Price, Quantity, Rate, Side, TimeInForce,
    Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{
    AccountId, CancelFilter, Exchange, ExchangeConfig, ExchangeEvent, Input, OrderRequest,
};
use proptest::prelude::*;

use crate::scenario::{d, instrument};

const ACCOUNTS: u32 = 2;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "BTCUSD"];

#[derive(Debug, Clone)]
enum Deed {
    Order {
        account: u32,
        market: usize,
        side: Side,
        size: u32,
        shape: u8,
        offset: i32,
        effect: PositionEffect,
    },
    CancelAll {
        account: u32,
    },
    Leverage {
        account: u32,
        market: usize,
        leverage: u8,
    },
    Candle {
        market: usize,
        moves: [i32; 4],
    },
    Tick {
        market: usize,
        shift: i32,
    },
    Funding {
        market: usize,
        rate: i16,
    },
    Hours(u8),
}

fn deeds() -> impl Strategy<Value = Deed> {
    let account = 1..=ACCOUNTS;
    let market = 0..SYMBOLS.len();
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let effect = prop_oneof![3 => Just(PositionEffect::Increase), 1 => Just(PositionEffect::ReduceOnly)];
    prop_oneof![
        6 => (account.clone(), market.clone(), side, 1_u32..400, 0_u8..6, -400_i32..400, effect).prop_map(
            |(account, market, side, size, shape, offset, effect)| Deed::Order {
                account, market, side, size, shape, offset, effect
            }
        ),
        1 => account.clone().prop_map(|account| Deed::CancelAll { account }),
        1 => (account, market.clone(), 1_u8..100)
            .prop_map(|(account, market, leverage)| Deed::Leverage { account, market, leverage }),
        6 => (market.clone(), prop::array::uniform4(-3000_i32..3000))
            .prop_map(|(market, moves)| Deed::Candle { market, moves }),
        3 => (market.clone(), -6000_i32..6000).prop_map(|(market, shift)| Deed::Tick { market, shift }),
        1 => (market, -100_i16..100).prop_map(|(market, rate)| Deed::Funding { market, rate }),
        1 => (1_u8..30).prop_map(Deed::Hours),
    ]
}

fn near(base: Decimal, shift: i32) -> Price {
    Price::new((base + Decimal::from(shift)).max(d("1000"))).unwrap()
}

/// Whether candles in which nothing happens take the short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Long,
    Short,
}

struct Run {
    way: Way,
    exchange: Exchange,
    at: Timestamp,
    events: Vec<ExchangeEvent>,
    buffer: Vec<ExchangeEvent>,
}

impl Run {
    fn new(mode: MarginMode, way: Way) -> Self {
        let config = ExchangeConfig { seed: 11, ..ExchangeConfig::default() };
        let mut exchange = Exchange::new(config);
        exchange.list(instrument("linear", SYMBOLS[0], &[]));
        exchange.list(instrument("inverse", SYMBOLS[1], &[]));
        let mut run = Self {
            way,
            exchange,
            at: Timestamp::from_ms(1_640_995_200_000),
            events: Vec::new(),
            buffer: Vec::new(),
        };
        for account in 1..=ACCOUNTS {
            run.exchange.open_account(AccountId(account));
            for (amount, asset) in [("20000", "USDT"), ("1.5", "BTC")] {
                let money = Money::new(d(amount), asset.parse().unwrap());
                run.apply(&Input::Deposit { account: AccountId(account), money });
            }
            if mode == MarginMode::Cross {
                run.apply(&Input::SetMarginMode { account: AccountId(account), mode });
            }
        }
        for symbol in SYMBOLS {
            run.apply(&Input::Price { symbol: symbol.parse().unwrap(), price: "50000".parse().unwrap() });
        }
        run
    }

    /// Refusals are fine; they must change nothing, which the sums below would show.
    fn apply(&mut self, input: &Input) {
        self.buffer.clear();
        let _refused_or_done = self.exchange.apply_into(input, self.at, &mut self.buffer);
        self.events.extend(self.buffer.iter().copied());
    }

    fn act(&mut self, deed: &Deed) {
        match *deed {
            Deed::Order { account, market, side, size, shape, offset, effect } => {
                let symbol = SYMBOLS[market].parse().unwrap();
                let last = self.exchange.last_price(symbol).unwrap().get().trunc();
                let limit = |time_in_force| OrderKind::Limit { price: near(last, offset), time_in_force };
                let stop = |direction| OrderKind::StopMarket {
                    trigger: near(last, offset),
                    direction,
                    source: TriggerSource::Last,
                };
                let kind = match shape {
                    0 => OrderKind::Market,
                    1 => limit(TimeInForce::Gtc),
                    2 => limit(TimeInForce::Ioc),
                    3 => limit(TimeInForce::PostOnly),
                    4 => stop(TriggerDirection::Rises),
                    _ => stop(TriggerDirection::Falls),
                };
                let lots = Decimal::from(size);
                let raw = if market == 0 { lots / Decimal::from(1000) } else { lots * Decimal::from(50) };
                let quantity = Quantity::new(raw).unwrap();
                let order = OrderRequest { name: None, symbol, side, kind, quantity, effect };
                self.apply(&Input::Submit { account: AccountId(account), order });
            }
            Deed::CancelAll { account } => {
                let filter = CancelFilter::All;
                self.apply(&Input::CancelAll { account: AccountId(account), symbol: None, filter });
            }
            Deed::Leverage { account, market, leverage } => {
                let (account, symbol) = (AccountId(account), SYMBOLS[market].parse().unwrap());
                self.apply(&Input::SetLeverage { account, symbol, leverage: Decimal::from(leverage) });
            }
            Deed::Candle { market, moves } => {
                let symbol = SYMBOLS[market].parse().unwrap();
                let last = self.exchange.last_price(symbol).unwrap().get().trunc();
                let prices = moves.map(|shift| near(last, shift));
                let candle = Candle {
                    open_time: self.at,
                    open: prices[0],
                    high: *prices.iter().max().unwrap(),
                    low: *prices.iter().min().unwrap(),
                    close: prices[3],
                    volume: Decimal::ONE,
                };
                self.at = self.at.plus_ms(60_000);
                let passes =
                    |run: &mut Self| run.exchange.pass(symbol, &candle, run.at, &mut run.events).unwrap();
                if self.way == Way::Long || !passes(self) {
                    self.apply(&Input::Candle { symbol, candle });
                }
            }
            Deed::Tick { market, shift } => {
                let symbol = SYMBOLS[market].parse().unwrap();
                let last = self.exchange.last_price(symbol).unwrap().get().trunc();
                self.apply(&Input::Price { symbol, price: near(last, shift) });
            }
            Deed::Funding { market, rate } => {
                let rate = Rate::new(Decimal::new(rate.into(), 5));
                self.apply(&Input::SetFundingRate { symbol: SYMBOLS[market].parse().unwrap(), rate });
            }
            Deed::Hours(hours) => {
                self.at = self.at.plus_ms(i64::from(hours) * 3_600_000);
                self.apply(&Input::Advance);
            }
        }
    }

    /// Rebuilds every wallet from the events alone and compares it with the exchange's.
    fn check_wallets(&self) {
        for account in 1..=ACCOUNTS {
            for (asset, deposit) in [("USDT", "20000"), ("BTC", "1.5")] {
                let asset = asset.parse().unwrap();
                let mut wallet = d(deposit);
                for event in self.events.iter().filter(|event| event.account() == AccountId(account)) {
                    wallet += match event {
                        ExchangeEvent::Fill(_, report) if report.fill.fee.asset == asset => {
                            report.realized - report.fill.fee.amount
                        }
                        ExchangeEvent::Funding(_, payment) if payment.amount.asset == asset => {
                            payment.amount.amount
                        }
                        ExchangeEvent::Liquidation(_, loss) if loss.clearance.asset == asset => {
                            -loss.clearance.amount
                        }
                        _ => Decimal::ZERO,
                    };
                }
                let held = self.exchange.balance(AccountId(account), asset).unwrap().wallet;
                assert_eq!(held, wallet, "account {account}, {asset}");
                assert!(self.exchange.imbalance(asset).amount.is_zero(), "{asset} appeared or vanished");
            }
        }
    }

    /// Rebuilds every position's size from the fills alone.
    fn check_positions(&self) {
        for account in 1..=ACCOUNTS {
            for symbol in SYMBOLS {
                let symbol = symbol.parse().unwrap();
                let mut size = Decimal::ZERO;
                for event in &self.events {
                    if let ExchangeEvent::Fill(owner, report) = event
                        && *owner == AccountId(account)
                        && report.fill.symbol == symbol
                    {
                        size += report.fill.side.sign() * report.fill.quantity.get();
                    }
                }
                let held = self.exchange.position(AccountId(account), symbol).unwrap().size.get();
                assert_eq!(held, size, "account {account}, {symbol}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn money_is_conserved_and_runs_repeat(
        cross in any::<u8>(),
        deeds in prop::collection::vec(deeds(), 1..120),
    ) {
        let mode = if cross % 2 == 0 { MarginMode::Isolated } else { MarginMode::Cross };
        let mut first = Run::new(mode, Way::Long);
        let mut second = Run::new(mode, Way::Long);
        let mut short = Run::new(mode, Way::Short);
        for deed in &deeds {
            first.act(deed);
            second.act(deed);
            short.act(deed);
            first.check_wallets();
        }
        first.check_positions();
        prop_assert_eq!(format!("{:?}", first.events), format!("{:?}", second.events));
        prop_assert_eq!(format!("{:?}", first.events), format!("{:?}", short.events), "the short way differs");
        for symbol in SYMBOLS.map(|symbol| symbol.parse().unwrap()) {
            prop_assert_eq!(first.exchange.last_price(symbol), short.exchange.last_price(symbol));
            prop_assert_eq!(first.exchange.funding(symbol), short.exchange.funding(symbol));
        }
    }
}
