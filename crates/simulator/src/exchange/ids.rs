//! Ids that look like a venue's and depend on nothing but the seed and a counter.

use keyhold_domain::{ShortText, VenueOrderId};

use crate::random::mix;

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
    let mut place = 0;
    for byte in value.to_be_bytes() {
        if matches!(place, 8 | 13 | 18 | 23) {
            place += 1;
        }
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
        text[place] = digit(byte >> 4);
        text[place + 1] = digit(byte);
        place += 2;
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
