//! Inputs as values: for tests, recordings and replays. Hot loops call the methods themselves.

use keyhold_domain::{Candle, Decimal, MarginMode, Money, Price, Rate, Symbol, Timestamp};

use super::{
    AccountId, Amendment, CancelFilter, Exchange, ExchangeEvent, OrderRef, OrderRequest, PositionMode,
    Refusal,
};

/// One thing that happens to the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant names the method of Exchange that it calls, its fields the arguments"
)]
pub enum Input {
    Submit { account: AccountId, order: OrderRequest },
    Amend { account: AccountId, symbol: Symbol, order: OrderRef, amendment: Amendment },
    Cancel { account: AccountId, symbol: Symbol, order: OrderRef },
    CancelAll { account: AccountId, symbol: Option<Symbol>, filter: CancelFilter },
    Deposit { account: AccountId, money: Money },
    SetLeverage { account: AccountId, symbol: Symbol, leverage: Decimal },
    SetMarginMode { account: AccountId, mode: MarginMode },
    SetPositionMode { account: AccountId, mode: PositionMode },
    SetFundingRate { symbol: Symbol, rate: Rate },
    PayFunding { symbol: Symbol, rate: Rate },
    Price { symbol: Symbol, price: Price },
    Mark { symbol: Symbol, price: Price },
    Rest { symbol: Symbol, candle: Candle },
    Candle { symbol: Symbol, candle: Candle },
    Advance,
}

impl Exchange {
    /// Does what the input says at the time `at` and returns what happened.
    pub fn apply(&mut self, input: &Input, at: Timestamp) -> Result<Vec<ExchangeEvent>, Refusal> {
        let mut out = Vec::new();
        self.apply_into(input, at, &mut out)?;
        Ok(out)
    }

    /// The same, appending to a buffer that the caller keeps.
    pub fn apply_into(
        &mut self,
        input: &Input,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<(), Refusal> {
        match *input {
            Input::Submit { account, order } => self.submit(account, &order, at, out).map(|_| ()),
            Input::Amend { account, symbol, order, amendment } => {
                self.amend(account, symbol, &order, &amendment, at, out).map(|_| ())
            }
            Input::Cancel { account, symbol, order } => {
                self.cancel(account, symbol, &order, at, out).map(|_| ())
            }
            Input::CancelAll { account, symbol, filter } => {
                self.cancel_all(account, symbol, filter, at, out).map(|_| ())
            }
            Input::Deposit { account, money } => self.deposit(account, money, out),
            Input::SetLeverage { account, symbol, leverage } => {
                self.set_leverage(account, symbol, leverage, out)
            }
            Input::SetMarginMode { account, mode } => self.set_margin_mode(account, mode),
            Input::SetPositionMode { account, mode } => self.set_position_mode(account, mode),
            Input::SetFundingRate { symbol, rate } => self.set_funding_rate(symbol, rate),
            Input::PayFunding { symbol, rate } => self.pay_funding(symbol, rate, at, out),
            Input::Price { symbol, price } => self.price(symbol, price, at, out),
            Input::Mark { symbol, price } => self.mark(symbol, price, at, out),
            Input::Rest { symbol, candle } => self.play_rest(symbol, &candle, at, out),
            Input::Candle { symbol, candle } => self.play_candle(symbol, &candle, at, out),
            Input::Advance => {
                self.advance(at, out);
                Ok(())
            }
        }
    }
}
