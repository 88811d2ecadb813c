//! Every path of Kraken Futures that Keyhold can call, as one constant list, with what each costs.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing or
//! moving money, for sub-accounts and for managing keys, and a test keeps it so.
//! Costs are those of Kraken's rate-limit page: 500 in ten seconds below `/derivatives`, 100 in ten minutes below
//! `/api/history`, public calls free. A call that the page does not name is counted as two, like the cheapest it names.

use std::time::Duration;

use crate::rate_limit::{Limit, LimitName};
use crate::signer::Verb;

/// Which allowance pays for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Nobody counts it but the address (100 requests per second).
    Free,
    /// 500 in ten seconds.
    Trading,
    /// 100 in ten minutes.
    History,
}

impl Pool {
    /// Its name in the limiter.
    pub const fn name(self) -> LimitName {
        match self {
            Self::Free => "free",
            Self::Trading => "derivatives",
            Self::History => "history",
        }
    }
}

/// How an answer says that all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// By `"result":"success"`.
    Result,
    /// By its HTTP status and by what it holds.
    Bare,
    /// Also by the word in `sendStatus.status`.
    Send,
    /// Also by the word in `editStatus.status`.
    Edit,
    /// Also by the word in `cancelStatus.status`.
    Cancel,
}

/// One call of the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Read or write.
    pub verb: Verb,
    /// Path below the host; instruments and intervals are appended to some.
    pub path: &'static str,
    /// Who pays.
    pub pool: Pool,
    /// How much.
    pub cost: u32,
    /// The form of the answer.
    pub envelope: Envelope,
    /// What is being done, for error texts.
    pub doing: &'static str,
}

const fn public(path: &'static str, envelope: Envelope, doing: &'static str) -> Endpoint {
    Endpoint { verb: Verb::Get, path, pool: Pool::Free, cost: 0, envelope, doing }
}

const fn ask(path: &'static str, cost: u32, doing: &'static str) -> Endpoint {
    Endpoint { verb: Verb::Get, path, pool: Pool::Trading, cost, envelope: Envelope::Result, doing }
}

const fn past(path: &'static str, cost: u32, doing: &'static str) -> Endpoint {
    Endpoint { verb: Verb::Get, path, pool: Pool::History, cost, envelope: Envelope::Bare, doing }
}

