//! The context's canonical bytes.

use keyhold_domain::{ContractType, Environment, Exchange};
use keyhold_seal::{BlobError, CONTEXT_BYTES, Context};

use crate::context;

#[test]
fn layout_is_as_documented() {
    let bytes = context().as_bytes();
    assert_eq!(bytes.len(), CONTEXT_BYTES);
    assert_eq!(bytes[..2], [1, 1]);
    assert_eq!((bytes[17], bytes[33], bytes[49]), (1, 2, 3));
    assert_eq!(bytes[50..], [4, 5, 6, 7, 0, 3, 2, 2]);
}

#[test]
fn every_exchange_environment_and_contract_comes_back() {
    for exchange in Exchange::ALL {
        for environment in Environment::ALL {
            for contract in ContractType::ALL {
                let original = Context {
                    exchange: *exchange,
                    environment: *environment,
                    contract: *contract,
                    ..context()
                };
                assert_eq!(Context::from_bytes(&original.as_bytes()), Ok(original));
                assert_eq!(Context::parse(&original.to_text()), Ok(original));
            }
        }
    }
}

#[test]
fn unknown_codes_and_lengths_are_refused() {
    let good = context().as_bytes();
    for (at, value) in
        [(0, 0), (0, 2), (1, 0), (1, 2), (54, 1), (55, 0), (55, 6), (56, 0), (56, 4), (57, 0), (57, 3)]
    {
        let mut bytes = good;
        bytes[at] = value;
        assert_eq!(Context::from_bytes(&bytes), Err(BlobError::Format), "byte {at} = {value}");
    }
    let mut version_zero = good;
    version_zero[50..54].fill(0);
    assert_eq!(Context::from_bytes(&version_zero), Err(BlobError::Format));
    assert_eq!(Context::from_bytes(&good[1..]), Err(BlobError::Length));
    assert_eq!(Context::from_bytes(&[&good[..], &[0]].concat()), Err(BlobError::Length));
}
