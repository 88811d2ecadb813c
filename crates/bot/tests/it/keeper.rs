//! A keeper on a thread of its own: the real vault, tickets and socket, without the sandbox of its program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use keyhold_domain::{BotId, InstallId};
use keyhold_keeper::audit::Audit;
use keyhold_keeper::clock::{Clock as _, SystemClock};
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::keeper::{Keeper, Protection};
use keyhold_keeper::serve::{bind, serve};
use keyhold_keeper::vault::{Rollback, Vault};
use keyhold_protocol::keeper::{Answer, Client, Grade, Import, Request, TicketRequest};
use keyhold_seal::{Context, KeeperPublicKey, Sealed, WrappedDataKey};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

pub(crate) struct TestKeeper {
    pub(crate) socket: PathBuf,
    pub(crate) public_key: KeeperPublicKey,
    dir: StateDir,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

const WITHIN: Duration = Duration::from_secs(10);

impl TestKeeper {
    pub(crate) fn start(folder: &Path, install: InstallId) -> Self {
        let dir = StateDir::create(&folder.join("state")).unwrap();
        Vault::create(&dir, install, &mut SystemEntropy).unwrap();
        let public_key = Vault::peek(&dir).unwrap();
        let socket = folder.join("keeper.sock");
        let keeper = Self { socket, public_key, dir, running: Mutex::new(None) };
        keeper.up();
        keeper
    }

    pub(crate) fn up(&self) {
        let listener = bind(&self.socket).unwrap();
        let (stop, stopped) = oneshot::channel();
        let path = self.dir.path().to_owned();
        let thread = std::thread::spawn(move || {
            let dir = StateDir::open(&path).unwrap();
            let clock = SystemClock::start();
            let _lock = dir.lock().unwrap();
            let audit = Audit::open(&dir).unwrap();
            let vault = Vault::open(&dir, Rollback::Refuse, &mut SystemEntropy).unwrap();
            let protection = Protection {
                deletion: Grade::Degraded,
                isolation: Grade::Degraded,
                memory: "test".to_owned(),
            };
            let servers = BTreeSet::from([user()]);
            let keeper =
                Keeper::start(vault, audit, servers, protection, SystemEntropy, clock.now()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    ended = serve(listener, keeper, clock) => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        *self.running.lock().unwrap() = Some(Running { stop, thread });
    }

    /// Ends as if killed: connections break, leases are forgotten.
    pub(crate) fn down(&self) {
        let running = self.running.lock().unwrap().take().unwrap();
        drop(running.stop);
        running.thread.join().unwrap();
    }

    /// `None` when the keeper is away.
    async fn ask(&self, request: Request) -> Option<Answer> {
        let stream = UnixStream::connect(&self.socket).await.ok()?;
        Client::new(stream).ask(&request, WITHIN).await.ok()
    }

    pub(crate) async fn import(&self, context: Context, sealed: &Sealed) -> WrappedDataKey {
        let import = Import { context, sealed_data_key: sealed.data_key.clone() };
        match self.ask(Request::Import(import)).await {
            Some(Answer::Imported { wrapped_data_key }) => wrapped_data_key,
            other => panic!("{other:?}"),
        }
    }

    /// `None` when the keeper is away.
    pub(crate) async fn ticket(&self, context: &Context, bot: BotId) -> Option<String> {
        let request = TicketRequest {
            workspace: context.workspace,
            bot,
            key: context.key,
            uid: user(),
            valid_ms: None,
        };
        match self.ask(Request::Ticket(request)).await {
            Some(Answer::Ticket { ticket }) => Some(ticket.to_text()),
            None => None,
            other => panic!("{other:?}"),
        }
    }
}

/// The user the tests, and therefore the bots, run as.
fn user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}
