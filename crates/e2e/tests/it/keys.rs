//! Everything that can be wrong with a key, at every exchange: which code its owner sees, and that a remedy stands
//! beside it. Where an exchange answers two faults alike, the table says so and the remedy names both.

use std::fmt::Write as _;

use keyhold_domain::{ContractType, Exchange};
use keyhold_e2e::house::{House, Secret, eventually};
use serde_json::{Value, json};
use xtask::stack::TestKey;

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// In the key as the exchange knows it, by the name of a made-up one.
    Key(&'static str),
    /// In what was typed.
    Secret,
    /// In what was typed.
    UnknownKey,
    /// In what was typed.
    Passphrase,
    /// The exchange refuses connections.
    Down,
    /// The exchange says that it is closed for work.
    Maintenance,
    /// The clocks differ by a minute.
    Clock,
    /// The exchange does not serve the country.
    Region,
    /// The account answers, only its balances do not.
    Balance,
}

/// What the test ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It fails with this code.
    Fails(&'static str),
    /// It passes, and this is among what it warns of.
    Warns(&'static str),
    /// The exchange has no such thing, for this reason.
    Never(&'static str),
}

use Fault::{Balance, Clock, Down, Key, Maintenance, Passphrase, Region, UnknownKey};
use Seen::{Fails, Never, Warns};

const NO_PASSPHRASE: Seen = Never("its keys have no passphrase");
const ONE_POSITION: Seen = Never("it has one position per contract, always");
const READS_ALWAYS: Seen = Never("every key of it reads");
/// The exchange has one answer for this and for a key it does not know: Binance -2015, Kraken `authenticationError`,
/// OKX 50119, because it deletes keys that have run out.
const ALIKE: Seen = Fails("KEY_INVALID");

/// In the order of [`Exchange::ALL`]: Bybit, Binance, Kraken Futures, OKX, BitMEX.
const TABLE: &[(Fault, [Seen; 5])] = &[
    (Key("read_only"), [Fails("KEY_NO_TRADE_PERMISSION"); 5]),
    (
        Key("no_read"),
        [
            READS_ALWAYS,
            Fails("KEY_NO_READ_PERMISSION"),
            Fails("KEY_NO_READ_PERMISSION"),
            READS_ALWAYS,
            READS_ALWAYS,
        ],
    ),
    (Key("withdrawal"), [Fails("KEY_WITHDRAWAL_ENABLED"); 5]),
    (UnknownKey, [Fails("KEY_INVALID"); 5]),
    (
        Fault::Secret,
        [
            Fails("KEY_BAD_SECRET"),
            Fails("KEY_BAD_SECRET"),
            ALIKE,
            Fails("KEY_BAD_SECRET"),
            Fails("KEY_BAD_SECRET"),
        ],
    ),
    (Passphrase, [NO_PASSPHRASE, NO_PASSPHRASE, NO_PASSPHRASE, Fails("KEY_BAD_PASSPHRASE"), NO_PASSPHRASE]),
    (
        Key("foreign_address"),
        [Fails("KEY_IP_BLOCKED"), ALIKE, ALIKE, Fails("KEY_IP_BLOCKED"), Fails("KEY_IP_BLOCKED")],
    ),
    (Key("expired"), [Fails("KEY_EXPIRED"), ALIKE, ALIKE, ALIKE, Fails("KEY_EXPIRED")]),
    (Key("open_address"), [Warns("KEY_ADDRESS_OPEN"); 5]),
    (
        Key("transfer"),
        [
            Warns("KEY_TRANSFER_ENABLED"),
            Warns("KEY_TRANSFER_ENABLED"),
            // Moving funds to the spot wallet is the same right as withdrawing.
            Fails("KEY_WITHDRAWAL_ENABLED"),
            Warns("KEY_NOT_TOLD"),
            Warns("KEY_NOT_TOLD"),
        ],
    ),
    (Key("unknown_right"), [Fails("KEY_UNKNOWN_PERMISSION"); 5]),
    (
        Key("hedge"),
        [
            Fails("ACCOUNT_MODE_MISMATCH"),
            Fails("ACCOUNT_MODE_MISMATCH"),
            ONE_POSITION,
            Fails("ACCOUNT_MODE_MISMATCH"),
            ONE_POSITION,
        ],
    ),
    (Key("empty"), [Warns("INSUFFICIENT_BALANCE"); 5]),
    (Balance, [Fails("BALANCE_UNAVAILABLE"); 5]),
    (Region, [Fails("REGION_FORBIDDEN"); 5]),
    (Maintenance, [Fails("EXCHANGE_MAINTENANCE"); 5]),
    (Clock, [Fails("CLOCK_SKEW"); 5]),
    (Down, [Fails("EXCHANGE_DOWN"); 5]),
];

impl Fault {
    /// In the documentation.
    fn in_words(self) -> &'static str {
        match self {
            Key("read_only") => "the key may read, not trade",
            Key("no_read") => "the key may not even read",
            Key("withdrawal") => "the key may withdraw",
            Key("foreign_address") => "the key is bound to another address",
            Key("expired") => "the key has run out",
            Key("open_address") => "the key is bound to no address",
            Key("transfer") => "the key may move money between accounts",
            Key("unknown_right") => "the key has a right that nobody knows",
            Key("hedge") => "the account holds long and short side by side",
            Key("empty") => "the account is empty",
            Key(other) => other,
            Self::Secret => "the secret is another key's",
            UnknownKey => "the key is mistyped or deleted",
            Passphrase => "the passphrase is another",
            Balance => "the balances do not come",
            Region => "the country is not served",
            Maintenance => "the exchange is under maintenance",
            Clock => "the clocks differ by a minute",
            Down => "the exchange does not answer",
        }
    }

    /// What is typed into the form.
    fn typed(self, house: &House) -> TestKey {
        let sound = || house.known("second");
        match self {
            Key(name) => house.known(name),
            Self::Secret => TestKey { secret: house.known("third").secret, ..sound() },
            UnknownKey => TestKey { key: changed(&sound().key), ..sound() },
            Passphrase => TestKey { passphrase: Some("not-the-passphrase".to_owned()), ..sound() },
            Maintenance => house.known("good"),
            Clock | Balance => house.known("third"),
            Down | Region => house.known("fourth"),
        }
    }

    /// Makes the exchange so.
    fn begin(self, house: &House) {
        match self {
            Down => drop(house.venue("down", &Value::Null)),
            Maintenance => drop(house.venue("maintenance", &json!({ "on": true }))),
            Clock => drop(house.venue("clock", &json!({ "skew_ms": 60_000 }))),
            Region => refuse(house, "/", 451),
            Balance => refuse(house, balances_of(house.exchange()), 500),
            Key(_) | Self::Secret | UnknownKey | Passphrase => {}
        }
    }

    /// Makes the exchange well again.
    fn end(self, house: &House) {
        match self {
            Down => drop(house.venue("up", &Value::Null)),
            Maintenance => drop(house.venue("maintenance", &json!({ "on": false }))),
            Clock => drop(house.venue("clock", &json!({ "skew_ms": 0 }))),
            Region | Balance => drop(house.venue("calm", &Value::Null)),
            Key(_) | Self::Secret | UnknownKey | Passphrase => {}
        }
    }

    /// Whether the key is sound and only the exchange is not.
    const fn passes_later(self) -> bool {
        matches!(self, Down | Maintenance | Clock | Region | Balance)
    }
}

/// Answers every request to a path that begins so with this status until it is calm again.
fn refuse(house: &House, path: &str, status: u16) {
    let script = json!({ "path": path, "fate": "status", "status": status, "times": 10_000 });
    drop(house.venue("script", &script));
}

/// Where an exchange tells the balances of its linear contracts.
const fn balances_of(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Bybit => "/v5/account/wallet-balance",
        Exchange::Binance => "/fapi/v3/account",
        Exchange::KrakenFutures => "/derivatives/api/v3/accounts",
        Exchange::Okx => "/api/v5/account/balance",
        Exchange::Bitmex => "/api/v1/user/margin",
    }
}

