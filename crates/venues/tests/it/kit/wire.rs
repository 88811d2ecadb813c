//! Time that passes only when everybody waits, and connections that are pipes into a twin and remember what went in.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use keyhold_domain::Timestamp;
use keyhold_fake_venues::FakeVenue;
use keyhold_venues::error::NotSentCause;
use keyhold_venues::hosts::Target;
use keyhold_venues::{Clock, Dialer};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::spoil::relay::{Tap, through};

/// Where every client of a twin seems to be.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a connection takes.
const DIALING: Duration = Duration::from_millis(3);

/// The wall clock of twin and adapter. Needs a runtime whose time is paused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualClock {
    began: Instant,
    at: Timestamp,
}

impl VirtualClock {
    /// A clock that shows `at` now.
    pub(crate) fn starting(at: Timestamp) -> Self {
        Self { began: Instant::now(), at }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at.plus(self.began.elapsed())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// One connection that was made: where to, and all that was written to it.
#[derive(Debug, Clone)]
pub(crate) struct Dialed {
    pub(crate) target: Target,
    written: Arc<Mutex<Vec<u8>>>,
}

/// The head of a request as it went over a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) verb: String,
    /// Without the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it asks for a stream.
    pub(crate) fn upgrades(&self) -> bool {
        self.header("upgrade").is_some()
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let (verb, target, version) = (words.next()?, words.next()?, words.next()?);
        version.starts_with("HTTP/1").then_some(())?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        Some(Self {
            verb: verb.to_owned(),
            path: target.split('?').next()?.to_owned(),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
        })
    }
}

impl Dialed {
    /// The requests, in order; of a stream the one that opened it.
    pub(crate) fn heads(&self) -> Vec<Head> {
        let written = self.written.lock().unwrap();
        let mut rest = written.as_slice();
        let mut found = vec![];
        while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = Head::read(std::str::from_utf8(&rest[..end]).unwrap()).unwrap();
            let length = head.header("content-length").map_or(0, |text| text.parse().unwrap());
            let upgrades = head.upgrades();
            found.push(head);
            if upgrades {
                break;
            }
            rest = &rest[end + 4 + length..];
        }
        found
    }
}

/// Dials one twin, whatever it is called, and remembers what it was called.
pub(crate) struct Wire {
    twin: Arc<FakeVenue>,
    tap: Option<Arc<Tap>>,
    dialed: Mutex<Vec<Dialed>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub(crate) fn to(twin: &Arc<FakeVenue>) -> Arc<Self> {
        Arc::new(Self { twin: Arc::clone(twin), tap: None, dialed: Mutex::default() })
    }

    /// The same with a tap on the way back.
    pub(crate) fn tapped(twin: &Arc<FakeVenue>, tap: &Arc<Tap>) -> Arc<Self> {
        Arc::new(Self { twin: Arc::clone(twin), tap: Some(Arc::clone(tap)), dialed: Mutex::default() })
    }

    /// Every connection so far.
    pub(crate) fn dialed(&self) -> Vec<Dialed> {
        self.dialed.lock().unwrap().clone()
    }
}

impl Dialer for Wire {
    type Stream = Tee;

    async fn dial(&self, target: &Target) -> Result<Tee, NotSentCause> {
        let written = Arc::default();
        let dialed = Dialed { target: target.clone(), written: Arc::clone(&written) };
        self.dialed.lock().unwrap().push(dialed);
        tokio::time::sleep(DIALING).await;
        let twin = self.twin.connect(PEER).ok_or(NotSentCause::Connect)?;
        let pipe = match &self.tap {
            Some(tap) => through(tap, twin),
            None => twin,
        };
        Ok(Tee { pipe, written })
    }
}

/// A pipe of which every byte that goes in is kept.
pub(crate) struct Tee {
    pipe: DuplexStream,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tee {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tee {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.pipe).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = &done {
            self.written.lock().unwrap().extend_from_slice(&buf[..*count]);
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
