//! Looking for a secret in places where it must not be.
//!
//! A [`Needle`] is searched in nine encodings and as partial copies. A scan is worth something only beside a planted
//! control that it finds; the tests plant one in every kind of place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret and every form in which it could have leaked.
#[derive(Debug, Clone)]
pub struct Needle {
    forms: Vec<(&'static str, Vec<u8>)>,
}

/// Bytes of a partial copy that count as a find.
const PARTIAL: usize = 12;

impl Needle {
    /// All forms of a text of at least 16 bytes.
    pub fn new(secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let mut forms = vec![
            ("raw", bytes.to_vec()),
            ("base64url", URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
            ("hex", hex(bytes).into_bytes()),
            ("upper-case hex", hex(bytes).to_uppercase().into_bytes()),
            ("percent-encoded", percent(bytes).into_bytes()),
            ("JSON-escaped", serde_json::Value::from(secret).to_string().into_bytes()),
            ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ];
        for (name, lead) in [("base64", 0), ("base64 shifted by 1", 1), ("base64 shifted by 2", 2)] {
            forms.push((name, aligned_base64(bytes, lead)));
        }
        let middle = bytes.len() / 2;
        for start in [0, middle.saturating_sub(PARTIAL / 2), bytes.len().saturating_sub(PARTIAL)] {
            let end = (start + PARTIAL).min(bytes.len());
            forms.push(("a part", bytes[start..end].to_vec()));
        }
        Self { forms }
    }

    /// The first form found in `hay`.
    pub fn find(&self, hay: &[u8]) -> Option<&'static str> {
        self.forms.iter().find(|(_, form)| contains(hay, form)).map(|(name, _)| *name)
    }

    fn longest(&self) -> usize {
        self.forms.iter().map(|(_, form)| form.len()).max().unwrap_or(0)
    }
}

/// The characters of the base64 text of `…bytes…` that do not depend on what stands around it.
fn aligned_base64(bytes: &[u8], lead: usize) -> Vec<u8> {
    let mut shifted = vec![0; lead];
    shifted.extend_from_slice(bytes);
    let whole = shifted.len() - shifted.len() % 3;
    let text = if lead == 0 {
        STANDARD.encode(&shifted[..whole])
    } else {
        STANDARD_NO_PAD.encode(&shifted[..whole])
    };
    let skip = if lead == 0 { 0 } else { 4 };
    text.into_bytes()[skip..].to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn percent(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
        })
        .collect()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let mut from = 0;
    while let Some(offset) = hay[from..].iter().position(|byte| byte == first) {
        let start = from + offset + 1;
        if hay[start..].starts_with(rest) {
            return true;
        }
        from = start;
    }
    false
}

/// A place where a form of the needle was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// A file, or a part of a process.
    pub place: String,
    /// Which form.
    pub form: &'static str,
}

/// Every file below `folder`, also those that processes have open but whose names are gone.
pub fn files(folder: &Path, needle: &Needle) -> io::Result<Vec<Find>> {
    let mut finds = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        let kind = std::fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if kind.is_file() {
            let bytes = std::fs::read(&path)?;
            if let Some(form) = needle.find(&bytes) {
                finds.push(Find { place: path.display().to_string(), form });
            }
        }
    }
    Ok(finds)
}

/// What a scan of a process could look at.
#[derive(Debug, Default)]
pub struct ProcessScan {
    /// Where the needle was seen.
    pub finds: Vec<Find>,
    /// Bytes of memory that were read.
    pub bytes_read: u64,
    /// Regions the kernel would not let even root read: secret memory shows up here.
    pub unreadable: u32,
}

/// Command line, environment and readable memory of a process.
pub fn process(pid: u32, needle: &Needle) -> io::Result<ProcessScan> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let mut scan = ProcessScan::default();
    for name in ["cmdline", "environ"] {
        let bytes = std::fs::read(folder.join(name))?;
        if let Some(form) = needle.find(&bytes) {
            scan.finds.push(Find { place: format!("{name} of {pid}"), form });
        }
    }
    let maps = std::fs::read_to_string(folder.join("maps"))?;
    let mut memory = File::open(folder.join("mem"))?;
    for line in maps.lines() {
        if let Some((from, to, name)) = region(line) {
            scan_region(&mut memory, (from, to, name), needle, &mut scan)?;
        }
    }
    Ok(scan)
}

fn region(line: &str) -> Option<(u64, u64, &str)> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let name = words.nth(3).unwrap_or("anonymous");
    let special = matches!(name, "[vvar]" | "[vsyscall]" | "[vvar_vclock]");
    (rights.starts_with('r') && !special).then_some((
        u64::from_str_radix(from, 16).ok()?,
        u64::from_str_radix(to, 16).ok()?,
        name,
    ))
}

const STRIDE: u64 = 4 << 20;

fn scan_region(
    memory: &mut File,
    (from, to, name): (u64, u64, &str),
    needle: &Needle,
    scan: &mut ProcessScan,
) -> io::Result<()> {
    let overlap = u64::try_from(needle.longest()).unwrap_or(0);
    let mut at = from;
    while at < to {
        let length = (to - at).min(STRIDE + overlap);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        memory.seek(SeekFrom::Start(at))?;
        match memory.read_exact(&mut bytes) {
            Ok(()) => {
                scan.bytes_read += length;
                if let Some(form) = needle.find(&bytes) {
                    scan.finds.push(Find { place: format!("memory {name} at {at:x}"), form });
                }
            }
            Err(_) => scan.unreadable += 1,
        }
        at += STRIDE;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Zq7!marker/with+odd\"chars-0123456789abcdef";

    #[test]
    fn every_form_is_found_and_others_are_not() {
        let needle = Needle::new(SECRET);
        for (name, form) in &needle.forms {
            let hay = [b"before".as_slice(), form, b"after"].concat();
            assert!(needle.find(&hay).is_some(), "{name}");
        }
        assert_eq!(needle.find(b"nothing to see here, only ordinary words and 0123456"), None);
        for lead in 0..3 {
            let text = STANDARD.encode([&vec![b'x'; lead], SECRET.as_bytes(), b"tail"].concat());
            assert!(needle.find(text.as_bytes()).is_some(), "base64 with {lead} bytes before");
        }
    }

    #[test]
    fn a_process_that_holds_the_secret_is_found_out() {
        // The control: this test's own memory and a file.
        let secret = SECRET.to_owned();
        let scan = process(std::process::id(), &Needle::new(&secret)).unwrap();
        assert!(!scan.finds.is_empty() && scan.bytes_read > 0);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("leak"), format!("key={}", hex(secret.as_bytes()))).unwrap();
        assert_eq!(files(folder.path(), &Needle::new(&secret)).unwrap()[0].form, "hex");
    }
}
