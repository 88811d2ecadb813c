//! Looking for a secret in places where it must not be.
//!
//! A [`Needle`] is searched in ten encodings, and any twelve bytes in a row of any of them count as a find. A scan is
//! worth something only beside a planted control that it finds; the tests plant one in every kind of place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret and every form in which it could have leaked.
#[derive(Debug, Clone)]
pub struct Needle {
    forms: Vec<(&'static str, Vec<u8>)>,
    /// Where each four bytes in a row stand: form and offset.
    grams: BTreeMap<[u8; GRAM], Vec<(usize, usize)>>,
    /// Which hashes of four bytes occur at all: one look tells for nearly every place that nothing is there.
    filter: Vec<u64>,
}

/// Bytes of a partial copy that count as a find.
pub const PARTIAL: usize = 12;
const GRAM: usize = 4;
/// Every run of [`PARTIAL`] bytes holds exactly one group of four that begins at a multiple of this.
const STEP: usize = PARTIAL - GRAM + 1;
const FILTER_BITS: u32 = 16;

impl Needle {
    /// All forms of a secret of at least 16 bytes.
    ///
    /// # Panics
    /// When it is shorter: parts of it would be found by chance.
    pub fn new(secret: &str) -> Self {
        assert!(secret.len() >= 16, "too short to be looked for");
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
        Self::of(forms)
    }

    /// A text as it stands, for what is no secret but must be gone: ciphertext.
    ///
    /// # Panics
    /// When it is shorter than 16 bytes.
    pub fn text(text: &str) -> Self {
        assert!(text.len() >= 16, "too short to be looked for");
        Self::of(vec![("as it stands", text.as_bytes().to_vec())])
    }

    /// Bytes as they stand, for what has no text: a slot of the keeper.
    ///
    /// # Panics
    /// When there are fewer than 16.
    pub fn bytes(bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 16, "too short to be looked for");
        Self::of(vec![("as it stands", bytes.to_vec())])
    }

    fn of(forms: Vec<(&'static str, Vec<u8>)>) -> Self {
        let mut grams: BTreeMap<[u8; GRAM], Vec<(usize, usize)>> = BTreeMap::new();
        let mut filter = vec![0; (1 << FILTER_BITS) / 64];
        for (form, (_, bytes)) in forms.iter().enumerate() {
            for (offset, gram) in bytes.windows(GRAM).enumerate() {
                let gram: [u8; GRAM] = gram.try_into().expect("a window has its length");
                let (word, bit) = place(gram);
                filter[word] |= bit;
                grams.entry(gram).or_default().push((form, offset));
            }
        }
        Self { forms, grams, filter }
    }

    /// The first form of which [`PARTIAL`] bytes in a row stand in `hay`.
    pub fn find(&self, hay: &[u8]) -> Option<&'static str> {
        let mut at = 0;
        while let Some(gram) = hay.get(at..at + GRAM) {
            let gram: [u8; GRAM] = gram.try_into().expect("a slice of this length");
            let (word, bit) = place(gram);
            if self.filter[word] & bit != 0
                && let Some(found) = self.run_at(hay, at, gram)
            {
                return Some(found);
            }
            at += STEP;
        }
        None
    }

    /// The form of which a long enough run goes through this place.
    fn run_at(&self, hay: &[u8], at: usize, gram: [u8; GRAM]) -> Option<&'static str> {
        self.grams.get(&gram)?.iter().find_map(|(form, offset)| {
            let (name, bytes) = &self.forms[*form];
            let before = hay[..at].iter().rev().zip(bytes[..*offset].iter().rev());
            let after = hay[at..].iter().zip(&bytes[*offset..]);
            let run = before.take_while(|(a, b)| a == b).count() + after.take_while(|(a, b)| a == b).count();
            (run >= PARTIAL).then_some(*name)
        })
    }

    fn longest(&self) -> usize {
        self.forms.iter().map(|(_, form)| form.len()).max().unwrap_or(0)
    }
}

