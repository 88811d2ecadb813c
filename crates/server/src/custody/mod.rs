//! What becomes of keys after they are stored: their health, rights that grow at the exchange, and keys that leak.
//!
//! [`health`] and [`drift`] are pure and know no store. Nothing here can open a key.

pub(crate) mod drift;
pub(crate) mod health;
pub(crate) mod leaks;
