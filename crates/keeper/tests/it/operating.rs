//! The real program: leases through kill -9, sealing that survives restarts, passphrases, new keys under way.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use keyhold_keeper::entropy::SystemEntropy;
use keyhold_protocol::keeper::{Answer, Refusal, Request};
use keyhold_unseal::open::EphemeralKey;

use crate::fixture::{context, lease, new_folder, refusal, ticket_for};
use crate::process::{Program, WITHIN, end, own_uid, start_child};

pub(crate) const PASSPHRASE: &str = "a passphrase of the tests";

/// Runs a command of the program with something typed into it.
pub(crate) fn keeper(arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyhold-keeper"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{typed}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn ask(program: &Program, command: &str, typed: &str) -> Output {
    keeper(&[command, "--socket", program.socket.to_str().unwrap()], typed)
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Starts a keeper that may be sealed and waits until it answers anything.
pub(crate) async fn start(folder: &tempfile::TempDir) -> Program {
    let program = Program::spawn(folder, &[]);
    let deadline = Instant::now() + WITHIN;
    while status(&program).await.is_none() {
        assert!(Instant::now() < deadline, "the keeper does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    program
}

pub(crate) async fn status(program: &Program) -> Option<Answer> {
    program.try_connect().await?.ask(&Request::Status, WITHIN).await.ok()
}

async fn leases(program: &Program) -> u32 {
    match status(program).await.unwrap() {
        Answer::Status(status) => status.leases,
        Answer::Sealed(status) => status.leases,
        other => panic!("{other:?}"),
    }
}

/// Killed while a bot holds a key: the next keeper knows, gives the key to nobody else, and sees the bot end.
#[tokio::test]
async fn a_lease_survives_kill_9_of_the_keeper() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (sealed, wrapped) = program.import(&context).await;
    let ticket = program.ticket(ticket_for(&context, 7, own_uid())).await;
    let (child, result) = start_child(&program, own_uid(), &ticket, &wrapped, &context);
    assert_eq!(result, "None leased");
    drop(program);

    let program = Program::start(&folder, &[]).await;
    assert_eq!(leases(&program).await, 1);
    let ticket = program.ticket(ticket_for(&context, 8, own_uid())).await;
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let request = lease(&ticket, key.public(), &wrapped, &context);
    let answer = program.connect().await.ask(&request, WITHIN).await.unwrap();
    assert_eq!(refusal(&answer), Some(Refusal::KeyInUse));
    end(child);
    program.wait_until_free(&context).await;
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);

    // And one that ends while no keeper runs.
    let ticket = program.ticket(ticket_for(&context, 9, own_uid())).await;
    let (child, result) = start_child(&program, own_uid(), &ticket, &wrapped, &context);
    assert_eq!(result, "None leased");
    drop(program);
    end(child);
    let program = Program::start(&folder, &[]).await;
    assert_eq!(leases(&program).await, 0);
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);
    let audit = std::fs::read_to_string(folder.path().join("keeper/audit.jsonl")).unwrap();
    assert!(audit.contains("process ended while no keeper ran"));
}

/// A bot that lost its keeper asks the next one, as the same process: it gets its own key, and another bot still does not.
#[tokio::test]
async fn a_process_takes_its_own_lease_anew_after_kill_9() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (_, wrapped) = program.import(&context).await;
    let ask = async |program: &Program, bot: u128| {
        let ticket = program.ticket(ticket_for(&context, bot, own_uid())).await;
        let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
        let mut client = program.connect().await;
        let request = lease(&ticket, key.public(), &wrapped, &context);
        (client.ask(&request, WITHIN).await.unwrap(), client)
    };
    let (first, held) = ask(&program, 7).await;
    assert!(matches!(first, Answer::Leased { .. }));
    // While the keeper lives, the process that holds the key is not served twice.
    assert_eq!(refusal(&ask(&program, 7).await.0), Some(Refusal::KeyInUse));
    drop((program, held));
    let program = Program::start(&folder, &[]).await;
    assert_eq!(refusal(&ask(&program, 8).await.0), Some(Refusal::KeyInUse));
    let (again, _held) = ask(&program, 7).await;
    assert!(matches!(again, Answer::Leased { .. }), "{again:?}");
    assert_eq!(leases(&program).await, 1);
    assert_eq!(refusal(&ask(&program, 7).await.0), Some(Refusal::KeyInUse));
    let audit = std::fs::read_to_string(folder.path().join("keeper/audit.jsonl")).unwrap();
    assert!(audit.contains("taken anew by its process"));
}

