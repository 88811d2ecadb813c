//! Lines with checksums: eight hexadecimal digits of CRC-32, a blank, JSON, a line feed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::JournalError;

/// Why a line is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Too short, or not text.
    #[error("it is not a checksum followed by JSON")]
    Form,
    /// The checksum does not fit the text.
    #[error("its checksum does not match")]
    Checksum,
    /// The JSON does not have the expected shape.
    #[error("its JSON is of another shape")]
    Shape(#[source] serde_json::Error),
}

/// The line for a JSON text.
pub(super) fn render(json: &str) -> String {
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// Writes one line with a single call, so that a dying process leaves it whole or not at all.
pub(super) fn write(file: &mut File, json: &str) -> io::Result<()> {
    file.write_all(render(json).as_bytes())
}

/// Reads every line of a file; a missing file has none. A torn last line is cut off the file.
pub(super) fn read_all<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JournalError> {
    let failed =
        |doing: &'static str| move |source| JournalError::File { doing, path: path.to_path_buf(), source };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("reading")(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        let length = u64::try_from(whole).expect("a length in memory fits 64 bits");
        let file = OpenOptions::new().write(true).open(path).map_err(failed("opening"))?;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed("cutting a torn line off"))?;
    }
    bytes[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| {
            parse(line).map_err(|source| JournalError::Damaged {
                path: path.to_path_buf(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (checksum, json) = line.split_at_checked(9).ok_or(LineError::Form)?;
    let text =
        std::str::from_utf8(checksum).ok().and_then(|text| text.strip_suffix(' ')).ok_or(LineError::Form)?;
    let expected = u32::from_str_radix(text, 16).map_err(|_| LineError::Form)?;
    if crc32fast::hash(json) != expected {
        return Err(LineError::Checksum);
    }
    serde_json::from_slice(json).map_err(LineError::Shape)
}
