//! The keeper's socket: who connects, how long they may take, and which lease ends when a process does.
//!
//! One thread. A connection carries one request at a time; what a request does is `keeper.rs`. The peer is identified
//! once, by what the kernel recorded when it connected, and held by descriptor: its end is noticed even when another
//! process inherited the socket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use keyhold_domain::KeyId;
use keyhold_os::peer::Peer;
use keyhold_protocol::frame::{Deadline, FrameError, Message, read_message, write_message};
use keyhold_protocol::keeper::{Answer, LeaseId, RULES, Refusal, Request};
use keyhold_seal::EntropySource;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::files::{FilesError, failed};
use crate::keeper::{After, Asker, Keeper, LeaseEnd, Server, Survivor};

/// Connections at once.
const MAX_CONNECTIONS: usize = 1024;
/// Connections at once of one user that is not the server's.
const MAX_PER_USER: usize = 64;
/// How long a frame may take, and how long a stranger may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the keeper looks at what is due by the clock.
const MINUTE: Duration = Duration::from_mins(1);

/// Binds the socket, and makes its folder when there is none: only its maker lists it, everybody may pass through.
/// Everybody may connect; what they may ask is decided by who they are.
///
/// # Errors
/// [`FilesError::InUse`] when somebody listens there already.
pub fn bind(path: &Path) -> Result<StdListener, FilesError> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if StdStream::connect(path).is_ok() || !found.file_type().is_socket() {
            return Err(FilesError::InUse { path: path.to_owned() });
        }
        fs::remove_file(path).map_err(failed("removing the old", path))?;
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        fs::create_dir_all(folder).map_err(failed("making the folder", folder))?;
        let mode = Permissions::from_mode(0o711);
        fs::set_permissions(folder, mode).map_err(failed("opening to all", folder))?;
    }
    let listener = StdListener::bind(path).map_err(failed("listening on", path))?;
    fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(failed("opening to all", path))?;
    listener.set_nonblocking(true).map_err(failed("preparing", path))?;
    Ok(listener)
}

/// What the connections share.
struct Shared<E, C> {
    keeper: RefCell<Keeper<E>>,
    clock: C,
    /// Connections by user.
    connected: RefCell<BTreeMap<u32, usize>>,
}

