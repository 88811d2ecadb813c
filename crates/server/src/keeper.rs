//! Asking the keeper. One connection per question: questions are rare, and a fresh connection needs no repair.
//!
//! The server can have a data key taken over, a ticket issued and a slot shredded. It cannot ask for anything that
//! opens a secret: leases go to bots only.

use std::path::PathBuf;
use std::time::Duration;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::{
    Answer, AskError, Client, Describe, Import, KeyRef, PublicKey, RecordVersion, Refusal, Request, Shred,
    Status, Tenant, Ticket, TicketRequest,
};
use keyhold_seal::{Context, SealedDataKey, WrappedDataKey};
use tokio::net::UnixStream;

use crate::http::problem::Problem;

/// How long the keeper may take for one half of an exchange.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Where the keeper is.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    socket: PathBuf,
}

/// Why the keeper did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeeperError {
    /// It cannot be reached.
    #[error("reaching the keeper")]
    Unreachable(#[source] std::io::Error),
    /// The exchange broke off.
    #[error("asking the keeper")]
    Ask(#[from] AskError),
    /// It took too long.
    #[error("the keeper did not answer in time")]
    Late,
    /// It refused.
    #[error("the keeper refused: {0:?}")]
    Refused(Refusal),
    /// It answered something else.
    #[error("the keeper answered another question")]
    Confused,
}

impl Keeper {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, KeeperError> {
        let dialing = UnixStream::connect(&self.socket);
        let stream = tokio::time::timeout(ANSWER_LIMIT, dialing)
            .await
            .map_err(|_elapsed| KeeperError::Late)?
            .map_err(KeeperError::Unreachable)?;
        match Client::new(stream).ask(request, ANSWER_LIMIT).await? {
            Answer::Refused { code, pointer: _ } => Err(KeeperError::Refused(code)),
            answer @ (Answer::Status(_)
            | Answer::PublicKey(_)
            | Answer::Imported { .. }
            | Answer::Ticket { .. }
            | Answer::Leased { .. }
            | Answer::Released
            | Answer::Shredded { .. }
            | Answer::Described { .. }
            | Answer::Sealed(_)
            | Answer::Verified(_)
            | Answer::Rotated { .. }
            | Answer::Done) => Ok(answer),
        }
    }

    /// How it is doing.
    pub(crate) async fn status(&self) -> Result<Status, KeeperError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            _ => Err(KeeperError::Confused),
        }
    }

    /// The key browsers seal to.
    pub(crate) async fn public_key(&self) -> Result<PublicKey, KeeperError> {
        match self.ask(&Request::PublicKey).await? {
            Answer::PublicKey(key) => Ok(key),
            _ => Err(KeeperError::Confused),
        }
    }

    /// Hands over a data key for keeping.
    pub(crate) async fn import(
        &self,
        context: Context,
        sealed_data_key: SealedDataKey,
    ) -> Result<WrappedDataKey, KeeperError> {
        match self.ask(&Request::Import(Import { context, sealed_data_key })).await? {
            Answer::Imported { wrapped_data_key } => Ok(wrapped_data_key),
            _ => Err(KeeperError::Confused),
        }
    }

    /// A ticket that lets one process of one user lease one key once.
    pub(crate) async fn ticket(
        &self,
        workspace: WorkspaceId,
        bot: BotId,
        key: KeyId,
        uid: u32,
    ) -> Result<Ticket, KeeperError> {
        let request = TicketRequest { workspace, bot, key, uid, valid_ms: Some(60_000) };
        match self.ask(&Request::Ticket(request)).await? {
            Answer::Ticket { ticket } => Ok(ticket),
            _ => Err(KeeperError::Confused),
        }
    }

    /// Every version of a key that it ever took over, oldest first. Empty for a key it does not know.
    pub(crate) async fn describe(
        &self,
        workspace: WorkspaceId,
        key: KeyId,
    ) -> Result<Vec<RecordVersion>, KeeperError> {
        match self.ask(&Request::Describe(Describe { workspace, key })).await {
            Ok(Answer::Described { versions }) => Ok(versions),
            Err(KeeperError::Refused(Refusal::UnknownRecord)) => Ok(Vec::new()),
            Ok(_) => Err(KeeperError::Confused),
            Err(error) => Err(error),
        }
    }

    /// Destroys what opens a key that somebody else may have. Done already counts as done.
    pub(crate) async fn leaked(&self, workspace: WorkspaceId, key: KeyId) -> Result<(), KeeperError> {
        let request = Request::Leaked(KeyRef { workspace, key });
        Self::destroyed(self.ask(&request).await)
    }

    /// Destroys what opens any key of a workspace, and lets it have none any more. Done already counts as done.
    pub(crate) async fn shred_workspace(&self, workspace: WorkspaceId) -> Result<(), KeeperError> {
        Self::destroyed(self.ask(&Request::ShredTenant(Tenant { workspace })).await)
    }

    fn destroyed(answer: Result<Answer, KeeperError>) -> Result<(), KeeperError> {
        match answer {
            Ok(Answer::Shredded { destroyed: _ })
            | Err(KeeperError::Refused(Refusal::UnknownRecord | Refusal::Shredded)) => Ok(()),
            Ok(_) => Err(KeeperError::Confused),
            Err(error) => Err(error),
        }
    }

    /// Destroys what opens a record. Done already counts as done.
    pub(crate) async fn shred(
        &self,
        workspace: WorkspaceId,
        key: KeyId,
        version: Option<u32>,
    ) -> Result<(), KeeperError> {
        Self::destroyed(self.ask(&Request::Shred(Shred { workspace, key, version })).await)
    }
}

impl From<KeeperError> for Problem {
    fn from(error: KeeperError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the keeper did not do what it was asked");
        match error {
            KeeperError::Refused(Refusal::Unopenable) => {
                Self::bad_request("ENVELOPE_UNOPENABLE", "The sealed key does not fit this installation.")
                    .next("Reload the page and seal the key again.")
            }
            KeeperError::Refused(Refusal::AlreadyImported) => {
                Self::conflict("INTENT_USED", "This key was stored already.").next("Begin again.")
            }
            KeeperError::Refused(Refusal::KeyInUse) => {
                Self::conflict("KEY_IN_USE", "A process of the bot still uses the key.")
                    .next("Try again when the bot has let go of it.")
            }
            KeeperError::Refused(_)
            | KeeperError::Unreachable(_)
            | KeeperError::Ask(_)
            | KeeperError::Late
            | KeeperError::Confused => {
                Self::unavailable("KEEPER_UNAVAILABLE", "The key keeper does not answer.")
                    .next("Look whether keyhold-keeper runs and at its log.")
            }
        }
    }
}
