//! Where random bytes come from: always an argument, so that vectors can be reproduced and nothing hides a clock or a
//! device. Programs pass the operating system's source; tests pass [`FixedEntropy`].

use zeroize::Zeroizing;

/// A source of unpredictable bytes.
pub trait EntropySource {
    /// Fills `out` completely.
    ///
    /// # Errors
    /// [`EntropyUnavailable`] when the source cannot deliver; `out` must then not be used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

impl<T: EntropySource + ?Sized> EntropySource for &mut T {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyUnavailable> {
        (**self).fill(out)
    }
}

/// The random source could not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes are available")]
pub struct EntropyUnavailable;

/// Delivers given bytes in order, then fails. For test vectors only: two seals with the same bytes are the same seal.
#[allow(missing_debug_implementations, reason = "entropy decides keys and must not be printable")]
pub struct FixedEntropy {
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
}

impl FixedEntropy {
    /// Will deliver exactly `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(bytes.to_vec()), used: 0 }
    }
}

impl EntropySource for FixedEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyUnavailable> {
        let end = self.used.checked_add(out.len()).ok_or(EntropyUnavailable)?;
        let source = self.bytes.get(self.used..end).ok_or(EntropyUnavailable)?;
        out.copy_from_slice(source);
        self.used = end;
        Ok(())
    }
}
