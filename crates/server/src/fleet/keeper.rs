//! The server's line to the keeper: public key, import, tickets, shredding. It can ask for no data key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::{
    Answer, AskError, Client, Import, PublicKey, Refusal, Request, Shred, Status, TicketRequest,
};
use keyhold_seal::WrappedDataKey;
use tokio::net::UnixStream;

/// Why the keeper did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It cannot be reached.
    #[error("reaching the keeper at {socket}")]
    Dial {
        /// Where.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The conversation failed.
    #[error("talking to the keeper")]
    Ask(#[from] AskError),
    /// It refused.
    #[error("the keeper refused: {0:?}")]
    Refused(Refusal),
    /// It answered something else.
    #[error("the keeper answered another question")]
    Confused,
}

/// Dials the keeper for each question.
#[derive(Debug, Clone)]
pub struct KeeperClient {
    socket: PathBuf,
}

const LIMIT: Duration = Duration::from_secs(5);
/// Long enough for a bot to start on a busy machine.
const TICKET_MS: u32 = 60_000;

impl KeeperClient {
    /// The keeper behind this socket.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_path_buf() }
    }

    async fn ask(&self, request: Request) -> Result<Answer, KeeperError> {
        let dial = |source| KeeperError::Dial { socket: self.socket.clone(), source };
        let stream = UnixStream::connect(&self.socket).await.map_err(dial)?;
        match Client::new(stream).ask(&request, LIMIT).await? {
            Answer::Refused { code, .. } => Err(KeeperError::Refused(code)),
            answer => Ok(answer),
        }
    }

    /// What the keeper says of itself.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn status(&self) -> Result<Status, KeeperError> {
        match self.ask(Request::Status).await? {
            Answer::Status(status) => Ok(status),
            _ => Err(KeeperError::Confused),
        }
    }

    /// The public key that browsers seal to.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn public_key(&self) -> Result<PublicKey, KeeperError> {
        match self.ask(Request::PublicKey).await? {
            Answer::PublicKey(key) => Ok(key),
            _ => Err(KeeperError::Confused),
        }
    }

    /// Lets the keeper take in a data key and gives what the store may keep of it.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn import(&self, import: Import) -> Result<WrappedDataKey, KeeperError> {
        match self.ask(Request::Import(import)).await? {
            Answer::Imported { wrapped_data_key } => Ok(wrapped_data_key),
            _ => Err(KeeperError::Confused),
        }
    }

    /// A single-use ticket for one process of this user.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn ticket(
        &self,
        workspace: WorkspaceId,
        bot: BotId,
        key: KeyId,
        uid: u32,
    ) -> Result<String, KeeperError> {
        let request = TicketRequest { workspace, bot, key, uid, valid_ms: Some(TICKET_MS) };
        match self.ask(Request::Ticket(request)).await? {
            Answer::Ticket { ticket } => Ok(ticket.to_text()),
            _ => Err(KeeperError::Confused),
        }
    }

    /// Destroys a key's slots. Answers how many.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn shred(&self, workspace: WorkspaceId, key: KeyId) -> Result<u32, KeeperError> {
        match self.ask(Request::Shred(Shred { workspace, key, version: None })).await? {
            Answer::Shredded { destroyed } => Ok(destroyed),
            _ => Err(KeeperError::Confused),
        }
    }
}