/// A linear and an inverse contract of an exchange.
const fn contracts_of(exchange: Exchange) -> [&'static str; 2] {
    match exchange {
        Exchange::Bybit => ["BTCUSDT", "BTCUSD"],
        Exchange::Binance => ["BTCUSDT", "BTCUSD_PERP"],
        Exchange::KrakenFutures => ["PF_XBTUSD", "PI_XBTUSD"],
        Exchange::Okx => ["BTC-USDT-SWAP", "BTC-USD-SWAP"],
        Exchange::Bitmex => ["XBTUSDT", "XBTUSD"],
    }
}

/// Another key of the same shape.
fn changed(key: &str) -> String {
    let last = if key.ends_with('a') { 'b' } else { 'a' };
    key.char_indices().map(|(at, letter)| if at + 1 == key.len() { last } else { letter }).collect()
}

/// What the owner sees of one fault, compared with the table.
fn check(house: &mut House, exchange: Exchange, fault: Fault, seen: Seen) {
    let name = format!("{exchange}, {fault:?}");
    let typed = fault.typed(house);
    fault.begin(house);
    let stored = house.put_key("Faulty", ContractType::Linear, Secret::from(&typed)).ok();
    let id = stored["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/keys/{id}");
    let key = house.test_key(&id);
    let found = &key["verification"];
    let advice = key["advice"].as_array().unwrap();
    let remedy = |code: &str| {
        let texts = advice.iter().filter(|one| one["code"] == code).map(|one| one["text"].as_str().unwrap());
        texts.collect::<Vec<_>>().join(" ")
    };
    match seen {
        Fails(code) => {
            let expected = (&json!("failed"), &json!(code));
            assert_eq!((&found["state"], &found["code"]), expected, "{name}: {found}");
            assert!(!remedy(code).is_empty(), "{name} has no remedy: {advice:?}");
            assert_words(&name, fault, seen, &remedy(code));
            if fault == Key("foreign_address") {
                assert!(remedy(code).contains("the address shown here"), "{name}: {}", remedy(code));
                assert_eq!(key["egress_addresses"], json!(["127.0.0.1"]), "{name}");
            }
            let refusal = if code == "KEY_WITHDRAWAL_ENABLED" { code } else { "KEY_NOT_VERIFIED" };
            let activating = house.owner.patch(&path, &json!({ "active": true }));
            assert_eq!((activating.status, activating.code()), (409, refusal), "{name}");
        }
        Warns(code) => {
            assert_eq!((&found["state"], &found["code"]), (&json!("ok"), &Value::Null), "{name}: {found}");
            assert!(!remedy(code).is_empty(), "{name} is not warned of: {found} {advice:?}");
        }
        Never(reason) => assert_eq!(reason, "", "{name} was tested"),
    }
    fault.end(house);
    if fault.passes_later() {
        eventually("the test to pass when the exchange is back", || {
            let again = house.owner.post(&format!("{path}/test"), &json!({}));
            (again.status != 429 && again.ok()["verification"]["state"] == "ok").then_some(())
        });
    }
    assert_eq!(house.owner.delete(&path).status, 204, "{name}");
}

