//! The server's end of the line: it speaks the real protocol, stores each report once, and can go away.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::CommandId;
use keyhold_protocol::frame::{self, Deadline, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{
    Assignment, BotMessage, Command, CommandOutcome, Isolation, KeyCheck, KeyVerdict, Phase, Progress,
    Report, ServerMessage, UPLINK_VERSION,
};
use keyhold_seal::Context;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::keeper::TestKeeper;

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub(crate) phase: Phase,
    pub(crate) progress: Vec<Progress>,
    pub(crate) in_flight: u32,
}

/// Everything the server has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) connections: u32,
    pub(crate) beats: Vec<Beat>,
    pub(crate) reports: Vec<Report>,
    pub(crate) repeated: u32,
    pub(crate) commands: Vec<(CommandId, CommandOutcome)>,
    pub(crate) checks: Vec<KeyCheck>,
    pub(crate) verdict: Option<KeyVerdict>,
    /// What must not happen.
    pub(crate) faults: Vec<String>,
}

struct Inner {
    token: String,
    assignment: Mutex<Assignment>,
    heard: Mutex<Heard>,
    lines: Mutex<Vec<mpsc::UnboundedSender<ServerMessage>>>,
    keeper: Arc<TestKeeper>,
    context: Context,
}

pub(crate) struct TestServer {
    socket: PathBuf,
    inner: Arc<Inner>,
    listening: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(crate) fn new(
        folder: &Path,
        token: &str,
        assignment: Assignment,
        keeper: Arc<TestKeeper>,
        context: Context,
    ) -> Self {
        let inner = Inner {
            token: token.to_owned(),
            assignment: Mutex::new(assignment),
            heard: Mutex::default(),
            lines: Mutex::default(),
            keeper,
            context,
        };
        Self { socket: folder.join("uplink.sock"), inner: Arc::new(inner), listening: None }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn up(&mut self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let inner = Arc::clone(&self.inner);
        self.listening = Some(tokio::spawn(async move {
            let mut lines = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lines.spawn(serve(stream, Arc::clone(&inner)));
            }
        }));
    }

    /// Goes away: every line breaks and nobody listens.
    pub(crate) async fn down(&mut self) {
        if let Some(task) = self.listening.take() {
            task.abort();
            drop(task.await);
        }
        self.inner.lines.lock().unwrap().clear();
        std::fs::remove_file(&self.socket).unwrap();
    }

    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        let heard = self.inner.heard.lock().unwrap();
        assert!(heard.faults.is_empty(), "{:?}", heard.faults);
        look(&heard)
    }

    pub(crate) fn say(&self, message: &ServerMessage) {
        self.inner.lines.lock().unwrap().retain(|line| line.send(message.clone()).is_ok());
    }

    pub(crate) fn command(&self, id: u128, command: Command) {
        self.say(&ServerMessage::Command { id: CommandId::from_u128(id), command });
    }

    /// Changes the assignment and tells it to whoever is connected.
    pub(crate) fn assign(&self, change: impl FnOnce(&mut Assignment)) {
        let mut assignment = self.inner.assignment.lock().unwrap();
        assignment.generation += 1;
        change(&mut assignment);
        self.say(&ServerMessage::Assignment(Box::new(assignment.clone())));
    }
}

async fn serve(stream: UnixStream, inner: Arc<Inner>) {
    let (mut reader, mut writer) = stream.into_split();
    let hello = frame::read_message::<BotMessage, _>(&mut reader, RULES, Deadline::Within(WITHIN)).await;
    let Ok(Some(hello)) = hello else { return };
    let BotMessage::Hello { token, isolation, bot, .. } = hello.body else {
        inner.heard.lock().unwrap().faults.push("no greeting".to_owned());
        return;
    };
    let acknowledged = {
        let mut heard = inner.heard.lock().unwrap();
        if token != inner.token {
            heard.faults.push("a wrong token".to_owned());
        }
        heard.isolation = Some(isolation);
        heard.connections += 1;
        // What an earlier process said of itself says nothing of this one.
        heard.beats.clear();
        u64::try_from(heard.reports.len()).unwrap()
    };
    let mut assignment = inner.assignment.lock().unwrap().clone();
    if let Some(account) = &mut assignment.account {
        account.key.ticket = inner.keeper.ticket(&inner.context, bot).await;
    }
    let (line, mut messages) = mpsc::unbounded_channel();
    line.send(ServerMessage::Welcome { acknowledged }).unwrap();
    line.send(ServerMessage::Assignment(Box::new(assignment))).unwrap();
    inner.lines.lock().unwrap().push(line.clone());
    let write = async {
        while let Some(message) = messages.recv().await {
            if frame::write_message(&mut writer, RULES, 0, &message, WITHIN).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        let next = Deadline::AfterFirstByte(WITHIN);
        while let Ok(Some(message)) = frame::read_message::<BotMessage, _>(&mut reader, RULES, next).await {
            if let Some(number) = hear(&mut inner.heard.lock().unwrap(), message.body) {
                // The line may have ended meanwhile; the bot sends again what was not acknowledged.
                drop(line.send(ServerMessage::Acknowledged { number }));
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}

/// Stores what was said. The number to acknowledge, for reports.
fn hear(heard: &mut Heard, message: BotMessage) -> Option<u64> {
    match message {
        BotMessage::Hello { .. } => heard.faults.push("a second greeting".to_owned()),
        BotMessage::Heartbeat { phase, progress, in_flight, .. } => {
            heard.beats.push(Beat { phase, progress, in_flight });
        }
        BotMessage::Report { number, body, .. } => {
            let stored = u64::try_from(heard.reports.len()).unwrap();
            if number == stored + 1 {
                heard.reports.push(*body);
                return Some(number);
            }
            let known = usize::try_from(number - 1).ok().and_then(|index| heard.reports.get(index));
            match known {
                Some(known) if *known == *body => heard.repeated += 1,
                Some(_) => heard.faults.push(format!("report {number} came again with another content")),
                None => heard.faults.push(format!("report {number} came after {stored}")),
            }
            return Some(stored);
        }
        BotMessage::CommandDone { command, outcome } => heard.commands.push((command, outcome)),
        BotMessage::KeyCheck { check } => heard.checks.push(check),
        BotMessage::KeyVerdict { verdict } => heard.verdict = Some(*verdict),
    }
    None
}
