//! Talking with the server: heartbeats, numbered reports, what it says.

use keyhold_protocol::uplink::{BotMessage, Phase, ServerMessage};
use tokio::time::Instant;

use super::{AccountView, Bot, HEARTBEAT, RunError, Stage};
use crate::mind::record::{Obstacle, Standing};
use crate::outside::Outside;
use crate::uplink::Incoming;

/// Reports that wait at most before entries stop.
const BACKLOG_LIMIT: u64 = 5_000;
/// Entries go on when no more wait.
const BACKLOG_RELIEF: u64 = 1_000;

impl<O: Outside> Bot<O> {
    /// What the line brings.
    pub(super) fn heard(&mut self, incoming: Option<Incoming>) -> Result<(), RunError> {
        match incoming {
            None => return Err(RunError::LineEnded),
            Some(Incoming::Connected { acknowledged }) => {
                self.linked = true;
                self.last_beat = None;
                self.outbox.continue_after(acknowledged)?;
                self.outbox.acknowledge(acknowledged)?;
                self.sent_through = self.outbox.acknowledged();
            }
            Some(Incoming::Disconnected) => self.linked = false,
            Some(Incoming::Message(message)) => match *message {
                ServerMessage::Assignment(assignment) => self.assigned(assignment)?,
                ServerMessage::Command { id, command } => self.commanded(id, command)?,
                ServerMessage::Acknowledged { number } => self.outbox.acknowledge(number)?,
                ServerMessage::Refused { code } => {
                    tracing::warn!(%code, "the server refused the connection");
                    if self.mind.is_idle() {
                        return Err(RunError::Unwanted(code));
                    }
                }
                // The greeting's answer is read by the line itself.
                ServerMessage::Welcome { .. } => {}
            },
        }
        Ok(())
    }

    /// Sends what waits and fits: reports in order, then a heartbeat when there is something to say.
    pub(super) fn deliver(&mut self) -> Result<(), RunError> {
        self.watch_backlog()?;
        if !self.linked {
            self.due.heartbeat = Instant::now() + HEARTBEAT;
            return Ok(());
        }
        for pending in self.outbox.after(self.sent_through) {
            let report = BotMessage::Report {
                number: pending.number,
                at: pending.at,
                body: Box::new(pending.body.clone()),
            };
            if self.line.outgoing.try_send(report).is_err() {
                // No room: the next acknowledgement makes some.
                break;
            }
            self.sent_through = pending.number;
        }
        while let Some((command, outcome)) = self.answers.pop_front() {
            let answer = BotMessage::CommandDone { command, outcome: outcome.clone() };
            if self.line.outgoing.try_send(answer).is_err() {
                self.answers.push_front((command, outcome));
                break;
            }
        }
        self.beat();
        Ok(())
    }

    /// Too many waiting reports stop entries; exits go on.
    fn watch_backlog(&mut self) -> Result<(), RunError> {
        match self.outbox.backlog() {
            BACKLOG_LIMIT.. => self.obstacle(Obstacle::Backlog, Standing::Stands),
            0..BACKLOG_RELIEF => self.obstacle(Obstacle::Backlog, Standing::Gone),
            BACKLOG_RELIEF..BACKLOG_LIMIT => Ok(()),
        }
    }

    /// A heartbeat when it is due, when the phase has changed, and as soon as everything is answered after something
    /// happened.
    fn beat(&mut self) {
        let (phase, quiet) = (self.phase(), self.is_quiet());
        let progress = self.mind.progress();
        if let (Some((_, was_quiet, _)), false) = (&mut self.last_beat, quiet) {
            *was_quiet = false;
        }
        let news = match &self.last_beat {
            None => true,
            Some((told, was_quiet, known)) => *told != phase || (quiet && (!was_quiet || *known != progress)),
        };
        if !news && Instant::now() < self.due.heartbeat {
            return;
        }
        let beat = BotMessage::Heartbeat {
            at: self.outside.now(),
            phase,
            progress: progress.clone(),
            in_flight: self.in_flight(),
            backlog: self.outbox.backlog(),
        };
        self.due.heartbeat = Instant::now() + HEARTBEAT;
        if self.line.outgoing.try_send(beat).is_ok() {
            self.last_beat = Some((phase, quiet, progress));
        }
    }

    /// Orders whose outcome is still to come, and questions whose answers may lead to more.
    pub(super) fn in_flight(&self) -> u32 {
        u32::try_from(self.mind.unsettled() + self.questions()).unwrap_or(u32::MAX)
    }

    /// Nothing is on its way between bot and venue. Orders that the venue has taken may still wait there for a price.
    fn is_quiet(&self) -> bool {
        let requests: usize = self.slots.values().map(|work| work.lanes.requests()).sum();
        requests + self.mind.unanswered() + self.questions() == 0
    }

    fn questions(&self) -> usize {
        let asked = self.slots.values().filter(|work| work.lanes.is_asking()).count();
        let waits = self.slots.values().filter(|work| work.held_back.is_some()).count();
        asked + waits + usize::from(self.account_view != AccountView::Current)
    }

    fn phase(&self) -> Phase {
        if self.mind.desk().is_stopping() {
            return Phase::Stopping;
        }
        match self.stage {
            Stage::Idle => Phase::Idle,
            Stage::Connecting => Phase::Connecting,
            Stage::WarmingUp => Phase::WarmingUp,
            Stage::Reconciling | Stage::Subscribing => Phase::Reconciling,
            Stage::Online if self.mind.desk().enters() => Phase::Online,
            Stage::Online => Phase::ExitsOnly,
        }
    }
}
