//! What a person must know to make a key at an exchange: pages, boxes, addresses, and what to do when a test fails.
//!
//! One file per exchange (`data/exchanges/*.toml`), read once, with the day on which it was checked. What nobody has seen
//! at the exchange on that day is marked there and said so to people. Knows no account and no key; [`advice`] joins a
//! key's test with its exchange's file.

pub(crate) mod advice;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keyhold_domain::{ContractType, Environment, Exchange, ReasonCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sentence or the name of a box, and whether it was seen at the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GuideText)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// False when nobody has checked it at the exchange; it is then shown as such.
    #[serde(default = "certain")]
    #[schema(required)]
    pub(crate) certain: bool,
}

const fn certain() -> bool {
    true
}

/// Which characters a part of a credential has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Alphabet {
    /// Letters and digits.
    LettersDigits,
    /// Digits and the letters A to F.
    Hex,
    /// The same in groups with dashes.
    HexDashes,
    /// Letters, digits, plus, slash and equals sign.
    Base64,
    /// Letters, digits, dash and underscore.
    Base64url,
    /// Whatever its owner chose.
    Any,
}

/// What a part of a credential usually looks like. It warns and never blocks: an exchange may change it any day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldShape {
    /// What the exchange calls it.
    pub(crate) name: String,
    /// Its usual lengths in characters; empty when any is usual.
    pub(crate) lengths: Vec<u32>,
    pub(crate) alphabet: Alphabet,
}

/// The parts of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFields {
    pub(crate) api_key: FieldShape,
    pub(crate) api_secret: FieldShape,
    /// Null where keys have none.
    #[schema(required)]
    pub(crate) passphrase: Option<FieldShape>,
}

/// Pages at the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GuidePages)]
pub(crate) struct Pages {
    /// Where live keys are made.
    pub(crate) live: String,
    /// False when nobody has checked the address.
    #[serde(default = "certain")]
    #[schema(required)]
    pub(crate) live_certain: bool,
    /// Where test keys are made.
    pub(crate) testnet: String,
    /// False when nobody has checked the address.
    #[serde(default = "certain")]
    #[schema(required)]
    pub(crate) testnet_certain: bool,
    /// Where a key is deleted.
    pub(crate) revoke: String,
}

/// Steps at the exchange, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Guide {
    pub(crate) pages: Pages,
    /// The way to the form.
    pub(crate) steps: Vec<Said>,
    pub(crate) tick: Vec<Said>,
    pub(crate) leave_off: Vec<Said>,
    /// How a key is bound to an address.
    pub(crate) address: Said,
    /// When a key stops working by itself.
    pub(crate) expiry: Said,
    /// The day on which all of this was looked at.
    pub(crate) checked_on: String,
}

/// Where to look when the exchange does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByHand {
    pub(crate) read: String,
    pub(crate) trade: String,
    pub(crate) withdraw: String,
    pub(crate) transfer: String,
    pub(crate) ip_bound: String,
}

/// Everything about one exchange that is data.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeGuide {
    pub(crate) exchange: Exchange,
    /// The day the company closed, if it did.
    pub(crate) closed_since: Option<String>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) contract_types: Vec<ContractType>,
    pub(crate) status_url: String,
    pub(crate) fields: KeyFields,
    pub(crate) guide: Guide,
    pub(crate) by_hand: ByHand,
    pub(crate) remedies: BTreeMap<ReasonCode, Said>,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    exchange: Exchange,
    checked_on: String,
    closed_since: Option<String>,
    environments: Vec<Environment>,
    contract_types: Vec<ContractType>,
    status_url: String,
    pages: Pages,
    fields: KeyFields,
    steps: Vec<Said>,
    tick: Vec<Said>,
    leave_off: Vec<Said>,
    address: Said,
    expiry: Said,
    by_hand: ByHand,
    remedies: BTreeMap<ReasonCode, Said>,
}

