//! What comes out at the end: the right credential, signing right, of a length that tells nothing.

use keyhold_os::secret::MemoryProtection;
use keyhold_seal::{FixedEntropy, PaddedSize, PlainSecret, SealError, seal};
use keyhold_unseal::MacAlgorithm;
use proptest::prelude::*;

use crate::{generator, open_all};

fn hex(bytes: &[u8]) -> String {
    generator::hex(bytes)
}

fn open_with(api_key: &str, api_secret: &str) -> keyhold_unseal::Credential {
    let plan = generator::Plan {
        api_key: api_key.to_owned(),
        api_secret: api_secret.to_owned(),
        ..generator::plans().remove(0)
    };
    open_all(&plan, &plan.context, &plan.context).expect("opens")
}

/// RFC 4231 test case 2, for both digests: key "Jefe".
#[test]
fn signatures_match_rfc_4231() {
    let credential = open_with("key", "Jefe");
    let message = b"what do ya want for nothing?";
    assert_eq!(
        hex(&credential.mac(MacAlgorithm::HmacSha256, message).unwrap()),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                  9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    assert_eq!(hex(&credential.mac(MacAlgorithm::HmacSha512, message).unwrap()), sha512);
    // The same key in base64, as Kraken issues it.
    let kraken = open_with("key", "SmVmZQ==");
    assert_eq!(hex(&kraken.mac(MacAlgorithm::HmacSha512Base64Secret, message).unwrap()), sha512);
    let unfit = open_with("key", "not base64 at all!").mac(MacAlgorithm::HmacSha512Base64Secret, message);
    assert!(unfit.is_err());
}

#[test]
fn envelope_lengths_tell_only_the_size_class() {
    let length = |secret: usize| {
        let plan = generator::Plan { api_secret: "s".repeat(secret), ..generator::plans().remove(0) };
        generator::sealed(&plan, &generator::keeper_side()).envelope.as_bytes().len()
    };
    for secret in [1, 16, 64, 128, 486] {
        assert_eq!(length(secret), PaddedSize::Standard.envelope_bytes(), "{secret}");
    }
    for secret in [487, 1024, 2022] {
        assert_eq!(length(secret), PaddedSize::Large.envelope_bytes(), "{secret}");
    }
}

#[test]
fn what_cannot_be_sealed_is_said() {
    let error = |key: &str, secret: &str| PlainSecret::new(key, secret, None).err();
    assert_eq!(error("", "secret"), Some(SealError::Empty));
    assert_eq!(error("key", ""), Some(SealError::Empty));
    assert_eq!(error("key", &"s".repeat(2038)), Some(SealError::TooLong));
    assert_eq!(error("key", &"s".repeat(70_000)), Some(SealError::TooLong));
    assert!(error("key", &"s".repeat(2037)).is_none());
}

#[test]
fn a_public_key_of_low_order_and_a_dry_source_are_refused() {
    let plan = generator::plans().remove(0);
    let sealed = |keeper: &[u8; 32], entropy: &[u8]| {
        let keeper = keyhold_seal::KeeperPublicKey::from_bytes(keeper).unwrap();
        let secret = PlainSecret::new("key", "secret", None).unwrap();
        seal(&keeper, &plan.context, secret, &mut FixedEntropy::new(entropy))
    };
    let one = std::array::from_fn(|index| u8::from(index == 0));
    assert_eq!(sealed(&[0; 32], &[7; 76]), Err(SealError::BadPublicKey));
    assert_eq!(sealed(&one, &[7; 76]), Err(SealError::BadPublicKey));
    assert_eq!(sealed(&[9; 32], &[7; 75]), Err(SealError::Entropy));
}

#[test]
fn secret_memory_is_really_used_here() {
    let memory = keyhold_os::secret::SecretBytes::zeroed(32).unwrap();
    if memory.protection() == MemoryProtection::Plain {
        eprintln!("NOT PROVEN ON THIS HOST: no locked memory");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_credential_comes_back_unchanged(
        api_key in "\\PC{1,100}",
        api_secret in "\\PC{1,120}",
        passphrase in proptest::option::of("\\PC{0,60}"),
    ) {
        let plan = generator::Plan { api_key, api_secret, passphrase, ..generator::plans().remove(0) };
        let credential = open_all(&plan, &plan.context, &plan.context).expect("opens");
        prop_assert_eq!(credential.api_key(), plan.api_key);
        let access = keyhold_unseal::capability::PassphraseAccess::for_request_header();
        prop_assert_eq!(credential.passphrase(&access), plan.passphrase.as_deref());
        let reference = {
            use hmac::{KeyInit as _, Mac as _};
            let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(plan.api_secret.as_bytes()).unwrap();
            mac.update(b"message");
            mac.finalize().into_bytes().to_vec()
        };
        prop_assert_eq!(credential.mac(MacAlgorithm::HmacSha256, b"message").unwrap(), reference);
    }
}
