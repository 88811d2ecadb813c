//! A transit key as provider: against a small server that answers as Vault's documentation says, errors included.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::providers::transit::{Transit, TransitError, TransitKey, TransitPlace};
use keyhold_keeper::providers::{HeldProvider, ProviderError, RootProvider as _};
use keyhold_os::secret::LockedBox;
use keyhold_protocol::keeper::{Answer, ProviderState};

use crate::fixture::{INSTALL, context};
use crate::operating::{PASSPHRASE, ask, keeper, start, status, text};
use crate::process::Program;

const TOKEN: &str = "hvs.made-up-token-of-the-tests";
const ROOT: [u8; 32] = [0x5A; 32];

/// How the server answers from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Chunked,
    Says(u16, &'static str),
    Raw(&'static str),
    Long,
    Silent,
}

#[derive(Default)]
struct Seen {
    mood: Option<Mood>,
    requests: Vec<String>,
    plain: Vec<String>,
    kept: BTreeMap<String, String>,
}

/// Shared with the threads of the server.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Seen>>);

impl Server {
    fn on_socket(path: &Path) -> Self {
        let (server, listener) = (Self::default(), UnixListener::bind(path).unwrap());
        let own = server.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| own.serve(stream)));
        server
    }

    fn on_loopback() -> (Self, String) {
        let (server, listener) = (Self::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = format!("http://{}", listener.local_addr().unwrap());
        let own = server.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| own.serve(stream)));
        (server, address)
    }

    fn set(&self, mood: Mood) {
        self.0.lock().unwrap().mood = Some(mood);
    }

    fn serve(&self, mut stream: impl Read + Write) {
        let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
        let (head, body) = loop {
            let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
            request.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8(request.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                break (head.to_owned(), body.to_owned());
            }
        };
        let (answer, mood) = self.answer(&head, &body);
        if mood == Mood::Silent {
            // Until the other side gives up.
            while let Ok(1..) = stream.read(&mut buffer) {}
        } else {
            // Whoever read enough may be gone.
            stream.write_all(answer.as_bytes()).ok();
        }
    }

    fn answer(&self, head: &str, body: &str) -> (String, Mood) {
        let mut seen = self.0.lock().unwrap();
        seen.requests.push(head.to_owned());
        let mood = seen.mood.unwrap_or(Mood::Well);
        let said = |status: u16, json: &str| {
            format!(
                "HTTP/1.1 {status} Word\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
                json.len()
            )
        };
        let answer = match mood {
            Mood::Well | Mood::Chunked => {
                let asked: serde_json::Value = serde_json::from_str(body).unwrap();
                let data = if head.starts_with("POST /v1/transit/encrypt/keyhold HTTP/1.1\r\n") {
                    let name = format!("vault:v1:{:08}+/==", seen.kept.len());
                    let plain = asked["plaintext"].as_str().unwrap().to_owned();
                    seen.plain.push(plain.clone());
                    seen.kept.insert(name.clone(), plain);
                    serde_json::json!({ "ciphertext": name, "key_version": 1 })
                } else {
                    assert!(head.starts_with("POST /v1/transit/decrypt/keyhold HTTP/1.1\r\n"), "{head}");
                    serde_json::json!({ "plaintext": seen.kept[asked["ciphertext"].as_str().unwrap()] })
                };
                let json =
                    serde_json::json!({ "request_id": "1", "lease_id": "", "data": data, "warnings": null });
                let json = json.to_string();
                if mood == Mood::Chunked {
                    let (one, two) = json.split_at(json.len() / 2);
                    format!(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
                        one.len(),
                        two.len()
                    )
                } else {
                    said(200, &json)
                }
            }
            Mood::Says(status, json) => said(status, json),
            Mood::Raw(raw) => raw.to_owned(),
            Mood::Long => said(200, &"x".repeat(1 << 20)),
            Mood::Silent => String::new(),
        };
        (answer, mood)
    }
}