#[tokio::test]
async fn new_keys_while_it_runs_and_a_seal_that_lasts() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let context = context(1, 1);
    let (sealed, wrapped) = program.import(&context).await;
    let public = program.public_key().await;
    assert!(text(&ask(&program, "rotate-kek", "")).contains("epoch 2"));
    assert!(ask(&program, "rekey-root", "").status.success());
    let report = text(&ask(&program, "verify-store", ""));
    assert!(report.contains("\"live_records\": 1") && report.contains("\"epochs\": 1"), "{report}");
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);
    assert_eq!(program.public_key().await, public);

    assert!(ask(&program, "seal", "").status.success());
    assert!(program.public_key().await.is_none());
    assert_eq!(program.terminate(), Some(0));
    let program = start(&folder).await;
    assert!(matches!(status(&program).await, Some(Answer::Sealed(_))));
    assert!(text(&ask(&program, "status", "")).contains("sealed"));
    assert!(ask(&program, "unseal", "").status.success());
    assert!(program.lease_and_open(&context, &wrapped, &sealed).await);
    assert_eq!(program.terminate(), Some(0));

    // Whoever has a copy of the audit file and the public key can check it.
    let dir = folder.path().join("keeper");
    let dir = dir.to_str().unwrap();
    let printed = text(&keeper(&["audit", "key", "--dir", dir], ""));
    let word = |name: &str| {
        let at = printed.find(name).unwrap() + name.len() + 1;
        printed[at..].split_whitespace().next().unwrap().to_owned()
    };
    let (install, key, file) = (word("install"), word("public key"), format!("{dir}/audit.jsonl"));
    let verify = ["audit", "verify", "--file", &file, "--public-key", &key, "--install", &install];
    let checked = keeper(&verify, "");
    assert!(checked.status.success() && text(&checked).contains("sound: "), "{}", text(&checked));
    let audit = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, audit.replacen("\"seal", "\"Seal", 1)).unwrap();
    assert!(!keeper(&verify, "").status.success());
}

#[tokio::test]
async fn a_passphrase_is_typed_and_guesses_are_slow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keeper");
    let init = ["init", "--dir", path.to_str().unwrap(), "--install", "00000000000000000000000000000a11"];
    let init = [&init[..], &["--provider", "passphrase"]].concat();
    assert!(!keeper(&init, "short").status.success());
    let made = keeper(&init, PASSPHRASE);
    assert!(made.status.success(), "{}", text(&made));
    assert!(!path.join("root.key").exists());

    let program = start(&folder).await;
    assert!(matches!(status(&program).await, Some(Answer::Sealed(_))));
    let refused = program.connect().await.ask(&Request::PublicKey, WITHIN).await.unwrap();
    assert_eq!(refusal(&refused), Some(Refusal::Sealed));
    let wrong = ask(&program, "unseal", "another passphrase");
    assert!(!wrong.status.success() && text(&wrong).contains("UnsealFailed"), "{}", text(&wrong));
    let Some(Answer::Sealed(sealed)) = status(&program).await else { panic!() };
    assert!(sealed.wait_ms <= 2000);
    let deadline = Instant::now() + WITHIN;
    // The right one, too soon, is not even looked at; after the wait it opens.
    let unsealed = loop {
        let answer = ask(&program, "unseal", PASSPHRASE);
        if answer.status.success() {
            break answer;
        }
        assert!(text(&answer).contains("RateLimited"), "{}", text(&answer));
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(text(&unsealed).contains("unsealed"));
    let context = context(1, 1);
    let (credential, wrapped) = program.import(&context).await;
    assert!(program.lease_and_open(&context, &wrapped, &credential).await);
    let audit = std::fs::read_to_string(path.join("audit.jsonl")).unwrap();
    assert!(audit.contains("unseal_failed") && !audit.contains("passphrase of the tests"));
}
