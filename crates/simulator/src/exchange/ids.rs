//! Ids that look like a venue's and depend on nothing but the seed and a counter.

use keyhold_domain::{ShortText, VenueOrderId};

use crate::random::mix;

/// Where the pairs of digits of a UUID stand in its text, between the dashes.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The two digits of every byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The purposes of ids; each counts for itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum IdKind {
    Order,
    Fill,
}

/// The text of a version-4-shaped UUID computed from seed, kind and counter.
pub(super) fn computed_id(seed: u64, kind: IdKind, counter: u64) -> VenueOrderId {
    let purpose = match kind {
        IdKind::Order => 0x6f72_6465_7200_0000,
        IdKind::Fill => 0x6669_6c6c_0000_0000,
    };
    let high = mix(mix(seed ^ purpose) ^ counter);
    // The counter itself is kept in the low half, so that two ids of one run can never be equal.
    let low = (mix(seed ^ purpose) << 40) | (counter & 0xff_ffff_ffff);
    let value = (u128::from(high) << 64) | u128::from(low);
    let mut text = [b'-'; 36];
    for (byte, place) in value.to_be_bytes().into_iter().zip(PLACES) {
        text[place..place + 2].copy_from_slice(&PAIRS[usize::from(byte)]);
    }
    text[14] = b'4';
    ShortText::from_bytes(&text).expect("36 printable characters fit 64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_distinct() {
        let first = computed_id(1, IdKind::Order, 0);
        assert_eq!(first, computed_id(1, IdKind::Order, 0));
        assert_ne!(first, computed_id(1, IdKind::Order, 1));
        assert_ne!(first, computed_id(2, IdKind::Order, 0));
        assert_ne!(first, computed_id(1, IdKind::Fill, 0));
        assert_eq!(computed_id(1, IdKind::Order, 2).as_str(), "4f020258-a249-426b-9ab7-500000000002");
    }
}
