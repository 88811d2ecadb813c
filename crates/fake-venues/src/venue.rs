//! A running venue and the handle that ends it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use keyhold_domain::Timestamp;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::{ConfigError, ControlAddress, Pace, VenueConfig};
use crate::core::Core;
use crate::server::{Reach, Shared};
use crate::trouble::Trouble;
use crate::world::{Part, World};
use crate::{control, protocol, replay, server};

/// Why a venue did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A running fake exchange, of the kind [`VenueConfig::venue`] says. Dropping it ends every task and closes every connection.
pub struct FakeVenue {
    shared: Arc<Shared>,
    address: SocketAddr,
    control: Option<ControlAddress>,
    tasks: JoinSet<()>,
}

/// The same by the name of the first exchange it could be.
pub type FakeBybit = FakeVenue;

impl std::fmt::Debug for FakeVenue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeVenue").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Bytes on their way in one direction of an embedded connection.
const PIPE: usize = 256 * 1024;

/// Plays the part of the first candle that the wall clock has passed already, so that replay time is real time.
fn catch_up(world: &mut World, now: Timestamp) {
    const PARTS: u32 = 60;
    let Some(feed) = world.feeds.first() else { return };
    let length = feed.base.ms();
    let part = length / i64::from(PARTS);
    let elapsed = now.ms().rem_euclid(length);
    for _ in 0..elapsed / part.max(1) {
        let _nobody_listens_yet = world.tick(PARTS);
    }
    let _told_to_nobody = world.take_events();
}

impl FakeVenue {
    /// Starts a venue. Needs a running tokio runtime.
    pub async fn start(config: VenueConfig) -> Result<Self, StartError> {
        let (listen, wanted) = (config.listen, config.control.clone());
        let mut venue = Self::embedded(config)?;
        let failed = |source| StartError::Listen { address: listen.to_string(), source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        venue.address = listener.local_addr().map_err(failed)?;
        if let Some(wanted) = wanted {
            venue.control = Some(control::start(wanted, venue.shared.clone(), &mut venue.tasks).await?);
        }
        venue.tasks.spawn(server::listen(listener, venue.address, venue.shared.clone()));
        Ok(venue)
    }

    /// The same without a port and without a control interface: connections are made by [`Self::connect`], so that a venue
    /// and its client can live in one program, on one clock and without a socket. Must be called within a tokio runtime.
    pub fn embedded(mut config: VenueConfig) -> Result<Self, StartError> {
        config.exchange.seed = config.seed;
        config.exchange.names = protocol::names_at(config.venue, config.exchange.names);
        let mut world = World::new(&config)?;
        if config.pace == Pace::TimesRealTime(1.0) && config.start.is_none() {
            catch_up(&mut world, (config.clock)());
        }
        let core = Core::new(world, Trouble::new(config.seed), config.pace, config.rate_limits);
        let state = protocol::of(config.venue, core);
        let shared = Shared::new(state, config.accounts, config.clock);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::beat(shared.clone()));
        tasks.spawn(replay::play(shared.clone()));
        Ok(Self { shared, address: config.listen, control: None, tasks })
    }

    /// A connection from this address, as if dialed. `None` while the venue is down.
    pub fn connect(&self, peer: IpAddr) -> Option<DuplexStream> {
        if *self.shared.reach.borrow() != Reach::Up {
            return None;
        }
        let (near, far) = tokio::io::duplex(PIPE);
        tokio::spawn(server::serve(far, peer, self.shared.clone()));
        Some(near)
    }

    /// Where the venue listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of the REST calls, without a trailing slash.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL of the streams, without a trailing slash; append `/v5/public/linear` and so on, as the venue names them.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where the control interface listens, if it does.
    pub const fn control_address(&self) -> Option<&ControlAddress> {
        self.control.as_ref()
    }

    /// A control call from inside the program: the same names and bodies as over the control interface.
    pub fn control(&self, name: &str, body: &serde_json::Value) -> Result<serde_json::Value, String> {
        control::act(&self.shared, name, body)
    }

    /// Shows the next of `parts` prices of the forming candles; the last part closes them and begins the next.
    pub fn tick(&self, parts: u32) {
        let mut state = self.shared.lock();
        let news = state.core_mut().world.tick(parts);
        state.publish(&news);
    }

    /// Plays exactly one base candle of every instrument.
    pub fn step(&self) {
        let mut state = self.shared.lock();
        let news = state.core_mut().world.step();
        state.publish(&news);
    }

    /// Plays one part of [`Self::step`], for programs that want to wait in between as time does: what happens inside a
    /// candle is known before its close, and the close before the next open. A part that is not the next one does
    /// nothing. Answers how many things have happened to accounts.
    pub fn play(&self, part: Part) -> usize {
        let mut state = self.shared.lock();
        let news = state.core_mut().world.play(part);
        let happened = state.core().world.happened();
        state.publish(&news);
        happened
    }

    /// Ends the venue and waits until its tasks are gone.
    pub async fn stop(mut self) {
        self.shared.set_reach(Reach::Gone);
        self.tasks.shutdown().await;
    }
}

impl Drop for FakeVenue {
    fn drop(&mut self) {
        self.shared.set_reach(Reach::Gone);
    }
}
