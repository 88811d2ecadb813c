//! What a venue says an API key may do.

use serde::{Deserialize, Serialize};

use crate::exchange::words;
use crate::{ContractType, Timestamp};
words! {
    /// A fact that a venue may not tell. Unknown is its own state and never counts as good.
    Known, KnownError, "answer",
    /// The venue says yes.
    Yes = "yes",
    /// The venue says no.
    No = "no",
    /// The venue does not tell.
    Unknown = "unknown",
}

/// The permissions and bounds of a key, as read back from its venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// May it read balances and orders?
    pub read: Known,
    /// May it place and cancel orders of perpetual contracts?
    pub trade: Known,
    /// May it move money out? A key known to is refused.
    pub withdraw: Known,
    /// May it move money between accounts? A warning.
    pub transfer: Known,
    /// Is it bound to addresses? A warning when not.
    pub ip_bound: Known,
    /// The addresses it is bound to, when told.
    pub ip_addresses: Vec<String>,
    /// When it stops working, when told.
    pub expires_at: Option<Timestamp>,
    /// Permission words of the venue that we do not know; each counts as dangerous.
    pub unknown_permissions: Vec<String>,
    /// The contract types the account behind it can trade, when told.
    pub contract_types: Vec<ContractType>,
}