fn token_file(folder: &Path) -> PathBuf {
    let path = folder.join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn key() -> TransitKey {
    TransitKey::new("transit", "keyhold").unwrap()
}

fn root() -> LockedBox<32> {
    LockedBox::take_from(&mut ROOT.clone()).unwrap()
}

fn error(result: Result<HeldProvider, ProviderError>) -> TransitError {
    match result {
        Err(ProviderError::Transit(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it did what it should not"),
    }
}

#[test]
fn a_transit_key_opens_what_it_wrapped_over_both_kinds_of_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let token_file = Some(token_file(folder.path()));
    let (on_loopback, address) = Server::on_loopback();
    let servers =
        [(Server::on_socket(&socket), format!("unix:{}", socket.display())), (on_loopback, address)];
    for (server, address) in servers {
        let place = TransitPlace { address, token_file: token_file.clone() };
        let transit = Transit::at(&place, None).unwrap();
        for mood in [Mood::Well, Mood::Chunked] {
            server.set(mood);
            let mut made = transit.make(&key(), &mut SystemEntropy).unwrap();
            let blob = made.wrap(root(), INSTALL, &mut SystemEntropy).unwrap();
            let mut fetched = transit.fetch(&blob).unwrap();
            assert_eq!((fetched.id(), fetched.kind()), (made.id(), made.kind()));
            assert_eq!(*fetched.unwrap(&blob, INSTALL).unwrap().expose(), ROOT);
            for bit in 0..blob.len() * 8 {
                let mut changed = blob.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(fetched.unwrap(&changed, INSTALL), Err(ProviderError::Unopenable)));
            }
        }
        let seen = server.0.lock().unwrap();
        assert_eq!(seen.requests.len(), 6);
        for request in &seen.requests {
            assert!(request.ends_with(&format!("\r\nX-Vault-Token: {TOKEN}")));
            assert!(request.contains("\r\nX-Vault-Request: true"));
        }
        // What it was given is not the root key, and not the same twice.
        assert_eq!(seen.plain.len(), 2);
        assert_ne!(seen.plain[0], seen.plain[1]);
        assert!(seen.plain.iter().all(|plain| plain.len() == 44 && !plain.starts_with("Wlpa")));
    }
}

#[test]
fn every_refusal_of_a_transit_server_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let server = Server::on_socket(&socket);
    let place = TransitPlace { address: format!("unix:{}", socket.display()), token_file: None };
    let transit = Transit::at(&place, None).unwrap();
    let made = transit.make(&key(), &mut SystemEntropy);
    let blob = made.unwrap().wrap(root(), INSTALL, &mut SystemEntropy).unwrap();
    let after = |mood: Mood, within: Duration| {
        server.set(mood);
        error(Transit::at(&place, None).unwrap().within(within).fetch(&blob))
    };
    let long = Duration::from_mins(1);
    let says = |status, json| after(Mood::Says(status, json), long);
    let too_new = r#"{"errors":["invalid ciphertext: version is too new"]}"#;
    let too_old = r#"{"errors":["ciphertext or signature version is disallowed by policy (too old)"]}"#;
    let other = r#"{"errors":["cipher: message authentication failed"]}"#;
    assert!(matches!(says(503, r#"{"errors":["Vault is sealed"]}"#), TransitError::Sealed));
    assert!(matches!(
        says(403, r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#),
        TransitError::Denied
    ));
    assert!(matches!(says(404, r#"{"errors":["no handler for route"]}"#), TransitError::NoKey));
    assert!(matches!(says(400, r#"{"errors":["encryption key not found"]}"#), TransitError::NoKey));
    assert!(matches!(says(400, too_new), TransitError::KeyVersion));
    assert!(matches!(says(400, too_old), TransitError::KeyVersion));
    assert!(matches!(says(400, other), TransitError::OtherKey));
    assert!(matches!(says(500, other), TransitError::OtherKey));
    assert!(matches!(says(307, ""), TransitError::Redirect));
    assert!(matches!(says(429, "no JSON"), TransitError::Status(429)));
    assert!(matches!(says(200, "no JSON"), TransitError::Garbage(_)));
    assert!(matches!(says(200, r#"{"data":{}}"#), TransitError::Garbage(_)));
    assert!(matches!(says(200, r#"{"data":{"plaintext":"AAAA"}}"#), TransitError::OtherKey));
    let another = r#"{"data":{"plaintext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}"#;
    server.set(Mood::Says(200, another));
    let mut wrong = transit.fetch(&blob).unwrap();
    assert!(matches!(wrong.unwrap(&blob, INSTALL), Err(ProviderError::Unopenable)));
    for raw in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        "HTTP/1.1 2000000 OK\r\nnothing",
        "",
    ] {
        assert!(matches!(after(Mood::Raw(raw), long), TransitError::Garbage(_)), "{raw}");
    }
    assert!(matches!(after(Mood::Long, long), TransitError::Garbage(_) | TransitError::Lost(_)));
    assert!(matches!(after(Mood::Silent, Duration::from_millis(100)), TransitError::Slow));
    // Nothing of all that is a blob's fault, and a cut one asks nobody.
    assert!(matches!(transit.fetch(&blob[..40]), Err(ProviderError::Unopenable)));
    assert!(matches!(transit.fetch(&blob[1..]), Err(ProviderError::Unopenable)));

    // A socket whose queue is full: an ordinary connect would wait for ever.
    let full = folder.path().join("full.sock");
    let _listener = UnixListener::bind(&full).unwrap();
    let filled: Vec<UnixStream> = fill(&full);
    assert!(!filled.is_empty());
    let place = TransitPlace { address: format!("unix:{}", full.display()), token_file: None };
    let stuck = Transit::at(&place, None).unwrap().within(Duration::from_millis(100));
    assert!(matches!(error(stuck.fetch(&blob)), TransitError::Slow));
    let place =
        TransitPlace { address: format!("unix:{}", folder.path().join("none").display()), token_file: None };
    let nobody = Transit::at(&place, None).unwrap();
    assert!(matches!(error(nobody.fetch(&blob)), TransitError::Connect(_)));
}

/// Connects until nobody more can: `std` listens with a queue of 128 or what the system allows, at most 4096.
fn fill(path: &Path) -> Vec<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let address = SocketAddrUnix::new(path).unwrap();
    let mut filled = Vec::new();
    for _ in 0..8192 {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
        match connect(&socket, &address) {
            Ok(()) => filled.push(UnixStream::from(socket)),
            Err(errno) => {
                assert_eq!(errno, rustix::io::Errno::AGAIN);
                return filled;
            }
        }
    }
    panic!("the queue has no end");
}

#[test]
fn a_transit_server_is_on_this_host_and_its_token_in_a_closed_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |address: &str, token_file: Option<PathBuf>| {
        Transit::at(&TransitPlace { address: address.to_owned(), token_file }, None).err()
    };
    for good in ["unix:/run/bao.sock", "http://127.0.0.1:8200", "http://[::1]:8200/", "http://localhost:8200"]
    {
        assert!(at(good, None).is_none(), "{good}");
    }
    for bad in [
        "https://127.0.0.1:8200",
        "http://10.0.0.1:8200",
        "http://0.0.0.0:8200",
        "http://vault.example:8200",
        "http://localhost.example:8200",
        "http://127.0.0.1:8200/v1",
        "http://user@127.0.0.1:8200",
        "unix:relative",
        "127.0.0.1:8200",
        "",
    ] {
        assert!(matches!(at(bad, None), Some(TransitError::Address)), "{bad}");
    }
    let path = token_file(folder.path());
    assert!(at("unix:/x", Some(path.clone())).is_none());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(at("unix:/x", Some(path.clone())), Some(TransitError::Token(_))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(at("unix:/x", Some(link)), Some(TransitError::Token(_))));
    for (content, odd) in [("two\nlines\n", false), ("", false), ("a b", true), ("tab\t", true)] {
        std::fs::write(&path, content).unwrap();
        let found = at("unix:/x", Some(path.clone()));
        assert!(matches!(found, Some(TransitError::OddToken)) == odd && found.is_some(), "{content:?}");
    }
    for (mount, key) in
        [("transit", "../sys"), ("..", "k"), ("a//b", "k"), ("transit", ""), ("t", "a b"), ("t", "a?b")]
    {
        assert!(matches!(TransitKey::new(mount, key), Err(TransitError::Name)), "{mount} {key}");
    }
    assert!(TransitKey::new("team/transit", "keyhold-root.1").is_ok());
}

/// The program: made, started, used, given a new root key, and what it says when the server does not do its part.
#[tokio::test]
async fn a_keeper_starts_with_a_transit_key() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let server = Server::on_socket(&socket);
    let (dir, token) = (folder.path().join("keeper"), token_file(folder.path()));
    let (dir, address) = (dir.to_str().unwrap(), format!("unix:{}", socket.display()));
    let at = ["--transit-address", &address, "--transit-token-file", token.to_str().unwrap()];
    let install = INSTALL.to_string();
    let init = ["init", "--dir", dir, "--install", &install, "--provider", "transit"];
    let unnamed = keeper(&[&init[..], &at].concat(), "");
    assert!(!unnamed.status.success() && text(&unnamed).contains("--transit-key"), "{}", text(&unnamed));
    let made = keeper(&[&init[..], &at, &["--transit-key", "keyhold"]].concat(), "");
    assert!(made.status.success(), "{}", text(&made));
    let written = std::fs::read_to_string(folder.path().join("keeper/providers.json")).unwrap();
    assert!(written.contains(&address) && !written.contains(TOKEN));

    let program = Program::start(&folder, &[]).await;
    let Some(Answer::Status(found)) = status(&program).await else { panic!() };
    assert_eq!(found.health.len(), 1);
    assert_eq!(
        (found.health[0].kind.as_str(), found.health[0].name.as_str()),
        ("transit", "transit/keyhold")
    );
    assert_eq!(found.health[0].state, ProviderState::Ready);
    let context = context(1, 1);
    let (credential, wrapped) = program.import(&context).await;
    // From here on there is no network: a new root key needs none.
    server.set(Mood::Silent);
    assert!(ask(&program, "rekey-root", "").status.success());
    assert!(ask(&program, "seal", "").status.success() && ask(&program, "unseal", "").status.success());
    assert_eq!(program.terminate(), Some(0));

    // Nobody could unseal it: it ends and says what to do.
    server.set(Mood::Says(503, r#"{"errors":["Vault is sealed"]}"#));
    let listening = folder.path().join("socket");
    let serve = ["serve", "--dir", dir, "--socket", listening.to_str().unwrap(), "--isolation", "degraded"];
    let refused = keeper(&serve, "");
    assert!(!refused.status.success() && text(&refused).contains("unseal it"), "{}", text(&refused));
    assert!(!text(&refused).contains(TOKEN));

    // A second provider, and the same again: sealed, told in the status, opened by the passphrase.
    server.set(Mood::Well);
    let enrolled = keeper(&["enroll", "--dir", dir, "--provider", "passphrase"], PASSPHRASE);
    assert!(enrolled.status.success(), "{}", text(&enrolled));
    server.set(Mood::Says(403, r#"{"errors":["permission denied"]}"#));
    let program = start(&folder).await;
    let Some(Answer::Sealed(sealed)) = status(&program).await else { panic!() };
    let states: Vec<ProviderState> = sealed.health.iter().map(|one| one.state).collect();
    assert_eq!(states, [ProviderState::Unavailable, ProviderState::Typed]);
    assert!(sealed.health[0].reason.contains("policy"), "{}", sealed.health[0].reason);
    let unsealed = ask(&program, "unseal", PASSPHRASE);
    assert!(unsealed.status.success(), "{}", text(&unsealed));
    assert!(program.lease_and_open(&context, &wrapped, &credential).await);
    // Both wrap the root key; one that is not at hand cannot wrap a new one.
    let refused = ask(&program, "rekey-root", PASSPHRASE);
    assert!(
        !refused.status.success() && text(&refused).contains("ProviderUnavailable"),
        "{}",
        text(&refused)
    );
    assert_eq!(program.terminate(), Some(0));

    // Taken out again with the help of the other one.
    server.set(Mood::Well);
    let removed = keeper(&["unenroll", "--dir", dir, "--provider", "passphrase"], "");
    assert!(removed.status.success(), "{}", text(&removed));
    let program = Program::start(&folder, &[]).await;
    assert!(program.lease_and_open(&context, &wrapped, &credential).await);
    assert_eq!(program.terminate(), Some(0));
}
