//! The log: one line per event on standard error, `info` and above, without filters, colors and spans.
//!
//! Written here because everything that can be linked for it is larger than what this program needs, and shares its
//! memory with keys. What may be said is decided where it is said: this file knows nothing of the events.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use keyhold_domain::Timestamp;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::clock::{Clock, SystemClock};

/// Everything from here on goes to standard error.
///
/// # Errors
/// When that was said before.
pub fn start() -> Result<(), SetGlobalDefaultError> {
    set_global_default(Lines::new(SystemClock::start(), std::io::stderr()))
}

/// Writes events as `2026-11-22T05:34:09.120Z  INFO ready name=value`.
#[derive(Debug)]
pub struct Lines<C, W> {
    clock: C,
    out: Mutex<W>,
}

impl<C, W> Lines<C, W> {
    /// Into `out`, with the time of `clock`.
    pub const fn new(clock: C, out: W) -> Self {
        Self { clock, out: Mutex::new(out) }
    }
}

impl<C, W> Subscriber for Lines<C, W>
where
    C: Clock + Send + Sync + 'static,
    W: Write + Send + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let at = i64::try_from(self.clock.now().wall_ms).unwrap_or(i64::MAX);
        let mut line = Line { text: format!("{} {:>5}", Timestamp::from_ms(at), event.metadata().level()) };
        event.record(&mut line);
        line.text.push('\n');
        // One write, so that lines of two processes on one pipe do not mix. A log that cannot be written must not stop
        // what is being done, and there is nowhere left to say so; what has to be recorded is in the audit file.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _nowhere_to_say_it = out.write_all(line.text.as_bytes());
    }

    // Spans are not used. Every one gets the same number, which must not be zero.
    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// An event on its way to becoming a line.
struct Line {
    text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut safe = OneLine(&mut self.text);
        let written = match field.name() {
            "message" => write!(safe, " {value:?}"),
            name => write!(safe, " {name}={value:?}"),
        };
        // Only a value that cannot be shown fails here; the line then ends where it failed.
        if written.is_err() {
            self.text.push('…');
        }
    }
}

/// Text in which nothing starts a line of its own or speaks to a terminal.
struct OneLine<'a>(&'a mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if letter.is_control() {
                self.0.extend(letter.escape_default());
            } else {
                self.0.push(letter);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::Now;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Now {
            Now { wall_ms: 1_640_991_660_000, running: Duration::ZERO }
        }
    }

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(say: impl FnOnce()) -> String {
        let paper = Paper::default();
        tracing::subscriber::with_default(Lines::new(Noon, paper.clone()), say);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields() {
        let line = written(|| tracing::warn!(uid = 7, code = ?Level::INFO, name = "a b", "said"));
        assert_eq!(line, "2021-12-31T23:01:00.000Z  WARN said uid=7 code=Level(Info) name=\"a b\"\n");
    }

    #[test]
    fn what_is_below_info_is_not_written() {
        assert_eq!(written(|| tracing::debug!("unseen")), "");
    }

    #[test]
    fn a_value_cannot_begin_a_line_or_speak_to_a_terminal() {
        let error = "first\n2021-12-31T23:01:00.000Z  INFO forged \u{1b}[31m";
        let line = written(|| tracing::error!(%error, "failed"));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.contains(r"first\n2021") && line.contains(r"\u{1b}[31m"), "{line}");
    }

    #[test]
    fn a_log_that_cannot_be_written_stops_nothing() {
        struct Torn;
        impl Write for Torn {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut reached = false;
        tracing::subscriber::with_default(Lines::new(Noon, Torn), || {
            tracing::error!("lost");
            reached = true;
        });
        assert!(reached);
    }
}
