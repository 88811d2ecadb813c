//! The line to the server: dials, says hello, carries messages both ways, dials again.
//!
//! It remembers nothing: reports are kept by the journal's outbox and sent again by the loop after every `Connected`.
//! The bot trades on whether or not the line is up.

use std::sync::Arc;
use std::time::Duration;

use keyhold_protocol::frame::{self, Deadline, FrameError, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{BotMessage, ServerMessage, UPLINK_VERSION};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::outside::Outside;

/// What the line brings.
#[derive(Debug)]
pub enum Incoming {
    /// A fresh connection; the server has stored reports up to this number.
    Connected {
        /// The highest stored report number.
        acknowledged: u64,
    },
    /// A message.
    Message(Box<ServerMessage>),
    /// The connection ended. Dialing goes on by itself.
    Disconnected,
}

/// Both ends of the line, for the loop.
#[derive(Debug)]
pub struct Line {
    /// To the server. Bounded; what does not fit is sent again after the next acknowledgement.
    pub outgoing: mpsc::Sender<BotMessage>,
    /// From the server.
    pub incoming: mpsc::Receiver<Incoming>,
    redial: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Line {
    /// Hangs up and dials again: the server then repeats its assignment, with a fresh ticket.
    pub fn redial(&self) {
        self.redial.notify_one();
    }

    /// Hangs up once everything that was handed over has been written, or after `limit`.
    pub async fn finish(self, limit: Duration) {
        let Self { outgoing, mut incoming, mut task, .. } = self;
        drop(outgoing);
        let drain = async {
            loop {
                tokio::select! {
                    biased;
                    _ = &mut task => return,
                    heard = incoming.recv() => if heard.is_none() { return },
                }
            }
        };
        // What could not be written in time is kept in the outbox for the next start.
        drop(tokio::time::timeout(limit, drain).await);
        task.abort();
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("dialing the server")]
    Dial(#[source] std::io::Error),
    #[error("talking to the server")]
    Frame(#[from] FrameError),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server did not answer the greeting with a welcome")]
    NoWelcome,
    #[error("the bot dials again")]
    Redialing,
    #[error("the bot is ending")]
    Ending,
}

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const CALL_LIMIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Messages on their way to the server.
pub const WINDOW: usize = 256;

/// Starts the task that keeps the line. It ends when the loop drops its ends.
pub fn start<O: Outside>(outside: O, hello: BotMessage) -> Line {
    let (outgoing, to_server) = mpsc::channel(WINDOW);
    let (from_server, incoming) = mpsc::channel(WINDOW);
    let redial = Arc::new(Notify::new());
    let task =
        tokio::spawn(keep(outside, hello, Ends { to_server, from_server, redial: Arc::clone(&redial) }));
    Line { outgoing, incoming, redial, task }
}

/// The line's ends of the loop's channels.
struct Ends {
    to_server: mpsc::Receiver<BotMessage>,
    from_server: mpsc::Sender<Incoming>,
    redial: Arc<Notify>,
}

async fn keep<O: Outside>(outside: O, hello: BotMessage, ends: Ends) {
    let Ends { mut to_server, from_server, redial } = ends;
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&outside, &hello, &mut to_server, &from_server).await {
            Ok(stream) => {
                pause = FIRST_PAUSE;
                let ended = tokio::select! {
                    biased;
                    ended = talk(stream, &mut to_server, &from_server) => ended,
                    () = redial.notified() => LineError::Redialing,
                };
                if matches!(ended, LineError::Ending) {
                    return;
                }
                tracing::info!(reason = %ended, "the line to the server ended");
                if from_server.send(Incoming::Disconnected).await.is_err() {
                    return;
                }
            }
            Err(LineError::Ending) => return,
            Err(error) => tracing::debug!(reason = %error, "the server cannot be reached"),
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = from_server.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn connect<O: Outside>(
    outside: &O,
    hello: &BotMessage,
    to_server: &mut mpsc::Receiver<BotMessage>,
    from_server: &mpsc::Sender<Incoming>,
) -> Result<O::Pipe, LineError> {
    let mut stream = outside.dial_server().await.map_err(LineError::Dial)?;
    frame::write_message(&mut stream, RULES, 0, hello, CALL_LIMIT).await?;
    let answer =
        frame::read_message::<ServerMessage, _>(&mut stream, RULES, Deadline::Within(CALL_LIMIT)).await?;
    let incoming = match answer.ok_or(LineError::Closed)?.body {
        ServerMessage::Welcome { acknowledged } => Incoming::Connected { acknowledged },
        refused @ ServerMessage::Refused { .. } => {
            // The loop decides whether to end: with a position open it does not.
            from_server.send(Incoming::Message(Box::new(refused))).await.map_err(|_| LineError::Ending)?;
            return Err(LineError::NoWelcome);
        }
        ServerMessage::Assignment(_) | ServerMessage::Command { .. } | ServerMessage::Acknowledged { .. } => {
            return Err(LineError::NoWelcome);
        }
    };
    // What was meant for the last connection goes; the loop sends what matters again once it hears `Connected`.
    while to_server.try_recv().is_ok() {}
    from_server.send(incoming).await.map_err(|_| LineError::Ending)?;
    Ok(stream)
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite,
    to_server: &mut mpsc::Receiver<BotMessage>,
    from_server: &mpsc::Sender<Incoming>,
) -> LineError {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        let mut number = 0;
        while let Some(message) = to_server.recv().await {
            number += 1;
            if let Err(error) = frame::write_message(&mut writer, RULES, number, &message, CALL_LIMIT).await {
                return LineError::Frame(error);
            }
        }
        LineError::Ending
    };
    tokio::select! {
        biased;
        ended = send => ended,
        ended = receive(&mut reader, from_server) => ended,
    }
}

async fn receive(reader: &mut (impl AsyncRead + Unpin), from_server: &mpsc::Sender<Incoming>) -> LineError {
    loop {
        match frame::read_message::<ServerMessage, _>(reader, RULES, Deadline::AfterFirstByte(CALL_LIMIT))
            .await
        {
            Ok(Some(message)) => {
                if from_server.send(Incoming::Message(Box::new(message.body))).await.is_err() {
                    return LineError::Ending;
                }
            }
            Ok(None) => return LineError::Closed,
            Err(error) => return LineError::Frame(error),
        }
    }
}
