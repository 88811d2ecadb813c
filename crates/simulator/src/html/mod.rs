//! A report as one HTML page: figures, tables and charts, without a script and without anything from outside.
//!
//! Markup is written by [`writer::Html`], which takes markup only as constants of the program and escapes everything
//! else. The page's own policy forbids every resource but its style. Every chart has a title, a description and its
//! numbers as a table. Floats here are coordinates and shares, never money.

mod chart;
mod charts;
mod page;
mod price;
mod style;
mod tables;
mod writer;

pub use page::page;
pub use price::{PriceLine, PricePoint};
pub use style::{STYLE, STYLE_SHA256};
