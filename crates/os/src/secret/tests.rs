//! Secret memory inside one process. What another process can see of it is tested in `tests/it/memory.rs`.

use super::{CHUNK_BYTES, FillError, LockedBox, MAX_CHUNKS, SecretBytes, SecretError, reserve};

#[test]
fn content_survives_and_the_source_is_wiped() {
    let mut source = *b"a credential of some length";
    let secret = SecretBytes::take_from(&mut source).unwrap();
    assert_eq!(secret.expose(), b"a credential of some length");
    assert_eq!(source, [0; 27]);
}

#[test]
fn a_reused_slot_starts_blank() {
    for _ in 0..2000 {
        let mut secret = SecretBytes::zeroed(100).unwrap();
        assert!(secret.expose().iter().all(|byte| *byte == 0));
        secret.expose_mut().fill(0xa5);
    }
}

#[test]
fn neighbors_do_not_overlap() {
    let mut all: Vec<LockedBox<32>> = (0..64).map(|_| LockedBox::zeroed().unwrap()).collect();
    for (number, secret) in (0u8..).zip(all.iter_mut()) {
        secret.expose_mut().fill(number);
    }
    for (number, secret) in (0u8..).zip(&all) {
        assert_eq!(secret.expose(), &[number; 32]);
    }
}

#[test]
fn truncating_wipes_the_rest() {
    let mut secret = SecretBytes::fill_with::<()>(8, |bytes| {
        bytes.copy_from_slice(b"abcdefgh");
        Ok(3)
    })
    .unwrap();
    assert_eq!(secret.expose(), b"abc");
    assert_eq!(&secret.slot.bytes()[..8], b"abc\0\0\0\0\0");
    secret.truncate(9);
    assert_eq!(secret.len(), 3);
}

#[test]
fn a_failed_fill_is_reported() {
    let failed = LockedBox::<16>::fill_with(|bytes| {
        bytes.fill(1);
        Err("no entropy")
    });
    assert!(matches!(failed, Err(FillError::Fill("no entropy"))));
}

#[test]
fn sizes_beyond_the_arena_are_refused() {
    assert!(matches!(SecretBytes::zeroed(CHUNK_BYTES + 1), Err(SecretError::TooLarge { .. })));
    assert!(matches!(reserve(MAX_CHUNKS * CHUNK_BYTES + 1), Err(SecretError::Full { .. })));
    assert_eq!(SecretBytes::zeroed(CHUNK_BYTES).unwrap().len(), CHUNK_BYTES);
}
