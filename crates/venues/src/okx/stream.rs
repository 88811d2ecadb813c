//! How OKX's streams talk: frames, the ping, confirmations, the head of a message.
//!
//! OKX wants the bare text `ping`, answers `pong`, and cuts connections that say nothing for 30 seconds. Each topic of a
//! request is confirmed by itself. The connection is that of all venues: [`crate::common::link`].

use serde::Serialize;

use super::bodies::text_of;
use super::refusals::stream_refusal;
use super::wire::{self, StreamHead};
use crate::common::link::Heard;
use crate::error::WireError;

/// The frame that shows that we live.
pub const PING_FRAME: &str = "ping";

const PONG: &str = "pong";

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inst_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inst_id: Option<String>,
}

impl Topic {
    /// Of an instrument or an index.
    pub fn of(channel: impl Into<String>, name: impl Into<String>) -> Self {
        Self { channel: channel.into(), inst_type: None, inst_id: Some(name.into()) }
    }

    /// Of all perpetual contracts of the account.
    pub fn of_swaps(channel: &str) -> Self {
        Self { channel: channel.to_owned(), inst_type: Some("SWAP"), inst_id: None }
    }

    /// Of the account.
    pub fn plain(channel: &str) -> Self {
        Self { channel: channel.to_owned(), inst_type: None, inst_id: None }
    }
}

#[derive(Serialize)]
struct Frame<'a> {
    op: &'static str,
    args: &'a [Topic],
}

/// The frame that asks for topics.
pub fn subscribe_frame(topics: &[Topic]) -> String {
    text_of(&Frame { op: "subscribe", args: topics })
}

/// The frame that gives topics up.
pub fn unsubscribe_frame(topics: &[Topic]) -> String {
    text_of(&Frame { op: "unsubscribe", args: topics })
}

/// What a message is to somebody who awaits the answer to `op`.
pub fn hear(op: &str, text: &str) -> Heard {
    if text == PONG {
        return Heard::Talk;
    }
    match wire::json::<StreamHead<'_>>("stream message", text.as_bytes()) {
        Ok(head) => match head.event.text() {
            event if event == op && matches!(head.code.text(), "" | "0") => Heard::Confirmed,
            event if event == op || event == "error" => {
                Heard::Refused(stream_refusal(head.code.whole(), head.msg.text()))
            }
            "" => Heard::News,
            _ => Heard::Talk,
        },
        // Unreadable messages are kept, too: the reader reports them.
        Err(_) => Heard::News,
    }
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The channel.
    pub channel: String,
    /// The instrument or index; empty for channels of the account.
    pub name: String,
    /// Of books: `snapshot` or `update`.
    pub action: String,
}

/// What a message is about; `None` for answers and other talk.
pub fn about(text: &str) -> Result<Option<About>, WireError> {
    if text == PONG {
        return Ok(None);
    }
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes())?;
    let Some(arg) = head.arg.filter(|_| head.event.is_empty()) else { return Ok(None) };
    Ok(Some(About {
        channel: arg.channel.text().to_owned(),
        name: arg.symbol.text().to_owned(),
        action: head.action.text().to_owned(),
    }))
}
