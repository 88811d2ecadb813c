//! Text forms: canonical, bounded, and silent about what they were given.

use keyhold_seal::{BlobError, KeeperPublicKey, LeaseAnswer, SealedDataKey, WrappedDataKey};
use proptest::prelude::*;

#[test]
fn kinds_are_not_interchangeable() {
    let wrapped = WrappedDataKey::from_bytes(&[&b"KHW1"[..], &[7; 64]].concat()).unwrap();
    assert_eq!(WrappedDataKey::parse(&wrapped.to_text()), Ok(wrapped.clone()));
    assert_eq!(LeaseAnswer::parse(&wrapped.to_text()), Err(BlobError::Length));
    let other_magic = [&b"KHS1"[..], &[7; 64]].concat();
    assert_eq!(WrappedDataKey::from_bytes(&other_magic), Err(BlobError::Format));
    assert_eq!(SealedDataKey::BYTES, 100);
}

#[test]
fn overlong_text_is_refused_before_it_is_decoded() {
    assert_eq!(WrappedDataKey::parse(&"A".repeat(1_000_000)), Err(BlobError::Length));
}

/// serde's own errors quote the value; ours must not, whatever stands in the field.
#[test]
fn errors_do_not_repeat_a_pasted_secret() {
    const MARKER: &str = "made-up-secret-pasted-into-the-wrong-field";
    for text in [format!("\"{MARKER}\""), format!("\"{}\"", MARKER.repeat(3)), format!("\"{MARKER}==\"")] {
        let error = serde_json::from_str::<SealedDataKey>(&text).unwrap_err().to_string();
        assert!(!error.contains("made-up"), "{error}");
    }
}

#[test]
fn key_ids_are_short_for_people_and_different_for_different_keys() {
    let id = |byte| KeeperPublicKey::from_bytes(&[byte; 32]).unwrap().id();
    assert_ne!(id(1), id(2));
    let print = id(1).fingerprint();
    assert_eq!(print.len(), 39);
    assert!(print.split('-').all(|group| group.len() == 4));
}

proptest! {
    #[test]
    fn one_text_per_value(bytes in proptest::array::uniform32(any::<u8>()), replace in any::<u8>()) {
        let key = KeeperPublicKey::from_bytes(&bytes).unwrap();
        let text = key.to_text();
        prop_assert_eq!(KeeperPublicKey::parse(&text), Ok(key.clone()));
        let mut other = text.clone().into_bytes();
        *other.last_mut().unwrap() = replace;
        if let Ok(other) = String::from_utf8(other)
            && other != text
            && let Ok(parsed) = KeeperPublicKey::parse(&other)
        {
            prop_assert_ne!(parsed, key);
        }
    }
}
