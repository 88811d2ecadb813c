//! Every path of BitMEX's v1 API that Keyhold can call, as one constant list.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing,
//! moving or converting money, for sub-accounts and for managing keys, and a test keeps it so.
//! Limits: 120 requests a minute and key, and 10 a second for calls that change orders (venues.md 7).

use std::time::Duration;

pub use crate::common::endpoint::Endpoint;
use crate::rate_limit::{Cost, Limit, LimitName};
use crate::signer::Verb;

/// Requests with a key.
pub const SIGNED: LimitName = "requests with a key";
/// Requests without a key.
pub const UNSIGNED: LimitName = "requests without a key";
/// Calls that change orders.
pub const ORDER_CALLS: LimitName = "order calls";

const READ: &[Cost] = &[Cost { name: SIGNED, tokens: 1 }];
const PUBLIC: &[Cost] = &[Cost { name: UNSIGNED, tokens: 1 }];
const ORDER: &[Cost] = &[Cost { name: SIGNED, tokens: 1 }, Cost { name: ORDER_CALLS, tokens: 1 }];

/// Documented limits. The answers' headers correct them.
pub fn limits() -> impl Iterator<Item = (LimitName, Limit)> {
    let per = |requests, seconds| Limit { requests, per: Duration::from_secs(seconds) };
    [(SIGNED, per(120, 60)), (UNSIGNED, per(30, 60)), (ORDER_CALLS, per(10, 1))].into_iter()
}

/// What an address may ask in all: with and without a key.
pub const ADDRESS_LIMIT: Limit = Limit { requests: 150, per: Duration::from_mins(1) };

/// How long an address stays shut out when BitMEX does not say (venues.md 7: repeated refusals lead to a ban).
pub const BAN_PAUSE: Duration = Duration::from_mins(10);

const fn public(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing).costing(PUBLIC)
}

const fn get(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing).costing(READ)
}

const fn post(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Post, path, doing).costing(READ)
}

const fn order(verb: Verb, path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(verb, path, doing).costing(ORDER)
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: Endpoint = $value;)+

        /// The whole list.
        pub const ALL: &[Endpoint] = &[$($name),+];
    };
}

endpoints! {
    /// News of the venue. Asked for its headers, which tell the venue's time.
    ANNOUNCEMENTS = public("/api/v1/announcement", "reading the venue's clock");
    /// All listed contracts.
    INSTRUMENTS = public("/api/v1/instrument/active", "reading instruments");
    /// One contract with its prices.
    INSTRUMENT = public("/api/v1/instrument", "reading prices");
    /// Candles.
    BUCKETS = public("/api/v1/trade/bucketed", "reading candles");
    /// Past funding rates.
    FUNDING = public("/api/v1/funding", "reading funding rates");
    /// What the keys of the user may do.
    KEYS = get("/api/v1/apiKey", "reading the key's permissions");
    /// Balances.
    MARGIN = get("/api/v1/user/margin", "reading balances");
    /// Fees of the account.
    COMMISSION = get("/api/v1/user/commission", "reading fees");
    /// Positions with leverage and margin mode.
    POSITIONS = get("/api/v1/position", "reading positions");
    /// Orders, open and ended.
    ORDERS = get("/api/v1/order", "reading orders");
    /// Fills and funding payments.
    EXECUTIONS = get("/api/v1/execution/tradeHistory", "reading executions");
    /// A new order.
    PLACE = order(Verb::Post, "/api/v1/order", "placing an order");
    /// A changed order.
    AMEND = order(Verb::Put, "/api/v1/order", "changing an order");
    /// The end of an order.
    CANCEL = order(Verb::Delete, "/api/v1/order", "canceling an order");
    /// The end of many orders.
    CANCEL_ALL = order(Verb::Delete, "/api/v1/order/all", "canceling all orders");
    /// The venue cancels all orders when it hears nothing more.
    SWITCH = order(Verb::Post, "/api/v1/order/cancelAllAfter", "setting the dead-man's switch");
    /// Leverage of an instrument.
    LEVERAGE = post("/api/v1/position/leverage", "setting the leverage");
    /// Isolated or cross margin of an instrument.
    ISOLATE = post("/api/v1/position/isolate", "setting the margin mode");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of paths that move money, open sub-accounts or manage keys.
    const FORBIDDEN: &[&str] = &[
        "withdraw",
        "transfer",
        "convert",
        "wallet",
        "asset",
        "sub",
        "deposit",
        "borrow",
        "repay",
        "loan",
        "earn",
        "staking",
        "broker",
        "affiliate",
        "address",
        "porl",
        "guild",
        "preferences",
        "logout",
    ];

    #[test]
    fn no_path_moves_money_or_manages_keys() {
        for endpoint in ALL {
            for word in FORBIDDEN {
                assert!(!endpoint.path.to_ascii_lowercase().contains(word), "{} holds {word}", endpoint.path);
            }
        }
        // The one path about keys reads them, and what is asked about the user is only read.
        for endpoint in ALL {
            if endpoint.path.contains("apiKey") || endpoint.path.contains("user") {
                assert_eq!(endpoint.verb, Verb::Get, "{}", endpoint.path);
            }
        }
    }

    #[test]
    fn paths_are_written_nowhere_else() {
        let sources = [
            include_str!("mod.rs"),
            include_str!("render.rs"),
            include_str!("bodies.rs"),
            include_str!("rest.rs"),
            include_str!("account.rs"),
            include_str!("orders.rs"),
            include_str!("market.rs"),
            include_str!("market_stream.rs"),
            include_str!("account_stream.rs"),
        ];
        for source in sources {
            assert!(!source.contains("\"/api/"), "a path outside of the list");
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        for (n, endpoint) in ALL.iter().enumerate() {
            let same = |other: &&Endpoint| (other.verb, other.path) == (endpoint.verb, endpoint.path);
            assert!(!ALL[n + 1..].iter().any(|other| same(&other)), "{}", endpoint.path);
        }
    }
}
