//! What has to change so that what runs is what is wished. No process, no clock: a diff.
//!
//! Every change carries the deployment it is about, so that a late one cannot touch a newer run.

use std::collections::BTreeMap;
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, Timestamp};

/// What the owner wants of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A process trades.
    Running,
    /// A process manages positions and opens none.
    Paused,
    /// No process.
    Stopped,
}

/// One bot as wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DesiredBot {
    /// Which.
    pub bot: BotId,
    /// The run that is wished.
    pub deployment: DeploymentId,
    /// Running, paused or stopped.
    pub wish: Wish,
}

/// Whether a process of a bot is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// The process lives.
    Up,
    /// The process has ended; its folder is still there.
    Ended {
        /// When that was noticed.
        at: Timestamp,
    },
}

/// One bot as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Which.
    pub bot: BotId,
    /// The run it belongs to.
    pub deployment: DeploymentId,
    /// Is it there?
    pub state: InstanceState,
    /// When its newest process was started.
    pub started_at: Timestamp,
    /// How often it was started again since it last ran for a while.
    pub restarts: u32,
}

/// How a dead process is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After this many quick deaths in a row the bot has failed.
    pub attempts: u32,
    /// Pause before the first restart; doubles with each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A process that lived this long counts as healthy: its death is the first again.
    pub healthy_after: Duration,
}

impl Default for RestartPolicy {
    /// Five attempts after 0.25, 0.5, 1, 2 and 4 seconds: a position is unwatched as briefly as possible.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            healthy_after: Duration::from_mins(1),
        }
    }
}

impl RestartPolicy {
    /// How long to wait after the death that follows `restarts` restarts.
    pub fn pause(&self, restarts: u32) -> Duration {
        let factor = 2_u32.saturating_pow(restarts.min(16));
        self.first_pause.saturating_mul(factor).min(self.longest_pause)
    }
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Start the first process of a run.
    Launch {
        /// Which bot.
        bot: BotId,
        /// Which run.
        deployment: DeploymentId,
    },
    /// Start a process again in the folder of the one that died.
    Relaunch {
        /// Which bot.
        bot: BotId,
        /// Which run.
        deployment: DeploymentId,
        /// How many restarts that makes.
        restarts: u32,
    },
    /// Give up on a run whose process keeps dying.
    Fail {
        /// Which bot.
        bot: BotId,
        /// Which run.
        deployment: DeploymentId,
    },
    /// End the process if it lives and remove everything it left.
    Remove {
        /// Which bot.
        bot: BotId,
        /// Which run.
        deployment: DeploymentId,
    },
}

/// The changes that lead from `observed` to `desired`, in the order of the bots' ids. `failed` bots are `desired` with
/// [`Wish::Stopped`] by the caller. A bot that is not desired at all is removed.
pub fn plan_changes(
    desired: &[DesiredBot],
    observed: &[Instance],
    policy: &RestartPolicy,
    now: Timestamp,
) -> Vec<Change> {
    let observed: BTreeMap<BotId, &Instance> = observed.iter().map(|one| (one.bot, one)).collect();
    let desired: BTreeMap<BotId, &DesiredBot> = desired.iter().map(|one| (one.bot, one)).collect();
    let bots: std::collections::BTreeSet<BotId> = observed.keys().chain(desired.keys()).copied().collect();
    bots.into_iter()
        .filter_map(|bot| change(desired.get(&bot).copied(), observed.get(&bot).copied(), policy, now))
        .collect()
}

fn change(
    desired: Option<&DesiredBot>,
    observed: Option<&Instance>,
    policy: &RestartPolicy,
    now: Timestamp,
) -> Option<Change> {
    let wanted = desired.filter(|desired| desired.wish != Wish::Stopped);
    match (wanted, observed) {
        (None, None) => None,
        (None, Some(found)) => Some(Change::Remove { bot: found.bot, deployment: found.deployment }),
        (Some(wanted), None) => Some(Change::Launch { bot: wanted.bot, deployment: wanted.deployment }),
        (Some(wanted), Some(found)) if wanted.deployment != found.deployment => {
            Some(Change::Remove { bot: found.bot, deployment: found.deployment })
        }
        (Some(_), Some(found)) => match found.state {
            InstanceState::Up => None,
            InstanceState::Ended { at } => after_death(found, at, policy, now),
        },
    }
}

