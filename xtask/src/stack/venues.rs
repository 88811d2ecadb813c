//! Exchanges that are played on this machine: where they listen, and the keys they know. Everything is made up for one
//! run, in the shape that each exchange gives its own keys. Knows no process.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use crate::TaskError;

/// A made-up key of a made-up exchange.
#[derive(Debug, Clone)]
pub struct TestKey {
    /// What it is for: `good`, `read_only`, …
    pub name: &'static str,
    /// The public part.
    pub key: String,
    /// The made-up secret.
    pub secret: String,
    /// The made-up passphrase, at exchanges that have one.
    pub passphrase: Option<String>,
}

/// An exchange that is played.
#[derive(Debug, Clone)]
pub struct MadeUpVenue {
    /// Whose protocol it speaks: `bybit`, `okx`, …
    pub exchange: String,
    /// `HOST:PORT` of its control interface.
    pub control: String,
    /// `http://HOST:PORT`.
    pub rest: String,
    /// `ws://HOST:PORT`.
    pub stream: String,
    /// The keys it knows.
    pub keys: Vec<TestKey>,
}

impl MadeUpVenue {
    /// The key with this name.
    pub fn key(&self, name: &str) -> Option<&TestKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Its part of the server's settings; the sound key is offered to every user.
    pub(super) fn settings(&self) -> Result<String, TaskError> {
        let good = self.key("good").ok_or_else(|| TaskError::Failed("no demo key".to_owned()))?;
        let passphrase = good.passphrase.as_ref();
        let passphrase =
            passphrase.map_or_else(String::new, |text| format!("demo_passphrase = \"{text}\"\n"));
        Ok(format!(
            "\n[[simulated]]\nexchange = \"{}\"\nrest = \"{}\"\nstream = \"{}\"\ndemo_key = \"{}\"\n\
             demo_key_counterpart = \"{}\"\n{passphrase}",
            self.exchange, self.rest, self.stream, good.key, good.secret,
        ))
    }
}

const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const HEX: &[u8] = b"0123456789abcdef";
const CAPITAL_HEX: &[u8] = b"0123456789ABCDEF";

/// The name under which an exchange's process is known; Bybit's is the program's own.
pub(super) fn program_name(exchange: &str) -> Result<&'static str, TaskError> {
    match exchange {
        "bybit" => Ok("keyhold-fake-venue"),
        "binance" => Ok("keyhold-fake-venue-binance"),
        "kraken_futures" => Ok("keyhold-fake-venue-kraken_futures"),
        "okx" => Ok("keyhold-fake-venue-okx"),
        "bitmex" => Ok("keyhold-fake-venue-bitmex"),
        other => Err(TaskError::Failed(format!(
            "no exchange is called {other}: bybit, binance, kraken_futures, okx or bitmex"
        ))),
    }
}

/// The keys that a made-up exchange knows: sound ones, named by their number, and others with one fault each. The
/// place in the list is the account.
pub(super) fn make_keys(exchange: &str) -> Result<Vec<TestKey>, TaskError> {
    NAMES.into_iter().map(|name| make_key(exchange, name)).collect()
}

/// What the keys are for. Further ones go to the end, so that the accounts keep their numbers.
const NAMES: [&str; 14] = [
    "good",
    "second",
    "read_only",
    "foreign_address",
    "withdrawal",
    "expired",
    "third",
    "fourth",
    "transfer",
    "open_address",
    "unknown_right",
    "hedge",
    "empty",
    "no_read",
];

/// A key in the shape that the exchange gives its own; see `crates/server/data/exchanges`.
fn make_key(exchange: &str, name: &'static str) -> Result<TestKey, TaskError> {
    let (key, secret, passphrase) = match exchange {
        "binance" => (random(LETTERS, 64)?, random(LETTERS, 64)?, None),
        // Base64 of 64 bytes: the last letter before the padding carries two bits.
        "kraken_futures" => (random(LETTERS, 56)?, format!("{}A==", random(LETTERS, 85)?), None),
        "okx" => {
            let group = |length| random(HEX, length);
            let key = [group(8)?, group(4)?, group(4)?, group(4)?, group(12)?].join("-");
            (key, random(CAPITAL_HEX, 32)?, Some(format!("Paper-{}", random(LETTERS, 10)?)))
        }
        "bitmex" => (random(LETTERS, 24)?, random(LETTERS, 48)?, None),
        _ => (random(LETTERS, 18)?, random(LETTERS, 36)?, None),
    };
    Ok(TestKey { name, key, secret, passphrase })
}

/// The accounts file of `keyhold-fake-venue`.
pub(super) fn accounts_file(exchange: &str, keys: &[TestKey]) -> String {
    let mut text = String::new();
    // Kraken's linear contracts are settled in dollars, everybody else's in a stable coin.
    let stable = if exchange == "kraken_futures" { "USD" } else { "USDT" };
    for (id, key) in (1..).zip(keys) {
        let fault = match key.name {
            "read_only" => "read_only = true\n",
            "foreign_address" => "ips = [\"203.0.113.7\"]\n",
            "withdrawal" => {
                "permissions = { ContractTrade = [\"Order\", \"Position\"], Wallet = [\"Withdraw\"] }\n"
            }
            "expired" => "expires_at_ms = 1\n",
            "open_address" => "",
            "no_read" => "ips = [\"127.0.0.1\"]\npermissions = { General = [\"NoAccess\"] }\n",
            "transfer" => {
                "ips = [\"127.0.0.1\"]\npermissions = { ContractTrade = [\"Order\", \"Position\"], Wallet = [\"AccountTransfer\"] }\n"
            }
            "unknown_right" => {
                "ips = [\"127.0.0.1\"]\npermissions = { ContractTrade = [\"Order\", \"Position\"], Lending = [\"LendEverything\"] }\n"
            }
            _ => "ips = [\"127.0.0.1\"]\n",
        };
        let mode = if key.name == "hedge" { "position_mode = \"hedge\"\n" } else { "" };
        let (most, some) = if key.name == "empty" { ("0", "0") } else { ("10000", "0.5") };
        let passphrase = key.passphrase.as_ref();
        let passphrase = passphrase.map_or_else(String::new, |text| format!("passphrase = \"{text}\"\n"));
        write!(
            text,
            "[[account]]\nid = {id}\nbalances = {{ {stable} = \"{most}\", BTC = \"{some}\" }}\n{mode}\
             [[account.key]]\nkey = \"{}\"\nsecret = \"{}\"\n{passphrase}{fault}\n",
            key.key, key.secret
        )
        .expect("writing to a string cannot fail");
    }
    text
}

/// Letters of an alphabet from the kernel's random source; about as likely one as the other.
fn random(alphabet: &[u8], length: usize) -> Result<String, TaskError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = vec![0; length];
    std::fs::File::open(path)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| TaskError::file(path, error))?;
    Ok(bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect())
}

/// Letters and digits.
pub(super) fn random_text(length: usize) -> Result<String, TaskError> {
    random(LETTERS, length)
}
