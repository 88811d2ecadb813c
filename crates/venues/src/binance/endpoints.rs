//! Every path of Binance's futures API that Keyhold can call, as one table for both products.
//!
//! What is not here cannot be called: requests are built only from [`endpoint`]. There is none for withdrawing, moving
//! or converting money, for sub-accounts and for managing keys, and a test keeps it so. Weights are those of Binance's
//! pages; the answers' headers correct the count.

use std::time::Duration;

use keyhold_domain::ContractType;

use crate::common::endpoint::{Endpoint, Host};
use crate::rate_limit::{Cost, Limit, LimitName};
use crate::signer::Verb;

/// Weight of all requests of one address in a minute; USD-M and COIN-M together.
pub const WEIGHT: LimitName = "weight-1m";
/// New and changed orders of one account in ten seconds; both products together.
pub const ORDERS_10S: LimitName = "orders-10s";
/// The same in a minute.
pub const ORDERS_1M: LimitName = "orders-1m";

const fn weight(tokens: u32) -> Cost {
    Cost { name: WEIGHT, tokens }
}

const W1: &[Cost] = &[weight(1)];
const W2: &[Cost] = &[weight(2)];
const W5: &[Cost] = &[weight(5)];
const W10: &[Cost] = &[weight(10)];
const W20: &[Cost] = &[weight(20)];
const W30: &[Cost] = &[weight(30)];
/// What a list costs that is asked for without a symbol.
pub const W40: &[Cost] = &[weight(40)];
const ORDER: &[Cost] =
    &[Cost { name: ORDERS_10S, tokens: 1 }, Cost { name: ORDERS_1M, tokens: 1 }, weight(1)];
/// Counted at another host, in a pool that we come nowhere near.
const ELSEWHERE: &[Cost] = &[];

/// How much a pool holds.
pub const POOLS: [(LimitName, Limit); 3] = [
    (WEIGHT, Limit { requests: 2_400, per: Duration::from_mins(1) }),
    (ORDERS_10S, Limit { requests: 300, per: Duration::from_secs(10) }),
    (ORDERS_1M, Limit { requests: 1_200, per: Duration::from_mins(1) }),
];

/// No request weighs less than one.
pub const ADDRESS_LIMIT: Limit = Limit { requests: 2_400, per: Duration::from_mins(1) };

