//! Where a secret is not: in no file, no log, no command line, no environment and no readable memory, from the moment
//! it is sealed; and that nothing of it can be opened once it is deleted, not even from old copies.
//!
//! Every scan is worth what its controls are worth, so the same scanner must find what is planted in each kind of place.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keyhold_domain::{ContractType, Exchange};
use keyhold_e2e::house::{House, KernelEntropy, Secret, eventually};
use keyhold_e2e::scan::{self, Needle, ProcessScan};
use keyhold_e2e::trader::Trader;
use serde_json::{Value, json};

/// Folders that the product writes; the fake exchange's own file, which knows every secret, stands beside them.
const FOLDERS: [&str; 4] = ["data", "keeper", "run", "sockets"];

/// Reading the memory of programs that protect themselves takes root, in a test as for a thief.
fn may_read_memory() -> bool {
    let is_root = keyhold_e2e::traces::is_root();
    if !is_root {
        eprintln!("SKIPPED: not root, so the memory of server, keeper and bot is not scanned");
    }
    is_root
}

fn logs(house: &House) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(house.folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}

/// Finds in everything that server, keeper and bots have written.
fn written(house: &House, needle: &Needle) -> Vec<scan::Find> {
    let mut places: Vec<PathBuf> = FOLDERS.iter().map(|name| house.folder().join(name)).collect();
    places.extend(logs(house));
    places.iter().flat_map(|place| scan::files(place, needle).unwrap()).collect()
}

/// The programs that must not hold the secret readably, and a text that each of them does hold.
fn programs(house: &House) -> Vec<(&'static str, u32, &'static str)> {
    let mut programs = vec![
        ("server", house.stack.pid("keyhold").unwrap(), "PLAINTEXT_SECRET_REFUSED"),
        ("keeper", house.stack.pid("keyhold-keeper").unwrap(), "keyhold/records/v1"),
    ];
    programs.extend(house.stack.bots().into_iter().map(|pid| ("bot", pid, "/v5/order/create")));
    programs
}

#[test]
fn equal_credentials_are_never_sealed_alike() {
    use std::collections::BTreeSet;
    const SEALED: usize = 10_000;
    let keeper = keyhold_seal::KeeperPublicKey::from_bytes(&[9; 32]).unwrap();
    let context = keyhold_seal::Context {
        install: keyhold_domain::InstallId::from_u128(1),
        workspace: keyhold_domain::WorkspaceId::from_u128(2),
        key: keyhold_domain::KeyId::from_u128(3),
        version: 1,
        exchange: Exchange::Bybit,
        environment: keyhold_domain::Environment::Simulated,
        contract: ContractType::Linear,
    };
    let (mut nonces, mut ciphertexts, mut data_keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..SEALED {
        let plain = keyhold_seal::PlainSecret::new("the-same-key", "the-same-secret", None).unwrap();
        let sealed = keyhold_seal::seal(&keeper, &context, plain, &mut KernelEntropy).unwrap();
        nonces.insert(sealed.envelope.nonce().to_vec());
        ciphertexts.insert(sealed.envelope.ciphertext()[..32].to_vec());
        data_keys.insert(sealed.data_key.to_text());
    }
    assert_eq!((nonces.len(), ciphertexts.len(), data_keys.len()), (SEALED, SEALED, SEALED));
}

/// Asserts that the secret is nowhere, in files and processes.
fn assert_nowhere(house: &House, needle: &Needle, when: &str) {
    assert_eq!(written(house, needle), [], "{when}");
    if !may_read_memory() {
        return;
    }
    for (name, pid, known) in programs(house) {
        let found = scan::process(pid, needle).unwrap();
        assert_eq!(found.finds, [], "{name}, {when}");
        // The control: its own memory was read, so what it is known to hold was found.
        let control = scan::process(pid, &Needle::text(known)).unwrap();
        assert!(
            !control.finds.is_empty() && found.bytes_read > 1 << 20,
            "{name} could not be read: {control:?}"
        );
        eprintln!(
            "{when}: {name} holds it nowhere in {} bytes, {} regions closed",
            found.bytes_read, found.unreadable
        );
    }
}

/// Plants a copy in every folder that is scanned, and in a log, and takes it away again.
fn assert_planted_files_are_found(house: &House, bot: &str, secret: &str) {
    let needle = Needle::new(secret);
    let log = logs(house).into_iter().next().unwrap();
    let mut spots: Vec<PathBuf> =
        FOLDERS.iter().map(|name| house.folder().join(name).join("planted")).collect();
    spots.push(house.folder().join("run").join("bots").join(bot).join("planted"));
    spots.push(log.with_file_name("planted.log"));
    for spot in spots {
        std::fs::write(&spot, format!("before {secret} after")).unwrap();
        let finds = written(house, &needle);
        std::fs::remove_file(&spot).unwrap();
        let places: Vec<&Path> = finds.iter().map(|find| Path::new(&find.place)).collect();
        assert_eq!(places, [spot.as_path()]);
    }
}

/// A process that holds one text in its arguments, one in its environment and one on its heap.
struct Victim(Child);

impl Victim {
    fn start(argument: &str, variable: &str, heap: &str) -> Self {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "IFS= read -r held; echo ready; IFS= read -r end", "victim", argument])
            .env_clear()
            .env("LEAK", variable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{heap}").unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn scan(&self, text: &str) -> ProcessScan {
        scan::process(self.0.id(), &Needle::new(text)).unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_that_leaks_is_found_out() {
    let (argument, variable, heap) = ("aRg7Qw2Zt9Lm4Xc8Vb1N", "vAr3Hy6Ud0Ks5Fj2Pe8R", "hEp4Gi7Oa1Dn9Bk6Ys3T");
    let victim = Victim::start(argument, variable, heap);
    let holds = |text: &str, place: &str| {
        victim.scan(text).finds.iter().any(|find| find.form == "raw" && find.place.starts_with(place))
    };
    assert!(holds(argument, "cmdline") && !holds(argument, "environ"));
    assert!(holds(variable, "environ") && !holds(variable, "cmdline"));
    assert!(holds(heap, "memory") && !holds(heap, "environ") && !holds(heap, "cmdline"));
}

/// What only this text has: after what both begin with, for every envelope of a workspace begins alike.
fn own_part<'a>(text: &'a str, other: &str) -> &'a str {
    let same = text.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    &text[same..]
}