impl From<File> for ExchangeGuide {
    fn from(file: File) -> Self {
        Self {
            exchange: file.exchange,
            closed_since: file.closed_since,
            environments: file.environments,
            contract_types: file.contract_types,
            status_url: file.status_url,
            fields: file.fields,
            guide: Guide {
                pages: file.pages,
                steps: file.steps,
                tick: file.tick,
                leave_off: file.leave_off,
                address: file.address,
                expiry: file.expiry,
                checked_on: file.checked_on,
            },
            by_hand: file.by_hand,
            remedies: file.remedies,
        }
    }
}

/// The file of an exchange. A new exchange does not compile without one.
const fn text(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Bybit => include_str!("../../data/exchanges/bybit.toml"),
        Exchange::Binance => include_str!("../../data/exchanges/binance.toml"),
        Exchange::KrakenFutures => include_str!("../../data/exchanges/kraken_futures.toml"),
        Exchange::Okx => include_str!("../../data/exchanges/okx.toml"),
        Exchange::Bitmex => include_str!("../../data/exchanges/bitmex.toml"),
    }
}

static ALL: LazyLock<Vec<ExchangeGuide>> = LazyLock::new(|| {
    let read = |exchange: &Exchange| {
        let file: File =
            toml::from_str(text(*exchange)).expect("the file is part of the program and read by a test");
        file.into()
    };
    Exchange::ALL.iter().map(read).collect()
});

/// Every exchange's data, in the order of [`Exchange::ALL`].
pub(crate) fn all() -> &'static [ExchangeGuide] {
    &ALL
}

/// One exchange's data.
pub(crate) fn of(exchange: Exchange) -> &'static ExchangeGuide {
    ALL.iter().find(|guide| guide.exchange == exchange).expect("every exchange has a file; a test says so")
}

impl ExchangeGuide {
    /// Where a key of an environment is made or changed; a simulated venue has no such page.
    pub(crate) fn page(&self, environment: Environment) -> Option<&str> {
        match environment {
            Environment::Live => Some(&self.guide.pages.live),
            Environment::Testnet => Some(&self.guide.pages.testnet),
            Environment::Simulated => None,
        }
    }

    /// The day on which the environment went away with its exchange.
    pub(crate) fn closed(&self, environment: Environment) -> Option<&str> {
        match environment {
            Environment::Live | Environment::Testnet => self.closed_since.as_deref(),
            Environment::Simulated => None,
        }
    }

