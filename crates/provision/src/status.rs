//! The one word a person sees for a bot, computed from wish, process and heartbeat.

use std::time::Duration;

use keyhold_domain::Timestamp;

use crate::plan::Wish;

/// The state of a bot as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotStatus {
    /// Being provisioned; not heard of yet.
    Deploying,
    /// Alive and allowed to enter.
    Online,
    /// Alive, entering nothing.
    Paused,
    /// Not heard of for too long.
    Offline,
    /// Given up.
    Failed,
    /// Winding down.
    Stopping,
    /// Gone.
    Stopped,
}

impl BotStatus {
    /// The word used by the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Online => "online",
            Self::Paused => "paused",
            Self::Offline => "offline",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether a run was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Good,
    /// Its process died too often or never came up.
    Failed,
}

/// Whether anything of the run is left on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A process or its folder.
    Some,
    /// Nothing.
    None,
}

/// What the status is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusInput {
    /// What the owner wants.
    pub wish: Wish,
    /// Was the run given up?
    pub verdict: Verdict,
    /// Is anything left of it?
    pub presence: Presence,
    /// The newest heartbeat of this run.
    pub heartbeat: Option<Timestamp>,
}

/// How long silence is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusLimits {
    /// After this long without a heartbeat a bot is offline.
    pub offline_after: Duration,
}

impl Default for StatusLimits {
    /// A minute, with a heartbeat every 15 seconds.
    fn default() -> Self {
        Self { offline_after: Duration::from_mins(1) }
    }
}

/// The status at `now`.
pub fn status(input: StatusInput, limits: &StatusLimits, now: Timestamp) -> BotStatus {
    if input.verdict == Verdict::Failed {
        return BotStatus::Failed;
    }
    let fresh = |at: Timestamp| at.plus(limits.offline_after) > now;
    match (input.wish, input.presence, input.heartbeat) {
        (Wish::Stopped, Presence::None, _) => BotStatus::Stopped,
        (Wish::Stopped, Presence::Some, _) => BotStatus::Stopping,
        (Wish::Running | Wish::Paused, _, None) => BotStatus::Deploying,
        (Wish::Running, _, Some(at)) if fresh(at) => BotStatus::Online,
        (Wish::Paused, _, Some(at)) if fresh(at) => BotStatus::Paused,
        (Wish::Running | Wish::Paused, _, Some(_)) => BotStatus::Offline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_states_holds() {
        use BotStatus::{Deploying, Failed, Offline, Online, Paused, Stopped, Stopping};
        let now = Timestamp::from_ms(100_000);
        let fresh = Some(Timestamp::from_ms(40_001));
        let stale = Some(Timestamp::from_ms(40_000));
        let cases = [
            (Wish::Running, Verdict::Good, Presence::Some, None, Deploying),
            (Wish::Running, Verdict::Good, Presence::None, None, Deploying),
            (Wish::Running, Verdict::Good, Presence::Some, fresh, Online),
            (Wish::Running, Verdict::Good, Presence::Some, stale, Offline),
            (Wish::Paused, Verdict::Good, Presence::Some, fresh, Paused),
            (Wish::Paused, Verdict::Good, Presence::Some, stale, Offline),
            (Wish::Stopped, Verdict::Good, Presence::Some, fresh, Stopping),
            (Wish::Stopped, Verdict::Good, Presence::None, fresh, Stopped),
            (Wish::Running, Verdict::Failed, Presence::None, fresh, Failed),
        ];
        for (wish, verdict, presence, heartbeat, expected) in cases {
            let input = StatusInput { wish, verdict, presence, heartbeat };
            assert_eq!(status(input, &StatusLimits::default(), now), expected, "{input:?}");
        }
    }
}
