//! What somebody finds who takes the disk: every block of the file system on which server, keeper and bots have worked is
//! looked at, deleted files included, through adding, testing, trading, a crash, replacing and deleting.

use keyhold_domain::ContractType;
use keyhold_e2e::device::Device;
use keyhold_e2e::house::{House, Secret, eventually};
use keyhold_e2e::scan::Needle;
use keyhold_e2e::trader::Trader;
use serde_json::{Value, json};

/// A slot of the keeper: 32 secret bytes, then the id of its key (docs/formats/envelope.md, section 9).
const SLOT: usize = 64;
const PLANTED: &str = "pLaNt3d-On-The-Disk-7x4Q9v2K";

/// The secret part of the slot of a key.
fn slot_of(house: &House, key: &str) -> Option<Vec<u8>> {
    let id: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap()).collect();
    let slots = std::fs::read(house.folder().join("keeper").join("slots.bin")).unwrap();
    slots.chunks_exact(SLOT).find(|slot| slot[32..48] == id).map(|slot| slot[..32].to_vec())
}

/// The control: what was once in a file is found although the file is gone.
fn assert_deleted_files_are_seen(device: &Device, house: &House) {
    let planted = house.folder().join("data").join("planted");
    std::fs::write(&planted, PLANTED.repeat(400)).unwrap();
    assert!(!device.scan(&Needle::new(PLANTED)).is_empty(), "control: it was written");
    std::fs::remove_file(&planted).unwrap();
    assert!(!device.scan(&Needle::new(PLANTED)).is_empty(), "control: blocks of deleted files are looked at");
}

/// Kills the bot's process in a position; it comes back to it.
fn crash(house: &mut House, bot: &Trader) {
    let before = house.instance(&bot.id).unwrap().pid;
    let killed = std::process::Command::new("kill").args(["-9", &before.to_string()]).status().unwrap();
    assert!(killed.success());
    eventually("another process of the bot", || {
        house.instance(&bot.id).filter(|instance| instance.pid != before).map(drop)
    });
    house.await_phase(bot, "online");
}

#[test]
fn no_block_of_the_disk_holds_a_secret_or_a_destroyed_slot() {
    let device = match Device::make() {
        Ok(device) => device,
        Err(why) => return eprintln!("NOT PROVEN ON THIS HOST: no disk can be made for the house: {why}"),
    };
    let folder = device.root().join("house");
    std::fs::create_dir(&folder).unwrap();
    // The made-up exchange knows every secret; its file lies elsewhere.
    std::os::unix::fs::symlink(device.beside(), folder.join("keyhold-fake-venue.toml")).unwrap();
    let mut house = House::talkative_in(&folder);
    let marker = house.known("second");
    let needle = Needle::new(&marker.secret);
    assert_deleted_files_are_seen(&device, &house);

    let stored = house.put_key("Marked", ContractType::Linear, Secret::from(&marker)).ok();
    let key = stored["id"].as_str().unwrap().to_owned();
    let tested = house.test_key(&key);
    assert_eq!(tested["verification"]["state"], "ok", "{tested}");
    house.owner.put(&format!("/api/v1/keys/{key}/instruments"), &json!({ "symbols": ["BTCUSDT"] })).ok();
    let slot = Needle::bytes(&slot_of(&house, &key).unwrap());
    assert!(!device.scan(&slot).is_empty(), "control: a living slot is on the disk");
    let template = house.add_wave_rider();
    let bot = house.deploy("Marked", &key, &template, 2);
    house.play_to_entry(&bot);
    crash(&mut house, &bot);
    house.play_to_exit(&bot);
    assert_eq!(device.scan(&needle), [], "stored, tested, traded with, crashed");

    house.owner.post(&format!("{}/stop", bot.path), &json!({ "positions": "close" })).ok();
    eventually("the bot to be stopped", || (house.bot(&bot)["status"] == "stopped").then_some(()));
    house.owner.patch(&bot.path, &json!({ "key_id": Value::Null })).ok();
    assert_eq!(house.owner.delete(&format!("/api/v1/keys/{key}")).status, 204);
    assert_eq!(slot_of(&house, &key), None);
    assert_eq!(device.scan(&needle), [], "deleted");
    assert_eq!(device.scan(&slot), [], "the slot that opened it is in no block any more");
}

