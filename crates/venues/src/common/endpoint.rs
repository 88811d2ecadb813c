//! One call of a venue: verb, host, path, and what it costs.
//!
//! Each venue lists its own as constants in its `endpoints.rs`; what is not listed there cannot be called.
//! Next: [`super::rest`].

use crate::rate_limit::{Cost, Limit, LimitName};
use crate::signer::Verb;

/// Which of a venue's hosts answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The one for requests.
    Rest,
    /// The one that tells what a key may do, where it is another.
    KeyCheck,
}

/// One call of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Read or write.
    pub verb: Verb,
    /// Where.
    pub host: Host,
    /// Path below the host.
    pub path: &'static str,
    /// How often this path may be called; `None` where only pools or the address are counted.
    pub limit: Option<Limit>,
    /// What a call takes from limits that it shares with others.
    pub pools: &'static [Cost],
    /// What is being done, for error texts.
    pub doing: &'static str,
}

impl Endpoint {
    /// A call at the usual host that only the address's limit counts.
    pub const fn new(verb: Verb, path: &'static str, doing: &'static str) -> Self {
        Self { verb, host: Host::Rest, path, limit: None, pools: &[], doing }
    }

    /// The same with a limit of its own.
    #[must_use]
    pub const fn limited(self, limit: Option<Limit>) -> Self {
        Self { limit, ..self }
    }

    /// The same with a cost in shared limits; also for a call that costs more with some parameters.
    #[must_use]
    pub const fn costing(self, pools: &'static [Cost]) -> Self {
        Self { pools, ..self }
    }

    /// The same at another host.
    #[must_use]
    pub const fn at(self, host: Host) -> Self {
        Self { host, ..self }
    }

    /// All that a call takes: one of its own path and its shares of the pools.
    pub fn costs(&self) -> Vec<Cost> {
        let own = Cost { name: self.path, tokens: 1 };
        self.limit.map(|_| own).into_iter().chain(self.pools.iter().copied()).collect()
    }
}

/// The limits that a list of calls has of its own.
pub fn own_limits(all: &[Endpoint]) -> impl Iterator<Item = (LimitName, Limit)> {
    all.iter().filter_map(|endpoint| Some((endpoint.path, endpoint.limit?)))
}
