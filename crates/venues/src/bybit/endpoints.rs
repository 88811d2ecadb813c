//! Every path of Bybit's v5 API that Keyhold can call, as one constant list.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing,
//! moving or converting money, for sub-accounts and for managing keys, and a test keeps it so.
//! Limits per second are those of Bybit's rate-limit page for ordinary users; see [`limits`].

use std::time::Duration;

pub use crate::common::endpoint::Endpoint;
use crate::common::endpoint::own_limits;
use crate::rate_limit::{Limit, LimitName};
use crate::signer::Verb;

const fn per_second(requests: Option<u32>) -> Option<Limit> {
    match requests {
        Some(requests) => Some(Limit { requests, per: Duration::from_secs(1) }),
        None => None,
    }
}

const fn get(path: &'static str, requests: Option<u32>, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing).limited(per_second(requests))
}

const fn post(path: &'static str, requests: Option<u32>, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Post, path, doing).limited(per_second(requests))
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: Endpoint = $value;)+

        /// The whole list.
        pub const ALL: &[Endpoint] = &[$($name),+];
    };
}

endpoints! {
    /// The venue's clock.
    TIME = get("/v5/market/time", None, "reading the venue's clock");
    /// Maintenance, running and announced.
    STATUS = get("/v5/system/status", None, "reading the venue's status");
    /// Contracts and their grids.
    INSTRUMENTS = get("/v5/market/instruments-info", None, "reading instruments");
    /// Candles.
    KLINE = get("/v5/market/kline", None, "reading candles");
    /// Last, mark and index price, current funding rate.
    TICKERS = get("/v5/market/tickers", None, "reading prices");
    /// Past funding rates.
    FUNDING = get("/v5/market/funding/history", None, "reading funding rates");
    /// What the key in use may do.
    KEY = get("/v5/user/query-api", Some(10), "reading the key's permissions");
    /// Margin mode of the account.
    ACCOUNT = get("/v5/account/info", Some(50), "reading the account's settings");
    /// Balances.
    WALLET = get("/v5/account/wallet-balance", Some(50), "reading balances");
    /// Fees of the account.
    FEES = get("/v5/account/fee-rate", Some(10), "reading fees");
    /// Positions.
    POSITIONS = get("/v5/position/list", Some(50), "reading positions");
    /// Orders that rest or ended a moment ago.
    OPEN_ORDERS = get("/v5/order/realtime", Some(50), "reading open orders");
    /// Orders that ended.
    PAST_ORDERS = get("/v5/order/history", Some(50), "reading past orders");
    /// Fills and funding payments.
    EXECUTIONS = get("/v5/execution/list", Some(50), "reading executions");
    /// A new order.
    PLACE = post("/v5/order/create", Some(10), "placing an order");
    /// A changed order.
    AMEND = post("/v5/order/amend", Some(10), "changing an order");
    /// The end of an order.
    CANCEL = post("/v5/order/cancel", Some(10), "canceling an order");
    /// The end of many orders.
    CANCEL_ALL = post("/v5/order/cancel-all", Some(10), "canceling all orders");
    /// Leverage of an instrument.
    LEVERAGE = post("/v5/position/set-leverage", Some(10), "setting the leverage");
    /// One net position or two.
    POSITION_MODE = post("/v5/position/switch-mode", Some(10), "setting the position mode");
    /// Isolated or cross, for the account.
    MARGIN_MODE = post("/v5/account/set-margin-mode", Some(5), "setting the margin mode");
}

/// Documented limits per second and user for linear and inverse contracts. The answers' headers correct them.
pub fn limits() -> impl Iterator<Item = (LimitName, Limit)> {
    own_limits(ALL)
}

/// All requests of one address: 600 in 5 seconds.
pub const ADDRESS_LIMIT: Limit = Limit { requests: 600, per: Duration::from_secs(5) };

/// How long Bybit says to wait after it has banned an address.
pub const BAN_PAUSE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of paths that move money, open sub-accounts or manage keys.
    const FORBIDDEN: &[&str] = &[
        "withdraw",
        "transfer",
        "convert",
        "asset",
        "sub",
        "create-api",
        "update-api",
        "delete-api",
        "modify-api",
        "deposit",
        "borrow",
        "repay",
        "loan",
        "earn",
        "broker",
        "affiliate",
        "p2p",
        "fiat",
        "exchange",
        "spot",
        "collateral",
        "add-margin",
        "move",
    ];

    #[test]
    fn no_path_moves_money_or_manages_keys() {
        for endpoint in ALL {
            for word in FORBIDDEN {
                assert!(!endpoint.path.contains(word), "{} holds {word}", endpoint.path);
            }
        }
        // The one path about keys reads the key in use.
        let about_users: Vec<_> = ALL.iter().filter(|e| e.path.starts_with("/v5/user")).collect();
        assert_eq!(about_users, [&KEY]);
        assert_eq!(KEY.verb, Verb::Get);
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
            assert!(!source.contains("\"/v5/"), "a path outside of the list");
        }
    }

    #[test]
    fn no_path_is_listed_twice() {
        for (n, endpoint) in ALL.iter().enumerate() {
            assert!(ALL[n + 1..].iter().all(|other| other.path != endpoint.path), "{}", endpoint.path);
        }
    }
}
