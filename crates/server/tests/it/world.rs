//! A server with its data in a folder of its own, and clients that behave like browsers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhold_server::clock::Clock;
use keyhold_server::config::{Config, Front, Isolation, Registration, SessionLimits, SimulatedVenue};
use keyhold_server::{Running, start};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::conform;

pub(crate) const ORIGIN: &str = "http://localhost:7400";
pub(crate) const PASSWORD: &str = "seven green turtles hum";

/// A running server. Dropped, it leaves no process: the keeper is killed, bots end with their line and folder.
pub(crate) struct World {
    pub(crate) running: Option<Running>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    moved: Arc<AtomicI64>,
    keeper: Option<Child>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "status {}: {}", self.status, self.text);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
    }
}

/// A browser.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) cookie: Option<String>,
    /// Sent with every request, in place of `Sec-Fetch-Site: same-origin` when it names that header.
    pub(crate) extra: Vec<(String, String)>,
}

fn beside_tests(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join(name)
}

fn keeper_program() -> Option<PathBuf> {
    let named = std::env::var("KEYHOLD_TEST_KEEPER").ok().map(PathBuf::from);
    named.or_else(|| Some(beside_tests("keyhold-keeper"))).filter(|path| path.exists())
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::prepare(None).await
    }

    /// With a keeper, or `None` after saying that there is no program for it.
    pub(crate) async fn with_keeper(test: &str) -> Option<Self> {
        let Some(program) = keeper_program() else {
            eprintln!("SKIPPED: {test}, because keyhold-keeper is not built (see KEYHOLD_TEST_KEEPER)");
            return None;
        };
        Some(Self::prepare(Some(program)).await)
    }

    async fn prepare(keeper: Option<PathBuf>) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("kh").tempdir().unwrap();
        // Bots run as other users and must be able to pass.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let socket = folder.path().join("keeper.sock");
        if keeper.is_none() {
            stand_in_keeper(&socket);
        }
        let keeper = keeper.map(|program| start_keeper(&program, &folder.path().join("keeper"), &socket));
        let config = Config {
            data: folder.path().join("data"),
            database_url: None,
            listen: "127.0.0.1:0".parse().unwrap(),
            front: Front::Direct,
            public_origin: ORIGIN.to_owned(),
            registration: Registration::Open,
            keeper: socket,
            bot_program: beside_tests("examples/parrot"),
            run: folder.path().join("run"),
            isolation: Isolation::Degraded,
            first_uid: 310_000,
            simulated: vec![SimulatedVenue {
                exchange: keyhold_domain::Exchange::Bybit,
                rest: "http://127.0.0.1:9".to_owned(),
                stream: "ws://127.0.0.1:9".to_owned(),
                demo_key: None,
                demo_key_counterpart: None,
                demo_passphrase: None,
            }],
            egress_addresses: vec!["192.0.2.7".to_owned()],
            sessions: SessionLimits::default(),
            bot_log: "info".to_owned(),
        };
        let moved = Arc::new(AtomicI64::new(0));
        let mut world = Self { running: None, folder, config, moved, keeper };
        world.restart().await;
        world
    }

    /// Ends the server, if it runs, and starts it again over the same data.
    pub(crate) async fn restart(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        let clock = Clock::Moved(Arc::clone(&self.moved));
        self.running = Some(start(self.config.clone(), clock).await.unwrap());
    }

    /// Moves the server's clock forward.
    pub(crate) fn later(&self, by_ms: i64) {
        self.moved.fetch_add(by_ms, Ordering::SeqCst);
    }

    pub(crate) fn claim_code(&self) -> String {
        self.running.as_ref().unwrap().claim_code.clone().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client { address: self.running.as_ref().unwrap().address, cookie: None, extra: Vec::new() }
    }

    /// Claims the installation.
    pub(crate) async fn owner(&self) -> Client {
        let mut client = self.client();
        let body = json!({"code": self.claim_code(), "email": "alice@example.org", "password": PASSWORD});
        client.post("/claim", body).await.ok();
        client
    }

    /// A further user.
    pub(crate) async fn user(&self, email: &str) -> Client {
        let mut client = self.client();
        client.post("/register", json!({"email": email, "password": PASSWORD})).await.ok();
        client
    }

    /// Ends everything with its processes.
    pub(crate) async fn end(mut self) {
        if let Some(running) = self.running.take() {
            running.stop_with_bots().await.unwrap();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Bots outlive their server by design; those of a test that failed must not outlive the test.
        for entry in std::fs::read_dir(self.config.run.join("bots")).into_iter().flatten().flatten() {
            let record = std::fs::read(entry.path())
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            if let Some(pid) = record.and_then(|record| record["pid"].as_u64()) {
                // Gone already is as good.
                let _killed =
                    Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
            }
        }
        if let Some(keeper) = &mut self.keeper {
            // Gone already is as good.
            let _killed = keeper.kill().and_then(|()| keeper.wait());
        }
    }
}