/// The text in base64url that follows this one in a file, as columns of a row follow each other.
fn text_after(bytes: &[u8], text: &str) -> Option<String> {
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes())? + text.len();
    let is_text = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let found: Vec<u8> = bytes[at..].iter().take_while(is_text).copied().collect();
    (found.len() >= 64).then(|| String::from_utf8(found).unwrap())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Tests a key and answers its state and cause.
fn tested(house: &mut House, key: &str) -> (Value, Value) {
    let answer = house.owner.post(&format!("/api/v1/keys/{key}/test"), &json!({})).ok();
    (answer["verification"]["state"].clone(), answer["verification"]["code"].clone())
}

/// Looks for the secret while its key is stored, tested and traded with. Answers the bot that did.
fn assert_nowhere_through_a_trade(house: &mut House, key: &str, secret: &str) -> Trader {
    let needle = Needle::new(secret);
    assert_nowhere(house, &needle, "just stored");
    assert_eq!(house.test_key(key)["verification"]["state"], "ok");
    house.owner.put(&format!("/api/v1/keys/{key}/instruments"), &json!({ "symbols": ["BTCUSDT"] })).ok();
    assert_nowhere(house, &needle, "tested");
    let template = house.add_wave_rider();
    let bot = house.deploy("Marked", key, &template, 2);
    house.play_to_entry(&bot);
    assert_nowhere(house, &needle, "in a position");
    house.play_to_exit(&bot);
    house.await_trades(1);
    assert_nowhere(house, &needle, "after a trade");
    assert!(house.stack.log_of("keyhold").contains("DEBUG"), "the server logs everything");
    assert!(house.log_of_bot(&bot).contains("DEBUG"), "the bot logs everything");
    assert_planted_files_are_found(house, &bot.id, secret);
    // The exchange does know the secret: it is found there.
    assert!(!scan::files(&house.folder().join("keyhold-fake-venue.toml"), &needle).unwrap().is_empty());
    if may_read_memory() {
        let venue = scan::process(house.stack.pid("keyhold-fake-venue").unwrap(), &needle).unwrap();
        assert!(venue.finds.iter().any(|find| find.place.starts_with("memory")), "{venue:?}");
    }
    bot
}

