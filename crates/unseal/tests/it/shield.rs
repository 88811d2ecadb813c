//! Keys at rest in memory: back as they were, different under every pre-key and every time, refused when changed.

use keyhold_domain::InstallId;
use keyhold_os::secret::LockedBox;
use keyhold_seal::FixedEntropy;
use keyhold_unseal::rewrap::{PREKEY_BYTES, RootKey, Shield};

use crate::generator;

const INSTALL: InstallId = InstallId::from_u128(1);

#[test]
fn a_key_comes_back_as_it_was() {
    let shield = generator::shield();
    for label in ["one", "two", "three"] {
        let key = RootKey::new(&shield, generator::locked(label)).unwrap();
        for _ in 0..3 {
            assert_eq!(key.open().unwrap().expose(), generator::locked(label).expose());
        }
        let tag = key.authenticate(INSTALL, b"label", b"data").unwrap();
        let again = RootKey::new(&generator::shield(), generator::locked(label)).unwrap();
        assert_eq!(again.authenticate(INSTALL, b"label", b"data").unwrap(), tag);
    }
}

/// All bytes of a value as they lie in memory, without its pointers' targets.
fn raw<T>(value: &T) -> Vec<u8> {
    // Read through the process's own memory file, so that no unsafe code is needed.
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; size_of::<T>()];
    let address = std::ptr::from_ref(value).addr() as u64;
    std::fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, address).unwrap();
    bytes
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(8).any(|window| needle.windows(8).any(|part| part == window))
}

#[test]
fn at_rest_it_is_not_the_key() {
    let shield = generator::shield();
    let clear = generator::stream("a key", 32);
    let key = RootKey::new(&shield, generator::locked("a key")).unwrap();
    assert!(!contains(&raw(&key), &clear));
    // The control: a key that is not shielded is seen in just this way.
    let array: [u8; 32] = clear.clone().try_into().unwrap();
    assert!(contains(&raw(&array), &clear));
    // The same key twice looks different: no nonce is used again.
    let again = RootKey::new(&shield, generator::locked("a key")).unwrap();
    let common =
        raw(&key).windows(16).filter(|part| raw(&again).windows(16).any(|other| other == *part)).count();
    // Pointer and the zeros of the nonce agree, the 48 bytes of ciphertext and tag do not.
    assert!(common < 8, "{common}");
}

#[test]
fn the_prekey_is_all_of_it() {
    let content = generator::stream("shield", PREKEY_BYTES);
    let shielded = |content: &[u8]| {
        let shield = Shield::new(&mut FixedEntropy::new(content)).unwrap();
        let key = RootKey::new(&shield, LockedBox::zeroed().unwrap()).unwrap();
        raw(&key)
    };
    let base = shielded(&content);
    // One flipped bit, anywhere in the 16 KiB, gives another ciphertext altogether.
    for at in [0, 1, PREKEY_BYTES / 2, PREKEY_BYTES - 1] {
        let mut changed = content.clone();
        changed[at] ^= 1;
        let other = shielded(&changed);
        let common = base.windows(8).filter(|part| other.windows(8).any(|one| one == *part)).count();
        // Pointer and nonce may agree; the 48 bytes of ciphertext and tag do not.
        assert!(common < 24, "byte {at}: {common}");
    }
    assert_eq!(
        Shield::new(&mut FixedEntropy::new(&content[1..])).err().map(|error| error.to_string()).as_deref(),
        Some("no random bytes are available")
    );
}
