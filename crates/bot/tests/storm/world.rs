//! The world of a run: a virtual clock, and connections that are pipes in memory.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyhold_bot::outside::Outside;
use keyhold_domain::Timestamp;
use keyhold_fake_venues::FakeVenue;
use keyhold_venues::Dialer;
use keyhold_venues::error::NotSentCause;
use keyhold_venues::hosts::Target;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Where every client of the venue seems to be.
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Bytes on their way between bot and server or keeper.
const PIPE: usize = 256 * 1024;

/// Time that passes only when everybody waits.
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

impl keyhold_venues::Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// Dials the one venue there is, whatever it is called.
pub(crate) struct Wire {
    pub(crate) venue: Arc<FakeVenue>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Dialer for Wire {
    type Stream = DuplexStream;

    async fn dial(&self, _target: &Target) -> Result<DuplexStream, NotSentCause> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.venue.connect(PEER).ok_or(NotSentCause::Connect)
    }
}

/// Whether a program is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It answers.
    There,
    /// Whoever dials is refused.
    Away,
}

/// A program that can be dialed, or is away.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    calls: mpsc::UnboundedSender<DuplexStream>,
    open: Arc<AtomicBool>,
}

impl Door {
    /// A door and who waits behind it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<DuplexStream>) {
        let (calls, callers) = mpsc::unbounded_channel();
        (Self { calls, open: Arc::new(AtomicBool::new(true)) }, callers)
    }

    pub(crate) fn set(&self, presence: Presence) {
        self.open.store(presence == Presence::There, Ordering::SeqCst);
    }

    fn knock(&self) -> io::Result<DuplexStream> {
        let away = || io::Error::from(io::ErrorKind::ConnectionRefused);
        if !self.open.load(Ordering::SeqCst) {
            return Err(away());
        }
        let (near, far) = duplex(PIPE);
        self.calls.send(far).map_err(|_| away())?;
        Ok(near)
    }
}

/// What surrounds the bot.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) wire: Arc<Wire>,
    pub(crate) server: Door,
    pub(crate) keeper: Door,
}

impl Outside for World {
    type Pipe = DuplexStream;
    type Dialer = Wire;

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn clock(&self) -> Arc<dyn keyhold_venues::Clock> {
        Arc::new(self.clock)
    }

    fn venues(&self) -> Arc<Wire> {
        Arc::clone(&self.wire)
    }

    async fn dial_server(&self) -> io::Result<DuplexStream> {
        self.server.knock()
    }

    async fn dial_keeper(&self) -> io::Result<DuplexStream> {
        self.keeper.knock()
    }
}

struct ShownTime(VirtualClock);

impl tracing_subscriber::fmt::time::FormatTime for ShownTime {
    fn format_time(&self, out: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        let at = self.0.now().ms();
        let (seconds, ms) = (at / 1_000 % 86_400, at % 1_000);
        write!(out, "{:02}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

/// Shows this thread's log on standard error, in the run's own time.
pub(crate) fn show_log(clock: VirtualClock) -> tracing::subscriber::DefaultGuard {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info,keyhold_bot=debug".to_owned());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(ShownTime(clock))
        .with_writer(io::stderr)
        .finish();
    tracing::subscriber::set_default(log)
}
