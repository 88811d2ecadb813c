//! The life of work in the background, as a table.

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// It waits for a free worker.
    Queued,
    /// It is being worked on.
    Running,
    /// It has a result. Final.
    Completed,
    /// It has none, for the reason that stands beside. Final.
    Failed,
    /// Somebody stopped it. Final.
    Canceled,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobStep {
    /// A worker takes it.
    Start,
    /// It has brought a result.
    Complete,
    /// It cannot bring one.
    Fail,
    /// Somebody stops it.
    Cancel,
    /// The server ended under it, and it can go on where it was.
    Requeue,
}

/// Every move there is. What is not here cannot happen.
pub const JOB_MOVES: &[(JobState, JobStep, JobState)] = &[
    (JobState::Queued, JobStep::Start, JobState::Running),
    (JobState::Queued, JobStep::Cancel, JobState::Canceled),
    (JobState::Running, JobStep::Complete, JobState::Completed),
    (JobState::Running, JobStep::Fail, JobState::Failed),
    (JobState::Running, JobStep::Cancel, JobState::Canceled),
    (JobState::Running, JobStep::Requeue, JobState::Queued),
];

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Canceled];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The state after a step, or `None` when the step cannot happen now.
    pub fn after(self, step: JobStep) -> Option<Self> {
        JOB_MOVES.iter().find(|(from, what, _)| *from == self && *what == step).map(|(_, _, to)| *to)
    }

    /// Whether nothing can happen to it anymore.
    pub fn is_final(self) -> bool {
        JOB_MOVES.iter().all(|(from, _, _)| *from != self)
    }
}

impl std::str::FromStr for JobState {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_is_ended_and_no_move_is_there_twice() {
        let ended: Vec<JobState> = JobState::ALL.into_iter().filter(|state| state.is_final()).collect();
        assert_eq!(ended, [JobState::Completed, JobState::Failed, JobState::Canceled]);
        let mut moves: Vec<_> = JOB_MOVES.iter().map(|(from, step, _)| (*from, *step)).collect();
        moves.sort_unstable();
        moves.dedup();
        assert_eq!(moves.len(), JOB_MOVES.len());
        assert_eq!(JobState::Queued.after(JobStep::Complete), None, "only what runs can bring a result");
        assert_eq!(JobState::Canceled.after(JobStep::Complete), None, "a result that comes too late is none");
    }

    #[test]
    fn every_state_is_reached_and_read_back() {
        for state in JobState::ALL {
            let reached = JOB_MOVES.iter().any(|(_, _, to)| *to == state);
            assert!(reached || state == JobState::Queued, "{state:?}");
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
