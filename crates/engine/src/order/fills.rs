//! The fills that have been counted, so that one told twice is counted once.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use keyhold_domain::fill::FillId;
use serde::{Deserialize, Serialize, Serializer};

/// Fills that are remembered.
const MOST: usize = 256;

/// The newest fills. Serialized, it is the list of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "VecDeque<FillId>")]
pub(super) struct KnownFills {
    /// Oldest first.
    names: VecDeque<FillId>,
    /// A digest of each name in the same order: names are long and begin alike, and almost every fill is new.
    digests: VecDeque<u32>,
}

impl From<VecDeque<FillId>> for KnownFills {
    fn from(names: VecDeque<FillId>) -> Self {
        let digests = names.iter().map(digest).collect();
        Self { names, digests }
    }
}

impl Serialize for KnownFills {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names.serialize(serializer)
    }
}

impl KnownFills {
    pub(super) fn contains(&self, fill: FillId) -> bool {
        let digest = digest(&fill);
        let (front, back) = self.digests.as_slices();
        (holds(front, digest) || holds(back, digest)) && self.names.contains(&fill)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = FillId> + '_ {
        self.names.iter().copied()
    }

    pub(super) fn remember(&mut self, fill: FillId) {
        if self.names.len() >= MOST {
            self.names.pop_front();
            self.digests.pop_front();
        }
        self.digests.push_back(digest(&fill));
        self.names.push_back(fill);
    }
}

/// All are compared, so that the processor can compare several at once.
fn holds(digests: &[u32], wanted: u32) -> bool {
    digests.iter().map(|digest| u32::from(*digest == wanted)).sum::<u32>() > 0
}

fn digest(fill: &FillId) -> u32 {
    let mut fold = Fold(0);
    fill.hash(&mut fold);
    fold.finish_half()
}

/// Multiply and rotate: cheap, and good enough to tell names apart that are compared afterwards.
struct Fold(u64);

impl Fold {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish_half(&self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(0)
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> FillId {
        format!("fill-{number}").parse().unwrap()
    }

    #[test]
    fn the_newest_are_known_and_a_restored_list_knows_the_same() {
        let mut known = KnownFills::default();
        for number in 0..300 {
            assert!(!known.contains(name(number)));
            known.remember(name(number));
        }
        let text = serde_json::to_string(&known).unwrap();
        assert!(text.starts_with("[\"fill-44\",\"fill-45\""), "{text}");
        let restored: KnownFills = serde_json::from_str(&text).unwrap();
        assert_eq!(restored, known);
        for known in [known, restored] {
            assert!((44..300).all(|number| known.contains(name(number))));
            assert!((0..44).chain(300..400).all(|number| !known.contains(name(number))));
        }
    }
}
