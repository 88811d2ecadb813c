//! Live updates: a ring of recent events per workspace, and those who listen.
//!
//! Event ids are `boot-number`: after a restart or when the ring has moved on, a listener is told to start over
//! (`reset`) instead of silently missing something.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhold_domain::{SessionId, WorkspaceId};
use serde::Serialize;
use tokio::sync::broadcast;

/// Events kept per workspace.
const RING: usize = 512;
/// Events a listener may lag behind before it has to start over.
const LAG: usize = 256;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct LiveEvent {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) data: Arc<str>,
}

#[derive(Debug)]
struct Channel {
    last: u64,
    ring: VecDeque<LiveEvent>,
    sender: broadcast::Sender<LiveEvent>,
}

/// The hub.
#[derive(Debug)]
pub(crate) struct Live {
    boot: String,
    channels: Mutex<BTreeMap<WorkspaceId, Channel>>,
    ended: broadcast::Sender<SessionId>,
}

/// What a listener gets first, and where the rest comes from.
pub(crate) struct Subscription {
    pub(crate) missed: Vec<LiveEvent>,
    /// The listener has missed something that is no longer there.
    pub(crate) reset: bool,
    pub(crate) receiver: broadcast::Receiver<LiveEvent>,
    pub(crate) ended: broadcast::Receiver<SessionId>,
    pub(crate) last: u64,
}

impl Live {
    /// An empty hub; `boot` tells this start of the server from others.
    pub(crate) fn new(boot: String) -> Self {
        Self { boot, channels: Mutex::default(), ended: broadcast::channel(LAG).0 }
    }

    fn channels(&self) -> MutexGuard<'_, BTreeMap<WorkspaceId, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens to the workspace.
    pub(crate) fn publish<T: Serialize>(&self, workspace: WorkspaceId, name: &'static str, data: &T) {
        let Ok(text) = serde_json::to_string(data) else {
            tracing::error!(name, "an event could not be written as JSON");
            return;
        };
        let mut channels = self.channels();
        let channel = channels.entry(workspace).or_insert_with(Channel::new);
        channel.last += 1;
        let event = LiveEvent { number: channel.last, name, data: text.into() };
        if channel.ring.len() == RING {
            channel.ring.pop_front();
        }
        channel.ring.push_back(event.clone());
        // Nobody listening is no error.
        let _listeners = channel.sender.send(event);
    }

    /// Forgets everything that was told in a workspace, because it is gone.
    pub(crate) fn forget(&self, workspace: WorkspaceId) {
        self.channels().remove(&workspace);
    }

    /// Ends the streams of a session at once.
    pub(crate) fn end_session(&self, session: SessionId) {
        let _listeners = self.ended.send(session);
    }

    /// Listens from after `last_event_id`, or from now.
    pub(crate) fn subscribe(&self, workspace: WorkspaceId, last_event_id: Option<&str>) -> Subscription {
        let mut channels = self.channels();
        let channel = channels.entry(workspace).or_insert_with(Channel::new);
        let seen = last_event_id.map(|id| self.number(id));
        let oldest = channel.ring.front().map_or(channel.last + 1, |event| event.number);
        let (missed, reset) = match seen {
            None => (Vec::new(), false),
            Some(Some(seen)) if seen + 1 >= oldest && seen <= channel.last => {
                (channel.ring.iter().filter(|event| event.number > seen).cloned().collect(), false)
            }
            Some(_) => (Vec::new(), true),
        };
        Subscription {
            missed,
            reset,
            receiver: channel.sender.subscribe(),
            ended: self.ended.subscribe(),
            last: channel.last,
        }
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (boot, number) = id.rsplit_once('-')?;
        if boot == self.boot { number.parse().ok() } else { None }
    }

    /// The id of an event.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }
}

impl Channel {
    fn new() -> Self {
        Self { last: 0, ring: VecDeque::new(), sender: broadcast::channel(LAG).0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_resumes_or_is_told_to_start_over() {
        let live = Live::new("b".to_owned());
        let workspace = WorkspaceId::from_u128(1);
        for number in 0..600 {
            live.publish(workspace, "event", &number);
        }
        let resumed = live.subscribe(workspace, Some("b-598"));
        assert_eq!(resumed.missed.iter().map(|event| event.number).collect::<Vec<_>>(), [599, 600]);
        assert!(!resumed.reset);
        for id in ["b-1", "other-599", "b-601", "nonsense"] {
            assert!(live.subscribe(workspace, Some(id)).reset, "{id}");
        }
        assert!(!live.subscribe(workspace, None).reset);
        assert!(live.subscribe(WorkspaceId::from_u128(2), None).missed.is_empty(), "others hear nothing");
        live.forget(workspace);
        assert!(
            live.subscribe(workspace, Some("b-599")).missed.is_empty(),
            "nothing is left of a closed workspace"
        );
    }
}
