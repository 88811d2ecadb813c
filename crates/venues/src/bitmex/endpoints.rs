//! Every path of BitMEX's v1 API that Keyhold can call, as one constant list.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing,
//! moving or converting money, for sub-accounts and for managing keys, and a test keeps it so.
//! Limits: 120 requests a minute and key, and 10 a second for calls that change orders (venues.md 7).

use crate::signer::Verb;

/// One call of the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Read, write, change or end.
    pub verb: Verb,
    /// Path below the host.
    pub path: &'static str,
    /// What is being done, for error texts.
    pub doing: &'static str,
}

const fn get(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint { verb: Verb::Get, path, doing }
}

const fn post(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint { verb: Verb::Post, path, doing }
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
    ANNOUNCEMENTS = get("/api/v1/announcement", "reading the venue's clock");
    /// All listed contracts.
    INSTRUMENTS = get("/api/v1/instrument/active", "reading instruments");
    /// One contract with its prices.
    INSTRUMENT = get("/api/v1/instrument", "reading prices");
    /// Candles.
    BUCKETS = get("/api/v1/trade/bucketed", "reading candles");
    /// Past funding rates.
    FUNDING = get("/api/v1/funding", "reading funding rates");
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
    PLACE = post("/api/v1/order", "placing an order");
    /// A changed order.
    AMEND = Endpoint { verb: Verb::Put, path: "/api/v1/order", doing: "changing an order" };
    /// The end of an order.
    CANCEL = Endpoint { verb: Verb::Delete, path: "/api/v1/order", doing: "canceling an order" };
    /// The end of many orders.
    CANCEL_ALL = Endpoint { verb: Verb::Delete, path: "/api/v1/order/all", doing: "canceling all orders" };
    /// The venue cancels all orders when it hears nothing more.
    SWITCH = post("/api/v1/order/cancelAllAfter", "setting the dead-man's switch");
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
        let sources =
            [include_str!("mod.rs"), include_str!("render.rs"), include_str!("bodies.rs")];
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
