//! A Bybit stream's connection: frames, pings, the watch for silence, and confirmations.
//!
//! Bybit wants `{"op":"ping"}` every 20 seconds and cuts idle connections. News that arrives while a confirmation is
//! awaited is kept, in order and bounded. Knows topics only as text.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::refusals::stream_refusal;
use super::rest::Rest;
use super::wire::{self, Field, StreamHead};
use crate::error::{NotSentCause, VenueError, WireError};
use crate::hosts::Base;
use crate::transport::ws::Incoming;
use crate::transport::{Dialer, Socket, SocketBroken};

/// Messages kept while a confirmation is awaited.
const LONGEST_BACKLOG: usize = 1_000;

/// A session that held at least so long ends the growth of waits between sessions.
pub const GOOD_SESSION: Duration = Duration::from_secs(30);

/// Why a session ended.
#[derive(Debug)]
pub enum Ended {
    /// Nobody listens any more.
    ListenerGone,
    /// The connection broke or was never made.
    Broken,
    /// The venue did not let us in.
    Refused(VenueError),
}

impl From<SocketBroken> for Ended {
    fn from(_: SocketBroken) -> Self {
        Self::Broken
    }
}

impl From<NotSentCause> for Ended {
    fn from(_: NotSentCause) -> Self {
        Self::Broken
    }
}

impl<T> From<mpsc::error::SendError<T>> for Ended {
    fn from(_: mpsc::error::SendError<T>) -> Self {
        Self::ListenerGone
    }
}

/// What a stream gives.
#[derive(Debug)]
pub enum Tick {
    /// News.
    News(Utf8Bytes),
    /// Nothing for a while; a ping has gone out.
    Quiet,
}

/// An open stream.
#[derive(Debug)]
pub struct Link<D: Dialer> {
    socket: Socket<D>,
    pings: Interval,
    heard: Instant,
    silence_limit: Duration,
    confirm_limit: Duration,
    backlog: VecDeque<Utf8Bytes>,
    requests: u32,
}

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

fn frame(op: &'static str, request: u32, topics: &[String]) -> String {
    let frame = Subscribe { op, req_id: request.to_string(), args: topics };
    serde_json::to_string(&frame).expect("texts under fixed names always serialize")
}

/// The frame that shows that we live.
pub const PING_FRAME: &str = r#"{"op":"ping"}"#;

impl<D: Dialer> Link<D> {
    /// Connects.
    pub async fn open(rest: &Rest<D>, base: &Base, path: &str) -> Result<Self, NotSentCause> {
        let settings = &rest.settings;
        let socket = Socket::open(&rest.dialer, base, path, settings.http.connect).await?;
        let mut pings = interval_at(Instant::now() + settings.ping_interval, settings.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            socket,
            pings,
            heard: Instant::now(),
            silence_limit: settings.silence_limit,
            confirm_limit: settings.confirm_limit,
            backlog: VecDeque::new(),
            requests: 0,
        })
    }

    /// Asks for topics and waits for the confirmation.
    pub async fn subscribe(&mut self, topics: &[String]) -> Result<(), Ended> {
        self.requests += 1;
        self.socket.send(subscribe_frame(self.requests, topics)).await?;
        self.confirmed("subscribe").await
    }

    /// Gives a topic up and asks for it again, which makes the venue send it whole. Does not wait: news of other topics
    /// must not wait either, and a topic that does not come back is silent.
    pub async fn renew(&mut self, topic: String) -> Result<(), SocketBroken> {
        let topics = [topic];
        for op in ["unsubscribe", "subscribe"] {
            self.requests += 1;
            self.socket.send(frame(op, self.requests, &topics)).await?;
        }
        Ok(())
    }

    /// Logs in and waits for the confirmation.
    pub async fn login(&mut self, frame: String) -> Result<(), Ended> {
        self.socket.send(frame).await?;
        self.confirmed("auth").await
    }

    async fn confirmed(&mut self, op: &'static str) -> Result<(), Ended> {
        timeout(self.confirm_limit, self.answer_to(op)).await.map_err(|_| Ended::Broken)?
    }

    async fn answer_to(&mut self, op: &'static str) -> Result<(), Ended> {
        loop {
            let Incoming::Text(text) = self.socket.next().await? else { continue };
            self.heard = Instant::now();
            let head = wire::json::<StreamHead<'_>>("stream message", text.as_bytes());
            match head {
                Ok(head) if head.op.text() == op => {
                    if head.success == Field::True {
                        return Ok(());
                    }
                    let told = if head.ret_msg.is_empty() { &head.other_ret_msg } else { &head.ret_msg };
                    return Err(Ended::Refused(stream_refusal(head.ret_code.whole(), told.text())));
                }
                Ok(head) if head.topic.is_empty() => {}
                // Unreadable messages are kept, too: the reader reports them.
                Ok(_) | Err(_) if self.backlog.len() < LONGEST_BACKLOG => self.backlog.push_back(text),
                Ok(_) | Err(_) => return Err(Ended::Broken),
            }
        }
    }

    /// The next news. Sends pings in between; an error when the other side has been silent for too long.
    pub async fn next(&mut self) -> Result<Tick, SocketBroken> {
        if let Some(text) = self.backlog.pop_front() {
            return Ok(Tick::News(text));
        }
        loop {
            tokio::select! {
                incoming = self.socket.next() => {
                    let incoming = incoming?;
                    self.heard = Instant::now();
                    if let Incoming::Text(text) = incoming {
                        return Ok(Tick::News(text));
                    }
                }
                _ = self.pings.tick() => {
                    self.socket.send(PING_FRAME.to_owned()).await?;
                    return Ok(Tick::Quiet);
                }
                () = tokio::time::sleep_until(self.heard + self.silence_limit) => return Err(SocketBroken),
            }
        }
    }
}

/// The topic and the venue's time of a message; `None` for answers to pings and other talk.
pub fn topic_of(text: &Utf8Bytes) -> Result<Option<(String, Option<i64>)>, WireError> {
    let head: StreamHead<'_> = wire::json("stream message", text.as_bytes())?;
    Ok((!head.topic.is_empty()).then(|| (head.topic.text().to_owned(), head.ts.whole())))
}
