//! What surrounds a bot and is not the bot: the machine's clock and the ways to server, keeper and venue.
//!
//! The program uses [`Machine`]. The trait exists so that a whole bot can live in a world of its own, on another clock and
//! without a single socket. It decides nothing and repeats nothing; who dials again, and when, is the caller's business.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use keyhold_domain::Timestamp;
use keyhold_venues::{Dialer, TokioDialer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::clock::{Clock as _, SystemClock};
use crate::launch::Options;

/// The world around one bot.
pub trait Outside: Clone + Debug + Send + Sync + 'static {
    /// A line to another program of ours on this machine.
    type Pipe: AsyncRead + AsyncWrite + Debug + Unpin + Send + 'static;
    /// Makes connections to venues.
    type Dialer: Dialer + Debug;

    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// The same clock for an adapter.
    fn clock(&self) -> Arc<dyn keyhold_venues::Clock>;

    /// The way to venues.
    fn venues(&self) -> Arc<Self::Dialer>;

    /// Connects to the server.
    fn dial_server(&self) -> impl Future<Output = io::Result<Self::Pipe>> + Send;

    /// Connects to the keeper.
    fn dial_keeper(&self) -> impl Future<Output = io::Result<Self::Pipe>> + Send;
}

/// The real one: the system's clock, UNIX sockets and TCP.
#[derive(Debug, Clone)]
pub struct Machine {
    uplink: PathBuf,
    keeper: PathBuf,
}

impl Machine {
    /// With the sockets that the process was told of.
    pub fn new(options: &Options) -> Self {
        Self { uplink: options.uplink.clone(), keeper: options.keeper.clone() }
    }
}

impl Outside for Machine {
    type Pipe = UnixStream;
    type Dialer = TokioDialer;

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn clock(&self) -> Arc<dyn keyhold_venues::Clock> {
        Arc::new(SystemClock)
    }

    fn venues(&self) -> Arc<TokioDialer> {
        Arc::new(TokioDialer::default())
    }

    async fn dial_server(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.uplink).await
    }

    async fn dial_keeper(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.keeper).await
    }
}
