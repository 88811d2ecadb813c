//! OKX's adapter against recorded data and noise.

pub(crate) mod answers;
pub(crate) mod frames;
mod messages;
mod request_cases;
pub(crate) mod requests;
mod twin;
pub(crate) mod wire;

use keyhold_domain::{BotId, ClientOrderId, Decimal, OrderPurpose};
use keyhold_venues::okx::sizes::Sizes;

use crate::support::TestKey;

/// What the recorded contracts are.
pub(crate) fn sizes() -> Sizes {
    let size = |name: &str, size: &str| (name.parse().unwrap(), Decimal::from_str_exact(size).unwrap());
    Sizes::new([
        size("BTC-USDT-SWAP", "0.01"),
        size("ETH-USDT-SWAP", "0.1"),
        size("BTC-USD-SWAP", "100"),
        size("ETH-USD-SWAP", "10"),
    ])
}

/// One of our order names.
pub(crate) fn order_id(purpose: OrderPurpose) -> ClientOrderId {
    ClientOrderId::new(BotId::from_u128(7 << 90), 1, 1, 1, purpose).unwrap()
}

/// A key with the passphrase that OKX demands.
pub(crate) fn key(name: &str, secret: &str, passphrase: &str) -> TestKey {
    TestKey { passphrase: Some(passphrase.to_owned()), ..TestKey::new(name, secret) }
}