/// Where the kernel puts cores; what it was before comes back with the end of the value.
struct CorePattern(String);

const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

impl CorePattern {
    fn set(pattern: &str) -> std::io::Result<Self> {
        let before = std::fs::read_to_string(CORE_PATTERN)?;
        std::fs::write(CORE_PATTERN, pattern)?;
        Ok(Self(before.trim().to_owned()))
    }
}

impl Drop for CorePattern {
    fn drop(&mut self) {
        std::fs::write(CORE_PATTERN, &self.0).expect("what could be changed can be changed back");
    }
}

/// Crashes a process the way that makes a core (signal(7)). Not by QUIT, which shells have their background jobs ignore.
fn abort(pid: u32) {
    let sent = std::process::Command::new("kill").args(["-ABRT", &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Files in a folder that hold the marker.
fn holding(folder: &std::path::Path, marker: &str) -> usize {
    keyhold_e2e::scan::files(folder, &Needle::new(marker)).unwrap().len()
}

/// A process that does nothing against cores, with the marker in its environment.
fn crash_control(marker: &str) {
    let mut child = std::process::Command::new("sleep").arg("60").env("MARKER", marker).spawn().unwrap();
    // Before it has become the program it has nothing to show.
    eventually("the control to run", || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", child.id())).ok()?;
        (name.trim() == "sleep").then_some(())
    });
    abort(child.id());
    child.wait().unwrap();
}

/// A bot in a position, with the marker's key.
fn trading(marker: &xtask::stack::TestKey, house: &mut House) -> Trader {
    let stored = house.put_key("Marked", ContractType::Linear, Secret::from(marker)).ok();
    let key = stored["id"].as_str().unwrap().to_owned();
    house.test_key(&key);
    house.owner.put(&format!("/api/v1/keys/{key}/instruments"), &json!({ "symbols": ["BTCUSDT"] })).ok();
    let template = house.add_wave_rider();
    let bot = house.deploy("Marked", &key, &template, 2);
    house.play_to_entry(&bot);
    bot
}

#[test]
fn a_crash_of_a_bot_leaves_no_core_in_a_file_and_none_in_a_pipe() {
    use std::os::unix::fs::PermissionsExt as _;
    if std::env::var_os("KEYHOLD_TEST_CORE_PATTERN").is_none() {
        return eprintln!(
            "NOT PROVEN ON THIS HOST: set KEYHOLD_TEST_CORE_PATTERN=1 to let this test change where the kernel puts cores"
        );
    }
    // For this process and all it starts: cores of any size are wanted.
    let wanted = rustix::process::Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, wanted) {
        return eprintln!("NOT PROVEN ON THIS HOST: cores cannot be asked for: {error}");
    }
    let catcher = tempfile::tempdir().unwrap();
    let place = catcher.path().join("cores");
    std::fs::create_dir(&place).unwrap();
    for folder in [catcher.path(), &place] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let script = catcher.path().join("catch");
    std::fs::write(&script, format!("#!/bin/sh\nexec cat > '{}/piped.'\"$1\"\n", place.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let mut house = House::stepping();
    let marker = house.known("second");
    let bot = trading(&marker, &mut house);
    let patterns =
        [("file", format!("{}/core.%p", place.display())), ("pipe", format!("|{} %p", script.display()))];
    for (kind, pattern) in patterns {
        let _changed = match CorePattern::set(&pattern) {
            Ok(changed) => changed,
            Err(error) => return eprintln!("NOT PROVEN ON THIS HOST: {CORE_PATTERN}: {error}"),
        };
        let control = format!("control-of-a-core-in-a-{kind}-7x4Q9v");
        crash_control(&control);
        eventually("the control's core", || (holding(&place, &control) > 0).then_some(()));
        let before = house.instance(&bot.id).unwrap().pid;
        abort(before);
        eventually("another process of the bot", || {
            house.instance(&bot.id).filter(|instance| instance.pid != before).map(drop)
        });
        house.await_phase(&bot, "online");
        let cores: Vec<String> = std::fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!cores.iter().any(|name| name.ends_with(&format!(".{before}"))), "{kind}: {cores:?}");
        assert_eq!(holding(&place, &marker.secret), 0, "{kind}");
        assert_eq!(holding(&house.folder().join("run"), &marker.secret), 0, "{kind}");
    }
}
