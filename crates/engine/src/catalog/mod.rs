//! The catalog: every component and every exit rule with parameters, ranges, units and help. Forms are drawn from it.
//!
//! A component's page lies beside its code in [`crate::component`]; the pages of the exit rules are in [`exits`],
//! because their behavior belongs to the position, not to a file of parameters.

pub mod entry;
pub mod exits;

use serde::Serialize;

pub use self::entry::{
    AppliesIf, ComponentEntry, DataNeeds, ExitEntry, Family, Integers, Numbers, ParameterEntry, RoleEntry,
    Shape, Unit, candles, decimals, number, optional_decimals,
};
pub use self::exits::ExitKind;

/// The whole catalog; serialize it for the dashboard.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Catalog {
    /// Signals, filters, entry guards and risk gates.
    pub components: &'static [ComponentEntry],
    /// Exit rules, in the order in which they are named when several trigger at once.
    pub exits: &'static [ExitEntry],
}

/// The whole catalog.
///
/// ```
/// let text = serde_json::to_string(&keyhold_engine::catalog::catalog()).unwrap();
/// assert!(text.contains("ema_cross"));
/// ```
pub const fn catalog() -> Catalog {
    Catalog { components: crate::component::ENTRIES, exits: exits::ENTRIES }
}

/// The page of a component by its name in documents.
pub fn component(kind: &str) -> Option<&'static ComponentEntry> {
    crate::component::ENTRIES.iter().find(|entry| entry.kind == kind)
}

/// The page of an exit rule by its name in documents.
pub fn exit(kind: &str) -> Option<&'static ExitEntry> {
    exits::ENTRIES.iter().find(|entry| entry.kind.as_str() == kind)
}
