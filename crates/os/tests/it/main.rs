//! What the operating system really does with our requests, seen from child processes.
//!
//! Most of these calls cannot be taken back, and some must come before any thread exists, so each test starts this very
//! binary again in a role (see `child.rs`). As root every test runs twice, as root and as an unprivileged user; otherwise
//! only the unprivileged half runs and says so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "helpers of tests; a child in a role speaks through its standard output"
)]
#![expect(
    unsafe_code,
    reason = "a child must act before the test harness starts threads; the allocator is called by hand"
)]

mod child;
mod groups;
mod hardening;
mod lanes;
mod memory;
mod peers;
mod sandboxing;

/// Also the subject of a test: what this binary frees must be gone.
#[global_allocator]
static HEAP: keyhold_os::allocator::ZeroizingAllocator = keyhold_os::allocator::ZeroizingAllocator;
