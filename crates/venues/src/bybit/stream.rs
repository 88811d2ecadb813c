//! How Bybit's streams talk: frames, the ping, confirmations, the head of a message.
//!
//! Bybit wants `{"op":"ping"}` every 20 seconds and cuts idle connections. The connection itself is that of all venues:
//! [`crate::common::link`].

use serde::Serialize;

use super::refusals::stream_refusal;
use super::wire::{self, Field, StreamHead};
use crate::common::link::Heard;
use crate::error::WireError;

#[derive(Serialize)]
struct Subscribe<'a> {
    op: &'static str,
    req_id: String,
    args: &'a [String],
}

/// The frame that asks for topics.
pub fn subscribe_frame(request: u32, topics: &[String]) -> String {
    frame("subscribe", request, topics)
}

/// The frame that gives topics up.
pub fn unsubscribe_frame(request: u32, topics: &[String]) -> String {
    frame("unsubscribe", request, topics)
}

fn frame(op: &'static str, request: u32, topics: &[String]) -> String {
    let frame = Subscribe { op, req_id: request.to_string(), args: topics };
    serde_json::to_string(&frame).expect("texts under fixed names always serialize")
}

/// The frame that shows that we live.
pub const PING_FRAME: &str = r#"{"op":"ping"}"#;

/// What a message is to somebody who awaits the answer to `op`.
pub fn hear(op: &str, text: &str) -> Heard {
    match wire::json::<StreamHead<'_>>("stream message", text.as_bytes()) {
        Ok(head) if head.op.text() == op => {
            if head.success == Field::True {
                return Heard::Confirmed;
            }
            let told = if head.ret_msg.is_empty() { &head.other_ret_msg } else { &head.ret_msg };
            Heard::Refused(stream_refusal(head.ret_code.whole(), told.text()))
        }
        Ok(head) if head.topic.is_empty() => Heard::Talk,
        // Unreadable messages are kept, too: the reader reports them.
        Ok(_) | Err(_) => Heard::News,
    }
}

/// The topic and the venue's time of a message; `None` for answers to pings and other talk.
pub fn topic_of(text: &str) -> Result<Option<(String, Option<i64>)>, WireError> {
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes())?;
    Ok((!head.topic.is_empty()).then(|| (head.topic.text().to_owned(), head.ts.whole())))
}