#[test]
fn a_secret_is_nowhere_and_a_deleted_one_cannot_come_back() {
    // Everything that server and bots could ever log is logged.
    let mut house = House::stepping_at(Exchange::Bybit, "trace");
    let marker = house.known("second");
    let needle = Needle::new(&marker.secret);
    let kept = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");

    // Sealed, stored, tested, traded with: nowhere.
    let good = house.known("good");
    let other = house.seal("Other", ContractType::Linear, Secret::from(&good));
    let sealed = house.seal("Marker", ContractType::Linear, Secret::from(&marker));
    let stored = house.owner.put(&sealed.path, &sealed.body);
    assert_eq!(stored.status, 201);
    let key = stored.body["id"].as_str().unwrap().to_owned();
    let bot = assert_nowhere_through_a_trade(&mut house, &key, &marker.secret);

    // Freed, then deleted at once and for good.
    house.owner.post(&format!("{}/stop", bot.path), &json!({ "positions": "close" })).ok();
    eventually("the bot to be stopped", || (house.bot(&bot)["status"] == "stopped").then_some(()));
    house.owner.patch(&bot.path, &json!({ "key_id": null })).ok();
    let data = house.folder().join("data");
    let envelope = Needle::text(own_part(sealed.envelope(), other.envelope()));
    let database: Vec<Vec<u8>> = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let wrapped = database.iter().find_map(|bytes| text_after(bytes, sealed.envelope()));
    let wrapped = Needle::text(&wrapped.expect("the wrapped data key stands behind the envelope"));
    for ciphertext in [&envelope, &wrapped] {
        assert!(!scan::files(&data, ciphertext).unwrap().is_empty(), "the control: the ciphertext is stored");
    }
    let copies = tempfile::tempdir().unwrap();
    copy(&data, &copies.path().join("data"));
    copy(&house.folder().join("keeper"), &copies.path().join("keeper"));
    let deleted = house.owner.delete(&format!("/api/v1/keys/{key}"));
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    for ciphertext in [&envelope, &wrapped] {
        assert_eq!(
            scan::files(&data, ciphertext).unwrap(),
            [],
            "the ciphertext is still in the database's files"
        );
    }
    assert_eq!(house.owner.get(&format!("/api/v1/keys/{key}")).status, 404);
    assert_nowhere(&house, &needle, "deleted");

    assert_copies_bring_nothing_back(&mut house, copies.path(), &key, &kept);
}

/// Puts copies that were made before the deletion back: first of the database, then of the keeper's records.
fn assert_copies_bring_nothing_back(house: &mut House, copies: &Path, key: &str, kept: &str) {
    let data = house.folder().join("data");
    // An old copy of the database brings the row back, and no keeper opens it.
    house.stack.kill("keyhold").unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&copies.join("data"), &data);
    house.stack.restart_server().unwrap();
    assert_eq!(
        house.owner.get(&format!("/api/v1/keys/{key}")).ok()["id"],
        json!(key),
        "the control: the copy is whole"
    );
    assert_refused(house, key, kept);

    // An old copy of the keeper's records is recognized; even forced upon it, it opens nothing.
    house.stack.kill("keyhold-keeper").unwrap();
    let records = house.folder().join("keeper").join("records.bin");
    std::fs::copy(copies.join("keeper").join("records.bin"), &records).unwrap();
    let refusal = house.stack.restart_keeper(&[]).unwrap_err().to_string();
    assert!(refusal.contains("older than the slots"), "{refusal}");
    // It has ended by itself; this takes it off the list.
    house.stack.kill("keyhold-keeper").unwrap();
    house.stack.restart_keeper(&["--accept-older-records"]).unwrap();
    assert_refused(house, key, kept);
}

/// The deleted key cannot be leased any more, while the one beside it can.
fn assert_refused(house: &mut House, deleted: &str, kept: &str) {
    let refusals = |house: &House| house.stack.log_of("keyhold-keeper").matches("code=Shredded").count();
    let before = refusals(house);
    let (state, code) = tested(house, deleted);
    assert_eq!(state, "failed", "{code}");
    eprintln!("a key whose slot is gone fails its test as {code}");
    let log = house.stack.log_of("keyhold-keeper");
    assert!(refusals(house) > before, "the keeper's reason is that the key was shredded:\n{log}");
    assert_eq!(tested(house, kept).0, "ok", "the control: what was not deleted still opens");
}
