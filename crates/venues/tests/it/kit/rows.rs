//! One row per venue and product: what a test must know of it to trade there. A new exchange does not compile until it
//! has rows, and then runs every test of the kit.

use keyhold_domain::{ContractType, Exchange, RefusalCode, Symbol};

use super::keys;

/// How a venue says that an order, which must not take, would have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// The order is refused.
    Refused,
    /// It is accepted and ends at once; the reason stands in its state.
    Ends,
}

/// What a venue may be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// All orders that settle in one kind of money, ended at once.
    EndingByMoney,
    /// Candles on a stream; they are asked for when they close.
    StreamedCandles,
    /// A stop that waits and can be changed.
    MovedStops,
    /// The leverage, told with a position.
    LeverageOfPositions,
    /// Funding on the stream of the account; it is asked for.
    StreamedFunding,
    /// A stream of the account that is opened with a signature; the key's name is enough.
    SignedStreams,
}

/// What a test must know of a venue.
#[derive(Debug)]
pub(crate) struct Row {
    /// In outputs.
    pub(crate) name: &'static str,
    pub(crate) exchange: Exchange,
    pub(crate) product: ContractType,
    /// As the twin lists it.
    pub(crate) listing: &'static str,
    /// What it settles in, and the account's other money.
    pub(crate) settle: &'static str,
    pub(crate) dollars: &'static str,
    /// An order, and a smaller and the smallest one that the tests send.
    pub(crate) size: &'static str,
    pub(crate) half: &'static str,
    pub(crate) lot: &'static str,
    /// Path of the call that places a market order.
    pub(crate) place: &'static str,
    pub(crate) crossing: Crossing,
    /// What the others have and it has not.
    pub(crate) lacks: &'static [Lack],
    /// What may be said to a wrong key, by its name.
    pub(crate) wrong_key: fn(&str) -> &'static [RefusalCode],
    pub(crate) burst: Burst,
}

/// Ten times what a venue allows of new orders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    /// New orders that the venue takes in one window.
    pub(crate) allowance: u32,
}

impl Row {
    pub(crate) fn has(&self, what: Lack) -> bool {
        !self.lacks.contains(&what)
    }

    pub(crate) fn symbol(&self) -> Symbol {
        self.listing.split('=').next().unwrap().parse().unwrap()
    }
}

const fn row(exchange: Exchange, name: &'static str, listing: &'static str, place: &'static str) -> Row {
    Row {
        name,
        exchange,
        product: ContractType::Linear,
        listing,
        settle: "USDT",
        dollars: "USDT",
        size: "0.1",
        half: "0.05",
        lot: "0.001",
        place,
        crossing: Crossing::Refused,
        lacks: &[],
        wrong_key: keys::usual_refusals,
        burst: Burst { allowance: 10 },
    }
}

const fn inverse(row: &Row) -> Row {
    Row { product: ContractType::Inverse, settle: "BTC", size: "1000", half: "500", lot: "100", ..*row }
}

const BYBIT: &[Row] = &[
    Row {
        crossing: Crossing::Ends,
        ..row(Exchange::Bybit, "Bybit linear", "BTCUSDT=linear", "/v5/order/create")
    },
    inverse(&Row {
        crossing: Crossing::Ends,
        ..row(Exchange::Bybit, "Bybit inverse", "BTCUSD=inverse", "/v5/order/create")
    }),
];

// 300 new orders in ten seconds.
const BINANCE: &[Row] = &[
    Row {
        lacks: &[Lack::MovedStops, Lack::SignedStreams, Lack::LeverageOfPositions],
        wrong_key: keys::binance_refusals,
        burst: Burst { allowance: 300 },
        ..row(Exchange::Binance, "Binance USD-M", "BTCUSDT=linear", "/fapi/v1/order")
    },
    inverse(&Row {
        lacks: &[Lack::MovedStops, Lack::SignedStreams],
        wrong_key: keys::binance_refusals,
        burst: Burst { allowance: 300 },
        ..row(Exchange::Binance, "Binance COIN-M", "BTCUSD_PERP=inverse", "/dapi/v1/order")
    }),
];

// 500 tokens in ten seconds, ten for an order.
const KRAKEN: &[Row] = &[
    Row {
        settle: "USD",
        dollars: "USD",
        lacks: &[Lack::EndingByMoney, Lack::StreamedCandles],
        wrong_key: keys::one_refusal,
        burst: Burst { allowance: 50 },
        ..row(Exchange::KrakenFutures, "Kraken linear", "PF_XBTUSD=linear", "/derivatives/api/v3/sendorder")
    },
    inverse(&Row {
        dollars: "USD",
        lacks: &[Lack::EndingByMoney, Lack::StreamedCandles],
        wrong_key: keys::one_refusal,
        burst: Burst { allowance: 50 },
        ..row(Exchange::KrakenFutures, "Kraken inverse", "PI_XBTUSD=inverse", "/derivatives/api/v3/sendorder")
    }),
];

// 60 in two seconds.
const OKX: &[Row] = &[
    Row {
        crossing: Crossing::Ends,
        lacks: &[Lack::StreamedFunding],
        burst: Burst { allowance: 60 },
        ..row(Exchange::Okx, "OKX linear", "BTC-USDT-SWAP=linear", "/api/v5/trade/order")
    },
    inverse(&Row {
        crossing: Crossing::Ends,
        lacks: &[Lack::StreamedFunding],
        burst: Burst { allowance: 60 },
        ..row(Exchange::Okx, "OKX inverse", "BTC-USD-SWAP=inverse", "/api/v5/trade/order")
    }),
];

// Ten in a second, 120 requests of any kind in a minute.
const BITMEX: &[Row] = &[
    Row {
        crossing: Crossing::Ends,
        ..row(Exchange::Bitmex, "BitMEX linear", "XBTUSDT=linear", "/api/v1/order")
    },
    inverse(&Row {
        crossing: Crossing::Ends,
        ..row(Exchange::Bitmex, "BitMEX inverse", "XBTUSD=inverse", "/api/v1/order")
    }),
];

/// The rows of an exchange, by product.
pub(crate) const fn rows_of(exchange: Exchange) -> &'static [Row] {
    match exchange {
        Exchange::Bybit => BYBIT,
        Exchange::Binance => BINANCE,
        Exchange::KrakenFutures => KRAKEN,
        Exchange::Okx => OKX,
        Exchange::Bitmex => BITMEX,
    }
}

/// Every row.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    Exchange::ALL.iter().flat_map(|exchange| rows_of(*exchange))
}
