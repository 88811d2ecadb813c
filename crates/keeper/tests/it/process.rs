//! The real program, in its sandbox, over its socket.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyhold_domain::BotId;
use keyhold_os::pidfd::{PidFd, Signal, Waited};
use keyhold_protocol::frame::{FrameLimit, write_frame};
use keyhold_protocol::keeper::{
    Answer, Client, Describe, Grade, Leased, Refusal, Request, Ticket, TicketRequest,
};
use keyhold_seal::{Context, KeeperPublicKey, Sealed, WrappedDataKey};
use keyhold_unseal::open::EphemeralKey;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::fixture::{context, import, lease, new_folder, refusal, sealed_to, ticket_for};
use keyhold_keeper::entropy::SystemEntropy;

/// Bound of every wait in these tests.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// A running keeper; killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Program {
    /// Starts it.
    pub(crate) fn spawn(folder: &tempfile::TempDir, more: &[&str]) -> Self {
        // Other users must reach the socket; the keeper's own folder below stays closed.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let socket = folder.path().join("socket");
        let child = Self::command(folder).args(more).spawn().unwrap();
        Self { child, socket }
    }

    /// Starts it and waits until its keys are open.
    pub(crate) async fn start(folder: &tempfile::TempDir, more: &[&str]) -> Self {
        let mut program = Self::spawn(folder, more);
        let deadline = Instant::now() + WITHIN;
        while program.public_key().await.is_none() {
            assert!(program.child.try_wait().unwrap().is_none(), "the keeper ended");
            assert!(Instant::now() < deadline, "the keeper does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        program
    }

    pub(crate) fn command(folder: &tempfile::TempDir) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyhold-keeper"));
        command.arg("serve").arg("--dir").arg(folder.path().join("keeper"));
        command.arg("--socket").arg(folder.path().join("socket"));
        command.stderr(Stdio::null()).env("KEEPER_TEST_MARKER", "an environment that must be gone");
        command
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn try_connect(&self) -> Option<Client<UnixStream>> {
        UnixStream::connect(&self.socket).await.ok().map(Client::new)
    }

    pub(crate) async fn connect(&self) -> Client<UnixStream> {
        self.try_connect().await.unwrap()
    }

    pub(crate) async fn public_key(&self) -> Option<KeeperPublicKey> {
        match self.try_connect().await?.ask(&Request::PublicKey, WITHIN).await {
            Ok(Answer::PublicKey(found)) => Some(found.public_key),
            Ok(_) | Err(_) => None,
        }
    }

    pub(crate) async fn import(&self, context: &Context) -> (Sealed, WrappedDataKey) {
        let sealed = sealed_to(&self.public_key().await.unwrap(), context);
        let answer = self.connect().await.ask(&import(context, &sealed), WITHIN).await.unwrap();
        let Answer::Imported { wrapped_data_key } = answer else { panic!("{answer:?}") };
        (sealed, wrapped_data_key)
    }

    pub(crate) async fn ticket(&self, wanted: TicketRequest) -> Ticket {
        let answer = self.connect().await.ask(&Request::Ticket(wanted), WITHIN).await.unwrap();
        let Answer::Ticket { ticket } = answer else { panic!("{answer:?}") };
        ticket
    }

    /// Leases as this very process, opens the envelope, and gives the lease back.
    pub(crate) async fn lease_and_open(
        &self,
        context: &Context,
        wrapped: &WrappedDataKey,
        sealed: &Sealed,
    ) -> bool {
        let bot = context.key.to_u128();
        let ticket = self.ticket(ticket_for(context, bot, own_uid())).await;
        let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
        let mut client = self.connect().await;
        let answer = client.ask(&lease(&ticket, key.public(), wrapped, context), WITHIN).await.unwrap();
        let Answer::Leased { lease, answer } = answer else { panic!("{answer:?}") };
        let data_key = key.open_lease(&answer, context, BotId::from_u128(bot), lease.to_bytes());
        let opened = data_key.and_then(|data_key| data_key.open(&sealed.envelope, context)).is_ok();
        assert_eq!(client.ask(&Request::Release, WITHIN).await.unwrap(), Answer::Released);
        opened
    }

    /// SIGKILL a while after somebody says that it is time, from a thread.
    pub(crate) fn kill_after(
        &self,
        started: tokio::sync::oneshot::Receiver<()>,
        delay: Duration,
    ) -> tokio::task::JoinHandle<()> {
        let process = PidFd::open(self.pid()).unwrap();
        tokio::task::spawn_blocking(move || {
            started.blocking_recv().unwrap();
            std::thread::sleep(delay);
            process.signal(Signal::KILL).unwrap();
            assert_eq!(process.wait(WITHIN).unwrap(), Waited::Ended);
        })
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        PidFd::open(self.pid()).unwrap().signal(Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    async fn leased(&self, context: &Context) -> Leased {
        let describe = Request::Describe(Describe { workspace: context.workspace, key: context.key });
        let answer = self.connect().await.ask(&describe, WITHIN).await.unwrap();
        let Answer::Described { versions } = answer else { panic!("{answer:?}") };
        versions[0].leased
    }

    pub(crate) async fn wait_until_free(&self, context: &Context) {
        let deadline = Instant::now() + WITHIN;
        while self.leased(context).await == Leased::Yes {
            assert!(Instant::now() < deadline, "the lease does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already gone is fine, and there is nobody to tell otherwise.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid()
}

/// Another process that asks for a lease and then, holding it, waits to be killed. Runs only when told to.
#[tokio::test]
async fn child() {
    let Ok(plan) = std::env::var("KEEPER_TEST_CHILD") else { return };
    let [socket, ticket, wrapped, about] = plan.split(' ').collect::<Vec<_>>()[..] else { panic!() };
    let context = Context::parse(about).unwrap();
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let ticket = Ticket::parse(ticket).unwrap();
    let request = lease(&ticket, key.public(), &WrappedDataKey::parse(wrapped).unwrap(), &context);
    let mut client = Client::new(UnixStream::connect(socket).await.unwrap());
    let imported = Request::Describe(Describe { workspace: context.workspace, key: context.key });
    let describe = client.ask(&imported, WITHIN).await.unwrap();
    let leased = client.ask(&request, WITHIN).await.unwrap();
    println!(
        "\nRESULT {:?} {}",
        refusal(&describe),
        refusal(&leased).map_or("leased".to_owned(), |code| format!("{code:?}"))
    );
    // The connection goes, the process stays: the lease must stay as well.
    drop(client);
    println!("CLOSED");
    std::thread::sleep(WITHIN);
}

/// Starts [`child`] as a user and waits for its line.
pub(crate) fn start_child(
    program: &Program,
    uid: u32,
    ticket: &Ticket,
    wrapped: &WrappedDataKey,
    context: &Context,
) -> (Child, String) {
    use std::io::BufRead as _;
    let plan = format!(
        "{} {} {} {}",
        program.socket.display(),
        ticket.to_text(),
        wrapped.to_text(),
        context.to_text()
    );
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["process::child", "--exact", "--nocapture"]).env("KEEPER_TEST_CHILD", plan);
    if uid != own_uid() {
        command.uid(uid).gid(uid);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut result = String::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        if let Some(found) = line.strip_prefix("RESULT ") {
            found.clone_into(&mut result);
        }
        if line == "CLOSED" {
            break;
        }
    }
    (child, result)
}

pub(crate) fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_credential_goes_all_the_way_through_the_socket() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (sealed, wrapped) = program.import(&context).await;
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);
    let Answer::Status(status) = program.connect().await.ask(&Request::Status, WITHIN).await.unwrap() else {
        panic!()
    };
    assert_eq!((status.live_records, status.leases), (1, 0));
    if status.isolation == Grade::Degraded || status.memory != "sealed" {
        eprintln!("NOT PROVEN ON THIS HOST: isolation {:?}, memory {}", status.isolation, status.memory);
    }
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test]
async fn of_many_at_once_exactly_one_gets_the_lease() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (_, wrapped) = program.import(&context).await;
    let mut asking = Vec::new();
    for bot in 1..=16u128 {
        let ticket = program.ticket(ticket_for(&context, bot, own_uid())).await;
        let (mut client, wrapped) = (program.connect().await, wrapped.clone());
        asking.push(tokio::spawn(async move {
            let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
            let answer = client.ask(&lease(&ticket, key.public(), &wrapped, &context), WITHIN).await.unwrap();
            (answer, client)
        }));
    }
    let mut won = 0;
    let mut open = Vec::new();
    for one in asking {
        let (answer, client) = one.await.unwrap();
        match refusal(&answer) {
            None => won += 1,
            Some(code) => assert_eq!(code, Refusal::KeyInUse),
        }
        open.push(client);
    }
    assert_eq!(won, 1);
    assert_eq!(program.leased(&context).await, Leased::Yes);
}

/// A lease outlives its connection and ends with its process.
#[tokio::test]
async fn a_lease_lasts_as_long_as_its_process() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (sealed, wrapped) = program.import(&context).await;
    let ticket = program.ticket(ticket_for(&context, 7, own_uid())).await;
    let (child, result) = start_child(&program, own_uid(), &ticket, &wrapped, &context);
    assert_eq!(result, "None leased");

    let second = program.ticket(ticket_for(&context, 8, own_uid())).await;
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let request = lease(&second, key.public(), &wrapped, &context);
    let answer = program.connect().await.ask(&request, WITHIN).await.unwrap();
    assert_eq!(refusal(&answer), Some(Refusal::KeyInUse));

    end(child);
    program.wait_until_free(&context).await;
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);
}

