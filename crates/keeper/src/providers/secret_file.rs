//! One line with a secret, a token or a PIN, from a file that only this user can read.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use keyhold_os::secret::SecretBytes;
use rustix::fs::OFlags;

use crate::files::{FilesError, failed, owned_and_closed};

/// Longest line in bytes.
const MOST: usize = 4096;

/// Who put the file there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PutBy {
    /// Somebody: it must belong to this user and be closed to all others.
    Operator,
    /// systemd, which opens a credential to the service by an access control list: the mode then shows more than is so.
    ServiceManager,
}

/// The file's only line, without its end, in secret memory.
///
/// # Errors
/// [`FilesError`]; [`FilesError::Format`] when it is empty, longer, or no ordinary file.
pub(super) fn line(path: &Path, put: PutBy) -> Result<SecretBytes, FilesError> {
    // A named pipe must not hold the start up.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed("opening", path))?;
    let facts = file.metadata().map_err(failed("examining", path))?;
    match put {
        PutBy::Operator => owned_and_closed(path, &facts)?,
        PutBy::ServiceManager => {}
    }
    let odd = || FilesError::Format { path: path.to_owned() };
    if !facts.is_file() {
        return Err(odd());
    }
    let mut content = SecretBytes::zeroed(MOST + 1)?;
    let mut length = 0;
    // `File` has no buffer of its own: the bytes go straight into secret memory.
    while length <= MOST {
        match file.read(&mut content.expose_mut()[length..]).map_err(failed("reading", path))? {
            0 => break,
            more => length += more,
        }
    }
    let bytes = content.expose().get(..length).ok_or_else(odd)?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let end = bytes.strip_suffix(b"\r").unwrap_or(bytes).len();
    if end == 0 || length > MOST || bytes.contains(&b'\n') {
        return Err(odd());
    }
    content.truncate(end);
    Ok(content)
}