    /// Whether its keys have a passphrase, in the API's word.
    pub(crate) const fn passphrase(&self) -> &'static str {
        if self.fields.passphrase.is_some() { "required" } else { "none" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every file must have a remedy for; the passphrase is asked for where there is one.
    const REMEDIES: &[ReasonCode] = &[
        ReasonCode::KeyInvalid,
        ReasonCode::KeyExpired,
        ReasonCode::KeyBadSecret,
        ReasonCode::KeyNoTradePermission,
        ReasonCode::KeyNoReadPermission,
        ReasonCode::KeyWithdrawalEnabled,
        ReasonCode::KeyTransferEnabled,
        ReasonCode::KeyUnknownPermission,
        ReasonCode::KeyIpBlocked,
        ReasonCode::KeyAddressOpen,
        ReasonCode::KeyWrongEnvironment,
        ReasonCode::KeyContractMismatch,
        ReasonCode::BalanceUnavailable,
        ReasonCode::InsufficientBalance,
        ReasonCode::AccountModeMismatch,
        ReasonCode::MarginModeUnsupported,
        ReasonCode::RegionForbidden,
    ];

    fn is_a_day(text: &str) -> bool {
        let parts: Vec<&str> = text.split('-').collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(digits) && text.len() == 10 && text.starts_with("20")
    }

    #[test]
    fn every_exchange_has_a_file_of_its_own() {
        for exchange in Exchange::ALL.iter().copied() {
            let file: File =
                toml::from_str(text(exchange)).unwrap_or_else(|error| panic!("{exchange}: {error}"));
            assert_eq!(file.exchange, exchange);
        }
    }

    #[test]
    fn every_condition_has_its_remedy_at_every_exchange() {
        for guide in all() {
            let exchange = guide.exchange;
            let mut wanted = REMEDIES.to_vec();
            if exchange.issues_passphrase() {
                wanted.push(ReasonCode::KeyBadPassphrase);
            }
            for code in &wanted {
                let remedy = guide.remedies.get(code);
                let remedy = remedy.unwrap_or_else(|| panic!("{exchange} has no remedy for {code}"));
                assert!(
                    remedy.text.len() > 20 && remedy.text.ends_with('.'),
                    "{exchange}, {code}: {remedy:?}"
                );
            }
            let more: Vec<_> = guide.remedies.keys().filter(|code| !wanted.contains(code)).collect();
            assert!(more.is_empty(), "{exchange} has remedies for what cannot happen there: {more:?}");
        }
    }

    /// Answers that stand for several faults name each of them, and say where the address to allow is.
    #[test]
    fn an_answer_that_fits_several_faults_names_them() {
        let remedy = |guide: &ExchangeGuide, code| guide.remedies[&code].text.clone();
        for guide in all() {
            let exchange = guide.exchange;
            let unknown = remedy(guide, ReasonCode::KeyInvalid);
            assert!(unknown.contains("first and last characters"), "{exchange}: {unknown}");
            if guide.environments.contains(&Environment::Testnet) {
                let test = ["testnet", "demo"].iter().any(|word| unknown.contains(word));
                assert!(test, "{exchange} does not say that test keys are others: {unknown}");
            }
            for code in [ReasonCode::KeyIpBlocked, ReasonCode::KeyAddressOpen] {
                let text = remedy(guide, code);
                assert!(text.contains("the address shown here"), "{exchange}, {code}: {text}");
            }
            // One answer for an unknown key and for a foreign address.
            if matches!(exchange, Exchange::Binance | Exchange::KrakenFutures) {
                assert!(unknown.contains("the address shown here"), "{exchange}: {unknown}");
            }
        }
    }

    #[test]
    fn the_facts_of_a_file_are_whole() {
        for guide in all() {
            let exchange = guide.exchange;
            let Guide { pages, steps, tick, leave_off, checked_on, .. } = &guide.guide;
            for url in [&pages.live, &pages.testnet, &pages.revoke, &guide.status_url] {
                assert!(url.starts_with("https://"), "{exchange}: {url}");
            }
            assert!(is_a_day(checked_on), "{exchange}: {checked_on} is no day");
            assert!(!steps.is_empty() && !tick.is_empty(), "{exchange}");
            let withdraw = |said: &Said| said.text.contains("Withdraw");
            assert!(leave_off.iter().any(withdraw), "{exchange} does not say to leave withdrawals off");
            assert!(!tick.iter().any(withdraw), "{exchange} says to tick withdrawals");
            assert_eq!(guide.fields.passphrase.is_some(), exchange.issues_passphrase(), "{exchange}");
            let hand = &guide.by_hand;
            for check in [&hand.read, &hand.trade, &hand.withdraw, &hand.transfer, &hand.ip_bound] {
                assert!(check.len() > 20, "{exchange}: {check}");
            }
            assert!(guide.environments.contains(&Environment::Simulated), "{exchange}");
            if let Some(day) = &guide.closed_since {
                assert!(is_a_day(day), "{exchange}");
                assert_eq!(guide.environments, [Environment::Simulated], "{exchange} is closed");
            }
        }
    }

    #[test]
    fn no_file_promises_what_is_not_so() {
        for exchange in Exchange::ALL.iter().copied() {
            let text = text(exchange).to_lowercase();
            for claim in ["safe", "cannot steal", "can only trade", "risk-free"] {
                assert!(!text.contains(claim), "{exchange} says {claim}");
            }
        }
    }
}
