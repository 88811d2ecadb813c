//! What no adapter can do: move money, manage keys, and reach a live host from a test system.
//!
//! All endpoint tables of all venues are judged here by one list of words; a path that holds one of them stands in
//! [`HARMLESS`] with its purpose, or fails. [`source`] looks for paths outside of the tables, [`hosts`] at what is dialed.

use keyhold_domain::{ContractType, Exchange};
use keyhold_venues::common::endpoint::Endpoint;
use keyhold_venues::signer::Verb;
use keyhold_venues::{binance, bitmex, bybit, kraken, okx};

mod hosts;
mod source;

/// Every call of an exchange. A new exchange does not compile until it has an arm here.
fn table_of(exchange: Exchange) -> Vec<Endpoint> {
    match exchange {
        Exchange::Bybit => bybit::endpoints::ALL.to_vec(),
        Exchange::Binance => {
            let calls = binance::endpoints::Call::ALL;
            let of = |product| calls.iter().map(move |call| binance::endpoints::endpoint(product, *call));
            ContractType::ALL.iter().flat_map(|product| of(*product)).collect()
        }
        Exchange::KrakenFutures => kraken::endpoints::ALL.to_vec(),
        Exchange::Okx => okx::endpoints::ALL.to_vec(),
        Exchange::Bitmex => bitmex::endpoints::ALL.to_vec(),
    }
}

/// Words of paths that move money, open sub-accounts or manage keys and users; in lower case.
const WORDS: &[&str] = &[
    "withdraw",
    "transfer",
    "convert",
    "sub",
    "wallet",
    "asset",
    "deposit",
    "borrow",
    "repay",
    "loan",
    "earn",
    "staking",
    "saving",
    "finance",
    "broker",
    "affiliate",
    "referral",
    "capital",
    "margin",
    "p2p",
    "fiat",
    "pay",
    "key",
    "query-api",
    "restriction",
    "auth",
    "agent",
    "collateral",
    "address",
    "move",
    "unwind",
    "assignment",
    "rfq",
    "porl",
    "guild",
    "preferences",
    "logout",
    "login",
    "user",
    "exchange",
    "spot",
    "swap",
    "card",
    "gift",
    "create-api",
    "update-api",
    "delete-api",
    "members",
    "funding-account",
    "bridge",
    "redeem",
    "mint",
    "claim",
];

/// A call whose path holds one of [`WORDS`] and that may be in a table all the same.
type Harmless = (Exchange, Verb, &'static str, &'static str);

