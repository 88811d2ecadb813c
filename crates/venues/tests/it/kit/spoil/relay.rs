//! A line to a twin on which every answer and every frame can be changed on its way back.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};

/// Bytes on their way in one direction.
const PIPE: usize = 256 * 1024;

/// Changes what passes, or remembers it.
type Hook = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

/// What happens to bodies of answers and to frames of streams.
pub(crate) struct Tap {
    answers: Mutex<Hook>,
    frames: Mutex<Hook>,
}

impl Tap {
    /// Everything passes as it is.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(Box::new(|body| body)),
            frames: Mutex::new(Box::new(|frame| frame)),
        })
    }

    pub(crate) fn answers(&self, hook: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(hook);
    }

    pub(crate) fn frames(&self, hook: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) {
        *self.frames.lock().unwrap() = Box::new(hook);
    }
}

/// A connection to a twin, led through a tap.
pub(crate) fn through(tap: &Arc<Tap>, twin: DuplexStream) -> DuplexStream {
    let (near, far) = duplex(PIPE);
    let (from_twin, to_twin) = split(twin);
    let (from_client, to_client) = split(far);
    tokio::spawn(copy(from_client, to_twin));
    tokio::spawn(carry_back(from_twin, to_client, Arc::clone(tap)));
    near
}

/// As it is, until either side is gone.
async fn copy(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
    let _bytes = tokio::io::copy(&mut from, &mut to).await;
    let _done = to.shutdown().await;
}

/// Answers, and after an upgrade frames, each through the tap.
async fn carry_back(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, tap: Arc<Tap>) {
    let mut waiting = vec![];
    let mut is_stream = false;
    let mut chunk = vec![0; 16 * 1024];
    loop {
        while let Some(whole) = if is_stream { frame(&waiting) } else { answer(&waiting) } {
            let piece: Vec<u8> = waiting.drain(..whole.length).collect();
            let out = pass(&tap, &piece, &whole);
            is_stream |= whole.kind == Kind::Upgrade;
            if to.write_all(&out).await.is_err() {
                return;
            }
        }
        match from.read(&mut chunk).await {
            Ok(count) if count > 0 => waiting.extend_from_slice(&chunk[..count]),
            Ok(_) | Err(_) => break,
        }
    }
    let _done = to.shutdown().await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An answer with a body.
    Answer,
    /// An answer that begins a stream.
    Upgrade,
    /// A frame of text.
    Text,
    /// A ping and the like.
    Other,
}

/// One whole thing at the beginning of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Whole {
    kind: Kind,
    /// Bytes before its content.
    head: usize,
    length: usize,
}

fn answer(bytes: &[u8]) -> Option<Whole> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
    if text.starts_with("http/1.1 101") {
        return Some(Whole { kind: Kind::Upgrade, head, length: head });
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = head + length.map_or(0, |text| text.trim().parse().unwrap());
    (bytes.len() >= length).then_some(Whole { kind: Kind::Answer, head, length })
}

/// A server's frame carries no mask, and a twin sends whole messages.
fn frame(bytes: &[u8]) -> Option<Whole> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let number = |from: usize, count: usize| {
        let digits = bytes.get(from..from + count)?;
        Some(digits.iter().fold(0, |sum: usize, byte| (sum << 8) | usize::from(*byte)))
    };
    let (head, length) = match second & 0x7f {
        126 => (4, number(2, 2)?),
        127 => (10, number(2, 8)?),
        short => (2, usize::from(short)),
    };
    let kind = if first == 0x81 { Kind::Text } else { Kind::Other };
    (bytes.len() >= head + length).then_some(Whole { kind, head, length: head + length })
}

fn pass(tap: &Tap, piece: &[u8], whole: &Whole) -> Vec<u8> {
    let content = piece[whole.head..].to_vec();
    match whole.kind {
        Kind::Upgrade | Kind::Other => piece.to_vec(),
        Kind::Answer => {
            let body = (tap.answers.lock().unwrap())(content);
            let head = std::str::from_utf8(&piece[..whole.head]).unwrap();
            let kept = head
                .lines()
                .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("content-length"));
            let mut out = kept.fold(String::new(), |text, line| text + line + "\r\n").into_bytes();
            out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
            out
        }
        Kind::Text => {
            let text = (tap.frames.lock().unwrap())(content);
            let mut out = vec![0x81];
            match text.len() {
                short @ 0..=125 => out.push(u8::try_from(short).unwrap()),
                middle @ 126..=0xffff => {
                    out.push(126);
                    out.extend_from_slice(&u16::try_from(middle).unwrap().to_be_bytes());
                }
                long => {
                    out.push(127);
                    out.extend_from_slice(&u64::try_from(long).unwrap().to_be_bytes());
                }
            }
            out.extend_from_slice(&text);
            out
        }
    }
}
