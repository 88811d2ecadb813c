//! What is shown or compared about a key: hint, fingerprint, suspicions.

use keyhold_domain::{Environment, Exchange};
use keyhold_seal::{Field, Input, Suspicion, fingerprint, hint, inspect};
use proptest::prelude::*;

#[test]
fn a_fingerprint_depends_on_every_part_and_nothing_else() {
    let base = fingerprint(&[1; 32], Exchange::Bybit, Environment::Live, "KEY");
    assert_eq!(base, fingerprint(&[1; 32], Exchange::Bybit, Environment::Live, "KEY"));
    for other in [
        fingerprint(&[2; 32], Exchange::Bybit, Environment::Live, "KEY"),
        fingerprint(&[1; 32], Exchange::Okx, Environment::Live, "KEY"),
        fingerprint(&[1; 32], Exchange::Bybit, Environment::Testnet, "KEY"),
        fingerprint(&[1; 32], Exchange::Bybit, Environment::Live, "key"),
    ] {
        assert_ne!(base, other);
    }
}

proptest! {
    #[test]
    fn a_hint_shows_at_most_half_and_at_most_eight(key in "\\PC{0,80}") {
        let shown = hint(&key).chars().count() - 1;
        let length = key.chars().count();
        prop_assert!(shown <= 8 && shown * 2 <= length);
        prop_assert!(length >= 12 || shown <= 4);
    }

    #[test]
    fn inspection_never_lengthens_and_keeps_the_rest(key in "\\PC{0,60}", secret in "[!-~]{1,60}") {
        let found = inspect(Input { api_key: &key, api_secret: &secret, passphrase: None, label: None });
        prop_assert_eq!(found.api_key.value.chars().count() + found.api_key.removed, key.chars().count());
        prop_assert_eq!(&*found.api_secret.value, &secret);
    }
}

#[test]
fn a_good_pair_is_not_suspect_and_a_swapped_in_login_is() {
    let look = |api_key, api_secret| {
        inspect(Input { api_key, api_secret, passphrase: None, label: None }).suspicions
    };
    assert!(look("MADEUPKEY", "made-up-secret").is_empty());
    assert_eq!(look("me@example.com", "made-up-secret"), [(Field::ApiKey, Suspicion::Email)]);
    assert_eq!(look("same", "same"), [(Field::ApiSecret, Suspicion::SecretEqualsKey)]);
}
