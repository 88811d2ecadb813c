//! The program's memory after an import and a lease: no data key, root key or slot secret outside secret memory.
//!
//! Needs root, because the program closed itself to everybody else. The controls show that the scan sees what is there.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use keyhold_domain::BotId;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_protocol::keeper::{Answer, Request};
use keyhold_seal::{FixedEntropy, PlainSecret, seal};
use keyhold_unseal::open::EphemeralKey;

use crate::fixture::{SECRET, context, import, lease, new_folder, ticket_for};
use crate::process::{Program, WITHIN, own_uid};

/// Bytes of a secret that count as a hit, so that copies of a part are found as well.
const WINDOW: usize = 12;

/// Which of the needles have any window in a process's readable memory; `None` when it may not be read.
fn found(pid: u32, needles: &[(&'static str, &[u8])]) -> Option<BTreeSet<&'static str>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let windows: Vec<(&'static str, &[u8])> = needles
        .iter()
        .flat_map(|(name, needle)| needle.windows(WINDOW).map(move |window| (*name, window)))
        .collect();
    // Two bytes decide almost always, which keeps an unoptimized test quick.
    let mut starts = vec![false; 1 << 16];
    for (_, window) in &windows {
        starts[usize::from(u16::from_be_bytes([window[0], window[1]]))] = true;
    }
    let mut names = BTreeSet::new();
    for line in maps.lines() {
        let mut columns = line.split_ascii_whitespace();
        let (range, rights) = (columns.next()?, columns.next()?);
        if !rights.starts_with('r') {
            continue;
        }
        let (start, end) = range.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let mut area = vec![0u8; usize::try_from(end - start).ok()?];
        // Secret memory and special areas cannot be read; that is the point.
        if memory.read_exact_at(&mut area, start).is_err() {
            continue;
        }
        let candidates =
            area.windows(WINDOW).filter(|here| starts[usize::from(u16::from_be_bytes([here[0], here[1]]))]);
        for here in candidates {
            names.extend(windows.iter().filter(|(_, window)| *window == here).map(|(name, _)| *name));
        }
    }
    Some(names)
}

#[tokio::test]
async fn no_key_lies_in_ordinary_memory() {
    let folder = new_folder();
    let program = Program::start(&folder, &[]).await;
    let public = program.public_key().await.unwrap();
    let context = context(1, 1);
    let entropy: Vec<u8> = (0..76u32).map(|index| (index * 37 + 11).to_le_bytes()[0] ^ 0x5A).collect();
    let plain = PlainSecret::new("made-up-key", SECRET, None).unwrap();
    let sealed = seal(&public, &context, plain, &mut FixedEntropy::new(&entropy)).unwrap();
    let mut client = program.connect().await;
    let answer = client.ask(&import(&context, &sealed), WITHIN).await.unwrap();
    let Answer::Imported { wrapped_data_key } = answer else { panic!("{answer:?}") };
    let ticket = program.ticket(ticket_for(&context, 7, own_uid())).await;
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let request = lease(&ticket, key.public(), &wrapped_data_key, &context);
    let answer = client.ask(&request, WITHIN).await.unwrap();
    let Answer::Leased { lease, answer } = answer else { panic!("{answer:?}") };
    assert!(key.open_lease(&answer, &context, BotId::from_u128(7), lease.to_bytes()).is_ok());

    let root = std::fs::read(folder.path().join("keeper/root.key")).unwrap();
    let slots = std::fs::read(folder.path().join("keeper/slots.bin")).unwrap();
    let planted = entropy[..32].to_vec();
    // The first is a control: public bytes that do lie in the program's ordinary memory.
    let needles = [
        ("public key", &public.as_bytes()[..]),
        ("data key", &planted),
        ("root key", &root[24..56]),
        ("seed of the keeper's key", &slots[64..96]),
        ("slot secret", &slots[128..160]),
    ];
    let Some(visible) = found(program.pid(), &needles) else {
        return eprintln!("NOT PROVEN ON THIS HOST: only root can read the memory of a closed process");
    };
    assert_eq!(visible, BTreeSet::from(["public key"]));
    // The other control: a secret planted in a process is found.
    assert!(found(std::process::id(), &needles).is_some_and(|own| own.contains("data key")));
    // Still alive and holding the lease, so the scan looked at a working program.
    assert!(matches!(client.ask(&Request::Status, WITHIN).await.unwrap(), Answer::Status(_)));
}
