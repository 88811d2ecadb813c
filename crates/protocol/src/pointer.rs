//! Where in a JSON text a parser stopped, as a JSON pointer that is safe to log.
//!
//! Refuses to know the parser's own message, because it quotes values and unknown field names. A field name appears
//! in the pointer only when it looks like one of ours (lower-case words of at most 24 letters); anything else becomes
//! `?`. Used by [`crate::frame`].

/// Longest pointer produced, in segments; deeper places are reported as their ancestor.
const MAX_DEPTH: usize = 16;
/// Longest field name repeated, in bytes.
const MAX_NAME_BYTES: usize = 24;

/// JSON pointer (RFC 6901) of the innermost container or member open at `line`:`column` (both from 1, as
/// `serde_json` counts; column in bytes). The empty text is the root.
pub fn locate(text: &[u8], line: usize, column: usize) -> String {
    let end = offset(text, line, column);
    let mut walker = Walker::default();
    let mut position = 0;
    while position < end {
        position = walker.advance(text, position, end);
    }
    walker.pointer()
}

/// Byte offset just after the character at `line`:`column`.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text[start..].iter().position(|byte| *byte == b'\n') {
            Some(found) => start += found + 1,
            None => return text.len(),
        }
    }
    start.saturating_add(column).min(text.len())
}

/// One open container.
enum Level {
    /// An object, and the member being read: `None` before its colon.
    Object { member: Option<String> },
    /// An array, and the index being read.
    Array { index: usize },
}

#[derive(Default)]
struct Walker {
    open: Vec<Level>,
    /// Containers deeper than [`MAX_DEPTH`], which are only counted.
    too_deep: usize,
    /// The last complete string, which becomes a member name when a colon follows.
    last_string: Option<(usize, usize)>,
}

impl Walker {
    /// Consumes one token at `position`, returns the position after it.
    fn advance(&mut self, text: &[u8], position: usize, end: usize) -> usize {
        match text[position] {
            b'{' => self.enter(Level::Object { member: None }),
            b'[' => self.enter(Level::Array { index: 0 }),
            b'}' | b']' => self.leave(),
            b':' => self.name_member(text),
            b',' => self.next_item(),
            b'"' => return self.string(text, position, end),
            _ => {}
        }
        position + 1
    }

    fn enter(&mut self, level: Level) {
        if self.open.len() < MAX_DEPTH {
            self.open.push(level);
        } else {
            self.too_deep += 1;
        }
    }

    fn leave(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else {
            self.open.pop();
        }
    }

    fn name_member(&mut self, text: &[u8]) {
        let name = self.last_string.take().map(|(from, until)| safe_name(&text[from..until]));
        if self.too_deep == 0
            && let Some(Level::Object { member }) = self.open.last_mut()
        {
            *member = name;
        }
    }

    fn next_item(&mut self) {
        if self.too_deep > 0 {
            return;
        }
        match self.open.last_mut() {
            Some(Level::Object { member }) => *member = None,
            Some(Level::Array { index }) => *index += 1,
            None => {}
        }
    }

    fn string(&mut self, text: &[u8], position: usize, end: usize) -> usize {
        let from = position + 1;
        let mut at = from;
        while at < end {
            match text[at] {
                b'\\' => at += 2,
                b'"' => {
                    self.last_string = Some((from, at));
                    return at + 1;
                }
                _ => at += 1,
            }
        }
        end
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for level in &self.open {
            match level {
                Level::Object { member: Some(name) } => {
                    pointer.push('/');
                    pointer.push_str(name);
                }
                Level::Object { member: None } => break,
                Level::Array { index } => {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                }
            }
        }
        pointer
    }
}

fn safe_name(name: &[u8]) -> String {
    let ours = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    // Checked as ASCII above, so the lossy conversion changes nothing.
    if ours { String::from_utf8_lossy(name).into_owned() } else { "?".to_owned() }
}
