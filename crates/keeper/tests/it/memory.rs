//! The program's memory after an import and a lease: no data key, root key or slot secret outside secret memory.
//!
//! Needs root, because the program closed itself to everybody else. The controls show that the scan sees what is there.

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

/// How often any window of the needles occurs in a process's readable memory; `None` when it may not be read.
fn hits(pid: u32, needles: &[&[u8]]) -> Option<usize> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let firsts: std::collections::HashSet<&[u8]> =
        needles.iter().flat_map(|needle| needle.windows(WINDOW)).collect();
    let mut found = 0;
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
        if memory.read_exact_at(&mut area, start).is_ok() {
            found += area.windows(WINDOW).filter(|window| firsts.contains(window)).count();
        }
    }
    Some(found)
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

    // The controls: public bytes that do lie in the program's ordinary memory, and a secret planted in our own.
    let planted = entropy[..32].to_vec();
    let Some(visible) = hits(program.pid(), &[public.as_bytes()]) else {
        return eprintln!("NOT PROVEN ON THIS HOST: only root can read the memory of a closed process");
    };
    assert!(visible > 0, "the scan does not even find the public key");
    assert!(
        hits(std::process::id(), &[&planted]).is_some_and(|own| own > 0),
        "the scan misses a planted secret"
    );

    let root = std::fs::read(folder.path().join("keeper/root.key")).unwrap();
    let slots = std::fs::read(folder.path().join("keeper/slots.bin")).unwrap();
    let secrets: [(&str, &[u8]); 5] = [
        ("data key", &planted),
        ("root key", &root[24..56]),
        ("seed of the keeper's key", &slots[64..96]),
        ("slot secret", &slots[128..160]),
        ("ticket", ticket.as_bytes()),
    ];
    for (name, secret) in &secrets[..4] {
        assert_eq!(hits(program.pid(), &[secret]), Some(0), "{name}");
    }
    // Still alive and holding the lease, so the scan looked at a working program.
    assert!(matches!(client.ask(&Request::Status, WITHIN).await.unwrap(), Answer::Status(_)));
}
