//! Versioned messages between server, bot and keeper, and the frames that carry them.
//!
//! Wire types are apart from the engine's and the store's types so that each can change without the others;
//! conversion is explicit. Nothing here opens a socket: readers and writers are given.

pub mod frame;
pub mod keeper;
pub mod pointer;
pub mod uplink;
pub mod walls;