fn after_death(found: &Instance, died: Timestamp, policy: &RestartPolicy, now: Timestamp) -> Option<Change> {
    let Instance { bot, deployment, started_at, .. } = *found;
    let was_healthy = died >= started_at.plus(policy.healthy_after);
    let restarts = if was_healthy { 0 } else { found.restarts };
    if restarts >= policy.attempts {
        return Some(Change::Fail { bot, deployment });
    }
    let due = died.plus(policy.pause(restarts));
    (now >= due).then_some(Change::Relaunch { bot, deployment, restarts: restarts + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: BotId = BotId::from_u128(1);
    const RUN: DeploymentId = DeploymentId::from_u128(10);
    const OTHER_RUN: DeploymentId = DeploymentId::from_u128(11);

    fn desired(wish: Wish) -> Vec<DesiredBot> {
        vec![DesiredBot { bot: BOT, deployment: RUN, wish }]
    }

    fn observed(deployment: DeploymentId, state: InstanceState, restarts: u32) -> Vec<Instance> {
        vec![Instance { bot: BOT, deployment, state, started_at: Timestamp::EPOCH, restarts }]
    }

    /// Wishes, what is there, milliseconds since the epoch, expected change.
    type Case = (Vec<DesiredBot>, Vec<Instance>, i64, Option<Change>);

    /// The dead process died at 1,000 ms.
    #[test]
    fn every_pair_of_wish_and_observation_has_one_answer() {
        let dead = InstanceState::Ended { at: Timestamp::from_ms(1_000) };
        let launch = Change::Launch { bot: BOT, deployment: RUN };
        let remove = Change::Remove { bot: BOT, deployment: RUN };
        let relaunch = |restarts| Change::Relaunch { bot: BOT, deployment: RUN, restarts };
        let cases: Vec<Case> = vec![
            (vec![], vec![], 0, None),
            (desired(Wish::Stopped), vec![], 0, None),
            (desired(Wish::Running), vec![], 0, Some(launch)),
            (desired(Wish::Paused), vec![], 0, Some(launch)),
            (desired(Wish::Running), observed(RUN, InstanceState::Up, 0), 0, None),
            (desired(Wish::Paused), observed(RUN, InstanceState::Up, 0), 0, None),
            (desired(Wish::Stopped), observed(RUN, InstanceState::Up, 0), 0, Some(remove)),
            (desired(Wish::Stopped), observed(RUN, dead, 0), 0, Some(remove)),
            (vec![], observed(RUN, InstanceState::Up, 0), 0, Some(remove)),
            (desired(Wish::Running), observed(RUN, dead, 0), 1_249, None),
            (desired(Wish::Running), observed(RUN, dead, 0), 1_250, Some(relaunch(1))),
            (desired(Wish::Running), observed(RUN, dead, 2), 1_999, None),
            (desired(Wish::Running), observed(RUN, dead, 2), 2_000, Some(relaunch(3))),
            (
                desired(Wish::Running),
                observed(RUN, dead, 5),
                1_000,
                Some(Change::Fail { bot: BOT, deployment: RUN }),
            ),
            (
                desired(Wish::Running),
                observed(RUN, InstanceState::Ended { at: Timestamp::from_ms(60_000) }, 5),
                60_250,
                Some(relaunch(1)),
            ),
            (
                desired(Wish::Running),
                observed(OTHER_RUN, InstanceState::Up, 0),
                0,
                Some(Change::Remove { bot: BOT, deployment: OTHER_RUN }),
            ),
        ];
        for (wished, found, at, expected) in cases {
            let changes = plan_changes(&wished, &found, &RestartPolicy::default(), Timestamp::from_ms(at));
            assert_eq!(changes, expected.into_iter().collect::<Vec<_>>(), "{wished:?} {found:?} at {at}");
        }
    }
}
