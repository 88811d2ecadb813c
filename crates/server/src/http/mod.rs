//! What every request and answer goes through, whatever it is about.
//!
//! [`edge`] is the outermost layer: request ids, forgery checks, security headers, problem documents and the one log
//! line. The extractors in [`auth`], [`json`] and [`ids`] are the only ways a handler learns who asks and what for.

pub(crate) mod address;
pub(crate) mod assets;
pub(crate) mod auth;
pub(crate) mod cookie;
pub(crate) mod edge;
pub(crate) mod forgery;
pub(crate) mod headers;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod plaintext;
pub(crate) mod problem;
pub(crate) mod query;