/// Serves until SIGTERM or SIGINT. Must run inside a `LocalSet` on a single-threaded runtime.
///
/// # Errors
/// When the socket or the signals cannot be used.
pub async fn serve<E: EntropySource + 'static, C: Clock + 'static>(
    listener: StdListener,
    keeper: Keeper<E>,
    clock: C,
) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shared =
        Rc::new(Shared { keeper: RefCell::new(keeper), clock, connected: RefCell::new(BTreeMap::new()) });
    for survivor in shared.keeper.borrow_mut().take_survivors() {
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move { outlive(survivor, &shared).await });
    }
    let mut minutes = tokio::time::interval(MINUTE);
    tracing::info!("ready");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = minutes.tick() => {
                shared.keeper.borrow_mut().tick(shared.clock.now());
                continue;
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        match accepted {
            Ok((stream, _address)) => {
                let shared = Rc::clone(&shared);
                tokio::task::spawn_local(async move { welcome(stream, &shared).await });
            }
            Err(error) => {
                tracing::error!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    shared.keeper.borrow_mut().stop(shared.clock.now());
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the end of a process that got its lease from the keeper before this one.
async fn outlive<E: EntropySource, C: Clock>(survivor: Survivor, shared: &Shared<E, C>) {
    let ended = match watch(survivor.handle) {
        Ok(process) => process.readable().await.map(|_ended| ()),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        return tracing::error!(%error, "a lease cannot be watched and stays taken");
    }
    let (key, id) = (survivor.key, survivor.lease.id);
    shared.keeper.borrow_mut().end_lease(key, id, LeaseEnd::ProcessEnded, shared.clock.now());
}

/// Identifies the peer, counts it, and talks to it until it goes.
async fn welcome<E: EntropySource, C: Clock>(stream: UnixStream, shared: &Shared<E, C>) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => return tracing::info!(%error, "a peer that cannot be identified is not served"),
    };
    let uid = peer.credentials().uid;
    if enter(shared, uid) == Entered::Full {
        return tracing::warn!(uid, "too many connections");
    }
    match Connection::new(stream, peer) {
        Ok(connection) => connection.run(shared).await,
        Err(error) => tracing::error!(%error, "watching a peer"),
    }
    leave(shared, uid);
}

#[derive(PartialEq, Eq)]
enum Entered {
    Yes,
    Full,
}

fn enter<E: EntropySource, C>(shared: &Shared<E, C>, uid: u32) -> Entered {
    let mut connected = shared.connected.borrow_mut();
    let all: usize = connected.values().sum();
    let own = connected.get(&uid).copied().unwrap_or(0);
    // A user that fills its own share leaves room for the server.
    let share = match shared.keeper.borrow().server(uid) {
        Server::Yes => MAX_CONNECTIONS,
        Server::No => MAX_PER_USER,
    };
    if all >= MAX_CONNECTIONS || own >= share {
        return Entered::Full;
    }
    connected.insert(uid, own + 1);
    Entered::Yes
}

fn leave<E, C>(shared: &Shared<E, C>, uid: u32) {
    let mut connected = shared.connected.borrow_mut();
    if let Some(count) = connected.get_mut(&uid) {
        *count -= 1;
        if *count == 0 {
            connected.remove(&uid);
        }
    }
}

/// One peer.
struct Connection {
    stream: UnixStream,
    peer: Peer,
    asker: Asker,
    /// Readable once the peer's process has ended.
    process: AsyncFd<OwnedFd>,
    lease: Option<(KeyId, LeaseId)>,
}

impl Connection {
    fn new(stream: UnixStream, peer: Peer) -> io::Result<Self> {
        let process = watch(peer.handle().as_fd().try_clone_to_owned()?)?;
        let asker = Asker { uid: peer.credentials().uid, pid: peer.credentials().pid };
        Ok(Self { stream, peer, asker, process, lease: None })
    }

    async fn run<E: EntropySource, C: Clock>(mut self, shared: &Shared<E, C>) {
        while let Some(message) = self.next(shared).await {
            let answer = self.answer(message.body, shared);
            if write_message(&mut self.stream, RULES, message.id, &answer, PATIENCE).await.is_err() {
                break;
            }
        }
        let Some((key, id)) = self.lease else { return };
        // The connection is over, the process perhaps not: as long as it lives, it may hold the credential.
        drop(self.stream);
        if let Err(error) = self.process.readable().await {
            return tracing::error!(%error, "a lease cannot be watched and stays taken");
        }
        shared.keeper.borrow_mut().end_lease(key, id, LeaseEnd::ProcessEnded, shared.clock.now());
    }

    /// The next request; `None` when the conversation is over.
    async fn next<E: EntropySource, C: Clock>(&mut self, shared: &Shared<E, C>) -> Option<Message<Request>> {
        let server = shared.keeper.borrow().server(self.asker.uid);
        let deadline = match (server, self.lease) {
            (Server::No, None) => Deadline::Within(PATIENCE),
            (Server::Yes, _) | (Server::No, Some(_)) => Deadline::AfterFirstByte(PATIENCE),
        };
        let read = tokio::select! {
            read = read_message::<Request, _>(&mut self.stream, RULES, deadline) => read,
            _ended = self.process.readable() => return None,
        };
        match read {
            Ok(message) => message,
            Err(error) => {
                self.complain(&error).await;
                None
            }
        }
    }

    /// Says what was wrong with a message, without repeating any of it, before the connection is closed.
    async fn complain(&mut self, error: &FrameError) {
        tracing::info!(uid = self.asker.uid, pid = self.asker.pid, %error, "a message was not understood");
        let (code, pointer) = match error {
            FrameError::Version { .. } => (Refusal::VersionUnknown, None),
            FrameError::Malformed { pointer, .. } => (Refusal::MessageMalformed, Some(pointer.clone())),
            FrameError::Size { .. } => (Refusal::MessageMalformed, None),
            FrameError::TimedOut(_) | FrameError::Truncated | FrameError::Unwritable | FrameError::Io(_) => {
                return;
            }
        };
        let answer = Answer::Refused { code, pointer };
        if let Err(error) = write_message(&mut self.stream, RULES, 0, &answer, PATIENCE).await {
            tracing::debug!(%error, "the peer did not wait for the complaint");
        }
    }

    fn answer<E: EntropySource, C: Clock>(&mut self, request: Request, shared: &Shared<E, C>) -> Answer {
        let now = shared.clock.now();
        let mut keeper = shared.keeper.borrow_mut();
        match (&request, self.lease) {
            (Request::Release, Some((key, id))) => {
                self.lease = None;
                keeper.end_lease(key, id, LeaseEnd::Released, now);
                Answer::Released
            }
            (Request::Lease(_), Some(_)) => Answer::Refused { code: Refusal::WrongMoment, pointer: None },
            _ => {
                // The process that connected must be the one that is answered.
                if self.peer.still_alive().is_err() {
                    return Answer::Refused { code: Refusal::NotAllowed, pointer: None };
                }
                let process = self.peer.handle().identity(keeper.identities());
                let (answer, after) = keeper.answer_process(request, self.asker, process, now);
                match after {
                    After::HoldsLease(key, id) => self.lease = Some((key, id)),
                    After::Continue => {}
                }
                answer
            }
        }
    }
}

/// Makes a process descriptor awaitable.
#[allow(
    deprecated,
    reason = "its replacement is unsafe because a wrapper might close or swap its descriptor early; `OwnedFd` cannot"
)]
fn watch(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(process, Interest::READABLE)
}
