//! A stream's connection: pings, the watch for silence, and confirmations.
//!
//! News that arrives while a confirmation is awaited is kept, in order and bounded. Knows messages only as text; how a
//! venue confirms is told by the caller. [`Links`] joins the one or two connections of a session.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::rest::{Dialect, Rest};
use crate::error::{NotSentCause, VenueError};
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

/// How we show that we live, every [`crate::Settings::ping_interval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// A text of the venue's own, such as `ping` or `{"op":"ping"}`.
    Text(&'static str),
    /// The protocol's own ping frame, which every server answers.
    Frame,
}

/// What a stream gives.
#[derive(Debug)]
pub enum Tick {
    /// News.
    News(Utf8Bytes),
    /// Nothing for a while; a ping has gone out.
    Quiet,
}

/// What a message is to somebody who awaits a confirmation.
#[derive(Debug)]
pub enum Heard {
    /// What was awaited.
    Confirmed,
    /// The venue says no.
    Refused(VenueError),
    /// News, to be read later. Unreadable messages are news, too: the reader reports them.
    News,
    /// Answers to pings and other talk.
    Talk,
}

/// A request on a stream that is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The connection that it goes to.
    pub link: LinkNo,
    /// Its number, for venues that number requests.
    pub number: u32,
    /// The frame. May carry a signature.
    pub frame: String,
    /// How many confirmations the venue sends.
    pub answers: usize,
}

/// An open stream.
#[derive(Debug)]
pub struct Link<D: Dialer> {
    socket: Socket<D>,
    ping: Ping,
    pings: Interval,
    heard: Instant,
    silence_limit: Duration,
    confirm_limit: Duration,
    backlog: VecDeque<Utf8Bytes>,
}

impl<D: Dialer> Link<D> {
    /// Connects. `path` goes below the base's prefix and may hold a query.
    pub async fn open<V: Dialect>(
        rest: &Rest<D, V>,
        base: &Base,
        path: &str,
        ping: Ping,
    ) -> Result<Self, NotSentCause> {
        let settings = &rest.settings;
        let socket = Socket::open(&rest.dialer, base, path, settings.http.connect).await?;
        let mut pings = interval_at(Instant::now() + settings.ping_interval, settings.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            socket,
            ping,
            pings,
            heard: Instant::now(),
            silence_limit: settings.silence_limit,
            confirm_limit: settings.confirm_limit,
            backlog: VecDeque::new(),
        })
    }

    /// Sends a frame and waits for nothing.
    pub async fn send(&mut self, frame: String) -> Result<(), SocketBroken> {
        self.socket.send(frame).await
    }

    /// Sends a frame and waits until `hear` has found so many confirmations.
    pub async fn ask(
        &mut self,
        frame: String,
        answers: usize,
        hear: impl Fn(&str) -> Heard + Send + Sync,
    ) -> Result<(), Ended> {
        self.socket.send(frame).await?;
        timeout(self.confirm_limit, self.answers(answers, hear)).await.map_err(|_| Ended::Broken)?
    }

    async fn answers(
        &mut self,
        mut answers: usize,
        hear: impl Fn(&str) -> Heard + Send + Sync,
    ) -> Result<(), Ended> {
        while answers > 0 {
            let Incoming::Text(text) = self.socket.next().await? else { continue };
            self.heard = Instant::now();
            match hear(&text) {
                Heard::Confirmed => answers -= 1,
                Heard::Refused(error) => return Err(Ended::Refused(error)),
                Heard::Talk => {}
                Heard::News if self.backlog.len() < LONGEST_BACKLOG => self.backlog.push_back(text),
                Heard::News => return Err(Ended::Broken),
            }
        }
        Ok(())
    }

    /// The next news. Sends pings in between; an error when the other side has been silent for too long. Safe to cancel.
    pub async fn next(&mut self) -> Result<Tick, SocketBroken> {
        if let Some(text) = self.backlog.pop_front() {
            return Ok(Tick::News(text));
        }
        loop {
            tokio::select! {
                // Pings first: they are rare, and a busy stream must not put them off.
                biased;
                _ = self.pings.tick() => {
                    match self.ping {
                        Ping::Text(text) => self.socket.send(text.to_owned()).await?,
                        Ping::Frame => self.socket.ping().await?,
                    }
                    return Ok(Tick::Quiet);
                }
                incoming = self.socket.next() => {
                    let incoming = incoming?;
                    self.heard = Instant::now();
                    if let Incoming::Text(text) = incoming {
                        return Ok(Tick::News(text));
                    }
                }
                () = tokio::time::sleep_until(self.heard + self.silence_limit) => return Err(SocketBroken),
            }
        }
    }
}

/// Which connection of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkNo {
    /// The first, or the only one.
    First,
    /// The second.
    Second,
}

/// The connections of a session. Each dies with the other.
#[derive(Debug)]
pub struct Links<D: Dialer> {
    first: Link<D>,
    second: Option<Link<D>>,
}

impl<D: Dialer> Links<D> {
    /// A session over one connection.
    pub const fn one(first: Link<D>) -> Self {
        Self { first, second: None }
    }

    /// A session over two.
    pub const fn two(first: Link<D>, second: Link<D>) -> Self {
        Self { first, second: Some(second) }
    }

    fn of(&mut self, number: LinkNo) -> &mut Link<D> {
        match (number, &mut self.second) {
            (LinkNo::Second, Some(second)) => second,
            (LinkNo::First | LinkNo::Second, _) => &mut self.first,
        }
    }

    /// Sends a frame and waits for nothing.
    pub async fn send(&mut self, link: LinkNo, frame: String) -> Result<(), SocketBroken> {
        self.of(link).send(frame).await
    }

    /// Sends a request and waits for its confirmations.
    pub async fn ask(
        &mut self,
        ask: &Ask,
        hear: impl Fn(&Ask, &str) -> Heard + Send + Sync,
    ) -> Result<(), Ended> {
        self.of(ask.link).ask(ask.frame.clone(), ask.answers, |text| hear(ask, text)).await
    }

    /// The next news of any connection.
    pub async fn next(&mut self) -> Result<(LinkNo, Tick), SocketBroken> {
        let Some(second) = &mut self.second else {
            return Ok((LinkNo::First, self.first.next().await?));
        };
        tokio::select! {
            biased;
            tick = self.first.next() => Ok((LinkNo::First, tick?)),
            tick = second.next() => Ok((LinkNo::Second, tick?)),
        }
    }
}
