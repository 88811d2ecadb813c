//! The program that opens one credential: hardened, confined, and only then asynchronous. Nothing is decided here; see
//! `keyhold_bot::program`.

use std::process::ExitCode;

use clap::Parser as _;
use keyhold_bot::launch::Cli;
use keyhold_bot::{confine, program};
use keyhold_os::allocator::ZeroizingAllocator;

#[global_allocator]
static HEAP: ZeroizingAllocator = ZeroizingAllocator;

fn main() -> ExitCode {
    if let Err(error) = confine::harden() {
        return program::refuse(&error);
    }
    program::start(Cli::parse())
}
