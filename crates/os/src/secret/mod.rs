//! Memory for secrets: outside the ordinary heap, never in a core dump, wiped on drop.
//!
//! The bytes live in one arena (`arena.rs`) made of `memfd_secret` pages where the kernel has them: such pages are
//! unreadable even for root through `/proc/PID/mem`, `process_vm_readv` or a core dump. Root can still inject code
//! into the process; no memory protection changes that, and nothing here claims it.
//!
//! The types refuse to be printed, cloned, compared or serialized. Comparing secrets is the business of a
//! constant-time comparison on the exposed bytes. They know nothing about what the bytes mean.

mod arena;

use arena::Slot;

pub use arena::{CHUNK_BYTES, MAX_CHUNKS};

/// How well the memory of a secret is protected. Ordered from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryProtection {
    /// Neither sealing nor locking was possible: the pages may reach swap space.
    Plain,
    /// Locked into memory, left out of core dumps and blank in forked children; root reads it like any heap memory.
    Locked,
    /// `memfd_secret`: unmapped from the kernel's own view; the descriptor was closed right after mapping.
    Sealed,
}

impl MemoryProtection {
    /// The word for status pages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Locked => "locked",
            Self::Sealed => "sealed",
        }
    }
}

/// Why memory for a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Larger than one chunk of the arena ([`CHUNK_BYTES`]).
    #[error(
        "a secret of {asked} bytes is larger than the {CHUNK_BYTES} bytes one piece of secret memory may have"
    )]
    TooLarge {
        /// Bytes asked for.
        asked: usize,
    },
    /// All chunks ([`MAX_CHUNKS`]) are in use.
    #[error("secret memory is full: no room for {asked} more bytes")]
    Full {
        /// Bytes asked for.
        asked: usize,
    },
    /// The kernel refused to map memory at all.
    #[error("mapping secret memory")]
    Map(#[source] std::io::Error),
}

/// Why filling a secret in place failed: no memory, or the caller's own reason.
#[derive(Debug, thiserror::Error)]
pub enum FillError<E> {
    /// No memory for the secret.
    #[error(transparent)]
    Memory(#[from] SecretError),
    /// The filling function failed; what it had written is wiped.
    #[error("filling secret memory")]
    Fill(#[source] E),
}

/// A secret whose length is known when it is made. Wiped on drop.
///
/// No `Debug`, `Display`, `Clone`, `PartialEq` or `Serialize`, on purpose.
#[expect(missing_debug_implementations, reason = "a secret has no printed form")]
pub struct SecretBytes {
    slot: Slot,
    length: usize,
}

impl SecretBytes {
    /// `length` zero bytes of secret memory.
    ///
    /// # Errors
    /// [`SecretError::TooLarge`] above [`CHUNK_BYTES`], [`SecretError::Full`] when the arena is exhausted,
    /// [`SecretError::Map`] when the kernel refuses memory.
    pub fn zeroed(length: usize) -> Result<Self, SecretError> {
        Ok(Self { slot: arena::take(length)?, length })
    }

    /// Makes a secret of at most `capacity` bytes that `fill` writes in place and whose real length it returns, so
    /// that the plaintext never exists outside secret memory. A returned length above `capacity` counts as `capacity`.
    pub fn fill_with<E>(
        capacity: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Self, FillError<E>> {
        let mut made = Self::zeroed(capacity)?;
        let length = fill(made.expose_mut()).map_err(FillError::Fill)?;
        made.truncate(length);
        Ok(made)
    }

    /// Moves the bytes into secret memory and wipes the place they came from, also when there is no memory for them.
    pub fn take_from(source: &mut [u8]) -> Result<Self, SecretError> {
        let made = Self::zeroed(source.len()).map(|mut secret| {
            secret.expose_mut().copy_from_slice(source);
            secret
        });
        wipe(source);
        made
    }

    /// The bytes. Do not copy them into an ordinary `Vec` or `String`.
    pub fn expose(&self) -> &[u8] {
        &self.slot.bytes()[..self.length]
    }

    /// The bytes, for writing in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.slot.bytes_mut()[..self.length]
    }

    /// Shortens to `length` and wipes the rest; does nothing when it already is shorter.
    pub fn truncate(&mut self, length: usize) {
        if length < self.length {
            wipe(&mut self.expose_mut()[length..]);
            self.length = length;
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How the memory of this very secret is protected.
    pub fn protection(&self) -> MemoryProtection {
        self.slot.protection()
    }
}

/// A secret of exactly `N` bytes: a key. Wiped on drop; the same refusals as [`SecretBytes`].
#[expect(missing_debug_implementations, reason = "a secret has no printed form")]
pub struct LockedBox<const N: usize>(SecretBytes);

impl<const N: usize> LockedBox<N> {
    /// `N` zero bytes of secret memory. Errors as for [`SecretBytes::zeroed`].
    pub fn zeroed() -> Result<Self, SecretError> {
        SecretBytes::zeroed(N).map(Self)
    }

    /// A key that `fill` writes in place.
    pub fn fill_with<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, FillError<E>> {
        let mut made = Self::zeroed()?;
        fill(made.expose_mut()).map_err(FillError::Fill)?;
        Ok(made)
    }

    /// Moves `N` bytes into secret memory and wipes the place they came from.
    pub fn take_from(source: &mut [u8; N]) -> Result<Self, SecretError> {
        SecretBytes::take_from(source).map(Self)
    }

    /// The bytes. Do not copy them into ordinary memory.
    pub fn expose(&self) -> &[u8; N] {
        self.0.expose().try_into().expect("a LockedBox<N> is always made with N bytes")
    }

    /// The bytes, for writing in place.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        self.0.expose_mut().try_into().expect("a LockedBox<N> is always made with N bytes")
    }

    /// How the memory of this very key is protected.
    pub fn protection(&self) -> MemoryProtection {
        self.0.protection()
    }
}

/// Maps the arena's first `bytes` (rounded up to whole chunks) now and tells the weakest protection in force.
///
/// Call it before the sandbox closes and before the process has many mappings; later secrets then need no system call.
pub fn reserve(bytes: usize) -> Result<MemoryProtection, SecretError> {
    arena::reserve(bytes)
}

/// Overwrites ordinary memory with zeros; the optimizer cannot remove it.
pub fn wipe(bytes: &mut [u8]) {
    // SAFETY: the slice is exclusively borrowed and valid for its whole length; zero is a valid `u8`.
    unsafe { crate::allocator::wipe(bytes.as_mut_ptr(), bytes.len()) };
}

#[cfg(test)]
mod tests;
