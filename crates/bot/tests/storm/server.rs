//! The server's end of the line: it speaks the real protocol and keeps what the bot says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{BotId, CommandId};
use keyhold_protocol::frame::{self, Deadline, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, BotMessage, Command, CommandOutcome, Phase, Report, ServerMessage,
    UPLINK_VERSION,
};
use keyhold_seal::Context;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::keeper::TestKeeper;

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const WITHIN: Duration = Duration::from_secs(10);

/// Everything the server has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Of the newest connection: phase and orders in flight.
    pub(crate) beat: Option<(Phase, u32)>,
    pub(crate) reports: Vec<Report>,
    pub(crate) commands: Vec<(CommandId, CommandOutcome)>,
    pub(crate) connections: u32,
    /// What must not happen.
    pub(crate) faults: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct TestServer {
    pub(crate) heard: Arc<Mutex<Heard>>,
    lines: Arc<Mutex<Vec<mpsc::UnboundedSender<ServerMessage>>>>,
    /// Commands that the bot has not answered are said again to every connection.
    pending: Arc<Mutex<Vec<(CommandId, Command)>>>,
    assignment: Assignment,
    keeper: TestKeeper,
    context: Context,
    bot: BotId,
}

impl TestServer {
    pub(crate) fn new(assignment: Assignment, keeper: TestKeeper, context: Context, bot: BotId) -> Self {
        Self {
            heard: Arc::default(),
            lines: Arc::default(),
            pending: Arc::default(),
            assignment,
            keeper,
            context,
            bot,
        }
    }

    /// The account with a fresh ticket.
    pub(crate) fn account(&self) -> AccountAssignment {
        let mut account = self.assignment.account.clone().expect("there is an account");
        account.key.ticket = Some(self.keeper.ticket(&self.context, self.bot));
        account
    }

    /// Every line breaks.
    pub(crate) fn hang_up(&self) {
        self.lines.lock().unwrap().clear();
    }

    pub(crate) fn command(&self, id: u128, command: Command) {
        let id = CommandId::from_u128(id);
        self.pending.lock().unwrap().push((id, command));
        let message = ServerMessage::Command { id, command };
        self.lines.lock().unwrap().retain(|line| line.send(message.clone()).is_ok());
    }

    /// How many commands the bot has not answered.
    pub(crate) fn unanswered(&self) -> usize {
        let heard = self.heard.lock().unwrap();
        let is_open = |id: &CommandId| !heard.commands.iter().any(|(done, _)| done == id);
        self.pending.lock().unwrap().iter().filter(|(id, _)| is_open(id)).count()
    }

    /// Shows what the bot has told of its deeds, on standard error.
    pub(crate) fn show_reports(&self) {
        for report in &self.heard.lock().unwrap().reports {
            if !matches!(
                report,
                Report::Decision(_) | Report::Account(_) | Report::Equity(_) | Report::KeyFacts(_)
            ) {
                eprintln!("{}", serde_json::to_string(report).unwrap());
            }
        }
    }

    /// Answers whoever calls.
    pub(crate) async fn serve(self, mut callers: mpsc::UnboundedReceiver<DuplexStream>) {
        while let Some(stream) = callers.recv().await {
            tokio::spawn(self.clone().talk(stream));
        }
    }

    async fn talk(self, stream: DuplexStream) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let hello = frame::read_message::<BotMessage, _>(&mut reader, RULES, Deadline::Within(WITHIN)).await;
        let Ok(Some(_hello)) = hello else { return };
        let (line, mut messages) = mpsc::unbounded_channel();
        self.greet(&line);
        {
            let mut lines = self.lines.lock().unwrap();
            lines.clear();
            lines.push(line.clone());
        }
        // The only strong end stands in the list: whoever takes it from there hangs up.
        let weak = line.downgrade();
        drop(line);
        let line = weak;
        let write = async {
            while let Some(message) = messages.recv().await {
                if frame::write_message(&mut writer, RULES, 0, &message, WITHIN).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let next = Deadline::AfterFirstByte(WITHIN);
            while let Ok(Some(message)) = frame::read_message::<BotMessage, _>(&mut reader, RULES, next).await
            {
                let number = hear(&mut self.heard.lock().unwrap(), message.body);
                if let (Some(number), Some(line)) = (number, line.upgrade()) {
                    // The line may have ended meanwhile; the bot sends again what was not acknowledged.
                    drop(line.send(ServerMessage::Acknowledged { number }));
                }
            }
        };
        tokio::select! {
            biased;
            () = write => {}
            () = read => {}
        }
    }

    fn greet(&self, line: &mpsc::UnboundedSender<ServerMessage>) {
        let acknowledged = {
            let mut heard = self.heard.lock().unwrap();
            heard.beat = None;
            heard.connections += 1;
            u64::try_from(heard.reports.len()).unwrap()
        };
        let assignment = Assignment { account: Some(self.account()), ..self.assignment.clone() };
        line.send(ServerMessage::Welcome { acknowledged }).unwrap();
        line.send(ServerMessage::Assignment(Box::new(assignment))).unwrap();
        let heard = self.heard.lock().unwrap();
        for (id, command) in self.pending.lock().unwrap().iter() {
            if !heard.commands.iter().any(|(done, _)| done == id) {
                line.send(ServerMessage::Command { id: *id, command: *command }).unwrap();
            }
        }
    }
}

/// Stores what was said. The number to acknowledge, for reports.
fn hear(heard: &mut Heard, message: BotMessage) -> Option<u64> {
    match message {
        BotMessage::Hello { .. } => heard.faults.push("a second greeting".to_owned()),
        BotMessage::Heartbeat { phase, in_flight, .. } => heard.beat = Some((phase, in_flight)),
        BotMessage::Report { number, body, .. } => {
            let stored = u64::try_from(heard.reports.len()).unwrap();
            if number == stored + 1 {
                heard.reports.push(*body);
                return Some(number);
            }
            let known = usize::try_from(number - 1).ok().and_then(|index| heard.reports.get(index));
            match known {
                Some(known) if *known == *body => {}
                Some(_) => heard.faults.push(format!("report {number} came again with another content")),
                None => heard.faults.push(format!("report {number} came after {stored}")),
            }
            return Some(stored);
        }
        BotMessage::CommandDone { command, outcome } => heard.commands.push((command, outcome)),
        BotMessage::KeyCheck { .. } | BotMessage::KeyVerdict { .. } => {
            heard.faults.push("talk of a key test".to_owned());
        }
    }
    None
}
