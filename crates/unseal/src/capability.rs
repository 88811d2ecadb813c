//! Permission slips for the few uses of a secret that are not a signature.
//!
//! Constructing one is a deliberate, easily searched act. It does not make the use safe; it makes it visible in
//! review and to the text check that lists who may do it.

/// Allows reading the passphrase in clear, because OKX wants it as a request header (`OK-ACCESS-PASSPHRASE`).
#[derive(Debug)]
pub struct PassphraseAccess {
    _private: (),
}

impl PassphraseAccess {
    /// For the code that writes the header, and nothing else.
    pub const fn for_request_header() -> Self {
        Self { _private: () }
    }
}
