//! Every path of Kraken Futures that Keyhold can call, as one constant list, with what each costs.
//!
//! What is not here cannot be called: requests are built only from these constants. There is none for withdrawing or
//! moving money, for sub-accounts and for managing keys, and a test keeps it so.
//! Costs are those of Kraken's rate-limit page: 500 in ten seconds below `/derivatives`, 100 in ten minutes below
//! `/api/history`, public calls free. A call that the page does not name is counted as two, like the cheapest it names.

use std::time::Duration;

pub use crate::common::endpoint::Endpoint;
use crate::common::endpoint::Host;
use crate::rate_limit::{Cost, Limit, LimitName};
use crate::signer::Verb;

/// The allowance of calls below `/derivatives`.
const TRADING: LimitName = "derivatives";
/// The allowance of calls below `/api/history`.
const HISTORY: LimitName = "history";

const TWO: &[Cost] = &[Cost { name: TRADING, tokens: 2 }];
const TEN: &[Cost] = &[Cost { name: TRADING, tokens: 10 }];
const TWENTY_FIVE: &[Cost] = &[Cost { name: TRADING, tokens: 25 }];
const PAST_ONE: &[Cost] = &[Cost { name: HISTORY, tokens: 1 }];
const PAST_THREE: &[Cost] = &[Cost { name: HISTORY, tokens: 3 }];

const fn public(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing)
}

const fn ask(path: &'static str, doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Get, path, doing).costing(TWO)
}

const fn post(path: &'static str, cost: &'static [Cost], doing: &'static str) -> Endpoint {
    Endpoint::new(Verb::Post, path, doing).costing(cost)
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
    INSTRUMENTS = public("/derivatives/api/v3/instruments", "reading instruments");
    /// Which contracts are extremely volatile; an answer that carries the venue's clock and is about no instrument.
    STATUS = public("/derivatives/api/v3/instruments/status", "reading the venue's clock");
    /// Last, mark and index price, funding rate, open interest; of one instrument when its name is appended.
    TICKERS = public("/derivatives/api/v3/tickers", "reading prices");
    /// Past funding rates, all of them.
    FUNDING = public("/derivatives/api/v4/historicalfundingrates", "reading funding rates");
    /// Candles: price type, instrument and interval are appended.
    CHARTS = public("/api/charts/v1", "reading candles");
    /// Fees by volume.
    FEE_SCHEDULES = public("/derivatives/api/v3/feeschedules", "reading fees");
    /// What the key in use may do.
    KEY = public("/api/auth/v1/api-keys/v3/check", "reading the key's permissions").at(Host::KeyCheck);
    /// Volumes of the account, by which its fees are chosen.
    FEE_VOLUMES = ask("/derivatives/api/v3/feeschedules/volumes", "reading fees");
    /// Balances.
    ACCOUNTS = ask("/derivatives/api/v3/accounts", "reading balances");
    /// Positions.
    POSITIONS = ask("/derivatives/api/v3/openpositions", "reading positions");
    /// Orders that rest or wait.
    OPEN_ORDERS = ask("/derivatives/api/v3/openorders", "reading open orders");
    /// Orders by name that are open or ended within the last five seconds.
    ORDER_STATUS = ask("/derivatives/api/v3/orders/status", "looking an order up");
    /// Fills, newest first.
    FILLS = ask("/derivatives/api/v3/fills", "reading fills");
    /// Instruments with isolated margin and their leverage.
    LEVERAGE = ask("/derivatives/api/v3/leveragepreferences", "reading the leverage");
    /// What became of orders.
    PAST_ORDERS = public("/api/history/v2/orders", "reading past orders").costing(PAST_ONE);
    /// Bookings: trades with their fees, funding. Three for up to a thousand rows.
    ACCOUNT_LOG = public("/api/history/v3/account-log", "reading the account's log").costing(PAST_THREE);
    /// A new order.
    PLACE = post("/derivatives/api/v3/sendorder", TEN, "placing an order");
    /// A changed order.
    AMEND = post("/derivatives/api/v3/editorder", TEN, "changing an order");
    /// The end of an order.
    CANCEL = post("/derivatives/api/v3/cancelorder", TEN, "canceling an order");
    /// The end of many orders.
    CANCEL_ALL = post("/derivatives/api/v3/cancelallorders", TWENTY_FIVE, "canceling all orders");
    /// The venue's own watch over us.
    CANCEL_ALL_AFTER =
        post("/derivatives/api/v3/cancelallordersafter", TWENTY_FIVE, "setting the dead-man's switch");
    /// Isolated margin with its leverage, or cross margin.
    SET_LEVERAGE =
        Endpoint::new(Verb::Put, "/derivatives/api/v3/leveragepreferences", "setting the leverage").costing(TEN);
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

/// The form of a call's answers.
pub fn envelope(endpoint: Endpoint) -> Envelope {
    const OTHERS: &[(Endpoint, Envelope)] = &[
        (CHARTS, Envelope::Bare),
        (KEY, Envelope::Bare),
        (PAST_ORDERS, Envelope::Bare),
        (ACCOUNT_LOG, Envelope::Bare),
        (PLACE, Envelope::Send),
        (AMEND, Envelope::Edit),
        (CANCEL, Envelope::Cancel),
        (CANCEL_ALL, Envelope::Cancel),
    ];
    OTHERS.iter().find(|(other, _)| *other == endpoint).map_or(Envelope::Result, |(_, envelope)| *envelope)
}

/// Documented limits. The answers carry none.
pub fn limits() -> impl Iterator<Item = (LimitName, Limit)> {
    [
        (TRADING, Limit { requests: 500, per: Duration::from_secs(10) }),
        (HISTORY, Limit { requests: 100, per: Duration::from_mins(10) }),
    ]
    .into_iter()
}

/// How long we wait after a ban of our address; Kraken does not say.
pub const BAN_PAUSE: Duration = Duration::from_mins(1);

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
