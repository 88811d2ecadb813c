//! Proving who somebody is: passwords, passkeys, sessions, the claim of a new installation.

pub(crate) mod claim;
pub(crate) mod passkey;
pub(crate) mod password;
pub(crate) mod rules;
pub(crate) mod session;
