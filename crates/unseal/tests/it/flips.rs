//! Every single-bit change anywhere is refused.

use keyhold_seal::{Context, Envelope, FixedEntropy, LeaseAnswer, SealedDataKey, WrappedDataKey};
use keyhold_unseal::rewrap;

use crate::{generator, open_answer, refused};

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

fn good() -> (generator::Plan, keyhold_seal::Sealed, WrappedDataKey, LeaseAnswer) {
    let plan = generator::plans().remove(0);
    let keeper = generator::keeper_side();
    let sealed = generator::sealed(&plan, &keeper);
    let mut entropy = FixedEntropy::new(&generator::stream("wrap nonce", 12));
    let wrapped =
        rewrap::import(&keeper.secret_key, keeper.wrapping(), &plan.context, &sealed.data_key, &mut entropy)
            .unwrap();
    let mut entropy = FixedEntropy::new(&generator::stream("lease entropy", 32));
    let answer =
        rewrap::lease(keeper.wrapping(), &plan.context, &wrapped, &generator::recipient(), &mut entropy)
            .unwrap();
    (plan, sealed, wrapped, answer)
}

/// Header, context, commitment, nonce, ciphertext, padding and tag: all 5072 bits.
#[test]
fn every_bit_of_an_envelope() {
    let (plan, sealed, _, _) = good();
    let keys_of = |expected: &Context| {
        keyhold_seal::schedule::envelope_keys(
            &generator::stream("entropy: x", 32).try_into().unwrap(),
            expected,
        )
    };
    // The control: the same loop accepts the unchanged envelope, so the refusals below are about the change.
    let (_, _, _, answer) = good();
    assert!(open_answer(&answer, &sealed.envelope, &plan.context).is_ok());
    assert_ne!(keys_of(&plan.context).commitment, [0; 32]);

    let mut opened_form = 0;
    for changed in flips(sealed.envelope.as_bytes()) {
        if let Ok(envelope) = Envelope::from_bytes(&changed) {
            opened_form += 1;
            assert!(refused(&open_answer(&answer, &envelope, &plan.context)));
        }
    }
    // Most flips keep the form, so most refusals came from cryptography.
    assert!(opened_form > 4900, "{opened_form}");
}

#[test]
fn every_bit_of_the_context() {
    let (plan, sealed, wrapped, answer) = good();
    let keeper = generator::keeper_side();
    for changed in flips(&plan.context.as_bytes()) {
        let Ok(other) = Context::from_bytes(&changed) else { continue };
        let mut entropy = FixedEntropy::new(&generator::stream("x", 32));
        assert!(
            rewrap::import(&keeper.secret_key, keeper.wrapping(), &other, &sealed.data_key, &mut entropy)
                .is_err()
        );
        let mut entropy = FixedEntropy::new(&generator::stream("x", 32));
        assert!(
            rewrap::lease(keeper.wrapping(), &other, &wrapped, &generator::recipient(), &mut entropy)
                .is_err()
        );
        assert!(refused(&open_answer(&answer, &sealed.envelope, &other)));
    }
}

#[test]
fn every_bit_of_a_sealed_data_key() {
    let (plan, sealed, _, _) = good();
    let keeper = generator::keeper_side();
    let mut tried = 0;
    for changed in flips(sealed.data_key.as_bytes()) {
        let Ok(blob) = SealedDataKey::from_bytes(&changed) else { continue };
        // X25519 ignores the top bit of a public key (RFC 7748), but HPKE hashes the encoded key, so it counts too.
        let mut entropy = FixedEntropy::new(&generator::stream("x", 32));
        let result =
            rewrap::import(&keeper.secret_key, keeper.wrapping(), &plan.context, &blob, &mut entropy);
        assert!(result.is_err());
        tried += 1;
    }
    assert_eq!(tried, (SealedDataKey::BYTES - 4) * 8);
}

/// In the format of today and in the one from before workspaces had keys of their own.
#[test]
fn every_bit_of_a_wrapped_data_key() {
    let (plan, sealed, _, _) = good();
    let keeper = generator::keeper_side();
    for wrapping in [keeper.wrapping(), keeper.old_wrapping()] {
        let mut entropy = FixedEntropy::new(&generator::stream("wrap nonce", 12));
        let context = &plan.context;
        let wrapped =
            rewrap::import(&keeper.secret_key, wrapping, context, &sealed.data_key, &mut entropy).unwrap();
        let lease = |blob: &WrappedDataKey| {
            let mut entropy = FixedEntropy::new(&generator::stream("x", 32));
            rewrap::lease(wrapping, context, blob, &generator::recipient(), &mut entropy)
        };
        assert!(lease(&wrapped).is_ok());
        let mut tried = 0;
        for changed in flips(wrapped.as_bytes()) {
            let Ok(blob) = WrappedDataKey::from_bytes(&changed) else { continue };
            assert!(matches!(lease(&blob), Err(keyhold_unseal::RewrapError::Unopenable)));
            tried += 1;
        }
        assert_eq!(tried, (WrappedDataKey::BYTES - 4) * 8);
    }
}

#[test]
fn every_bit_of_a_lease_answer() {
    let (plan, sealed, _, answer) = good();
    let mut tried = 0;
    for changed in flips(answer.as_bytes()) {
        let Ok(blob) = LeaseAnswer::from_bytes(&changed) else { continue };
        assert!(refused(&open_answer(&blob, &sealed.envelope, &plan.context)));
        tried += 1;
    }
    assert_eq!(tried, (LeaseAnswer::BYTES - 4) * 8);
}
