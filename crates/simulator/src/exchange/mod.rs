//! A deterministic exchange for perpetual contracts: orders in, fills and money out.
//!
//! It knows no clock, no network and no file; every input carries its time and equal inputs give equal outputs.
//! Backtests and simulated venues use the same exchange. Orders of different accounts never meet: every account
//! trades against an endless counterparty at the market's price. Read [`Exchange::submit`] for what happens to an
//! order, [`Exchange::play_candle`] for the way a price takes through a candle, [`margin`] for liquidations.

mod account;
mod calm;
mod config;
mod event;
mod funding;
mod ids;
mod input;
mod ledger;
mod manage;
mod margin;
mod matching;
mod order;
mod path;
mod query;
mod refusal;
mod settings;
mod settle;
mod submit;

use keyhold_domain::{Asset, Decimal, Instrument, MarginMode, Money, Price, Rate, Symbol, Timestamp};

use rust_decimal::RoundingStrategy;

pub use account::{AccountId, PositionMode, PositionState};
pub use config::{
    AccountNews, ExchangeConfig, FillRules, GapFill, IntrabarRule, NameRule, OrderLimits, ReduceOnlyExcess,
    Slippage,
};
pub use event::{ExchangeEvent, FillCause, FillReport, FundingPayment, Liquidation};
pub use input::Input;
pub use ledger::VenueLedger;
pub use manage::CancelFilter;
pub use order::{Amendment, Order, OrderName, OrderRef, OrderRequest};
pub use refusal::Refusal;

use account::{Account, Freshness};
use ledger::Page;

use crate::random::Random;

/// Whether a market has a current price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// A candle has closed (or nothing was ever heard) and the next price is not known: orders wait for it.
    Waiting,
    /// The last price is the market's price: orders execute at once.
    Live,
}

#[derive(Debug, Clone)]
struct Market {
    instrument: Instrument,
    session: Session,
    last: Option<Price>,
    /// Set only when marks are fed separately; otherwise the mark is the last price.
    mark: Option<Price>,
    funding_rate: Rate,
    next_funding: Timestamp,
    /// Open orders of all accounts, oldest first.
    orders: Vec<Order>,
    open_positions: usize,
    /// Kept as long as no order and no liquidation price changes.
    calm: Option<Calm>,
}

/// Prices between which nothing of anybody's lies: no order and no liquidation.
#[derive(Debug, Clone, Copy, Default)]
struct Calm {
    /// The highest that a falling price would reach.
    below: Option<Price>,
    /// The lowest that a rising price would reach.
    above: Option<Price>,
}

impl Market {
    fn mark(&self) -> Option<Price> {
        self.mark.or(self.last)
    }
}

/// The exchange. See the module's documentation.
#[derive(Debug, Clone)]
pub struct Exchange {
    config: ExchangeConfig,
    markets: Vec<Market>,
    accounts: Vec<Account>,
    ledgers: Vec<VenueLedger>,
    now: Timestamp,
    random: Random,
    orders_made: u64,
    fills_made: u64,
    walk: u64,
}

const LATENCY_AND_REFUSALS: u64 = 1;

impl Exchange {
    /// An exchange without instruments and accounts.
    pub fn new(config: ExchangeConfig) -> Self {
        Self {
            random: Random::of(config.seed, LATENCY_AND_REFUSALS),
            config,
            markets: Vec::new(),
            accounts: Vec::new(),
            ledgers: Vec::new(),
            now: Timestamp::from_ms(i64::MIN),
            orders_made: 0,
            fills_made: 0,
            walk: 0,
        }
    }

    /// Lists an instrument, or replaces the one of the same symbol and keeps its orders and positions.
    pub fn list(&mut self, instrument: Instrument) {
        if let Some(market) =
            self.markets.iter_mut().find(|market| market.instrument.symbol == instrument.symbol)
        {
            market.instrument = instrument;
            return;
        }
        self.markets.push(Market {
            instrument,
            session: Session::Waiting,
            last: None,
            mark: None,
            funding_rate: Rate::ZERO,
            next_funding: Timestamp::from_ms(i64::MIN),
            orders: Vec::new(),
            open_positions: 0,
            calm: None,
        });
        let leverage = Decimal::TEN.min(instrument.max_leverage);
        for account in &mut self.accounts {
            account.positions.push(PositionState::new(leverage));
        }
    }

    /// Opens an account with isolated margin, one-way positions, leverage 10 and no money.
    /// Opening it again changes nothing.
    pub fn open_account(&mut self, id: AccountId) {
        if self.accounts.iter().any(|account| account.id == id) {
            return;
        }
        let positions = self
            .markets
            .iter()
            .map(|market| PositionState::new(Decimal::TEN.min(market.instrument.max_leverage)))
            .collect();
        self.accounts.push(Account {
            id,
            margin_mode: MarginMode::Isolated,
            position_mode: PositionMode::OneWay,
            wallets: Vec::new(),
            positions,
            names: std::collections::HashSet::default(),
            liquidations: Freshness::Stale,
        });
    }

    /// Adds money to an account (or takes it, when negative).
    pub fn deposit(
        &mut self,
        account: AccountId,
        money: Money,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        let a = self.account_index(account)?;
        self.flow(a, money.asset, Page::Deposits, money.amount);
        self.tell_balance(a, money.asset, out);
        Ok(())
    }

    /// The configuration.
    pub const fn config(&self) -> &ExchangeConfig {
        &self.config
    }

    /// Changes fill rules, slippage or limits from now on. The seed of ids stays as it was.
    pub fn reconfigure(&mut self, fills: FillRules, slippage: Slippage) {
        self.config.fills = fills;
        self.config.slippage = slippage;
    }

    fn account_index(&self, id: AccountId) -> Result<usize, Refusal> {
        self.accounts.iter().position(|account| account.id == id).ok_or(Refusal::UnknownAccount)
    }

    /// An instrument's place, for [`Self::pass_at`]. It never changes.
    pub(crate) fn place(&self, symbol: Symbol) -> Result<usize, Refusal> {
        self.market_index(symbol)
    }

    fn market_index(&self, symbol: Symbol) -> Result<usize, Refusal> {
        self.markets
            .iter()
            .position(|market| market.instrument.symbol == symbol)
            .ok_or(Refusal::UnknownSymbol)
    }

    /// Moves money between an account and the venue's ledger.
    fn flow(&mut self, a: usize, asset: Asset, page: Page, amount: Decimal) {
        self.accounts[a].credit(asset, amount);
        self.accounts[a].liquidations = Freshness::Stale;
        let index = self.ledgers.iter().position(|ledger| ledger.asset == asset).unwrap_or_else(|| {
            self.ledgers.push(VenueLedger::new(asset));
            self.ledgers.len() - 1
        });
        self.ledgers[index].book(page, -amount);
    }

    /// An amount as it is booked: at most the configured number of decimal places, halves away from zero.
    fn booked(&self, amount: Decimal) -> Decimal {
        let places = self.config.settle_decimals.min(12);
        amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
    }
}