/// Shortest ban of an address.
pub const BAN_PAUSE: Duration = Duration::from_mins(2);

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident: $verb:ident $linear:literal $inverse:literal at $host:ident, $cost:expr, $doing:literal;)+) => {
        /// A call, whichever the product.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Call {
            $($(#[$doc])* $name,)+
        }

        impl Call {
            /// The whole list.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }

        /// The call of a product.
        pub const fn endpoint(product: ContractType, call: Call) -> Endpoint {
            match call {
                $(Call::$name => {
                    let path = match product {
                        ContractType::Linear => $linear,
                        ContractType::Inverse => $inverse,
                    };
                    Endpoint::new(Verb::$verb, path, $doing).costing($cost).at(Host::$host)
                })+
            }
        }
    };
}

calls! {
    /// The venue's clock.
    Time: Get "/fapi/v1/time" "/dapi/v1/time" at Rest, W1, "reading the venue's clock";
    /// Whether the venue is open.
    Status: Get "/sapi/v1/system/status" "/sapi/v1/system/status" at KeyCheck, ELSEWHERE, "reading the venue's status";
    /// Contracts and their grids.
    Instruments: Get "/fapi/v1/exchangeInfo" "/dapi/v1/exchangeInfo" at Rest, W1, "reading instruments";
    /// Funding intervals that differ from eight hours.
    FundingInfo: Get "/fapi/v1/fundingInfo" "/dapi/v1/fundingInfo" at Rest, W1, "reading funding intervals";
    /// Candles.
    Klines: Get "/fapi/v1/klines" "/dapi/v1/klines" at Rest, W10, "reading candles";
    /// Mark and index price, current funding rate.
    Premium: Get "/fapi/v1/premiumIndex" "/dapi/v1/premiumIndex" at Rest, W1, "reading mark prices";
    /// Last price.
    DayTicker: Get "/fapi/v1/ticker/24hr" "/dapi/v1/ticker/24hr" at Rest, W1, "reading prices";
    /// Best bid and ask.
    BookTicker: Get "/fapi/v1/ticker/bookTicker" "/dapi/v1/ticker/bookTicker" at Rest, W2, "reading quotes";
    /// Open contracts.
    OpenInterest: Get "/fapi/v1/openInterest" "/dapi/v1/openInterest" at Rest, W1, "reading open interest";
    /// A whole order book.
    Depth: Get "/fapi/v1/depth" "/dapi/v1/depth" at Rest, W20, "reading an order book";
    /// Past funding rates.
    Funding: Get "/fapi/v1/fundingRate" "/dapi/v1/fundingRate" at Rest, W1, "reading funding rates";
    /// What the key in use may do.
    Key: Get "/sapi/v1/account/apiRestrictions" "/sapi/v1/account/apiRestrictions" at KeyCheck, ELSEWHERE,
        "reading the key's permissions";
    /// Balances.
    Account: Get "/fapi/v3/account" "/dapi/v1/account" at Rest, W5, "reading balances";
    /// Positions.
    Positions: Get "/fapi/v3/positionRisk" "/dapi/v1/positionRisk" at Rest, W5, "reading positions";
    /// Whether there is one position per instrument or two.
    ReadPositionMode: Get "/fapi/v1/positionSide/dual" "/dapi/v1/positionSide/dual" at Rest, W30,
        "reading the position mode";
    /// Fees of the account.
    Fees: Get "/fapi/v1/commissionRate" "/dapi/v1/commissionRate" at Rest, W20, "reading fees";
    /// Orders that rest.
    OpenOrders: Get "/fapi/v1/openOrders" "/dapi/v1/openOrders" at Rest, W1, "reading open orders";
    /// Conditional orders that wait.
    OpenAlgoOrders: Get "/fapi/v1/openAlgoOrders" "/dapi/v1/openAlgoOrders" at Rest, W1,
        "reading conditional orders";
    /// One order.
    ReadOrder: Get "/fapi/v1/order" "/dapi/v1/order" at Rest, W1, "reading an order";
    /// One conditional order.
    ReadAlgoOrder: Get "/fapi/v1/algoOrder" "/dapi/v1/algoOrder" at Rest, W1, "reading a conditional order";
    /// Conditional orders of an instrument, ended ones, too, newest first.
    PastAlgoOrders: Get "/fapi/v1/allAlgoOrders" "/dapi/v1/allAlgoOrders" at Rest, W5,
        "reading past conditional orders";
    /// Fills of an instrument.
    Trades: Get "/fapi/v1/userTrades" "/dapi/v1/userTrades" at Rest, W20, "reading fills";
    /// Funding payments and commissions.
    Income: Get "/fapi/v1/income" "/dapi/v1/income" at Rest, W30, "reading funding payments";
    /// A new order.
    Place: Post "/fapi/v1/order" "/dapi/v1/order" at Rest, ORDER, "placing an order";
    /// A new conditional order.
    PlaceAlgo: Post "/fapi/v1/algoOrder" "/dapi/v1/algoOrder" at Rest, ORDER, "placing a conditional order";
    /// A changed order.
    Amend: Put "/fapi/v1/order" "/dapi/v1/order" at Rest, ORDER, "changing an order";
    /// The end of an order.
    Cancel: Delete "/fapi/v1/order" "/dapi/v1/order" at Rest, W1, "canceling an order";
    /// The end of a conditional order.
    CancelAlgo: Delete "/fapi/v1/algoOrder" "/dapi/v1/algoOrder" at Rest, W1, "canceling a conditional order";
    /// The end of all orders of an instrument.
    CancelAll: Delete "/fapi/v1/allOpenOrders" "/dapi/v1/allOpenOrders" at Rest, W1, "canceling all orders";
    /// The end of all conditional orders of an instrument.
    CancelAllAlgo: Delete "/fapi/v1/algoOpenOrders" "/dapi/v1/algoOpenOrders" at Rest, W1,
        "canceling all conditional orders";
    /// Leverage of an instrument.
    Leverage: Post "/fapi/v1/leverage" "/dapi/v1/leverage" at Rest, W1, "setting the leverage";
    /// Isolated or cross, for an instrument.
    MarginMode: Post "/fapi/v1/marginType" "/dapi/v1/marginType" at Rest, W1, "setting the margin mode";
    /// One net position or two, for both products.
    PositionMode: Post "/fapi/v1/positionSide/dual" "/dapi/v1/positionSide/dual" at Rest, W1,
        "setting the position mode";
    /// The dead-man's switch of an instrument.
    Countdown: Post "/fapi/v1/countdownCancelAll" "/dapi/v1/countdownCancelAll" at Rest, W10,
        "setting the dead-man's switch";
    /// The key of the private stream.
    MakeListenKey: Post "/fapi/v1/listenKey" "/dapi/v1/listenKey" at Rest, W1, "opening the account's stream";
    /// Its life goes on.
    RenewListenKey: Put "/fapi/v1/listenKey" "/dapi/v1/listenKey" at Rest, W1, "keeping the account's stream";
    /// Its end.
    EndListenKey: Delete "/fapi/v1/listenKey" "/dapi/v1/listenKey" at Rest, W1, "closing the account's stream";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of paths that move money, open sub-accounts or manage keys.
    const FORBIDDEN: &[&str] = &[
        "withdraw",
        "transfer",
        "convert",
        "asset",
        "sub-account",
        "subaccount",
        "deposit",
        "borrow",
        "repay",
        "loan",
        "earn",
        "broker",
        "referral",
        "capital",
        "margin/",
        "positionmargin",
        "p2p",
        "fiat",
        "pay",
        "spot",
        "collateral",
        "apikey",
        "ipRestriction",
        "agent",
    ];

    fn all() -> impl Iterator<Item = Endpoint> {
        ContractType::ALL.iter().flat_map(|product| Call::ALL.iter().map(|call| endpoint(*product, *call)))
    }

    #[test]
    fn no_path_moves_money_or_manages_keys() {
        for endpoint in all() {
            for word in FORBIDDEN {
                let path = endpoint.path.to_ascii_lowercase();
                assert!(!path.contains(&word.to_ascii_lowercase()), "{path} holds {word}");
            }
        }
        // What is asked of the wallet's host are the key's rights and the venue's state, and nothing is changed there.
        for endpoint in all().filter(|endpoint| endpoint.host == Host::KeyCheck) {
            assert_eq!(endpoint.verb, Verb::Get);
            assert!(matches!(endpoint.path, "/sapi/v1/account/apiRestrictions" | "/sapi/v1/system/status"));
        }
    }

    #[test]
    fn each_product_keeps_to_its_own_paths() {
        for (product, prefix) in [(ContractType::Linear, "/fapi/"), (ContractType::Inverse, "/dapi/")] {
            for call in
                Call::ALL.iter().map(|call| endpoint(product, *call)).filter(|it| it.host == Host::Rest)
            {
                assert!(call.path.starts_with(prefix), "{}", call.path);
            }
        }
    }

    #[test]
    fn paths_are_written_nowhere_else() {
        let sources = [
            include_str!("mod.rs"),
            include_str!("render.rs"),
            include_str!("rest.rs"),
            include_str!("account.rs"),
            include_str!("orders.rs"),
            include_str!("market.rs"),
            include_str!("market_stream.rs"),
            include_str!("account_stream.rs"),
        ];
        for source in sources {
            assert!(!source.contains("api/v"), "a path outside of the list");
        }
    }

    #[test]
    fn every_cost_names_a_pool() {
        for cost in all().flat_map(|endpoint| endpoint.pools.iter()) {
            assert!(
                POOLS.iter().any(|(name, limit)| *name == cost.name && cost.tokens <= limit.requests / 2)
            );
        }
    }
}