const HARMLESS: &[Harmless] = &[
    (Exchange::Bybit, Verb::Get, "/v5/user/query-api", "what the key in use may do"),
    (Exchange::Bybit, Verb::Get, "/v5/account/wallet-balance", "balances"),
    (Exchange::Bybit, Verb::Post, "/v5/account/set-margin-mode", "isolated or cross"),
    (Exchange::Binance, Verb::Get, "/sapi/v1/account/apiRestrictions", "what the key in use may do"),
    (Exchange::Binance, Verb::Get, "/fapi/v1/exchangeInfo", "instruments"),
    (Exchange::Binance, Verb::Get, "/dapi/v1/exchangeInfo", "instruments"),
    (Exchange::Binance, Verb::Get, "/fapi/v1/userTrades", "fills"),
    (Exchange::Binance, Verb::Get, "/dapi/v1/userTrades", "fills"),
    (Exchange::Binance, Verb::Post, "/fapi/v1/marginType", "isolated or cross"),
    (Exchange::Binance, Verb::Post, "/dapi/v1/marginType", "isolated or cross"),
    (Exchange::Binance, Verb::Post, "/fapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::Binance, Verb::Post, "/dapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::Binance, Verb::Put, "/fapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::Binance, Verb::Put, "/dapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::Binance, Verb::Delete, "/fapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::Binance, Verb::Delete, "/dapi/v1/listenKey", "the name of a stream, no key of an account"),
    (Exchange::KrakenFutures, Verb::Get, "/api/auth/v1/api-keys/v3/check", "what the key in use may do"),
    (
        Exchange::KrakenFutures,
        Verb::Get,
        "/derivatives/api/v3/leveragepreferences",
        "leverage and margin mode",
    ),
    (
        Exchange::KrakenFutures,
        Verb::Put,
        "/derivatives/api/v3/leveragepreferences",
        "leverage and margin mode",
    ),
    (Exchange::Bitmex, Verb::Get, "/api/v1/apiKey", "what the key in use may do"),
    (Exchange::Bitmex, Verb::Get, "/api/v1/user/margin", "balances"),
    (Exchange::Bitmex, Verb::Get, "/api/v1/user/commission", "fees"),
];

/// Calls that the exchanges have and no table may hold; the rule must find each of them.
fn planted(exchange: Exchange) -> &'static [(Verb, &'static str)] {
    match exchange {
        Exchange::Bybit => &[
            (Verb::Post, "/v5/asset/withdraw/create"),
            (Verb::Post, "/v5/asset/transfer/inter-transfer"),
            (Verb::Post, "/v5/asset/exchange/convert-execute"),
            (Verb::Post, "/v5/user/create-sub-member"),
            (Verb::Post, "/v5/user/update-api"),
            (Verb::Post, "/v5/user/query-api"),
        ],
        Exchange::Binance => &[
            (Verb::Post, "/sapi/v1/capital/withdraw/apply"),
            (Verb::Post, "/sapi/v1/futures/transfer"),
            (Verb::Post, "/fapi/v1/convert/acceptQuote"),
            (Verb::Post, "/sapi/v1/sub-account/virtualSubAccount"),
            (Verb::Post, "/sapi/v1/account/apiRestrictions"),
            (Verb::Post, "/fapi/v1/positionMargin"),
        ],
        Exchange::KrakenFutures => &[
            (Verb::Post, "/derivatives/api/v3/withdrawal"),
            (Verb::Post, "/derivatives/api/v3/transfer"),
            (Verb::Post, "/derivatives/api/v3/transfer/subaccount"),
            (Verb::Put, "/derivatives/api/v3/subaccount/trading-enabled"),
            (Verb::Post, "/api/auth/v1/api-keys/v3/check"),
        ],
        Exchange::Okx => &[
            (Verb::Post, "/api/v5/asset/withdrawal"),
            (Verb::Post, "/api/v5/asset/transfer"),
            (Verb::Post, "/api/v5/asset/convert/trade"),
            (Verb::Post, "/api/v5/users/subaccount/modify-apikey"),
            (Verb::Post, "/api/v5/account/position/margin-balance"),
        ],
        Exchange::Bitmex => &[
            (Verb::Post, "/api/v1/user/requestWithdrawal"),
            (Verb::Post, "/api/v1/user/walletTransfer"),
            (Verb::Post, "/api/v1/apiKey"),
            (Verb::Delete, "/api/v1/apiKey"),
            (Verb::Post, "/api/v1/address"),
            (Verb::Post, "/api/v1/position/transferMargin"),
        ],
    }
}

/// The word for which a call is forbidden, if it is.
fn forbidden(exchange: Exchange, verb: Verb, path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let word = WORDS.iter().find(|word| lower.contains(**word))?;
    let is_harmless = HARMLESS.iter().any(|row| (row.0, row.1, row.2) == (exchange, verb, path));
    (!is_harmless).then_some(*word)
}

#[test]
fn no_table_moves_money_or_manages_keys() {
    let mut calls = 0;
    for exchange in Exchange::ALL.iter().copied() {
        let table = table_of(exchange);
        assert!(table.len() >= 15, "{exchange} has a table of {} calls", table.len());
        for endpoint in &table {
            let found = forbidden(exchange, endpoint.verb, endpoint.path);
            assert_eq!(found, None, "{exchange}: {} {}", endpoint.verb.as_str(), endpoint.path);
            assert!(endpoint.path.starts_with('/') && !endpoint.path.contains('?'), "{}", endpoint.path);
        }
        println!("{exchange}: {} calls", table.len());
        calls += table.len();
        for (verb, path) in planted(exchange) {
            assert!(forbidden(exchange, *verb, path).is_some(), "{exchange}: {path} went unnoticed");
        }
        assert!(planted(exchange).len() >= 5, "{exchange} has no control");
    }
    println!("calls in all tables: {calls}; paths with a word of the list: {}", HARMLESS.len());
}

/// A row that no table needs any more would hide the same path later.
#[test]
fn every_exception_is_a_call_of_its_table() {
    for (exchange, verb, path, purpose) in HARMLESS {
        let is_listed = table_of(*exchange).iter().any(|call| (call.verb, call.path) == (*verb, *path));
        assert!(is_listed, "{exchange} has no {} {path} any more", verb.as_str());
        assert!(!purpose.is_empty());
        let lower = path.to_ascii_lowercase();
        assert!(WORDS.iter().any(|word| lower.contains(word)), "{path} needs no exception");
    }
}

#[test]
fn no_call_is_listed_twice() {
    for exchange in Exchange::ALL.iter().copied() {
        let table = table_of(exchange);
        // Two products of Binance ask the same question of the wallet's host.
        let shared = table.iter().filter(|call| call.path.starts_with("/sapi/")).count() / 2;
        let mut names: Vec<_> = table.iter().map(|call| (call.verb.as_str(), call.path)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len() + shared, table.len(), "{exchange}");
    }
}