const fn change(
    verb: Verb,
    path: &'static str,
    cost: u32,
    envelope: Envelope,
    doing: &'static str,
) -> Endpoint {
    Endpoint { verb, path, pool: Pool::Trading, cost, envelope, doing }
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)+) => {
        $($(#[$doc])* pub const $name: Endpoint = $value;)+

        /// The whole list.
        pub const ALL: &[Endpoint] = &[$($name),+];
    };
}

endpoints! {
    /// Contracts and their grids.
    INSTRUMENTS = public("/derivatives/api/v3/instruments", Envelope::Result, "reading instruments");
    /// Which contracts are extremely volatile; the shortest answer that carries the venue's clock.
    STATUS = public("/derivatives/api/v3/instruments/status", Envelope::Result, "reading the venue's clock");
    /// Last, mark and index price, funding rate, open interest; of one instrument when its name is appended.
    TICKERS = public("/derivatives/api/v3/tickers", Envelope::Result, "reading prices");
    /// Past funding rates, all of them.
    FUNDING = public("/derivatives/api/v4/historicalfundingrates", Envelope::Result, "reading funding rates");
    /// Candles: price type, instrument and interval are appended.
    CHARTS = public("/api/charts/v1", Envelope::Bare, "reading candles");
    /// Fees by volume.
    FEE_SCHEDULES = public("/derivatives/api/v3/feeschedules", Envelope::Result, "reading fees");
    /// What the key in use may do.
    KEY = Endpoint {
        verb: Verb::Get, path: "/api/auth/v1/api-keys/v3/check", pool: Pool::Free, cost: 0,
        envelope: Envelope::Bare, doing: "reading the key's permissions",
    };
    /// Volumes of the account, by which its fees are chosen.
    FEE_VOLUMES = ask("/derivatives/api/v3/feeschedules/volumes", 2, "reading fees");
    /// Balances.
    ACCOUNTS = ask("/derivatives/api/v3/accounts", 2, "reading balances");
    /// Positions.
    POSITIONS = ask("/derivatives/api/v3/openpositions", 2, "reading positions");
    /// Orders that rest or wait.
    OPEN_ORDERS = ask("/derivatives/api/v3/openorders", 2, "reading open orders");
    /// Orders by name that are open or ended within the last five seconds.
    ORDER_STATUS = ask("/derivatives/api/v3/orders/status", 2, "looking an order up");
    /// Fills, newest first.
    FILLS = ask("/derivatives/api/v3/fills", 2, "reading fills");
    /// Instruments with isolated margin and their leverage.
    LEVERAGE = ask("/derivatives/api/v3/leveragepreferences", 2, "reading the leverage");
    /// What became of orders.
    PAST_ORDERS = past("/api/history/v2/orders", 1, "reading past orders");
    /// Bookings: trades with their fees, funding. Three for up to a thousand rows.
    ACCOUNT_LOG = past("/api/history/v3/account-log", 3, "reading the account's log");
    /// A new order.
    PLACE = change(Verb::Post, "/derivatives/api/v3/sendorder", 10, Envelope::Send, "placing an order");
    /// A changed order.
    AMEND = change(Verb::Post, "/derivatives/api/v3/editorder", 10, Envelope::Edit, "changing an order");
    /// The end of an order.
    CANCEL = change(Verb::Post, "/derivatives/api/v3/cancelorder", 10, Envelope::Cancel, "canceling an order");
    /// The end of many orders.
    CANCEL_ALL =
        change(Verb::Post, "/derivatives/api/v3/cancelallorders", 25, Envelope::Cancel, "canceling all orders");
    /// The venue's own watch over us.
    CANCEL_ALL_AFTER = change(
        Verb::Post, "/derivatives/api/v3/cancelallordersafter", 25, Envelope::Result, "setting the dead-man's switch"
    );
    /// Isolated margin with its leverage, or cross margin.
    SET_LEVERAGE =
        change(Verb::Put, "/derivatives/api/v3/leveragepreferences", 10, Envelope::Result, "setting the leverage");
}

/// Documented limits. The answers carry none.
pub fn limits() -> impl Iterator<Item = (LimitName, Limit)> {
    [
        (Pool::Trading.name(), Limit { requests: 500, per: Duration::from_secs(10) }),
        (Pool::History.name(), Limit { requests: 100, per: Duration::from_mins(10) }),
    ]
    .into_iter()
}

/// All requests of one address: 100 in a second.
pub const ADDRESS_LIMIT: Limit = Limit { requests: 100, per: Duration::from_secs(1) };

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of paths that move money, open sub-accounts or manage keys.
    const FORBIDDEN: &[&str] = &[
        "withdraw",
        "transfer",
        "convert",
        "subaccount",
        "deposit",
        "unwind",
        "assignment",
        "pnlpreferences",
        "self-trade",
        "rfq",
        "batchorder",
        "wallet",
    ];

    #[test]
    fn no_path_moves_money_or_manages_keys() {
        for endpoint in ALL {
            for word in FORBIDDEN {
                assert!(!endpoint.path.contains(word), "{} holds {word}", endpoint.path);
            }
        }
        // The one path about keys reads the key in use.
        let about_keys: Vec<_> = ALL.iter().filter(|endpoint| endpoint.path.contains("key")).collect();
        assert_eq!(about_keys, [&KEY]);
        assert_eq!(KEY.verb, Verb::Get);
    }

    #[test]
    fn no_call_is_listed_twice() {
        for (n, endpoint) in ALL.iter().enumerate() {
            let same = |other: &Endpoint| (other.verb, other.path) == (endpoint.verb, endpoint.path);
            assert!(!ALL[n + 1..].iter().any(same), "{}", endpoint.path);
        }
    }
}
