//! Where the secret and the token are not.

use std::io::{Read as _, Seek as _, SeekFrom};

use keyhold_protocol::uplink::Phase;

use crate::market::{MARKER, TRADER};
use crate::rig::{Rig, TOKEN};

/// Every readable page of the process that is not secret memory: where a text occurs, by the kind of mapping.
fn occurrences(pid: u32, wanted: &[u8]) -> Vec<String> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = Vec::new();
    for line in
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with('r')))
    {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Secret pages and the kernel's own cannot be read, which is the point.
        if memory.seek(SeekFrom::Start(start)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        for at in
            bytes.windows(wanted.len()).enumerate().filter_map(|(at, part)| (part == wanted).then_some(at))
        {
            let name = line.split_whitespace().nth(5).unwrap_or("anonymous");
            found.push(format!("{name}+{at:x} ({line})"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_arguments_nor_environment_nor_ordinary_memory_hold_the_secret() {
    let mut rig = Rig::trading(30).await;
    rig.start("run");
    rig.phase(Phase::Online).await;
    rig.step().await;
    while rig.trades().is_empty() {
        rig.step().await;
    }
    let pid = rig.pid();
    for name in ["environ", "cmdline"] {
        let text = std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
        for wanted in [MARKER, TRADER.0, TOKEN] {
            let found = text.windows(wanted.len()).any(|part| part == wanted.as_bytes());
            assert!(!found, "{name} holds {wanted}");
        }
    }
    if std::fs::File::open(format!("/proc/{pid}/mem")).is_err() {
        eprintln!("NOT PROVEN: memory of another process can be read by root only");
        return;
    }
    // As it is, and as HMAC mixes it into its two blocks (RFC 2104).
    for pad in [0_u8, 0x36, 0x5c] {
        let wanted: Vec<u8> = MARKER.bytes().map(|byte| byte ^ pad).collect();
        assert_eq!(occurrences(pid, &wanted), Vec::<String>::new(), "the secret is in ordinary memory");
    }
    // A control: what is known to be in ordinary memory is found, so the search works.
    assert!(!occurrences(pid, b"/v5/order/create").is_empty());
    for file in ["bot/events.log", "bot/snapshot.json", "bot/reports.log", "bot.log"] {
        let Ok(text) = std::fs::read_to_string(rig.folder.path().join(file)) else { continue };
        assert!(!text.contains(MARKER) && !text.contains(TRADER.0) && !text.contains(TOKEN), "{file}");
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let pss = status.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    let kilobytes: u64 = pss.trim().trim_end_matches(" kB").trim().parse().unwrap();
    eprintln!("the trading bot takes {kilobytes} kB");
    assert!(kilobytes < 64 * 1024, "{kilobytes} kB");
}
