//! What several tests need: the shared data, a key that signs, a clock that stands still, comparisons.

use std::path::PathBuf;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use keyhold_domain::{BotId, ClientOrderId, ContractType, Decimal, Exchange, OrderPurpose, Timestamp};
use keyhold_venues::signer::{SignedRequest, SignerRefusal};
use keyhold_venues::{Clock, Intent, MacKey, Signer, sign_with};
use serde_json::Value;
use sha2::{Sha256, Sha512};

/// The folder with the specification's data; `None`, loudly, when it is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if !root.exists() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(root.join(path))
}

/// A JSON file of the shared data.
pub(crate) fn shared_json(path: &str) -> Option<Value> {
    let path = shared(path)?;
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap())
}

/// A key whose secret is no secret.
pub(crate) struct TestKey {
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) passphrase: Option<String>,
}

impl TestKey {
    pub(crate) fn new(name: &str, secret: &str) -> Self {
        Self { name: name.to_owned(), secret: secret.to_owned(), passphrase: None }
    }
}

impl MacKey for TestKey {
    fn api_key(&self) -> &str {
        &self.name
    }

    fn mac_sha256(&self, message: &[u8]) -> [u8; 32] {
        hmac_sha256(self.secret.as_bytes(), message)
    }

    fn mac_sha512_base64_secret(&self, message: &[u8]) -> Option<[u8; 64]> {
        let secret = BASE64_STANDARD.decode(&self.secret).ok()?;
        let mut mac = Hmac::<Sha512>::new_from_slice(&secret).unwrap();
        mac.update(message);
        Some(mac.finalize().into_bytes().into())
    }

    fn passphrase(&self) -> Option<&str> {
        self.passphrase.as_deref()
    }
}

pub(crate) fn hmac_sha256(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Signs for linear contracts of Bybit.
pub(crate) struct TestSigner(pub(crate) TestKey);

impl Signer for TestSigner {
    fn api_key_hint(&self) -> &str {
        &self.0.name[..2]
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Bybit, ContractType::Linear, intent, at, &self.0)
    }
}

pub(crate) fn test_signer() -> Arc<dyn Signer> {
    Arc::new(TestSigner(TestKey::new("TESTKEY", "TESTSECRET")))
}

/// A clock that shows one instant for ever.
pub(crate) struct StandingClock(pub(crate) i64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0)
    }
}

/// One of our order names.
pub(crate) fn order_id(sequence: u32) -> ClientOrderId {
    ClientOrderId::new(BotId::from_u128(7 << 90), 1, 1, sequence, OrderPurpose::Entry).unwrap()
}

/// A JSON number or text as a decimal.
pub(crate) fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let exact = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    exact.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The same, where null and absent mean none.
pub(crate) fn maybe_decimal(value: &Value) -> Option<Decimal> {
    (!value.is_null()).then(|| decimal(value))
}
