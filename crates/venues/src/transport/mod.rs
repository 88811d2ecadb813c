//! Bytes to a venue and back: dialing, HTTP/1.1 and WebSocket over the same [`Dialer`].
//!
//! Knows no venue, no JSON and no signature. Its one promise: an error says truthfully whether anything of a request
//! may have left us. Next: [`http`] and [`ws`].

pub mod dialer;
pub mod http;
pub mod ws;

pub use dialer::{Dialer, TokioDialer};
pub use http::{HttpAnswer, HttpClient, HttpError, Lane};
pub use ws::{Socket, SocketBroken};
