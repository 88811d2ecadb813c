//! How Kraken's streams talk: confirmations, the challenge, the head of a message.
//!
//! Kraken wants a ping frame of the protocol's own at least every minute; [`crate::common::link`] sends one more often.

use super::refusals::stream_refusal;
use super::wire::{self, StreamHead};
use crate::common::link::Heard;
use keyhold_domain::ShortText;

/// The frame that asks for a beat each second; a stream that beats is alive.
pub const HEARTBEAT_FRAME: &str = r#"{"event":"subscribe","feed":"heartbeat"}"#;

/// What a message is to somebody who awaits the confirmation of a subscription.
pub fn hear(text: &str) -> Heard {
    match wire::json::<StreamHead<'_>>("stream message", text.as_bytes()) {
        Ok(head) => match head.event.text() {
            "subscribed" => Heard::Confirmed,
            "error" | "alert" | "subscribed_failed" | "unsubscribed_failed" => {
                Heard::Refused(stream_refusal(&head.message))
            }
            // A snapshot may come before the confirmation.
            "" if head.feed.text() != "heartbeat" => Heard::News,
            _ => Heard::Talk,
        },
        // Unreadable messages are kept, too: the reader reports them.
        Err(_) => Heard::News,
    }
}

/// The challenge in a message; `None` when it holds none.
pub fn challenge(text: &str) -> Option<ShortText<64>> {
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes()).ok()?;
    (head.event.text() == "challenge").then(|| head.message.text().parse().ok()).flatten()
}

/// The feed that a message belongs to; `None` for talk.
pub fn feed_of(text: &str) -> Result<Option<String>, crate::error::WireError> {
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes())?;
    Ok((head.event.is_empty() && !head.feed.is_empty()).then(|| head.feed.text().to_owned()))
}
