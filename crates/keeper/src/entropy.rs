//! The operating system's random source, for keys, tickets and everything that must not be guessed.

use keyhold_seal::{EntropySource, EntropyUnavailable};

/// getrandom(2).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl EntropySource for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyUnavailable> {
        getrandom::fill(out).map_err(|_unavailable| EntropyUnavailable)
    }
}

/// `N` random bytes that are no secret in themselves or are given away at once (ids, tickets, overwriting).
///
/// # Errors
/// [`EntropyUnavailable`].
pub fn random<const N: usize>(entropy: &mut impl EntropySource) -> Result<[u8; N], EntropyUnavailable> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
