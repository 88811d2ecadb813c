//! The keeper: the program that holds the root key and hands data keys to proven bots, one at a time.
//!
//! ```text
//! serve.rs   sockets, peers, lease liveness      ─▶ keeper/     what each verb does, in which order
//!                                                     ├─ vault/      what can be opened: ring/ (keys), slots.rs, records.rs
//!                                                     ├─ sealing.rs  whether it is open now      providers/  who keeps the root key
//!                                                     ├─ tickets.rs  who may ask                 leases.rs   who holds what
//!                                                     └─ audit/      nothing happens unrecorded
//! ```
//!
//! It refuses to know exchanges, networks, databases and envelopes: no ciphertext of a credential ever reaches it, and
//! no verb answers with anything that opens one, except to the one process that proved who it is. Messages are
//! `keyhold_protocol::keeper`; cryptography is `keyhold_unseal::rewrap`; files are described in
//! `docs/formats/envelope.md`.

pub mod adopt;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod entropy;
pub mod files;
pub mod isolation;
pub mod keeper;
pub mod leases;
pub mod log;
pub mod providers;
pub mod records;
pub mod ring;
pub mod sealing;
pub mod serve;
pub mod slots;
pub mod tickets;
pub mod vault;