/// The word and bit of the filter for four bytes.
fn place(gram: [u8; GRAM]) -> (usize, u64) {
    let hash = u32::from_le_bytes(gram).wrapping_mul(0x9E37_79B1) >> (32 - FILTER_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
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

/// A place where a form of the needle was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// A file, or a part of a process.
    pub place: String,
    /// Which form.
    pub form: &'static str,
}

/// Every file below `folder`. One that goes away meanwhile is not there.
pub fn files(folder: &Path, needle: &Needle) -> io::Result<Vec<Find>> {
    let mut finds = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        match file(&path, needle, &mut open) {
            Ok(found) => finds.extend(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != folder => {}
            Err(error) => return Err(error),
        }
    }
    Ok(finds)
}

/// Every byte of the image of a device, whatever file it belongs to or belonged to. Holes, where nothing was ever written,
/// are passed over.
pub fn raw(image: &Path, needle: &Needle) -> io::Result<Vec<Find>> {
    use rustix::fs::{SeekFrom as Place, seek};
    let mut source = File::open(image)?;
    let mut finds = Vec::new();
    let mut at = 0;
    loop {
        at = match seek(&source, Place::Data(at)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => return Ok(finds),
            Err(error) => return Err(error.into()),
        };
        let end = seek(&source, Place::Hole(at))?;
        source.seek(SeekFrom::Start(at))?;
        for (offset, form) in stretch(&mut source.by_ref().take(end - at), needle)? {
            finds.push(Find { place: format!("{} near byte {}", image.display(), at + offset), form });
        }
        at = end;
    }
}

/// Finds in all that can be read, part by part, with how much was read before.
fn stretch(source: &mut impl Read, needle: &Needle) -> io::Result<Vec<(u64, &'static str)>> {
    const PART: usize = 4 << 20;
    let mut finds = Vec::new();
    // The end of the part before stays in front, so that nothing is cut in two.
    let (mut part, mut kept, mut at) = (vec![0; PART], 0, 0);
    loop {
        let read = source.read(&mut part[kept..])?;
        if read == 0 {
            return Ok(finds);
        }
        let filled = kept + read;
        if let Some(form) = needle.find(&part[..filled]) {
            finds.push((at, form));
        }
        at += u64::try_from(read).expect("a part fits");
        let rest = needle.longest().min(filled);
        part.copy_within(filled - rest..filled, 0);
        kept = rest;
    }
}

/// One file, or what is in one folder.
fn file(path: &Path, needle: &Needle, open: &mut Vec<PathBuf>) -> io::Result<Option<Find>> {
    let kind = std::fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        for entry in std::fs::read_dir(path)? {
            open.push(entry?.path());
        }
    } else if kind.is_file() {
        let form = needle.find(&std::fs::read(path)?);
        return Ok(form.map(|form| Find { place: path.display().to_string(), form }));
    }
    Ok(None)
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

/// Command line, environment, readable memory, and files that the process has open but whose names are gone.
pub fn process(pid: u32, needle: &Needle) -> io::Result<ProcessScan> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let mut scan = ProcessScan::default();
    for name in ["cmdline", "environ"] {
        let bytes = std::fs::read(folder.join(name))?;
        if let Some(form) = needle.find(&bytes) {
            scan.finds.push(Find { place: format!("{name} of {pid}"), form });
        }
    }
    scan_nameless(&folder.join("fd"), needle, &mut scan)?;
    let maps = std::fs::read_to_string(folder.join("maps"))?;
    let mut memory = File::open(folder.join("mem"))?;
    for line in maps.lines() {
        if let Some((from, to, name)) = region(line) {
            scan_region(&mut memory, (from, to, name), needle, &mut scan)?;
        }
    }
    Ok(scan)
}

/// Regular files without a name live as long as somebody has them open.
fn scan_nameless(descriptors: &Path, needle: &Needle, scan: &mut ProcessScan) -> io::Result<()> {
    for entry in std::fs::read_dir(descriptors)? {
        let path = entry?.path();
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let is_file = std::fs::metadata(&path).is_ok_and(|facts| facts.is_file());
        if !is_file || !target.to_string_lossy().ends_with(" (deleted)") {
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else {
            scan.unreadable += 1;
            continue;
        };
        if let Some(form) = needle.find(&bytes) {
            scan.finds.push(Find { place: format!("nameless file {}", target.display()), form });
        }
    }
    Ok(())
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
        for part in SECRET.as_bytes().windows(PARTIAL) {
            let hay = [b"/".as_slice(), part, b"/"].concat();
            assert!(needle.find(&hay).is_some(), "{}", String::from_utf8_lossy(part));
        }
        for start in 0..STEP {
            let hay = [vec![b'-'; start], SECRET.as_bytes()[5..5 + PARTIAL].to_vec()].concat();
            assert_eq!(needle.find(&hay), Some("raw"), "a part {start} bytes from the beginning");
        }
        assert_eq!(needle.find(&SECRET.as_bytes()[..PARTIAL - 1]), None, "too little to tell");
        for lead in 0..3 {
            let text = STANDARD.encode([&vec![b'x'; lead], SECRET.as_bytes(), b"tail"].concat());
            assert!(needle.find(text.as_bytes()).is_some(), "base64 with {lead} bytes before");
        }
    }

    #[test]
    fn a_process_that_holds_the_secret_is_found_out() {
        // The control: this test's own memory and a file.
        let secret = SECRET.to_owned();
        let mut nameless = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut nameless, secret.as_bytes()).unwrap();
        let scan = process(std::process::id(), &Needle::new(&secret)).unwrap();
        assert!(scan.finds.iter().any(|find| find.place.starts_with("memory")) && scan.bytes_read > 0);
        assert!(scan.finds.iter().any(|find| find.place.starts_with("nameless file")), "{:?}", scan.finds);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("leak"), format!("key={}", hex(secret.as_bytes()))).unwrap();
        assert_eq!(files(folder.path(), &Needle::new(&secret)).unwrap()[0].form, "hex");
    }
}
