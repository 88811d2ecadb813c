//! The keeper's key hierarchy: each key opens only where it belongs, and every flipped bit is refused.

use keyhold_domain::{InstallId, WorkspaceId};
use keyhold_seal::FixedEntropy;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{
    EpochKey, Member, MemberKey, RootKey, WRAPPED_KEY_BYTES, WrappedKey, unwrap_root, wrap_root,
};

use crate::generator;

const INSTALL: InstallId = InstallId::from_u128(1);

fn nonce(label: &str) -> FixedEntropy {
    FixedEntropy::new(&generator::stream(label, 12))
}

fn root(label: &str) -> RootKey {
    RootKey::new(&generator::shield(), generator::locked(label)).unwrap()
}

fn epoch(number: u32) -> EpochKey {
    EpochKey::new(&generator::shield(), number, generator::locked("an epoch key")).unwrap()
}

fn member() -> MemberKey {
    MemberKey::new(&generator::shield(), generator::locked("a workspace's key")).unwrap()
}

/// Refused, and as "unopenable" like everything else.
fn refused<T>(result: &Result<T, RewrapError>) -> bool {
    matches!(result, Err(RewrapError::Unopenable))
}

fn flips(wrapped: &WrappedKey) -> impl Iterator<Item = WrappedKey> {
    (0..WRAPPED_KEY_BYTES * 8).map(|bit| {
        let mut changed = wrapped.clone();
        changed.0[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}

#[test]
fn every_bit_of_a_wrapped_key() {
    let (root, epoch, member) = (root("root"), epoch(7), member());
    let id = Member::Workspace(WorkspaceId::from_u128(5));
    let wrapped_epoch = root.wrap(INSTALL, &epoch, &mut nonce("one")).unwrap();
    let wrapped_member = epoch.wrap(INSTALL, id, &member, &mut nonce("two")).unwrap();
    let secret = generator::locked("provider");
    let by_provider =
        wrap_root(&secret, INSTALL, 1, b"p", root.open().unwrap(), &mut nonce("three")).unwrap();
    // The controls.
    assert!(root.unwrap(INSTALL, 7, &wrapped_epoch).is_ok());
    assert!(epoch.unwrap(INSTALL, id, &wrapped_member).is_ok());
    assert_eq!(
        unwrap_root(&secret, INSTALL, 1, b"p", &by_provider).unwrap().expose(),
        root.open().unwrap().expose()
    );
    for changed in flips(&wrapped_epoch) {
        assert!(refused(&root.unwrap(INSTALL, 7, &changed)));
    }
    for changed in flips(&wrapped_member) {
        assert!(refused(&epoch.unwrap(INSTALL, id, &changed)));
    }
    for changed in flips(&by_provider) {
        assert!(refused(&unwrap_root(&secret, INSTALL, 1, b"p", &changed)));
    }
}

/// Every ordered pair of places a wrapped key can stand in: only its own opens it.
#[test]
fn a_wrapped_key_opens_in_its_place_only() {
    let member = member();
    let ids = [
        Member::House,
        Member::Workspace(WorkspaceId::from_u128(0)),
        Member::Workspace(WorkspaceId::from_u128(5)),
        Member::Workspace(WorkspaceId::from_u128(6)),
    ];
    let mut places = Vec::new();
    for install in [INSTALL, InstallId::from_u128(2)] {
        for number in [1, 2] {
            places.extend(ids.map(|id| (install, number, id)));
        }
    }
    let mut tried = 0;
    for (install, number, id) in &places {
        // The same key bytes in every epoch, so that only the binding can refuse.
        let wrapped = epoch(*number).wrap(*install, *id, &member, &mut nonce("n")).unwrap();
        for (other_install, other_number, other_id) in &places {
            let opened = epoch(*other_number).unwrap(*other_install, *other_id, &wrapped);
            let same = (install, number, id) == (other_install, other_number, other_id);
            assert_eq!(opened.is_ok(), same);
            assert!(same || refused(&opened));
            tried += 1;
        }
    }
    assert_eq!(tried, 256);
    let wrapped = root("root").wrap(INSTALL, &epoch(1), &mut nonce("n")).unwrap();
    assert!(refused(&root("root").unwrap(INSTALL, 2, &wrapped)));
    assert!(refused(&root("root").unwrap(InstallId::from_u128(2), 1, &wrapped)));
    assert!(refused(&root("another").unwrap(INSTALL, 1, &wrapped)));
}

#[test]
fn a_root_key_opens_for_its_provider_only() {
    let root = root("root");
    let secret = generator::locked("provider");
    let wrapped = wrap_root(&secret, INSTALL, 2, b"cost 1", root.open().unwrap(), &mut nonce("n")).unwrap();
    assert!(unwrap_root(&secret, INSTALL, 2, b"cost 1", &wrapped).is_ok());
    assert!(refused(&unwrap_root(&secret, INSTALL, 2, b"cost 0", &wrapped)));
    assert!(refused(&unwrap_root(&secret, INSTALL, 3, b"cost 1", &wrapped)));
    assert!(refused(&unwrap_root(&secret, InstallId::from_u128(2), 2, b"cost 1", &wrapped)));
    assert!(refused(&unwrap_root(&generator::locked("x"), INSTALL, 2, b"cost 1", &wrapped)));
}