/// Answers which installation it serves and refuses everything else: for tests in which no key plays a part.
fn stand_in_keeper(socket: &Path) {
    use keyhold_protocol::frame::{self, Deadline};
    use keyhold_protocol::keeper::{Answer as Said, PublicKey, RULES, Refusal, Request};
    let listener = tokio::net::UnixListener::bind(socket).unwrap();
    let mut point = [0; 32];
    point[0] = 9;
    let public_key = keyhold_seal::KeeperPublicKey::from_bytes(&point).unwrap();
    let limit = Duration::from_secs(5);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let deadline = Deadline::Within(limit);
            let Ok(Some(asked)) = frame::read_message::<Request, _>(&mut stream, RULES, deadline).await
            else {
                continue;
            };
            let answer = match asked.body {
                Request::PublicKey => Said::PublicKey(PublicKey {
                    install: keyhold_domain::InstallId::from_u128(1),
                    key_id: public_key.id(),
                    fingerprint: public_key.id().fingerprint(),
                    public_key: public_key.clone(),
                }),
                _ => Said::Refused { code: Refusal::StorageFailed, pointer: None },
            };
            // A server that has gone away does not mind.
            let _sent = frame::write_message(&mut stream, RULES, asked.id, &answer, limit).await;
        }
    });
}

fn start_keeper(program: &Path, folder: &Path, socket: &Path) -> Child {
    let made =
        Command::new(program).arg("init").arg("--dir").arg(folder).stdout(Stdio::null()).status().unwrap();
    assert!(made.success(), "the keeper is made");
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--dir")
        .arg(folder)
        .arg("--socket")
        .arg(socket)
        .args(["--isolation", "degraded"]);
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        assert!(std::time::Instant::now() < deadline, "the keeper listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Client {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }
    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body.to_string())).await
    }
    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body.to_string())).await
    }
    pub(crate) async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body.to_string())).await
    }
    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.call("DELETE", path, Some("{}".to_owned())).await
    }

    /// Opens a connection and sends the request; `path` is under the API unless it begins with `//`.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&str>) -> TcpStream {
        let path = path
            .strip_prefix('/')
            .filter(|rest| rest.starts_with('/'))
            .map_or_else(|| format!("/api/v1{path}"), str::to_owned);
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        if !self.extra.iter().any(|(name, _)| name == "sec-fetch-site") {
            text.push_str("sec-fetch-site: same-origin\r\n");
        }
        for (name, value) in self.extra.iter().filter(|(_, value)| !value.is_empty()) {
            text.extend([name.as_str(), ": ", value, "\r\n"]);
        }
        if let Some(cookie) = &self.cookie {
            text.extend(["cookie: __Host-sid=", cookie, "\r\n"]);
        }
        if let Some(body) = body {
            if !self.extra.iter().any(|(name, _)| name == "content-type") {
                text.push_str("content-type: application/json\r\n");
            }
            text.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n", body]);
        } else {
            text.push_str("\r\n");
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn call(&mut self, method: &str, path: &str, body: Option<String>) -> Answer {
        let mut stream = self.send(method, path, body.as_deref()).await;
        let mut bytes = Vec::new();
        let reading = stream.read_to_end(&mut bytes);
        tokio::time::timeout(Duration::from_mins(1), reading).await.expect("an answer in time").unwrap();
        let answer = parse(&bytes);
        conform::check(method, path, body.as_deref(), answer.status, &answer.body);
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let token = value.split(';').next().unwrap().strip_prefix("__Host-sid=").unwrap();
            self.cookie = (!token.is_empty()).then(|| token.to_owned());
        }
        answer
    }

    /// Asks until the answer fits, at most 20 seconds.
    pub(crate) async fn wait_for(&mut self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.get(path).await.ok();
            if fits(&found) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} stayed {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Answer { status, headers, body: serde_json::from_str(&body).unwrap_or(Value::Null), text: body }
}

fn unchunk(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}
