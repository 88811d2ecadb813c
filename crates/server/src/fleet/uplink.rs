//! Bots' lines: who may talk, what they report, what they are told.
//!
//! A line is believed only if its process runs as the user the bot was started as and knows the launch token. Every
//! numbered report is stored once and acknowledged; whatever breaks the rules ends the line, and the bot dials again.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, EventId, ReasonCode};
use keyhold_protocol::frame::{self, Deadline, FrameError, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{BotMessage, Isolation, Purpose, Report, ServerMessage, UPLINK_VERSION};
use keyhold_store::{DeploymentRef, Ingested, StoreError, Stored, WorkspaceStore};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};

use super::manager::{Shared, chain};
use super::{News, Notice, verify};

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// A line that says nothing for this long is dead; bots send a heartbeat every 15 seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);
const MESSAGES: usize = 64;
/// Lines that may say hello at the same time.
const GREETINGS: usize = 256;

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the connection failed")]
    Frame(#[from] FrameError),
    #[error("the peer's user could not be read")]
    Peer(#[source] io::Error),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the greeting was refused: {0}")]
    Refused(&'static str),
    #[error("the bot sent a message that has no place here")]
    OutOfPlace,
    #[error("reports before number {0} are missing")]
    Gap(u64),
    #[error("the bot closed the line")]
    Closed,
    #[error("another line of the same run took its place")]
    Replaced,
}

/// A launch token: 64 hexadecimal digits.
pub(super) fn new_token() -> String {
    hex(&random::<32>())
}

/// What the store keeps of a token.
pub(super) fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel has a random source");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Binds the socket. Every bot's user may dial it; who is believed is decided per line.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

pub(super) async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS));
    loop {
        let Ok(permit) = Arc::clone(&greetings).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let ended = line(stream, &shared, permit).await;
                    tracing::info!(reason = %chain(&ended), "a bot's line ended");
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a bot's line could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What a bot says of itself first.
struct Hello {
    bot: BotId,
    deployment: DeploymentId,
    token: String,
    purpose: Purpose,
    program: String,
    isolation: Isolation,
}

async fn line(
    stream: UnixStream,
    shared: &Arc<Shared>,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> LineError {
    let uid = match stream.peer_cred() {
        Ok(peer) => peer.uid(),
        Err(error) => return LineError::Peer(error),
    };
    let (mut reader, mut writer) = stream.into_split();
    let hello = match greet(&mut reader).await {
        Ok(hello) => hello,
        Err(error) => return error,
    };
    drop(permit);
    let ended = if shared.table.user(hello.bot) == Some(uid) {
        match hello.purpose {
            Purpose::Run => run(&mut reader, &mut writer, shared, hello).await,
            Purpose::Verify => {
                verify::line(&mut reader, &mut writer, shared, hello.deployment, &hello.token).await
            }
        }
    } else {
        Err(LineError::Refused("the process does not run as the bot's user"))
    };
    let error = ended.err().unwrap_or(LineError::Closed);
    if matches!(error, LineError::Refused(_)) {
        let refused = ServerMessage::Refused { code: ReasonCode::PermissionDenied };
        if let Err(error) = send(&mut writer, &refused).await {
            tracing::debug!(error = %chain(&error), "a refusal did not reach the bot");
        }
    }
    error
}

async fn greet(reader: &mut OwnedReadHalf) -> Result<Hello, LineError> {
    match receive(reader, Deadline::Within(CALL_LIMIT)).await? {
        BotMessage::Hello { bot, deployment, token, purpose, program, isolation, .. } => {
            Ok(Hello { bot, deployment, token, purpose, program, isolation })
        }
        BotMessage::Heartbeat { .. }
        | BotMessage::Report { .. }
        | BotMessage::CommandDone { .. }
        | BotMessage::KeyCheck { .. }
        | BotMessage::KeyVerdict { .. } => Err(LineError::OutOfPlace),
    }
}

pub(super) async fn receive(reader: &mut OwnedReadHalf, deadline: Deadline) -> Result<BotMessage, LineError> {
    let message = frame::read_message::<BotMessage, _>(reader, RULES, deadline).await?;
    Ok(message.ok_or(LineError::Closed)?.body)
}

pub(super) async fn send(writer: &mut OwnedWriteHalf, message: &ServerMessage) -> Result<(), LineError> {
    Ok(frame::write_message(writer, RULES, 0, message, CALL_LIMIT).await?)
}

/// Compares a token with the stored hash in constant time.
pub(super) fn is_token(token: &str, stored_hash: &str) -> bool {
    !stored_hash.is_empty() && bool::from(hash(token).as_bytes().ct_eq(stored_hash.as_bytes()))
}

async fn run(
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    shared: &Arc<Shared>,
    hello: Hello,
) -> Result<(), LineError> {
    let system = shared.store.system();
    let refused = || LineError::Refused("no such run, or another token");
    let run = match system.deployment(hello.deployment).await {
        Ok(run) => run,
        Err(StoreError::NotFound) => return Err(refused()),
        Err(error) => return Err(error.into()),
    };
    if run.bot != hello.bot || !is_token(&hello.token, &run.token_hash) {
        return Err(refused());
    }
    system.seen(&run, &hello.program, &hello.isolation, shared.now()).await?;
    send(writer, &ServerMessage::Welcome { acknowledged: run.acknowledged }).await?;
    let (to_bot, mut outgoing) = mpsc::channel(MESSAGES);
    let serial = shared.table.connect(run.deployment, run.bot, to_bot.clone());
    shared.tell(Notice { workspace: run.workspace(), news: News::Bot(run.bot) });
    shared.wake();
    let store = shared.store.workspace(&run.actor());
    let talk = Talk { shared, run: &run, store, to_bot };
    let write = async {
        while let Some(message) = outgoing.recv().await {
            send(writer, &message).await?;
        }
        Err(LineError::Replaced)
    };
    let ended = tokio::select! {
        ended = talk.listen(reader) => ended,
        ended = write => ended,
    };
    shared.table.disconnect(run.deployment, serial);
    shared.tell(Notice { workspace: run.workspace(), news: News::Bot(run.bot) });
    ended
}

struct Talk<'a> {
    shared: &'a Arc<Shared>,
    run: &'a DeploymentRef,
    store: WorkspaceStore,
    to_bot: mpsc::Sender<ServerMessage>,
}

impl Talk<'_> {
    async fn listen(&self, reader: &mut OwnedReadHalf) -> Result<(), LineError> {
        loop {
            match receive(reader, Deadline::Within(SILENCE_LIMIT)).await? {
                BotMessage::Heartbeat { phase, .. } => {
                    self.shared.store.system().heartbeat(self.run, phase, self.shared.now()).await?;
                    self.tell(News::Bot(self.run.bot));
                }
                BotMessage::Report { number, at, body } => self.report(number, at, body).await?,
                BotMessage::CommandDone { command, outcome } => {
                    self.store.command_finished(command, &outcome, self.shared.now()).await?;
                    self.tell(News::Command(self.run.bot, command));
                    self.shared.wake();
                }
                BotMessage::Hello { .. } | BotMessage::KeyCheck { .. } | BotMessage::KeyVerdict { .. } => {
                    return Err(LineError::OutOfPlace);
                }
            }
        }
    }

    async fn report(
        &self,
        number: u64,
        at: keyhold_domain::Timestamp,
        body: Box<Report>,
    ) -> Result<(), LineError> {
        let event = EventId::from_bytes(random());
        let stored = Stored { number, at, report: &body, event };
        let acknowledged = match self.store.ingest(self.run, &stored).await? {
            Ingested::New => {
                self.tell(News::Report(self.run.bot, body));
                number
            }
            Ingested::Duplicate { acknowledged } => acknowledged,
            Ingested::Gap { acknowledged } => return Err(LineError::Gap(acknowledged + 1)),
        };
        let message = ServerMessage::Acknowledged { number: acknowledged };
        self.to_bot.send(message).await.map_err(|_| LineError::Replaced)
    }

    fn tell(&self, news: News) {
        self.shared.tell(Notice { workspace: self.run.workspace(), news });
    }
}
