//! What others can see of secret memory, and what stays behind in freed memory.

use std::alloc::{GlobalAlloc, Layout};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use keyhold_os::limits::Limits;
use keyhold_os::privileges::is_root;
use keyhold_os::spawn::{ChildOptions, spawn_as};

use crate::lanes::{command, hear, lanes, loudly, parse, unprivileged};

/// Bytes of a pattern.
pub(crate) const LENGTH: usize = 48;
const MASK: u8 = 0x5a;
const MASK_STEP: u8 = 29;

/// A recognizable secret that appears nowhere in the program: it is computed where it is wanted and compared byte by byte.
#[derive(Clone, Copy)]
pub(crate) struct Pattern(u8);

impl Pattern {
    pub(crate) const SEALED: Self = Self(1);
    pub(crate) const ORDINARY: Self = Self(2);
    pub(crate) const GROWN: Self = Self(3);

    #[inline(never)]
    fn byte(self, index: usize) -> u8 {
        let index = u8::try_from(index).unwrap();
        std::hint::black_box(MASK).wrapping_add(index.wrapping_mul(MASK_STEP)) ^ self.0.wrapping_mul(87)
    }

    /// Fills with the pattern.
    pub(crate) fn write_to(self, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte(index % LENGTH);
        }
    }

    fn starts(self, bytes: &[u8]) -> bool {
        (0..LENGTH).all(|index| bytes.get(index) == Some(&self.byte(index)))
    }
}

/// How often the pattern occurs.
pub(crate) fn count_in(bytes: &[u8], pattern: Pattern) -> usize {
    let first = pattern.byte(0);
    bytes.iter().enumerate().filter(|(at, byte)| **byte == first && pattern.starts(&bytes[*at..])).count()
}

/// How often the pattern occurs in a process's private writable memory, read the way a debugger would.
pub(crate) fn count_in_process(pid: &str, pattern: Pattern) -> usize {
    const STEP: usize = 1 << 13;
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    // On the stack, so that looking does not make copies on the heap that is looked at.
    let mut window = [0_u8; STEP + LENGTH];
    let mut found = 0;
    for (start, end) in maps.lines().filter(|line| !line.contains("[stack]")).filter_map(writable) {
        for at in (start..end).step_by(STEP) {
            // Unreadable pages are what sealed memory looks like.
            let length = memory.read_at(&mut window, at).unwrap_or(0);
            let begins_here = length.min(STEP + LENGTH - 1).min(usize::try_from(end - at).unwrap());
            found += count_in(&window[..begins_here], pattern);
        }
    }
    found
}

fn writable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let readable = fields.next()?.starts_with("rw");
    let number = |text| u64::from_str_radix(text, 16).ok();
    readable.then_some((number(start)?, number(end)?))
}

/// Allocates, fills, grows and frees.
pub(crate) fn leave_behind(heap: &impl GlobalAlloc, pattern: Pattern) {
    let small = Layout::from_size_align(LENGTH * 8, 8).unwrap();
    // SAFETY: every block is allocated with the layout it is used and freed with, and not used after that.
    unsafe {
        let block = heap.alloc(small);
        assert!(!block.is_null());
        pattern.write_to(std::slice::from_raw_parts_mut(block, small.size()));
        // Keeps the block from growing in place, so that growing has to move it.
        let neighbor = heap.alloc(small);
        let moved = heap.realloc(block, small, LENGTH * 64);
        assert!(!moved.is_null() && !neighbor.is_null());
        heap.dealloc(moved, Layout::from_size_align(LENGTH * 64, 8).unwrap());
        heap.dealloc(neighbor, small);
    }
}

#[test]
fn sealed_memory_cannot_be_read_by_root() {
    if !is_root() {
        loudly("not root: that root cannot read sealed memory is NOT PROVEN here");
        return;
    }
    for lane in lanes() {
        let options = ChildOptions { identity: lane.0, ..ChildOptions::default() };
        let mut child = spawn_as(&mut command("secret", &[]), options).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        lines.read_line(&mut said).unwrap();
        lines.read_line(&mut said).unwrap();
        assert!(said.contains("right=1"), "the child holds the secret once: {said}");
        let pid = child.id().to_string();
        let ordinary = count_in_process(&pid, Pattern::ORDINARY);
        let sealed = count_in_process(&pid, Pattern::SEALED);
        drop(child.stdin.take());
        lines.read_to_string(&mut String::new()).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(ordinary > 0, "positive control: ordinary memory is readable for root");
        if said.contains("protection=sealed") {
            assert_eq!(sealed, 0, "as {lane:?}");
        } else {
            loudly(&format!("no memfd_secret here, memory is {said:?}: sealing is NOT PROVEN"));
        }
    }
}

#[test]
fn weak_protection_is_told() {
    // An unprivileged user who may lock nothing gets no protected memory, and is not left believing otherwise.
    let limits = Limits { locked_bytes: Some(0), ..Limits::default() };
    let options = ChildOptions { identity: unprivileged().0, limits, ..ChildOptions::default() };
    let output = spawn_as(&mut command("secret", &[]), options).unwrap().wait_with_output().unwrap();
    let said = parse(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((said["protection"].as_str(), said["right"].as_str()), ("plain", "1"));
}

#[test]
fn freed_memory_is_blank() {
    for lane in lanes() {
        let said = hear("residue", lane, &[]);
        let number = |key: &str| said[key].parse::<usize>().unwrap();
        assert!(number("system") > 0, "positive control: the plain allocator leaves copies behind");
        assert_eq!(number("grown_while_alive"), 512);
        assert_eq!((number("zeroizing"), number("grown")), (0, 0), "as {lane:?}");
    }
}
