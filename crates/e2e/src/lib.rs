//! Tests over the whole house: the real programs, started as a person would start them.
//!
//! [`stack`] starts server, keeper and fake venue; [`http`] speaks to the server as a browser does; [`scan`] looks for
//! a secret in files and in the memory of processes. Nothing here replaces a part of the product.

pub mod house;
pub mod http;
pub mod scan;
