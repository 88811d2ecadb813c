//! Everything Keyhold asks of Linux that the standard library does not offer: secret memory, process hardening,
//! dropping privileges, the sandbox, and knowing who is at the other end of a socket.
//!
//! This is the one crate of the project that may contain `unsafe`; each block says why it is sound. It knows
//! nothing about keys, bots or exchanges and depends on no other crate of ours.
//!
//! Order in which a program that will hold a secret calls it:
//! 1. [`harden::harden_early`], the first statement of `main`;
//! 2. [`secret::reserve`], so that the memory for secrets exists before the sandbox closes;
//! 3. connect to whoever is to be reached, then [`sandbox::enter`] while the process still has one thread;
//! 4. only now start the async runtime and ask for the secret.
//!
//! The launching side uses [`spawn`], [`cgroup`] and [`peer`]. Linux only: on another system this crate does not compile,
//! because a program that silently ran without these protections would break the product's promise.

#![expect(unsafe_code, reason = "the one crate in which system calls without a safe wrapper are made")]

pub mod allocator;
pub mod cgroup;
pub mod harden;
pub mod limits;
pub mod peer;
pub mod pidfd;
pub mod priority;
pub mod privileges;
pub mod sandbox;
pub mod secret;
pub mod self_test;
pub mod spawn;
