//! The asking side.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Answer, RULES, Request};
use crate::frame::{self, Deadline, FrameError};

/// The asking side, over a connection somebody else opened.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    last_id: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection or the message failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The keeper closed the connection.
    #[error("the keeper closed the connection")]
    Closed,
    /// The answer belongs to another question.
    #[error("the keeper answered another question")]
    OutOfStep,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks over `stream`.
    pub const fn new(stream: S) -> Self {
        Self { stream, last_id: 0 }
    }

    /// Asks, and waits for the answer; each half within `within`.
    ///
    /// # Errors
    /// [`AskError`]; the connection is then of no further use. A refusal is an answer, not an error.
    pub async fn ask(&mut self, request: &Request, within: Duration) -> Result<Answer, AskError> {
        self.last_id += 1;
        frame::write_message(&mut self.stream, RULES, self.last_id, request, within).await?;
        let read = frame::read_message(&mut self.stream, RULES, Deadline::Within(within));
        let message = read.await?.ok_or(AskError::Closed)?;
        // A keeper that could not read the question answers with number 0.
        let refused = message.id == 0 && matches!(message.body, Answer::Refused { .. });
        if message.id == self.last_id || refused { Ok(message.body) } else { Err(AskError::OutOfStep) }
    }

    /// The connection, to be kept open while a lease lasts.
    pub fn into_inner(self) -> S {
        self.stream
    }
}
