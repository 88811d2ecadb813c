//! The arena behind secret memory: a few fixed chunks, handed out in granules.
//!
//! An unprivileged process may lock only 8 MiB in total and `memfd_secret` pages count against that, so secrets share
//! chunks instead of taking a page each. Guard pages surround every chunk. Nothing here knows who uses a slot.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{MemoryProtection, SecretError};

/// Bytes of one chunk, and so of the largest single secret: 64 KiB.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks a process may have: 2 MiB of secret memory in all, a quarter of the usual locking budget.
pub const MAX_CHUNKS: usize = 32;

/// Smallest piece handed out. One cache line, so that two secrets never share one.
const GRANULE: usize = 64;
const GRANULES: usize = CHUNK_BYTES / GRANULE;

static ARENA: Mutex<Vec<Chunk>> = Mutex::new(Vec::new());

/// One mapping. Chunks are never unmapped, so a slot's address stays valid for the life of the process.
struct Chunk {
    start: NonNull<u8>,
    protection: MemoryProtection,
    used: Box<[bool; GRANULES]>,
}

// SAFETY: the chunk's memory belongs to no thread; the bookkeeping is only touched under the mutex.
unsafe impl Send for Chunk {}

/// Exclusive use of some granules of one chunk, wiped and returned on drop.
pub(super) struct Slot {
    start: NonNull<u8>,
    granules: usize,
    protection: MemoryProtection,
}

// SAFETY: a slot owns its bytes like a `Box<[u8]>` does.
unsafe impl Send for Slot {}
// SAFETY: shared access only reads.
unsafe impl Sync for Slot {}

impl Slot {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the chunk stays mapped for the life of the process, the arena gave these granules to this slot only,
        // and they were zero-initialized by the kernel or by the previous owner's drop.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.granules * GRANULE) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.granules * GRANULE) }
    }

    pub(super) fn protection(&self) -> MemoryProtection {
        self.protection
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        super::wipe(self.bytes_mut());
        let address = self.start.as_ptr().addr();
        for chunk in lock().iter_mut() {
            let begin = chunk.start.as_ptr().addr();
            if (begin..begin + CHUNK_BYTES).contains(&address) {
                let first = (address - begin) / GRANULE;
                chunk.used[first..first + self.granules].fill(false);
            }
        }
    }
}

impl Chunk {
    fn find(&self, wanted: usize) -> Option<usize> {
        let mut run = 0;
        for (index, used) in self.used.iter().enumerate() {
            run = if *used { 0 } else { run + 1 };
            if run == wanted {
                return Some(index + 1 - wanted);
            }
        }
        None
    }

    fn take(&mut self, wanted: usize) -> Option<Slot> {
        let first = self.find(wanted)?;
        self.used[first..first + wanted].fill(true);
        // SAFETY: `first + wanted` granules fit into the chunk, so the result stays inside the mapping.
        let start = unsafe { self.start.add(first * GRANULE) };
        Some(Slot { start, granules: wanted, protection: self.protection })
    }
}

/// A poisoned lock is taken anyway: the bookkeeping is a few writes none of which can panic half-way.
fn lock() -> MutexGuard<'static, Vec<Chunk>> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn take(bytes: usize) -> Result<Slot, SecretError> {
    if bytes > CHUNK_BYTES {
        return Err(SecretError::TooLarge { asked: bytes });
    }
    let wanted = bytes.div_ceil(GRANULE).max(1);
    let mut chunks = lock();
    if let Some(slot) = chunks.iter_mut().find_map(|chunk| chunk.take(wanted)) {
        return Ok(slot);
    }
    if chunks.len() == MAX_CHUNKS {
        return Err(SecretError::Full { asked: bytes });
    }
    let mut chunk = map_chunk()?;
    let slot = chunk.take(wanted).ok_or(SecretError::TooLarge { asked: bytes })?;
    chunks.push(chunk);
    Ok(slot)
}

pub(super) fn reserve(bytes: usize) -> Result<MemoryProtection, SecretError> {
    let wanted = bytes.div_ceil(CHUNK_BYTES).max(1);
    if wanted > MAX_CHUNKS {
        return Err(SecretError::Full { asked: bytes });
    }
    let mut chunks = lock();
    while chunks.len() < wanted {
        let chunk = map_chunk()?;
        chunks.push(chunk);
    }
    Ok(chunks.iter().map(|chunk| chunk.protection).min().unwrap_or(MemoryProtection::Plain))
}

fn map_chunk() -> Result<Chunk, SecretError> {
    let guarded = Guarded::map()?;
    let protection = match guarded.seal() {
        Ok(()) => MemoryProtection::Sealed,
        Err(_not_on_this_kernel) => guarded.lock()?,
    };
    Ok(Chunk { start: guarded.inner(), protection, used: Box::new([false; GRANULES]) })
}

