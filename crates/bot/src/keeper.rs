//! Getting the credential: a ticket goes to the keeper, the data key comes back sealed to this process, and the envelope is
//! opened into locked memory.
//!
//! The connection is the lease: it stays open as long as the credential is used. This file knows no venue; what the
//! credential may be used for is [`crate::signer`]'s business.

use std::time::Duration;

use keyhold_domain::BotId;
use keyhold_protocol::keeper::{Answer, AskError, Client, LeaseRequest, Refusal, Request, Ticket};
use keyhold_protocol::uplink::SealedKey;
use keyhold_seal::{Context, EntropySource, EntropyUnavailable, Envelope, WrappedDataKey};
use keyhold_unseal::open::EphemeralKey;
use keyhold_unseal::{Credential, Unopenable};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::oneshot;

use crate::outside::Outside;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The assignment came without a ticket.
    #[error("the server gave no ticket for the key")]
    NoTicket,
    /// Envelope, wrapped key or ticket are not in their form.
    #[error("the sealed key is not in the expected form")]
    Form,
    /// The keeper cannot be reached.
    #[error("dialing the keeper")]
    Dial(#[source] std::io::Error),
    /// The keeper did not answer.
    #[error("asking the keeper for the lease")]
    Ask(#[from] AskError),
    /// The keeper said no.
    #[error("the keeper refused the lease: {0:?}")]
    Refused(Refusal),
    /// The keeper answered something else.
    #[error("the keeper did not answer with a lease")]
    OtherAnswer,
    /// The envelope does not open here.
    #[error("opening the sealed key")]
    Unopenable(#[from] Unopenable),
}

/// An open lease. It ends with the process, or when it is given back; a closed connection alone does not end it.
#[derive(Debug)]
pub struct Lease<P>(P);

const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The operating system's randomness.
struct SystemEntropy;

impl EntropySource for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyUnavailable> {
        getrandom::fill(out).map_err(|_| EntropyUnavailable)
    }
}

/// What the envelope must be bound to, by the assignment's word and not by the envelope's.
pub fn context_of(sealed: &SealedKey) -> Context {
    Context {
        install: sealed.install,
        workspace: sealed.workspace,
        key: sealed.key,
        version: sealed.version,
        exchange: sealed.exchange,
        environment: sealed.environment,
        contract: sealed.contract_type,
    }
}

/// Leases the data key and opens the envelope. The ticket is used up by the attempt.
pub async fn open<O: Outside>(
    outside: &O,
    bot: BotId,
    sealed: &SealedKey,
) -> Result<(Credential, Lease<O::Pipe>), LeaseError> {
    let context = context_of(sealed);
    let ticket = sealed.ticket.as_deref().ok_or(LeaseError::NoTicket)?;
    let ticket = Ticket::parse(ticket).map_err(|_| LeaseError::Form)?;
    let envelope = Envelope::parse(&sealed.envelope).map_err(|_| LeaseError::Form)?;
    let wrapped = WrappedDataKey::parse(&sealed.wrapped_data_key).map_err(|_| LeaseError::Form)?;
    let key = EphemeralKey::generate(&mut SystemEntropy)?;
    let request = Request::Lease(LeaseRequest {
        ticket,
        public_key: key.public().clone(),
        wrapped_data_key: wrapped,
        context,
    });
    let stream = outside.dial_keeper().await.map_err(LeaseError::Dial)?;
    let mut client = Client::new(stream);
    match client.ask(&request, ANSWER_LIMIT).await? {
        Answer::Leased { lease, answer } => {
            let data_key = key.open_lease(&answer, &context, bot, lease.to_bytes())?;
            let credential = data_key.open(&envelope, &context)?;
            Ok((credential, Lease(client.into_inner())))
        }
        Answer::Refused { code, .. } => Err(LeaseError::Refused(code)),
        Answer::Status(_)
        | Answer::PublicKey(_)
        | Answer::Imported { .. }
        | Answer::Ticket { .. }
        | Answer::Released
        | Answer::Shredded { .. }
        | Answer::Described { .. }
        | Answer::Sealed(_)
        | Answer::Verified(_)
        | Answer::Rotated { .. }
        | Answer::Done => Err(LeaseError::OtherAnswer),
    }
}

/// How a lease came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The keeper has ended, or has taken it back.
    Lost,
    /// We gave it back.
    GivenBack,
}

/// How long the last users of a credential may take to let go of it.
const LETTING_GO: Duration = Duration::from_secs(5);

impl<P: AsyncRead + AsyncWrite + Unpin> Lease<P> {
    /// Keeps the lease until the keeper closes the connection or `give_back` says so. It is then given back only when
    /// `gone` says that the credential is wiped: the keeper believes that word.
    pub async fn keep(mut self, give_back: oneshot::Receiver<()>, gone: impl Fn() -> bool) -> LeaseEnd {
        let mut byte = [0_u8; 1];
        tokio::select! {
            biased;
            // The keeper says nothing on its own; bytes, an error and the end all mean that the lease is over.
            _ = self.0.read(&mut byte) => return LeaseEnd::Lost,
            // A sender that is gone means the same as its word: nobody uses the credential any more.
            _ = give_back => {}
        }
        let waited = tokio::time::timeout(LETTING_GO, async {
            while !gone() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        if waited.await.is_ok() {
            let answer = Client::new(self.0).ask(&Request::Release, ANSWER_LIMIT).await;
            tracing::debug!(?answer, "the lease is given back");
        } else {
            tracing::warn!("the credential is still in use; the lease ends with the process");
        }
        LeaseEnd::GivenBack
    }
}
