//! BitMEX: recorded data, noise, and a session against its simulated twin.

pub(crate) mod answers;
mod cases;
pub(crate) mod messages;
mod noise;
pub(crate) mod requests;
mod twin;

use keyhold_domain::ContractType;
use keyhold_venues::bitmex::contracts::{Contract, currency};

/// A linear contract of so many coins.
pub(crate) fn linear(size: &str) -> Contract {
    Contract { kind: ContractType::Linear, size: size.parse().unwrap(), settle: currency("USDt").unwrap() }
}

/// The inverse contract of one dollar.
pub(crate) fn inverse() -> Contract {
    Contract { kind: ContractType::Inverse, size: "1".parse().unwrap(), settle: currency("XBt").unwrap() }
}
