//! One HTTP/1.1 request over a socket of this host: bounded in time and size, no redirects, no TLS, nothing kept alive.
//!
//! Answers are read into secret memory, since one of them carries a secret. Knows nothing of what is asked. RFC 9112 is
//! followed as far as a server of Go's standard library, which Vault and OpenBao use, answers.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyhold_os::secret::SecretBytes;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::TransitError;

/// Longest answer, head and body, in bytes.
const MOST: usize = 16 * 1024;
/// Longest head in bytes.
const MOST_HEAD: usize = 8 * 1024;
/// Pause before a full queue is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Where a server listens: on this host, or nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A UNIX socket.
    Unix(PathBuf),
    /// A loopback address.
    Loopback(SocketAddr),
}

impl Address {
    /// Reads `unix:/path` or `http://127.0.0.1:8200`.
    ///
    /// # Errors
    /// [`TransitError::Address`] for everything else: what leaves this host unencrypted is not for secrets.
    pub(super) fn parse(text: &str) -> Result<Self, TransitError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(TransitError::Address) };
        }
        let authority = text.strip_prefix("http://").ok_or(TransitError::Address)?.trim_end_matches('/');
        let found = match authority.strip_prefix("localhost:") {
            Some(port) => {
                port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
            }
            None => authority.parse().ok(),
        };
        found.filter(|one| one.ip().is_loopback()).map(Self::Loopback).ok_or(TransitError::Address)
    }

    fn host(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Loopback(address) => address.to_string(),
        }
    }
}

/// What came back: a status and a body in secret memory.
#[allow(missing_debug_implementations, reason = "may hold a secret")]
pub(super) struct Response {
    /// 100 to 599.
    pub(super) status: u16,
    bytes: SecretBytes,
    body: std::ops::Range<usize>,
}

impl Response {
    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes.expose()[self.body.clone()]
    }
}

/// Sends `POST path` and reads the answer, all of it within `within`. `token` and `body` stay in secret memory.
///
/// # Errors
/// [`TransitError`].
pub(super) fn post(
    address: &Address,
    path: &str,
    token: Option<&SecretBytes>,
    body: &[u8],
    within: Duration,
) -> Result<Response, TransitError> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\nX-Vault-Request: true\r\n",
        address.host(),
        body.len()
    );
    let token: &[&[u8]] = match token {
        Some(token) => &[b"X-Vault-Token: ", token.expose(), b"\r\n"],
        None => &[],
    };
    let parts: Vec<&[u8]> = [&[head.as_bytes()][..], token, &[b"\r\n", body]].concat();
    let length = parts.iter().map(|part| part.len()).sum();
    let mut request = SecretBytes::zeroed(length)?;
    let mut rest = request.expose_mut();
    for part in parts {
        let (place, after) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = after;
    }
    let until = Instant::now() + within;
    match address {
        Address::Unix(path) => exchange(&connect(path, until)?, request.expose(), until),
        Address::Loopback(address) => {
            let stream = TcpStream::connect_timeout(address, within).map_err(TransitError::Connect)?;
            exchange(&stream, request.expose(), until)
        }
    }
}

/// Connects to a UNIX socket; one whose queue is full makes an ordinary `connect` wait for ever (unix(7)).
fn connect(path: &Path, until: Instant) -> Result<UnixStream, TransitError> {
    let failed = |errno: Errno| TransitError::Connect(errno.into());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN | Errno::INTR) => {
                left(until)?;
                std::thread::sleep(AGAIN);
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(TransitError::Connect)?;
    Ok(stream)
}

/// What both kinds of sockets can do.
trait Timed {
    fn set_timeouts(&self, within: Duration) -> std::io::Result<()>;
}

impl Timed for UnixStream {
    fn set_timeouts(&self, within: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(within))?;
        self.set_write_timeout(Some(within))
    }
}

impl Timed for TcpStream {
    fn set_timeouts(&self, within: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(within))?;
        self.set_write_timeout(Some(within))
    }
}