#[tokio::test]
async fn another_user_gets_nothing_but_its_own_lease() {
    const NOBODY: u32 = 65534;
    if own_uid() != 0 {
        return eprintln!("NOT PROVEN ON THIS HOST: only root can start a process of another user");
    }
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (_, wrapped) = program.import(&context).await;
    let for_root = program.ticket(ticket_for(&context, 7, 0)).await;
    let (child, result) = start_child(&program, NOBODY, &for_root, &wrapped, &context);
    assert_eq!(result, "Some(NotAllowed) TicketInvalid");
    end(child);
    let for_nobody = program.ticket(ticket_for(&context, 7, NOBODY)).await;
    // The right ticket in the wrong hands: not even root may use it.
    let (child, result) = start_child(&program, 0, &for_nobody, &wrapped, &context);
    assert_eq!(result, "None TicketInvalid");
    end(child);
    let for_nobody = program.ticket(ticket_for(&context, 7, NOBODY)).await;
    let (child, result) = start_child(&program, NOBODY, &for_nobody, &wrapped, &context);
    assert_eq!(result, "Some(NotAllowed) leased");
    end(child);
}

#[tokio::test]
async fn nonsense_is_refused_without_being_repeated() {
    const MARKER: &str = "made-up-secret-4711";
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let cases = [
        (format!(r#"{{"v":1,"id":1,"body":{{"verb":"{MARKER}"}}}}"#), "MESSAGE_MALFORMED"),
        (
            format!(r#"{{"v":1,"id":1,"body":{{"verb":"import","args":{{"{MARKER}":1}}}}}}"#),
            "MESSAGE_MALFORMED",
        ),
        (MARKER.to_owned(), "MESSAGE_MALFORMED"),
        (format!(r#"{{"v":2,"{MARKER}":1}}"#), "VERSION_UNKNOWN"),
    ];
    for (text, code) in cases {
        let mut stream = UnixStream::connect(&program.socket).await.unwrap();
        write_frame(&mut stream, text.as_bytes(), FrameLimit::LOCAL, WITHIN).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(WITHIN, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[4..]).into_owned();
        assert!(answer.contains(code) && !answer.contains("4711"), "{answer}");
    }
    assert!(program.public_key().await.is_some());
}

#[tokio::test]
async fn a_second_keeper_on_the_same_folder_does_not_start() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let status = Program::command(&folder).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(program.public_key().await.is_some());
}

/// Nothing of the environment, and nothing on the command line, that others could read.
#[tokio::test]
async fn the_environment_is_gone() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    match std::fs::read(format!("/proc/{}/environ", program.pid())) {
        Ok(environ) => {
            assert!(!String::from_utf8_lossy(&environ).contains("must be gone"));
        }
        Err(_closed) => eprintln!("NOT PROVEN ON THIS HOST: only root can look at a closed process"),
    }
}

#[test]
fn the_folder_of_the_socket_is_made_and_everybody_may_pass() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/keeper.sock");
    let _listener = keyhold_keeper::serve::bind(&socket).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(socket.parent().unwrap()), mode(&socket)), (0o711, 0o666));
    std::os::unix::net::UnixStream::connect(&socket).unwrap();
}
