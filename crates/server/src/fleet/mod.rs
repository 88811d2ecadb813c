//! The fleet: from what owners wish to running bots, and from what bots report to the store.
//!
//! One task ([`manager`]) owns the processes; each bot's line is a task of its own ([`uplink`]). They meet in a small
//! shared table of who is connected. Nothing here opens a secret: an assignment carries the envelope, the wrapped data
//! key and a ticket of the keeper. HTTP handlers change the store and then call [`Fleet::wake`].

mod assignment;
mod keeper;
mod manager;
mod table;
mod uplink;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{BotId, CommandId, Environment, Exchange, KeyId, Timestamp, WorkspaceId};
use keyhold_protocol::uplink::{Endpoints, KeyCheck, Report};
use keyhold_provision::Local;
use keyhold_store::{Store, WorkspaceStore};
use tokio::sync::{broadcast, mpsc, oneshot};

pub use keeper::{KeeperClient, KeeperError};
pub use verify::VerifyError;

/// Where the time comes from; the program gives the machine's clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the fleet is made of.
pub struct FleetParts {
    /// The memory.
    pub store: Store,
    /// The line to the keeper.
    pub keeper: KeeperClient,
    /// The hands on this machine.
    pub local: Local,
    /// The socket bots dial.
    pub uplink: PathBuf,
    /// Where venues are. Only simulated ones need addresses.
    pub venues: VenueAddresses,
    /// The clock.
    pub now: Now,
}

impl std::fmt::Debug for FleetParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetParts").field("uplink", &self.uplink).finish_non_exhaustive()
    }
}

/// Addresses of simulated venues by exchange.
#[derive(Debug, Clone, Default)]
pub struct VenueAddresses {
    /// `(exchange, REST base, stream base)`.
    pub simulated: Vec<(Exchange, String, String)>,
}

impl VenueAddresses {
    /// Addresses for an assignment; `None` when a simulated venue is not configured.
    pub fn endpoints(&self, exchange: Exchange, environment: Environment) -> Option<Endpoints> {
        match environment {
            Environment::Live | Environment::Testnet => Some(Endpoints { rest: None, stream: None }),
            Environment::Simulated => {
                let found = self.simulated.iter().find(|(one, _, _)| *one == exchange);
                found.map(|(_, rest, stream)| Endpoints {
                    rest: Some(rest.clone()),
                    stream: Some(stream.clone()),
                })
            }
        }
    }
}

/// News for people who watch: what changed, in which workspace.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Who may see it.
    pub workspace: WorkspaceId,
    /// What.
    pub news: News,
}

/// What changed. The stream of events looks the object up and shows it as the API does.
#[derive(Debug, Clone)]
pub enum News {
    /// A bot's state, heartbeat or assignment.
    Bot(BotId),
    /// A key's verification.
    Key(KeyId),
    /// A step of a key's connection test.
    KeyCheck(KeyId, KeyCheck),
    /// A report was stored.
    Report(BotId, Box<Report>),
    /// A command was delivered or ended.
    Command(BotId, CommandId),
}

/// What handlers ask of the manager.
enum Order {
    /// Something in the store changed.
    Wake,
    /// Test a key.
    Verify { store: WorkspaceStore, key: KeyId, done: oneshot::Sender<Result<(), VerifyError>> },
    /// End all bots, leaving positions as they are, and answer when no process is left.
    EndAll { done: oneshot::Sender<()> },
}

/// The handle that handlers hold.
#[derive(Debug, Clone)]
pub struct Fleet {
    orders: mpsc::Sender<Order>,
    notices: broadcast::Sender<Notice>,
}

/// Orders that may wait for the manager.
const ORDERS: usize = 256;
/// News that a slow watcher may lag behind before it has to read everything again.
const NOTICES: usize = 4_096;
/// How long a connection test may take in all.
pub const VERIFY_LIMIT: Duration = Duration::from_secs(22);

impl Fleet {
    /// Binds the uplink socket and starts the tasks.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn start(parts: FleetParts) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (notices, _) = broadcast::channel(NOTICES);
        let table = table::Table::default();
        let listener = uplink::bind(&parts.uplink)?;
        let shared = Arc::new(manager::Shared {
            store: parts.store,
            keeper: parts.keeper,
            venues: parts.venues,
            now: parts.now,
            table,
            notices: notices.clone(),
            wake: orders.clone(),
        });
        tokio::spawn(uplink::serve(listener, Arc::clone(&shared)));
        tokio::spawn(manager::run(shared, parts.local, inbox));
        Ok(Self { orders, notices })
    }

    /// Something in the store changed: look again.
    pub fn wake(&self) {
        // A full inbox has a wake in it already, and a closed one belongs to a server that is ending.
        let _ = self.orders.try_send(Order::Wake);
    }

    /// Tests a key in a process of its own and stores what was found. Answers when it is done, at the latest after
    /// [`VERIFY_LIMIT`].
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(&self, store: WorkspaceStore, key: KeyId) -> Result<(), VerifyError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Verify { store, key, done }).await.map_err(|_| VerifyError::Ending)?;
        answer.await.map_err(|_| VerifyError::Ending)?
    }

    /// Ends all bots, leaving positions with their resting stops, and waits until no process is left.
    pub async fn end_all(&self) {
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order::EndAll { done }).await.is_ok() {
            // An error means the manager has ended and with it the processes it waited for.
            let _ = answer.await;
        }
    }

    /// News from now on.
    pub fn watch(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}
