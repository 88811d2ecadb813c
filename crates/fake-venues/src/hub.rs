//! Who listens to what: the open sockets and their subscriptions.
//!
//! Knows topics as text and nothing of their content. A socket that does not keep up is closed, as venues do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyhold_simulator::exchange::AccountId;
use keyhold_simulator::faults::MessageFate;
use tokio::sync::mpsc;

use crate::latency::CandleClose;
use crate::protocol::Line;
use crate::trouble::Trouble;

/// The most messages that may wait for one socket.
pub(crate) const MAX_WAITING: usize = 10_000;

/// What the venue's side sends down to a socket's task.
#[derive(Debug, Clone)]
pub(crate) enum Outgoing {
    /// A text frame.
    Text(Frame),
    /// Say nothing more and read nothing more, but keep the connection.
    Freeze,
}

/// A text and what is noted when it leaves.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The text.
    pub(crate) text: Arc<str>,
    /// The candle whose close it tells.
    pub(crate) closes: Option<CandleClose>,
}

/// Which of a venue's streams a socket is, in the protocol's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channel(pub(crate) &'static str);

/// One open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Which stream.
    pub(crate) channel: Channel,
    /// Whose account, once logged in.
    pub(crate) account: Option<AccountId>,
    /// Subscribed topics.
    pub(crate) topics: BTreeSet<String>,
    sender: mpsc::Sender<Outgoing>,
    held: Option<Frame>,
}

/// All open sockets.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    sockets: BTreeMap<u64, Socket>,
    opened: u64,
}

impl Hub {
    /// Registers a socket and gives it a number.
    pub(crate) fn open(&mut self, line: Line, sender: mpsc::Sender<Outgoing>) -> u64 {
        self.opened += 1;
        let Line { channel, account, topics } = line;
        let topics = topics.into_iter().collect();
        let socket = Socket { channel, account, topics, sender, held: None };
        self.sockets.insert(self.opened, socket);
        self.opened
    }

    /// Forgets a socket. What waits for it is still sent; then it is closed.
    pub(crate) fn close(&mut self, number: u64) {
        self.sockets.remove(&number);
    }

    /// One socket.
    pub(crate) fn socket(&mut self, number: u64) -> Option<&mut Socket> {
        self.sockets.get_mut(&number)
    }

    /// How many sockets are open.
    pub(crate) fn count(&self) -> usize {
        self.sockets.len()
    }

    /// All topics anybody listens to on a channel, without repetition.
    pub(crate) fn topics(&self, channel: Channel) -> BTreeSet<String> {
        let of_channel = self.sockets.values().filter(|socket| socket.channel == channel);
        of_channel.flat_map(|socket| socket.topics.iter().cloned()).collect()
    }

    /// How many sockets of a channel listen to a topic.
    pub(crate) fn listeners(&self, channel: Channel, topic: &str) -> usize {
        let listens = |socket: &&Socket| socket.channel == channel && socket.topics.contains(topic);
        self.sockets.values().filter(listens).count()
    }

    /// Sends market data to everybody who listens to the topic.
    pub(crate) fn publish(&mut self, channel: Channel, topic: &str, text: &str, trouble: &mut Trouble) {
        self.publish_frame(channel, topic, &Frame { text: text.into(), closes: None }, trouble);
    }

    /// The same with what is to be noted when it leaves.
    pub(crate) fn publish_frame(
        &mut self,
        channel: Channel,
        topic: &str,
        frame: &Frame,
        trouble: &mut Trouble,
    ) {
        self.send_where(frame, trouble, |socket| socket.channel == channel && socket.topics.contains(topic));
    }

    /// Sends account news to the account's sockets that listen to any of the topics.
    pub(crate) fn tell(&mut self, account: AccountId, topics: &[&str], text: &str, trouble: &mut Trouble) {
        let frame = Frame { text: text.into(), closes: None };
        self.send_where(&frame, trouble, |socket| {
            socket.account == Some(account) && topics.iter().any(|topic| socket.topics.contains(*topic))
        });
    }

    /// An account's sockets hear nothing more of a topic.
    pub(crate) fn hush(&mut self, account: AccountId, topic: &str) {
        for socket in self.sockets.values_mut().filter(|socket| socket.account == Some(account)) {
            socket.topics.remove(topic);
        }
    }

    /// Sends to every socket for which the test holds.
    pub(crate) fn send_where(
        &mut self,
        frame: &Frame,
        trouble: &mut Trouble,
        wanted: impl Fn(&Socket) -> bool,
    ) {
        let mut lagging = Vec::new();
        for (number, socket) in &mut self.sockets {
            if wanted(socket) && socket.send(frame, trouble.message()).is_err() {
                lagging.push(*number);
            }
        }
        // Dropping the sender ends the socket's task.
        for number in lagging {
            self.sockets.remove(&number);
        }
    }

    /// Makes every open socket go silent without closing it.
    pub(crate) fn freeze(&mut self) {
        // A full or closed channel means that the socket is about to end anyway.
        self.sockets.retain(|_, socket| socket.sender.try_send(Outgoing::Freeze).is_ok());
    }
}

impl Socket {
    fn send(&mut self, frame: &Frame, fate: MessageFate) -> Result<(), ()> {
        let put = |frame: &Frame| self.sender.try_send(Outgoing::Text(frame.clone())).map_err(|_| ());
        match fate {
            MessageFate::Lost => return Ok(()),
            MessageFate::Delayed if self.held.is_none() => {
                self.held = Some(frame.clone());
                return Ok(());
            }
            MessageFate::Duplicated => {
                put(frame)?;
                put(frame)?;
            }
            MessageFate::Sent | MessageFate::Delayed => put(frame)?,
        }
        let put = |frame: &Frame| self.sender.try_send(Outgoing::Text(frame.clone())).map_err(|_| ());
        self.held.take().map_or(Ok(()), |held| put(&held))
    }
}
