//! The fake Kraken Futures as its clients see it: ccxt's session, and requests as they come over the wire.

mod calls;
mod session;
