//! Tests over the whole house: the real programs, started as a person would start them.
//!
//! [`house`] starts keeper, fake exchange and server and claims them; [`trader`] deploys bots and plays the market for
//! them; [`http`] speaks to the server as a browser does; [`traces`] counts what a bot leaves on the machine; [`scan`]
//! looks for a secret in files and in the memory of processes. Nothing here replaces a part of the product.

pub mod device;
pub mod house;
pub mod http;
pub mod market;
pub mod scan;
pub mod traces;
pub mod trader;