fn exchange<S: Timed>(stream: &S, request: &[u8], until: Instant) -> Result<Response, TransitError>
where
    for<'a> &'a S: Read + Write,
{
    let mut stream_ref = stream;
    let mut sent = 0;
    while sent < request.len() {
        stream.set_timeouts(left(until)?).map_err(TransitError::Lost)?;
        match stream_ref.write(&request[sent..]).map_err(lost)? {
            0 => return Err(TransitError::Garbage("the connection closed")),
            more => sent += more,
        }
    }
    let mut bytes = SecretBytes::zeroed(MOST)?;
    let mut length = 0;
    loop {
        stream.set_timeouts(left(until)?).map_err(TransitError::Lost)?;
        if length == MOST {
            return Err(TransitError::Garbage("the answer is too long"));
        }
        let more = stream_ref.read(&mut bytes.expose_mut()[length..]).map_err(lost)?;
        length += more;
        if let Some((status, body)) = whole(&mut bytes.expose_mut()[..length], End::of(more))? {
            return Ok(Response { status, bytes, body });
        }
        if more == 0 {
            return Err(TransitError::Garbage("the answer ended early"));
        }
    }
}

fn left(until: Instant) -> Result<Duration, TransitError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(TransitError::Slow) } else { Ok(left) }
}

fn lost(error: std::io::Error) -> TransitError {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => TransitError::Slow,
        _ => TransitError::Lost(error),
    }
}

/// Whether more can come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
}

impl End {
    const fn of(read: usize) -> Self {
        if read == 0 { Self::Closed } else { Self::Open }
    }
}

/// How a body ends.
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

/// Status and place of the body once all of it is there; chunks are joined in place.
fn whole(bytes: &mut [u8], end: End) -> Result<Option<(u16, std::ops::Range<usize>)>, TransitError> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let early = bytes.len() >= 5 && !bytes.starts_with(b"HTTP/");
        return if early || bytes.len() > MOST_HEAD {
            Err(TransitError::Garbage("the answer is not HTTP"))
        } else {
            Ok(None)
        };
    };
    let (status, framing) = read_head(&bytes[..head])?;
    let begin = head + 4;
    let there = bytes.len() - begin;
    let body = match framing {
        Framing::Length(length) if length > MOST => {
            return Err(TransitError::Garbage("the answer is too long"));
        }
        Framing::Length(length) => (there >= length).then(|| begin..begin + length),
        Framing::Close => (end == End::Closed).then(|| begin..begin + there),
        Framing::Chunked => join_chunks(&mut bytes[begin..])?.map(|length| begin..begin + length),
    };
    Ok(body.map(|body| (status, body)))
}

fn read_head(head: &[u8]) -> Result<(u16, Framing), TransitError> {
    let garbage = || TransitError::Garbage("the answer's head cannot be read");
    let head = std::str::from_utf8(head).map_err(|_not_text| garbage())?;
    let mut lines = head.split("\r\n");
    let first = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).ok_or_else(garbage)?;
    let status: u16 = first.get(2..5).and_then(|digits| digits.parse().ok()).ok_or_else(garbage)?;
    if !(100..600).contains(&status) {
        return Err(garbage());
    }
    let mut framing = Framing::Close;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(garbage)?;
        if name.eq_ignore_ascii_case("content-length") && !matches!(framing, Framing::Chunked) {
            framing = Framing::Length(value.trim().parse().map_err(|_no_number| garbage())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.trim().eq_ignore_ascii_case("chunked") {
                return Err(garbage());
            }
            framing = Framing::Chunked;
        }
    }
    Ok((status, framing))
}

/// Joins the chunks at the front once the last one is there; before that nothing is changed.
fn join_chunks(bytes: &mut [u8]) -> Result<Option<usize>, TransitError> {
    let garbage = || TransitError::Garbage("the answer's chunks cannot be read");
    let mut chunks = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[at..at + line]).map_err(|_not_text| garbage())?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .ok()
            .filter(|size| *size <= MOST)
            .ok_or_else(garbage)?;
        let begin = at + line + 2;
        if size == 0 {
            break;
        }
        match bytes.get(begin + size..begin + size + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(garbage()),
        }
        chunks.push(begin..begin + size);
        at = begin + size + 2;
    }
    let mut length = 0;
    for chunk in chunks {
        let size = chunk.len();
        bytes.copy_within(chunk, length);
        length += size;
    }
    Ok(Some(length))
}