/// An inaccessible mapping of one chunk with a guard page at each end; [`seal`](Guarded::seal) or
/// [`lock`](Guarded::lock) then puts real memory in the middle.
struct Guarded {
    start: NonNull<u8>,
    guard: usize,
}

impl Guarded {
    fn map() -> Result<Self, SecretError> {
        let guard = rustix::param::page_size();
        // SAFETY: a new anonymous mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                CHUNK_BYTES + 2 * guard,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(SecretError::Map(io::Error::last_os_error()));
        }
        let start = NonNull::new(start.cast()).expect("the kernel never maps the zero page here");
        Ok(Self { start, guard })
    }

    fn inner(&self) -> NonNull<u8> {
        // SAFETY: the mapping is one guard page longer than this offset at either end.
        unsafe { self.start.add(self.guard) }
    }

    /// Maps the middle over with `memory`'s pages, or with anonymous ones.
    fn map_middle(&self, memory: Option<&OwnedFd>) -> io::Result<()> {
        let (flags, descriptor) = match memory {
            Some(descriptor) => (libc::MAP_SHARED, descriptor.as_raw_fd()),
            None => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
        };
        // SAFETY: MAP_FIXED replaces only pages of our own inaccessible mapping, to which no reference exists yet.
        let mapped = unsafe {
            libc::mmap(
                self.inner().as_ptr().cast(),
                CHUNK_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                flags | libc::MAP_FIXED,
                descriptor,
                0,
            )
        };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// memfd_secret(2). The descriptor is closed when this returns: with it open, root could take it with
    /// `pidfd_getfd` and map the same pages.
    fn seal(&self) -> io::Result<()> {
        // SAFETY: the system call takes one flag and returns a new descriptor or an error.
        let raw = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
        let raw = i32::try_from(raw).ok().filter(|raw| *raw >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the descriptor was just returned to us and has no other owner.
        let memory = unsafe { OwnedFd::from_raw_fd(raw) };
        rustix::fs::ftruncate(&memory, CHUNK_BYTES as u64)?;
        self.map_middle(Some(&memory))?;
        // A shared mapping would otherwise be visible in every forked child until it executes something else.
        self.advise(libc::MADV_DONTFORK)?;
        // Touch every page now: the locking limit is checked at mmap, real memory is only taken here.
        self.touch();
        Ok(())
    }

    fn lock(&self) -> Result<MemoryProtection, SecretError> {
        self.map_middle(None).map_err(SecretError::Map)?;
        self.advise(libc::MADV_DONTDUMP).map_err(SecretError::Map)?;
        self.advise(libc::MADV_WIPEONFORK).map_err(SecretError::Map)?;
        // SAFETY: locking changes where the pages live, not what they contain.
        let locked = unsafe { libc::mlock(self.inner().as_ptr().cast(), CHUNK_BYTES) };
        Ok(if locked == 0 { MemoryProtection::Locked } else { MemoryProtection::Plain })
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is ours and the kinds of advice used here never discard content in this process.
        let answer = unsafe { libc::madvise(self.inner().as_ptr().cast(), CHUNK_BYTES, advice) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn touch(&self) {
        for page in (0..CHUNK_BYTES).step_by(self.guard) {
            // SAFETY: the offset lies inside the readable and writable middle of the mapping.
            unsafe { self.inner().add(page).write_volatile(0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Guarded;
    use crate::secret::MemoryProtection;

    #[test]
    fn without_sealed_memory_locked_memory_is_used() {
        let guarded = Guarded::map().unwrap();
        let protection = guarded.lock().unwrap();
        assert_eq!(protection, MemoryProtection::Locked, "64 KiB fit into the usual locking limit");
        let flags = flags_of(guarded.inner().as_ptr().addr());
        // Locked, not dumped, wiped on fork: proc(5).
        for flag in ["lo", "dd", "wf"] {
            assert!(flags.split(' ').any(|set| set == flag), "{flag} in {flags}");
        }
        guarded.touch();
    }

    #[test]
    fn sealed_memory_is_not_shared_with_forked_children() {
        let guarded = Guarded::map().unwrap();
        if let Err(error) = guarded.seal() {
            eprintln!("SKIPPED: no memfd_secret here ({error}): sealing is NOT PROVEN");
            return;
        }
        let flags = flags_of(guarded.inner().as_ptr().addr());
        assert!(flags.split(' ').any(|set| set == "dc"), "left out of forks: {flags}");
    }

    /// The kernel's flags of the mapping that starts at the address.
    fn flags_of(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let own = maps.split(&format!("{address:x}-")).nth(1).unwrap();
        own.lines().find_map(|line| line.strip_prefix("VmFlags: ")).unwrap().trim().to_owned()
    }
}