/// One code for several faults needs a remedy that names them all.
fn assert_words(name: &str, fault: Fault, seen: Seen, remedy: &str) {
    if seen != ALIKE {
        return;
    }
    let words: &[&str] = match fault {
        Key("foreign_address") => &["address"],
        Fault::Secret => &["private key", "secret"],
        Key("expired") => &["deleted", "expired"],
        UnknownKey => &["characters", "mistyped"],
        _ => return,
    };
    assert!(words.iter().any(|word| remedy.contains(word)), "{name} is not named by: {remedy}");
}

/// Every fault that the exchange can have.
fn every_fault_at(exchange: Exchange) {
    let column = Exchange::ALL.iter().position(|one| *one == exchange).unwrap();
    // Eighteen tests follow each other closely; BitMEX allows an address thirty questions a minute.
    let mut house = House::unlimited_at(exchange);
    let mut counted = [0, 0];
    for (fault, row) in TABLE {
        match row[column] {
            Never(reason) => {
                eprintln!("{exchange}: {fault:?} cannot be, {reason}");
                counted[1] += 1;
            }
            seen => {
                check(&mut house, exchange, *fault, seen);
                counted[0] += 1;
            }
        }
    }
    eprintln!("{exchange}: {} faults seen, {} that it cannot have", counted[0], counted[1]);
    assert_eq!(counted[0] + counted[1], TABLE.len());
    what_only_the_server_sees(&mut house, exchange);
}

