//! A global allocator that wipes memory before it gives it back.
//!
//! Decrypting, parsing and signing pass through buffers that libraries allocate and free; without this, parts of
//! a secret stay behind in freed heap memory until something else happens to overwrite them. The allocator knows
//! nothing about which memory is secret and wipes all of it. Long-lived secrets belong in [`crate::secret`].

use std::alloc::{GlobalAlloc, Layout, System};

/// The system allocator, with every block wiped before it is released, also when a `Vec` or `String` grows.
///
/// ```
/// #[global_allocator]
/// static HEAP: keyhold_os::allocator::ZeroizingAllocator = keyhold_os::allocator::ZeroizingAllocator;
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ZeroizingAllocator;

// SAFETY: every block comes from `System` and is returned to it with the layout it was allocated with;
// the blocks are only written to while the caller has given them up.
unsafe impl GlobalAlloc for ZeroizingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `GlobalAlloc::alloc`, which is passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up `layout.size()` bytes at `block`, so they may be overwritten.
        unsafe { wipe(block, layout.size()) };
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) };
    }

    /// Never grows in place: the C library's realloc would copy the block and free the old one unwiped.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `new_size`, rounded up to the alignment, does not overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller guarantees a size above zero.
        let fresh = unsafe { System.alloc(new_layout) };
        if !fresh.is_null() {
            let kept = layout.size().min(new_size);
            // SAFETY: both blocks are at least `kept` bytes long and are different allocations.
            unsafe { std::ptr::copy_nonoverlapping(block, fresh, kept) };
            // SAFETY: the old block is given up by the caller, as in `dealloc`.
            unsafe { self.dealloc(block, layout) };
        }
        fresh
    }
}

/// Overwrites memory with zeros in a way the optimizer may not remove.
///
/// # Safety
/// `start` must be valid for writing `length` bytes, and nobody may rely on what they contain.
pub(crate) unsafe fn wipe(start: *mut u8, length: usize) {
    // SAFETY: the caller's promise. The C library documents that this call is never optimized away, which a plain
    // `write_bytes` before a `free` is.
    unsafe { libc::explicit_bzero(start.cast(), length) };
}
