//! Who acts, and in which workspace. The only way to a [`crate::WorkspaceStore`].
//!
//! Fields are private and there is no public constructor: an actor comes from a session ([`crate::Principal`]), from
//! the creation of an account, or from a deployment that proved its token ([`crate::SystemStore`]).

use keyhold_domain::{UserId, WorkspaceId};

/// The proof that somebody may act in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    pub(crate) user: Option<UserId>,
    pub(crate) workspace: WorkspaceId,
    pub(crate) role: Role,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything in the workspace.
    Owner,
    /// A bot's own reports: the platform acting for the owner.
    Platform,
}

/// One thing that a role may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Look at backtests and at recorded candles.
    BacktestsView,
    /// Run, cancel and delete backtests, and fetch candles for them.
    BacktestsRun,
}

impl Permission {
    /// Its name, as product and audit know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BacktestsView => "backtests.view",
            Self::BacktestsRun => "backtests.run",
        }
    }
}

impl Role {
    /// Whether the role may do it. A bot reports what it did and asks for nothing.
    pub const fn may(self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Owner, Permission::BacktestsView | Permission::BacktestsRun) => true,
            (Self::Platform, Permission::BacktestsView | Permission::BacktestsRun) => false,
        }
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Platform => "platform",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Owner, Self::Platform].into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

impl Actor {
    /// The workspace it is confined to.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The person, unless it is the platform itself.
    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        self.role
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what_is_a_table() {
        for permission in [Permission::BacktestsView, Permission::BacktestsRun] {
            assert!(Role::Owner.may(permission), "{}", permission.as_str());
            assert!(!Role::Platform.may(permission), "{}", permission.as_str());
        }
    }
}
