//! Tests of the forms: context, blobs, hint, fingerprint, inspection. Opening is tested in `keyhold-unseal`.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends a test")]

mod blobs;
mod context;
mod shown;

use keyhold_domain::{ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};
use keyhold_seal::Context;

fn context() -> Context {
    Context {
        install: InstallId::from_u128(0x0101),
        workspace: WorkspaceId::from_u128(0x0202),
        key: KeyId::from_u128(0x0303),
        version: 0x0405_0607,
        exchange: Exchange::KrakenFutures,
        environment: Environment::Testnet,
        contract: ContractType::Inverse,
    }
}
