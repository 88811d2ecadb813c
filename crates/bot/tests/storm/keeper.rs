//! The real vault, tickets and leases behind a pipe instead of a socket.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{BotId, InstallId};
use keyhold_keeper::audit::Audit;
use keyhold_keeper::clock::Now;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::keeper::{After, Asker, Keeper, LeaseEnd, Protection};
use keyhold_keeper::vault::{Rollback, Vault};
use keyhold_protocol::frame::{Deadline, read_message, write_message};
use keyhold_protocol::keeper::{Answer, Grade, Import, RULES, Request, TicketRequest};
use keyhold_seal::{Context, KeeperPublicKey, Sealed, WrappedDataKey};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::world::VirtualClock;

/// Who asks here.
const ASKER: Asker = Asker { uid: 1, pid: 1 };
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct TestKeeper {
    keeper: Arc<Mutex<Keeper<SystemEntropy>>>,
    clock: VirtualClock,
    began: tokio::time::Instant,
    pub(crate) public_key: KeeperPublicKey,
}

impl TestKeeper {
    pub(crate) fn start(folder: &Path, install: InstallId, clock: VirtualClock) -> Self {
        let dir = StateDir::create(&folder.join("keeper")).unwrap();
        Vault::create(&dir, install, &mut SystemEntropy).unwrap();
        let public_key = Vault::peek(&dir).unwrap();
        let audit = Audit::open(&dir).unwrap();
        let vault = Vault::open(&dir, Rollback::Refuse, &mut SystemEntropy).unwrap();
        let protection =
            Protection { deletion: Grade::Degraded, isolation: Grade::Degraded, memory: "test".to_owned() };
        let servers = BTreeSet::from([ASKER.uid]);
        let began = tokio::time::Instant::now();
        let now = Now { wall_ms: 0, running: Duration::ZERO };
        let keeper = Keeper::start(vault, audit, servers, protection, SystemEntropy, now).unwrap();
        Self { keeper: Arc::new(Mutex::new(keeper)), clock, began, public_key }
    }

    fn now(&self) -> Now {
        let wall_ms = u64::try_from(self.clock.now().ms()).unwrap();
        Now { wall_ms, running: self.began.elapsed() }
    }

    fn ask(&self, request: Request) -> Answer {
        self.keeper.lock().unwrap().answer(request, ASKER, self.now()).0
    }

    pub(crate) fn import(&self, context: Context, sealed: &Sealed) -> WrappedDataKey {
        let import = Import { context, sealed_data_key: sealed.data_key.clone() };
        match self.ask(Request::Import(import)) {
            Answer::Imported { wrapped_data_key } => wrapped_data_key,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ticket(&self, context: &Context, bot: BotId) -> String {
        let request = TicketRequest {
            workspace: context.workspace,
            bot,
            key: context.key,
            uid: ASKER.uid,
            valid_ms: None,
        };
        match self.ask(Request::Ticket(request)) {
            Answer::Ticket { ticket } => ticket.to_text(),
            other => panic!("{other:?}"),
        }
    }

    /// Answers whoever calls.
    pub(crate) async fn serve(self, mut callers: mpsc::UnboundedReceiver<DuplexStream>) {
        while let Some(stream) = callers.recv().await {
            tokio::spawn(self.clone().talk(stream));
        }
    }

    async fn talk(self, mut stream: DuplexStream) {
        let mut lease = None;
        while let Ok(Some(message)) =
            read_message::<Request, _>(&mut stream, RULES, Deadline::AfterFirstByte(PATIENCE)).await
        {
            let now = self.now();
            let answer = match (message.body, lease) {
                (Request::Release, Some((key, id))) => {
                    lease = None;
                    self.keeper.lock().unwrap().end_lease(key, id, LeaseEnd::Released, now);
                    Answer::Released
                }
                (request, _) => {
                    let (answer, after) = self.keeper.lock().unwrap().answer(request, ASKER, now);
                    if let After::HoldsLease(key, id) = after {
                        lease = Some((key, id));
                    }
                    answer
                }
            };
            if write_message(&mut stream, RULES, message.id, &answer, PATIENCE).await.is_err() {
                break;
            }
        }
        // Here a line that ends is a process that has ended.
        if let Some((key, id)) = lease {
            let now = self.now();
            self.keeper.lock().unwrap().end_lease(key, id, LeaseEnd::ProcessEnded, now);
        }
    }
}
