//! How BitMEX's stream talks: frames, the ping, confirmations, the head of a message.
//!
//! A client that hears nothing says `ping` and hears `pong`. Every topic is confirmed by itself.

use serde::Serialize;

use super::image::Action;
use super::refusals::stream_refusal;
use super::wire::{self, Field, StreamHead};
use crate::common::link::Heard;
use crate::error::WireError;

/// Shows that we live; the answer is the text `pong`.
pub const PING: &str = "ping";
const PONG: &str = "pong";

#[derive(Serialize)]
struct Frame<'a> {
    op: &'static str,
    args: &'a [String],
}

fn frame(op: &'static str, topics: &[String]) -> String {
    super::bodies::text_of(&Frame { op, args: topics })
}

/// The frame that asks for topics.
pub fn subscribe_frame(topics: &[String]) -> String {
    frame("subscribe", topics)
}

/// The frame that gives topics up.
pub fn unsubscribe_frame(topics: &[String]) -> String {
    frame("unsubscribe", topics)
}

/// What a message is to somebody who awaits the confirmations of `frame`, a login or a subscription.
pub fn hear(frame: &str, text: &str) -> Heard {
    if text == PONG {
        return Heard::Talk;
    }
    match wire::json::<StreamHead<'_>>("stream message", text.as_bytes()) {
        Ok(head) if !head.table.is_empty() => Heard::News,
        Ok(head) if !head.error.is_empty() => Heard::Refused(stream_refusal(&head.status, head.error.text())),
        // Only topics of this request count; those of one that was refused in part may come late.
        Ok(head) if head.success == Field::True => {
            let topic = head.subscribe.text();
            let ours = topic.is_empty() || frame.contains(&format!("\"{topic}\""));
            if ours { Heard::Confirmed } else { Heard::Talk }
        }
        Ok(_) => Heard::Talk,
        // Unreadable messages are kept: the reader reports them.
        Err(_) => Heard::News,
    }
}

/// The table and what a message does to it; `None` for greetings, answers and pongs.
pub fn table_of(text: &str) -> Result<Option<(String, Action)>, WireError> {
    if text == PONG {
        return Ok(None);
    }
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes())?;
    if head.table.is_empty() {
        return Ok(None);
    }
    Ok(Some((head.table.text().to_owned(), Action::of(&head.action)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_are_told_from_news_and_talk() {
        let frame = subscribe_frame(&["trade:XBTUSD".to_owned()]);
        assert_eq!(frame, r#"{"op":"subscribe","args":["trade:XBTUSD"]}"#);
        let cases = [
            ("pong", "Talk"),
            (r#"{"info":"Welcome to the BitMEX Realtime API."}"#, "Talk"),
            (r#"{"success":true,"subscribe":"trade:XBTUSD","request":{}}"#, "Confirmed"),
            (r#"{"success":true,"subscribe":"trade:ETHUSD"}"#, "Talk"),
            (r#"{"success":true,"request":{"op":"authKeyExpires"}}"#, "Confirmed"),
            (r#"{"status":401,"error":"Signature not valid.","meta":{}}"#, "Refused"),
            (r#"{"table":"trade","action":"insert","data":[]}"#, "News"),
            ("{", "News"),
        ];
        for (text, expected) in cases {
            assert!(format!("{:?}", hear(&frame, text)).starts_with(expected), "{text}");
        }
    }
}
