//! Kraken's market data and accounts as they stand on the wire. Like [`super::wire`], which has the rules.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::wire::{Field, holder, record};

record! {
    /// One step of the margin schedule.
    WireMarginLevel { initial = "initialMargin", maintenance = "maintenanceMargin" }
}

/// A contract of `instruments`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireInstrument<'a> {
    /// `symbol`
    #[serde(borrow)]
    pub symbol: Field<'a>,
    /// `type`
    #[serde(borrow, rename = "type")]
    pub kind: Field<'a>,
    /// `tradeable`
    #[serde(borrow)]
    pub tradeable: Field<'a>,
    /// `tickSize`
    #[serde(borrow)]
    pub tick_size: Field<'a>,
    /// `contractSize`
    #[serde(borrow)]
    pub contract_size: Field<'a>,
    /// `contractValueTradePrecision`: decimals of a size; may be negative.
    #[serde(borrow)]
    pub contract_value_trade_precision: Field<'a>,
    /// `maxPositionSize`
    #[serde(borrow)]
    pub max_position_size: Field<'a>,
    /// `base`
    #[serde(borrow)]
    pub base: Field<'a>,
    /// `quote`
    #[serde(borrow)]
    pub quote: Field<'a>,
    /// `feeScheduleUid`
    #[serde(borrow)]
    pub fee_schedule_uid: Field<'a>,
    /// `lastTradingTime` of dated contracts.
    #[serde(borrow)]
    pub last_trading_time: Field<'a>,
    /// `postOnly`
    #[serde(borrow)]
    pub post_only: Field<'a>,
    /// `marginLevels`
    #[serde(borrow)]
    pub margin_levels: Option<Vec<WireMarginLevel<'a>>>,
}

holder! {
    /// The answer of `instruments`.
    WireInstruments list = "instruments": Vec<WireInstrument<'a>>
}

record! {
    /// Prices of `tickers`; the rates are amounts per contract.
    WireTicker {
        symbol = "symbol", last = "last", mark = "markPrice", index = "indexPrice", bid = "bid", ask = "ask",
        funding_rate = "fundingRate", open_interest = "openInterest",
    }
}

/// The answer of `tickers/{symbol}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireTickerAnswer<'a> {
    /// `ticker`
    #[serde(borrow)]
    pub ticker: Option<WireTicker<'a>>,
    /// `serverTime`
    #[serde(borrow)]
    pub server_time: Field<'a>,
}

record! {
    /// News of the feed `ticker`.
    FeedTicker {
        symbol = "product_id", at = "time", last = "last", mark = "markPrice", index = "index", bid = "bid",
        ask = "ask", relative_rate = "relative_funding_rate", next_funding = "next_funding_rate_time",
        open_interest = "openInterest",
    }
}

record! {
    /// A candle of `charts`.
    WireCandle {
        time = "time", open = "open", high = "high", low = "low", close = "close", volume = "volume",
    }
}

/// The answer of `charts`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireCandles<'a> {
    /// `candles`, oldest first.
    #[serde(borrow)]
    pub candles: Option<Vec<WireCandle<'a>>>,
    /// `more_candles`: the range holds more than were sent.
    #[serde(borrow)]
    pub more_candles: Field<'a>,
}

record! {
    /// A rate of `historicalfundingrates`.
    WireRate { at = "timestamp", rate = "relativeFundingRate" }
}

holder! {
    /// The answer of `historicalfundingrates`.
    WireRates list = "rates": Vec<WireRate<'a>>
}

record! {
    /// A trade of the feed `trade`.
    FeedTrade {
        symbol = "product_id", uid = "uid", side = "side", size = "qty", price = "price", seq = "seq",
        at = "time", kind = "type",
    }
}

record! {
    /// A level of a book's snapshot.
    FeedLevel { price = "price", size = "qty" }
}

/// A snapshot of the feed `book`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct FeedBook<'a> {
    /// `product_id`
    #[serde(borrow, rename = "product_id")]
    pub symbol: Field<'a>,
    /// `timestamp`
    #[serde(borrow)]
    pub timestamp: Field<'a>,
    /// `seq`
    #[serde(borrow)]
    pub seq: Field<'a>,
    /// `bids`
    #[serde(borrow)]
    pub bids: Option<Vec<FeedLevel<'a>>>,
    /// `asks`
    #[serde(borrow)]
    pub asks: Option<Vec<FeedLevel<'a>>>,
}

record! {
    /// A change of the feed `book`: one level of one side.
    FeedBookChange {
        symbol = "product_id", at = "timestamp", seq = "seq", side = "side", price = "price", size = "qty",
    }
}

record! {
    /// A step of a fee schedule: fees in percent from a volume on.
    WireFeeTier { maker = "makerFee", taker = "takerFee", volume = "usdVolume" }
}

/// A fee schedule.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WireFeeSchedule<'a> {
    /// `uid`
    #[serde(borrow)]
    pub uid: Field<'a>,
    /// `tiers`
    #[serde(borrow)]
    pub tiers: Option<Vec<WireFeeTier<'a>>>,
}

holder! {
    /// The answer of `feeschedules`.
    WireFeeSchedules list = "feeSchedules": Vec<WireFeeSchedule<'a>>
}

holder! {
    /// The answer of `feeschedules/volumes`: a schedule's name and the volume that counts for it.
    WireVolumes map = "volumesByFeeSchedule": BTreeMap<Cow<'a, str>, Field<'a>>
}

record! {
    /// Sums of a single-collateral account: portfolio value and available funds, in its coin.
    WireAuxiliary { equity = "pv", available = "af" }
}

/// An account of `accounts`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireAccount<'a> {
    /// `type`: cashAccount, marginAccount, multiCollateralMarginAccount.
    #[serde(borrow, rename = "type")]
    pub kind: Field<'a>,
    /// `currency` of a single-collateral account.
    #[serde(borrow)]
    pub currency: Field<'a>,
    /// `balances` by asset.
    #[serde(borrow)]
    pub balances: Option<BTreeMap<Cow<'a, str>, Field<'a>>>,
    /// `auxiliary`
    #[serde(borrow)]
    pub auxiliary: WireAuxiliary<'a>,
    /// `balanceValue`: all collateral in dollars.
    #[serde(borrow)]
    pub balance_value: Field<'a>,
    /// `portfolioValue`: the same with unrealized profit.
    #[serde(borrow)]
    pub portfolio_value: Field<'a>,
    /// `availableMargin`
    #[serde(borrow)]
    pub available_margin: Field<'a>,
}

holder! {
    /// The answer of `accounts`.
    WireAccounts map = "accounts": BTreeMap<Cow<'a, str>, WireAccount<'a>>
}

record! {
    /// A single-collateral account of the feed `balances`.
    FeedAccount {
        unit = "unit", equity = "portfolio_value", balance = "balance", available = "available",
    }
}

record! {
    /// The multi-collateral account of the feed `balances`, in dollars.
    FeedFlex { balance = "balance_value", equity = "portfolio_value", available = "available_margin" }
}

/// News of the feed `balances`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct FeedBalances<'a> {
    /// `futures`
    #[serde(borrow)]
    pub futures: Option<BTreeMap<Cow<'a, str>, FeedAccount<'a>>>,
    /// `flex_futures`
    #[serde(borrow)]
    pub flex_futures: Option<FeedFlex<'a>>,
}
