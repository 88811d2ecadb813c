//! Frames: how two programs of ours talk over any byte stream, and how long they are willing to wait.
//!
//! A frame is `length: u32 big endian | JSON object`. The object is a [`Message`]: protocol version, a number that
//! pairs an answer with its question, and a body. This file knows nothing of verbs, and it refuses to repeat what it
//! could not read: parser texts quote the offending value, which may be a secret pasted into the wrong field, so an
//! error here is a code and the place ([`crate::pointer`]). Verbs of the keeper are in [`crate::keeper`].

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::pointer;

/// Largest frame body on local sockets, in bytes.
pub const DEFAULT_MAX_FRAME_BYTES: u32 = 64 * 1024;
/// Largest frame body any peer may agree on (the bot's uplink), in bytes.
pub const UPLINK_MAX_FRAME_BYTES: u32 = 1024 * 1024;

/// The most bytes a frame body may have; between 1 and [`UPLINK_MAX_FRAME_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimit(u32);

impl FrameLimit {
    /// 64 KiB: keeper and other local sockets.
    pub const LOCAL: Self = Self(DEFAULT_MAX_FRAME_BYTES);
    /// 1 MiB: reports from a bot to the server.
    pub const UPLINK: Self = Self(UPLINK_MAX_FRAME_BYTES);

    /// A limit of `bytes`, held between 1 byte and 1 MiB.
    pub const fn new(bytes: u32) -> Self {
        if bytes == 0 {
            Self(1)
        } else if bytes > UPLINK_MAX_FRAME_BYTES {
            Self::UPLINK
        } else {
            Self(bytes)
        }
    }

    /// The limit in bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

/// How long a read or a write may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// The whole frame within this time.
    Within(Duration),
    /// Wait for the first byte for as long as the peer stays connected; from then on, the rest within this time.
    /// For the side that waits for the next request on an open connection.
    AfterFirstByte(Duration),
}

/// The rules of one connection: which protocol version it speaks and how large a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRules {
    /// Version that must stand in each message.
    pub version: u16,
    /// Largest body accepted and sent.
    pub limit: FrameLimit,
}

/// One message: `{"v":1,"id":7,"body":…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message<T> {
    /// Protocol version.
    pub v: u16,
    /// Number chosen by the asking side; the answer repeats it. Zero for messages nobody asked for.
    pub id: u64,
    /// What is said.
    pub body: T,
}

/// Why a frame could not be read or written. Never contains any part of the frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length prefix is above the limit (or zero). Nothing of the body was read.
    #[error("frame of {announced} bytes announced, at most {limit} are accepted")]
    Size {
        /// Bytes announced by the peer, or about to be sent by us.
        announced: u64,
        /// The limit in force.
        limit: u32,
    },
    /// The deadline passed.
    #[error("the peer did not finish within {0:?}")]
    TimedOut(Duration),
    /// The stream ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// The peer speaks another version.
    #[error("the peer speaks version {theirs}, this program speaks version {ours}")]
    Version {
        /// Version in the message.
        theirs: u64,
        /// Version of this program.
        ours: u16,
    },
    /// The body is not the JSON expected here.
    #[error("message refused: {code} at {pointer}")]
    Malformed {
        /// What kind of problem.
        code: MalformedCode,
        /// JSON pointer of the place, without any value (see [`crate::pointer`]).
        pointer: String,
    },
    /// Our own message could not be written as JSON.
    #[error("the message cannot be written as JSON")]
    Unwritable,
    /// The socket failed.
    #[error("the connection failed")]
    Io(#[source] std::io::Error),
}

/// The kinds of malformed messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedCode {
    /// Not JSON.
    Syntax,
    /// JSON, but not of the shape that belongs here.
    Shape,
}

impl std::fmt::Display for MalformedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Syntax => "MESSAGE_NOT_JSON",
            Self::Shape => "MESSAGE_SHAPE",
        })
    }
}

/// Parses JSON into `T`; on failure says where, never what.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() { MalformedCode::Shape } else { MalformedCode::Syntax };
        FrameError::Malformed { code, pointer: pointer::locate(text, error.line(), error.column()) }
    })
}