/// A key that is stored already is not stored twice, and it trades no contracts of the other kind.
fn what_only_the_server_sees(house: &mut House, exchange: Exchange) {
    let good = house.known("good");
    let stored = house.put_key("Good", ContractType::Linear, Secret::from(&good));
    assert_eq!(stored.status, 201, "{exchange}");
    let twice = house.put_key("Twice", ContractType::Linear, Secret::from(&good));
    assert_eq!((twice.status, twice.code()), (409, "KEY_DUPLICATE"), "{exchange}");
    let id = stored.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(house.test_key(&id)["verification"]["state"], "ok", "{exchange}");
    let path = format!("/api/v1/keys/{id}/instruments");
    let [linear, inverse] = contracts_of(exchange);
    let wrong = house.owner.put(&path, &json!({ "symbols": [linear, inverse] }));
    assert_eq!((wrong.status, wrong.code()), (409, "KEY_CONTRACT_MISMATCH"), "{exchange}");
    assert_eq!(house.owner.put(&path, &json!({ "symbols": [linear] })).status, 200, "{exchange}");
}

/// The table as the documentation shows it.
fn rendered() -> String {
    let cell = |seen: &Seen| match seen {
        Fails(code) => format!("`{code}`"),
        Warns(code) => format!("`{code}`, a warning"),
        Never(reason) => format!("never: {reason}"),
    };
    let names = Exchange::ALL.iter().map(|exchange| exchange.display_name()).collect::<Vec<_>>();
    let mut text = format!("| condition | {} |\n|---|---|---|---|---|---|\n", names.join(" | "));
    for (fault, row) in TABLE {
        let cells: Vec<String> = row.iter().map(cell).collect();
        writeln!(text, "| {} | {} |", fault.in_words(), cells.join(" | ")).unwrap();
    }
    text
}

#[test]
fn the_documentation_shows_this_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/key-diagnosis.md");
    let (table, text) = (rendered(), std::fs::read_to_string(path).unwrap());
    assert!(text.contains(&table), "docs/reference/key-diagnosis.md must hold this table:\n{table}");
}

#[test]
fn every_faulty_key_of_bybit_shows_its_own_cause() {
    every_fault_at(Exchange::Bybit);
}

#[test]
fn every_faulty_key_of_binance_shows_its_own_cause() {
    every_fault_at(Exchange::Binance);
}

#[test]
fn every_faulty_key_of_kraken_futures_shows_its_own_cause() {
    every_fault_at(Exchange::KrakenFutures);
}

#[test]
fn every_faulty_key_of_okx_shows_its_own_cause() {
    every_fault_at(Exchange::Okx);
}

#[test]
fn every_faulty_key_of_bitmex_shows_its_own_cause() {
    every_fault_at(Exchange::Bitmex);
}
