//! `keyhold doctor` over a running house: what holds is told, and every weakness that is planted is found.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use keyhold_e2e::house::House;
use serde_json::Value;
use xtask::paths::{self, Profile};

/// Everything that is told, and the exit code.
fn doctor(house: &House, more: &[&str]) -> (Vec<Value>, i32) {
    let mut command = Command::new(paths::program(Profile::Development, "keyhold"));
    command.arg("doctor").arg("--config").arg(house.stack.folder.join("keyhold.toml")).arg("--json");
    let told = command.args(more).env_clear().output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    let answer: Result<Value, _> = serde_json::from_str(&text);
    assert!(answer.is_ok(), "{answer:?}: {text}{}", String::from_utf8_lossy(&told.stderr));
    let answer = answer.unwrap();
    (answer["findings"].as_array().unwrap().clone(), told.status.code().unwrap())
}

fn standing<'a>(findings: &'a [Value], area: &str, protection: &str) -> &'a str {
    let of_it = |one: &&Value| one["area"] == area && one["protection"] == protection;
    let found = findings.iter().find(of_it);
    assert!(found.is_some(), "{area}, {protection}: {findings:#?}");
    found.unwrap()["standing"].as_str().unwrap()
}

#[test]
fn planted_weaknesses_are_found() {
    let mut house = House::stepping();
    let (findings, code) = doctor(&house, &[]);
    for (area, protection) in [
        ("keeper", "answers"),
        ("data", "database"),
        ("data", "folder"),
        ("address", "secure origin"),
        ("bots", "system calls"),
        ("bots", "attempts from inside"),
    ] {
        assert_eq!(standing(&findings, area, protection), "in_force", "{area}, {protection}");
    }
    for finding in &findings {
        let whole = finding["standing"] == "in_force";
        assert_eq!(finding["remedy"].is_string(), !whole, "{finding}");
        assert_eq!(finding["means"].is_string(), !whole, "{finding}");
    }
    let all_whole = findings.iter().all(|finding| finding["standing"] == "in_force");
    assert_eq!(code, if all_whole { 0 } else { 3 });
    println!("{} protections were looked at", findings.len());

    let data = house.stack.folder.join("data");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let more = ["--public-origin", "http://keyhold.lan", "--bot-program", "/bin/false"];
    let (findings, code) = doctor(&house, &more);
    assert_eq!(standing(&findings, "data", "folder"), "degraded");
    assert_eq!(standing(&findings, "address", "secure origin"), "absent");
    assert_eq!(standing(&findings, "bots", "walls"), "absent");
    assert_eq!(code, 3);

    house.stack.kill("keyhold-keeper").unwrap();
    let (findings, code) = doctor(&house, &[]);
    assert_eq!((standing(&findings, "keeper", "answers"), code), ("absent", 3));
    let remains = std::fs::read_dir(house.stack.folder.join("run")).unwrap();
    let left: Vec<_> = remains.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("check-")), "{left:?}");
}