/// Reads one frame body. `None` when the peer closed the connection between frames.
///
/// # Errors
/// [`FrameError::Size`], [`FrameError::TimedOut`], [`FrameError::Truncated`], [`FrameError::Io`].
/// After any error the stream is out of step and must be closed.
pub async fn read_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: FrameLimit,
    deadline: Deadline,
) -> Result<Option<Vec<u8>>, FrameError> {
    match deadline {
        Deadline::Within(time) => {
            let all = async {
                match read_first_byte(reader).await? {
                    Some(first) => read_rest(reader, first, limit).await.map(Some),
                    None => Ok(None),
                }
            };
            tokio::time::timeout(time, all).await.map_err(|_elapsed| FrameError::TimedOut(time))?
        }
        Deadline::AfterFirstByte(time) => match read_first_byte(reader).await? {
            Some(first) => tokio::time::timeout(time, read_rest(reader, first, limit))
                .await
                .map_err(|_elapsed| FrameError::TimedOut(time))?
                .map(Some),
            None => Ok(None),
        },
    }
}

async fn read_first_byte<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Option<u8>, FrameError> {
    let mut first = [0u8; 1];
    let count = reader.read(&mut first).await.map_err(FrameError::Io)?;
    Ok((count == 1).then_some(first[0]))
}

async fn read_rest<R: AsyncRead + Unpin>(
    reader: &mut R,
    first: u8,
    limit: FrameLimit,
) -> Result<Vec<u8>, FrameError> {
    let mut prefix = [first, 0, 0, 0];
    reader.read_exact(&mut prefix[1..]).await.map_err(ended_early)?;
    let announced = u32::from_be_bytes(prefix);
    if announced == 0 || announced > limit.bytes() {
        return Err(FrameError::Size { announced: announced.into(), limit: limit.bytes() });
    }
    // Bounded by the limit just checked, so a lying prefix costs at most one buffer of that size.
    let mut body = vec![0u8; announced as usize];
    reader.read_exact(&mut body).await.map_err(ended_early)?;
    Ok(body)
}

fn ended_early(error: std::io::Error) -> FrameError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        FrameError::Truncated
    } else {
        FrameError::Io(error)
    }
}

/// Writes one frame body and flushes.
///
/// # Errors
/// [`FrameError::Size`] before anything is written, [`FrameError::TimedOut`], [`FrameError::Io`].
pub async fn write_frame<W: AsyncWrite + Unpin>(
    writer: &mut W,
    body: &[u8],
    limit: FrameLimit,
    within: Duration,
) -> Result<(), FrameError> {
    let too_large = || FrameError::Size { announced: body.len() as u64, limit: limit.bytes() };
    let length = u32::try_from(body.len()).map_err(|_too_long| too_large())?;
    if length == 0 || length > limit.bytes() {
        return Err(too_large());
    }
    // One buffer, one write: a frame is never split by a cancelled task between prefix and body.
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    let send = async {
        writer.write_all(&frame).await.map_err(FrameError::Io)?;
        writer.flush().await.map_err(FrameError::Io)
    };
    tokio::time::timeout(within, send).await.map_err(|_elapsed| FrameError::TimedOut(within))?
}

/// Reads one message and checks its version. `None` when the peer closed the connection between messages.
///
/// # Errors
/// Those of [`read_frame`], [`FrameError::Version`], [`FrameError::Malformed`].
pub async fn read_message<T: DeserializeOwned, R: AsyncRead + Unpin>(
    reader: &mut R,
    rules: FrameRules,
    deadline: Deadline,
) -> Result<Option<Message<T>>, FrameError> {
    match read_frame(reader, rules.limit, deadline).await? {
        Some(body) => decode(&body, rules.version).map(Some),
        None => Ok(None),
    }
}

/// Writes one message.
///
/// # Errors
/// Those of [`write_frame`], [`FrameError::Unwritable`].
pub async fn write_message<T: Serialize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    rules: FrameRules,
    id: u64,
    body: &T,
    within: Duration,
) -> Result<(), FrameError> {
    let text = encode(&Message { v: rules.version, id, body })?;
    write_frame(writer, &text, rules.limit, within).await
}

/// The bytes of a message.
///
/// # Errors
/// [`FrameError::Unwritable`] when a map has keys that are no strings.
pub fn encode<T: Serialize>(message: &Message<T>) -> Result<Vec<u8>, FrameError> {
    serde_json::to_vec(message).map_err(|_may_quote_values| FrameError::Unwritable)
}

/// A message from its bytes. The version is looked at before anything else, so a newer peer gets a clear answer
/// instead of a complaint about fields.
///
/// # Errors
/// [`FrameError::Version`], [`FrameError::Malformed`].
pub fn decode<T: DeserializeOwned>(text: &[u8], version: u16) -> Result<Message<T>, FrameError> {
    #[derive(Deserialize)]
    struct VersionOnly {
        v: u64,
    }
    let found: VersionOnly = parse_json(text)?;
    if found.v != u64::from(version) {
        return Err(FrameError::Version { theirs: found.v, ours: version });
    }
    parse_json(text)
}
