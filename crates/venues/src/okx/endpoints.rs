//! Every path of OKX's v5 API that Keyhold can call, as one constant list.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing,
//! moving or converting money, for sub-accounts and for managing keys, and a test keeps it so.
//! Limits are those that OKX's v5 documentation states beside each call, per user or per address.

use std::time::Duration;

use crate::common::endpoint::{self, Endpoint};
use crate::rate_limit::{Limit, LimitName};
use crate::signer::Verb;

/// OKX counts in windows of two seconds.
const fn per_two_seconds(requests: u32) -> Limit {
    Limit { requests, per: Duration::from_secs(2) }
}

const fn get(path: &'static str, requests: u32, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing).limited(Some(per_two_seconds(requests)))
}

const fn post(path: &'static str, requests: u32, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Post, path, doing).limited(Some(per_two_seconds(requests)))
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
    TIME = get("/api/v5/public/time", 10, "reading the venue's clock");
    /// Maintenance, running and announced; one call in five seconds.
    STATUS = Endpoint::new(Verb::Get, "/api/v5/system/status", "reading the venue's status")
        .limited(Some(Limit { requests: 1, per: Duration::from_secs(5) }));
    /// Contracts and their grids.
    INSTRUMENTS = get("/api/v5/public/instruments", 20, "reading instruments");
    /// The newest candles, 1,440 at most.
    CANDLES = get("/api/v5/market/candles", 40, "reading candles");
    /// Candles of the past.
    PAST_CANDLES = get("/api/v5/market/history-candles", 20, "reading past candles");
    /// Last price and best bid and ask.
    TICKER = get("/api/v5/market/ticker", 20, "reading prices");
    /// Mark price.
    MARK_PRICE = get("/api/v5/public/mark-price", 10, "reading the mark price");
    /// Index price.
    INDEX_PRICE = get("/api/v5/market/index-tickers", 20, "reading the index price");
    /// Coming funding rate.
    FUNDING_RATE = get("/api/v5/public/funding-rate", 10, "reading the funding rate");
    /// Past funding rates.
    FUNDING = get("/api/v5/public/funding-rate-history", 10, "reading funding rates");
    /// Open contracts.
    OPEN_INTEREST = get("/api/v5/public/open-interest", 20, "reading open interest");
    /// Kind of the account, position mode, and what the key in use may do.
    ACCOUNT = get("/api/v5/account/config", 5, "reading the account's settings");
    /// Balances.
    BALANCE = get("/api/v5/account/balance", 10, "reading balances");
    /// Positions.
    POSITIONS = get("/api/v5/account/positions", 10, "reading positions");
    /// Fees of the account.
    FEES = get("/api/v5/account/trade-fee", 5, "reading fees");
    /// Payments of the last three months, of which funding is a kind.
    BILLS = get("/api/v5/account/bills-archive", 5, "reading payments");
    /// One order, open or ended a short while ago.
    ORDER = get("/api/v5/trade/order", 60, "reading an order");
    /// One order that waits for a trigger, or waited.
    STOP_ORDER = get("/api/v5/trade/order-algo", 20, "reading a stop order");
    /// Orders that rest.
    OPEN_ORDERS = get("/api/v5/trade/orders-pending", 60, "reading open orders");
    /// Orders that wait for a trigger.
    OPEN_STOPS = get("/api/v5/trade/orders-algo-pending", 20, "reading open stop orders");
    /// Fills of the last three days.
    FILLS = get("/api/v5/trade/fills", 60, "reading fills");
    /// Fills of the last three months.
    PAST_FILLS = get("/api/v5/trade/fills-history", 10, "reading past fills");
    /// A new order.
    PLACE = post("/api/v5/trade/order", 60, "placing an order");
    /// A changed order.
    AMEND = post("/api/v5/trade/amend-order", 60, "changing an order");
    /// The end of an order.
    CANCEL = post("/api/v5/trade/cancel-order", 60, "canceling an order");
    /// The end of up to twenty orders.
    CANCEL_MANY = post("/api/v5/trade/cancel-batch-orders", 15, "canceling orders");
    /// A new order that waits for a trigger.
    PLACE_STOP = post("/api/v5/trade/order-algo", 20, "placing a stop order");
    /// A changed order that waits for a trigger.
    AMEND_STOP = post("/api/v5/trade/amend-algos", 20, "changing a stop order");
    /// The end of up to ten orders that wait for a trigger.
    CANCEL_STOPS = post("/api/v5/trade/cancel-algos", 20, "canceling stop orders");
    /// The venue cancels when we fall silent; one call in a second.
    DEAD_MANS_SWITCH = Endpoint::new(Verb::Post, "/api/v5/trade/cancel-all-after", "setting the dead man's switch")
        .limited(Some(Limit { requests: 1, per: Duration::from_secs(1) }));
    /// Leverage of an instrument in one margin mode.
    LEVERAGE = post("/api/v5/account/set-leverage", 20, "setting the leverage");
    /// One net position or two.
    POSITION_MODE = post("/api/v5/account/set-position-mode", 5, "setting the position mode");
}

/// Documented limits. A path that is read and written has one for both; the stricter is taken.
pub fn limits() -> impl Iterator<Item = (LimitName, Limit)> {
    endpoint::own_limits(ALL)
}

/// All requests of one user: OKX states none; this keeps a program that runs wild from being banned.
pub const ADDRESS_LIMIT: Limit = Limit { requests: 500, per: Duration::from_secs(2) };

/// How long we stay silent after the address was banned.
pub const BAN_PAUSE: Duration = Duration::from_mins(5);

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
        "apikey",
        "deposit",
        "borrow",
        "repay",
        "loan",
        "earn",
        "finance",
        "broker",
        "affiliate",
        "fiat",
        "savings",
        "staking",
        "margin-balance",
        "close-position",
        "move",
    ];

    #[test]
    fn no_path_moves_money_or_manages_keys() {
        for endpoint in ALL {
            for word in FORBIDDEN {
                assert!(!endpoint.path.contains(word), "{} holds {word}", endpoint.path);
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
            assert!(!source.contains("\"/api/v5/"), "a path outside of the list");
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        for (n, one) in ALL.iter().enumerate() {
            let same = |other: &&Endpoint| (other.verb, other.path) == (one.verb, one.path);
            assert!(!ALL[n + 1..].iter().any(|other| same(&other)), "{}", one.path);
        }
    }
}
