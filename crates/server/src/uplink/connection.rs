//! One connection of one bot, from greeting to end.
//!
//! A bot is believed when three things agree: the kernel's word on its user, the launch token, and the run it names.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, KeyId, ReasonCode, Timestamp};
use keyhold_os::peer::{Peer, PeerError};
use keyhold_protocol::frame::{self, Deadline, FrameError, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{
    Assignment, BotMessage, Isolation, Phase, Purpose, ServerMessage, UPLINK_VERSION,
};
use keyhold_store::{DeploymentRef, NewOpening, OpeningPurpose, StoreError, WorkspaceStore};
use subtle::ConstantTimeEq as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::assignment::{self, Holder};
use super::{Line, reports};
use crate::app::{App, Shared};
use crate::http::problem::Problem;
use crate::random;
use crate::supervisor::KeyTest;

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
/// For the greeting, and for the rest of a frame once it began.
const FRAME_LIMIT: Duration = Duration::from_secs(10);
/// A bot that has been silent for this long is gone: it beats every 15 seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);
/// A bot that cannot open its key gets a fresh ticket at most this often.
const TICKET_PAUSE_MS: i64 = 20_000;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the peer cannot be identified")]
    Peer(#[from] PeerError),
    #[error("the line failed")]
    Frame(#[from] FrameError),
    #[error("the bot was refused: {0}")]
    Refused(&'static str),
    #[error("the bot said nothing for too long")]
    Silent,
    #[error("the bot left out a report")]
    Gap,
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Who is at the other end, once believed.
enum Caller {
    Run(DeploymentRef),
    Test(Arc<KeyTest>),
}

/// Talks to whoever connected.
pub(super) async fn talk(app: &Shared, stream: UnixStream) -> Result<(), LineError> {
    let peer = Peer::of(&stream)?;
    let uid = peer.credentials().uid;
    let (mut reader, mut writer) = stream.into_split();
    let first =
        frame::read_message::<BotMessage, _>(&mut reader, RULES, Deadline::Within(FRAME_LIMIT)).await?;
    let hello = first.map(|message| message.body).ok_or(LineError::Refused("no greeting"))?;
    match recognize(app, hello, uid).await {
        Ok((Caller::Run(run), hello)) => {
            app.store.system().seen(&run, &hello.program, &hello.isolation, app.clock.now()).await?;
            send(&mut writer, &ServerMessage::Welcome { acknowledged: run.acknowledged }).await?;
            let line = app.uplinks.enter(run.deployment, run.workspace());
            let store = app.store.workspace(&run.actor());
            let holder = Holder { bot: run.bot, uid };
            let mut talk =
                Talk { app, run: &run, store, holder, sent: None, ticket_at: Timestamp::EPOCH, phase: None };
            let ended = talk.run(&line, reader, writer).await;
            app.uplinks.leave(run.deployment, &line);
            ended
        }
        Ok((Caller::Test(test), _)) => talk_to_test(app, &test, uid, reader, writer).await,
        Err(refusal) => {
            // It may be too far gone to listen; the reason for the log is the refusal.
            let _best_effort = send(&mut writer, &ServerMessage::Refused { code: refusal.0 }).await;
            Err(LineError::Refused(refusal.1))
        }
    }
}

struct Greeting {
    program: String,
    isolation: Isolation,
}

type Refusal = (ReasonCode, &'static str);

async fn recognize(app: &App, hello: BotMessage, uid: u32) -> Result<(Caller, Greeting), Refusal> {
    let BotMessage::Hello { version, program, bot, deployment, token, purpose, isolation } = hello else {
        return Err((ReasonCode::PermissionDenied, "no greeting"));
    };
    if version != UPLINK_VERSION {
        return Err((ReasonCode::DeployVersionMismatch, "another version"));
    }
    let greeting = Greeting { program, isolation };
    let given = random::hash(&token);
    let same = |stored: &str| bool::from(given.as_bytes().ct_eq(stored.as_bytes()));
    match purpose {
        Purpose::Verify => {
            let test =
                app.supervisor.test(deployment).ok_or((ReasonCode::PermissionDenied, "no such test"))?;
            let believed = test.bot == bot && test.uid == uid && same(&test.token_hash);
            if believed {
                Ok((Caller::Test(test), greeting))
            } else {
                Err((ReasonCode::PermissionDenied, "wrong token"))
            }
        }
        Purpose::Run => {
            let run = find_run(app, deployment).await?;
            let expected = app.supervisor.uid_of(bot).await;
            let believed = run.bot == bot && expected == Some(uid) && same(&run.token_hash);
            if believed {
                Ok((Caller::Run(run), greeting))
            } else {
                Err((ReasonCode::PermissionDenied, "wrong token or user"))
            }
        }
    }
}

async fn find_run(app: &App, deployment: DeploymentId) -> Result<DeploymentRef, Refusal> {
    app.store.system().deployment(deployment).await.map_err(|error| match error {
        StoreError::NotFound => (ReasonCode::PermissionDenied, "no such run"),
        _ => (ReasonCode::BotOffline, "the store failed"),
    })
}

async fn send(writer: &mut OwnedWriteHalf, message: &ServerMessage) -> Result<(), LineError> {
    Ok(frame::write_message(writer, RULES, 0, message, FRAME_LIMIT).await?)
}

async fn receive(reader: &mut OwnedReadHalf) -> Result<Option<BotMessage>, LineError> {
    let reading = frame::read_message(reader, RULES, Deadline::AfterFirstByte(FRAME_LIMIT));
    let read = tokio::time::timeout(SILENCE_LIMIT, reading).await.map_err(|_elapsed| LineError::Silent)?;
    Ok(read?.map(|message| message.body))
}

/// The conversation with a trading bot.
struct Talk<'a> {
    app: &'a Shared,
    run: &'a DeploymentRef,
    store: WorkspaceStore,
    holder: Holder,
    /// The last assignment without its ticket, to tell whether anything changed.
    sent: Option<Assignment>,
    ticket_at: Timestamp,
    phase: Option<Phase>,
}

impl Talk<'_> {
    async fn run(
        &mut self,
        line: &Line,
        mut reader: OwnedReadHalf,
        mut writer: OwnedWriteHalf,
    ) -> Result<(), LineError> {
        // Reading happens in a task of its own: a frame half read must not be dropped when something else wakes us.
        let (incoming, mut messages) = tokio::sync::mpsc::channel(64);
        let reading = tokio::spawn(async move {
            loop {
                let message = receive(&mut reader).await.transpose();
                let ended = !matches!(message, Some(Ok(_)));
                if incoming.send(message).await.is_err() || ended {
                    return;
                }
            }
        });
        let outcome = self.exchange(line, &mut messages, &mut writer).await;
        reading.abort();
        outcome
    }

    async fn exchange(
        &mut self,
        line: &Line,
        messages: &mut tokio::sync::mpsc::Receiver<Option<Result<BotMessage, LineError>>>,
        writer: &mut OwnedWriteHalf,
    ) -> Result<(), LineError> {
        self.push(writer).await?;
        loop {
            tokio::select! {
                message = messages.recv() => match message.flatten() {
                    Some(message) => self.take(message?, writer).await?,
                    None => return Ok(()),
                },
                () = line.wake.notified() => self.push(writer).await?,
                () = line.close.notified() => return Ok(()),
            }
        }
    }

    /// Sends what is new: the assignment when it changed, and commands that wait.
    async fn push(&mut self, writer: &mut OwnedWriteHalf) -> Result<(), LineError> {
        match assignment::of_bot(self.app, &self.store, self.holder).await {
            Ok(assignment) => {
                let plain = without_ticket(&assignment);
                if self.sent.as_ref() != Some(&plain) {
                    self.ticket_at = self.app.clock.now();
                    if self.sent.as_ref().is_none_or(|sent| key_of(sent) != key_of(&plain)) {
                        note_opening(self.app, &self.store, &assignment, Some(self.holder.bot)).await?;
                    }
                    send(writer, &ServerMessage::Assignment(Box::new(assignment))).await?;
                    self.sent = Some(plain);
                }
            }
            Err(problem) => log_problem(&problem, self.run),
        }
        for command in self.store.open_commands(self.run.deployment).await? {
            if let Some(body) = command.body {
                send(writer, &ServerMessage::Command { id: command.id, command: body }).await?;
                self.store.command_delivered(command.id, self.app.clock.now()).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, message: BotMessage, writer: &mut OwnedWriteHalf) -> Result<(), LineError> {
        match message {
            BotMessage::Report { number, at, body } => {
                let stored = reports::store(self.app, self.run, &self.store, number, at, &body).await?;
                match stored {
                    reports::Taken::Upto(number) => {
                        send(writer, &ServerMessage::Acknowledged { number }).await
                    }
                    reports::Taken::Gap => Err(LineError::Gap),
                }
            }
            BotMessage::Heartbeat { phase, .. } => {
                reports::heartbeat(self.app, self.run, &self.store, self.phase, phase).await?;
                self.phase = Some(phase);
                let now = self.app.clock.now();
                if phase == Phase::Connecting && now.since_ms(self.ticket_at) > TICKET_PAUSE_MS {
                    // Its ticket is spent or too old: the same assignment again, with a fresh one.
                    self.sent = None;
                    self.push(writer).await?;
                }
                Ok(())
            }
            BotMessage::CommandDone { command, outcome } => {
                reports::command_done(self.app, self.run, &self.store, command, &outcome).await?;
                Ok(())
            }
            BotMessage::Hello { .. } | BotMessage::KeyCheck { .. } | BotMessage::KeyVerdict { .. } => {
                Err(LineError::Refused("a message that does not belong here"))
            }
        }
    }
}

/// The record an assignment is about: a process that has it open opens it no second time.
fn key_of(assignment: &Assignment) -> Option<(KeyId, u32)> {
    assignment.account.as_ref().map(|account| (account.key.key, account.key.version))
}

/// Notes that a process is let at its key, before it is: what cannot be noted is not handed out.
async fn note_opening(
    app: &App,
    store: &WorkspaceStore,
    assignment: &Assignment,
    bot: Option<BotId>,
) -> Result<(), LineError> {
    let Some(account) = &assignment.account else { return Ok(()) };
    if account.key.ticket.is_none() {
        return Ok(());
    }
    let opening = NewOpening {
        key: account.key.key,
        version: account.key.version,
        purpose: if bot.is_some() { OpeningPurpose::Run } else { OpeningPurpose::Test },
        bot,
        at: app.clock.now(),
    };
    Ok(store.add_opening(&opening).await?)
}

fn log_problem(problem: &Problem, run: &DeploymentRef) {
    tracing::error!(bot = %run.bot, code = problem.code, "no assignment could be made");
}

fn without_ticket(assignment: &Assignment) -> Assignment {
    let mut plain = assignment.clone();
    if let Some(account) = &mut plain.account {
        account.key.ticket = None;
    }
    plain
}

/// The conversation with a process that tests a key.
async fn talk_to_test(
    app: &Shared,
    test: &Arc<KeyTest>,
    uid: u32,
    mut reader: OwnedReadHalf,
    mut writer: OwnedWriteHalf,
) -> Result<(), LineError> {
    test.heard();
    send(&mut writer, &ServerMessage::Welcome { acknowledged: 0 }).await?;
    let holder = Holder { bot: test.bot, uid };
    match assignment::of_test(app, &test.store, test.key, holder).await {
        Ok(assignment) => {
            note_opening(app, &test.store, &assignment, None).await?;
            send(&mut writer, &ServerMessage::Assignment(Box::new(assignment))).await?;
        }
        Err(_problem) => return Err(LineError::Refused("the key cannot be handed out")),
    }
    while let Some(message) = receive(&mut reader).await? {
        match message {
            BotMessage::KeyCheck { check } => reports::key_check(app, test, &check),
            BotMessage::KeyVerdict { verdict } => {
                test.decide(*verdict);
                return Ok(());
            }
            BotMessage::Heartbeat { .. } => {}
            BotMessage::Report { number, .. } => {
                send(&mut writer, &ServerMessage::Acknowledged { number }).await?;
            }
            BotMessage::Hello { .. } | BotMessage::CommandDone { .. } => {
                return Err(LineError::Refused("a message that does not belong here"));
            }
        }
    }
    Ok(())
}
