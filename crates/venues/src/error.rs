//! What can go wrong with a venue, sorted by the only question that matters: did it happen?
//!
//! [`VenueError::Refused`]: it did not. [`VenueError::Unknown`]: it may have; ask before doing anything else.
//! [`VenueError::NotSent`]: it did not leave us. Which answer of a venue means what is a table per venue
//! (`bybit/refusals.rs`); this file knows no venue. Texts of venues are scrubbed before they are kept.

use std::time::Duration;

use keyhold_domain::{ReasonCode, RefusalCode, ShortText};

use crate::signer::SignerRefusal;

/// A venue's own word or number for a refusal, for example `110007` or `http-403`.
pub type VenueCode = ShortText<40>;

/// Longest text of a venue that is kept, in bytes.
pub const LONGEST_MESSAGE: usize = 160;

/// Why a call to a venue did not give its result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// The venue said no: it did not happen.
    #[error("the venue refused: {code} ({venue_code}: {message})")]
    Refused {
        /// Our word for it.
        code: RefusalCode,
        /// The venue's word for it.
        venue_code: VenueCode,
        /// The venue's text, scrubbed.
        message: String,
    },
    /// It may have happened: reconcile before doing anything else.
    #[error("the outcome of {during} is unknown: {cause}")]
    Unknown {
        /// What was being done.
        during: &'static str,
        /// Why we do not know.
        cause: UnknownCause,
    },
    /// It did not leave us. Sending it again is harmless.
    #[error("the request was not sent: {cause}")]
    NotSent {
        /// How long to wait before trying again.
        retry_after: Duration,
        /// What stood in the way.
        cause: NotSentCause,
    },
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCause {
    /// No complete answer within the time limit.
    #[error("no complete answer in time")]
    TimedOut,
    /// The connection broke after (a part of) the request was written.
    #[error("the connection broke")]
    ConnectionLost,
    /// The venue answered that it does not know itself, or a gateway on the way failed.
    #[error("the venue answered with a server error")]
    ServerError,
    /// The answer was larger than we take.
    #[error("the answer was too large")]
    TooLarge,
    /// The answer could not be read.
    #[error("{0}")]
    Unreadable(WireError),
    /// The venue could not be asked what became of it.
    #[error("the venue could not be asked")]
    NotAsked,
    /// More pages than we follow.
    #[error("there were more pages than are followed")]
    TooManyPages,
}

/// Why a request did not leave us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSentCause {
    /// The host's name could not be resolved.
    #[error("the host name could not be resolved")]
    Resolve,
    /// No connection could be made.
    #[error("no connection could be made")]
    Connect,
    /// The TLS handshake failed.
    #[error("the secure connection could not be made")]
    Tls,
    /// The connection broke before anything of the request was written.
    #[error("the connection broke before the request was written")]
    Closed,
    /// Earlier requests kept the connection busy too long.
    #[error("the connection was busy for too long")]
    Busy,
    /// We would exceed the venue's request limit.
    #[error("the venue's request limit is used up")]
    RateLimit,
    /// The venue's clock could not be read well enough to sign.
    #[error("the venue's clock could not be read")]
    Clock,
    /// The program that holds the key would not sign.
    #[error("the request was not signed: {0}")]
    Signer(SignerRefusal),
    /// The request asks for more than the adapter fetches at once.
    #[error("the range is larger than is fetched at once")]
    RangeTooLarge,
}

/// Why a message of a venue could not be read. Never repeats what the message said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or of another structure than documented.
    #[error("the {what} is not in the documented form (line {line}, column {column})")]
    Malformed {
        /// Which message.
        what: &'static str,
        /// Line of the text, from 1.
        line: usize,
        /// Column of the text.
        column: usize,
    },
    /// A field is absent or empty.
    #[error("the {what} lacks the field {field}")]
    Missing {
        /// Which record.
        what: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A field holds something else than it must.
    #[error("the field {field} of the {what} is not {expected}")]
    Invalid {
        /// Which record.
        what: &'static str,
        /// Which field.
        field: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
}

impl VenueError {
    /// A refusal with its text scrubbed.
    pub fn refused(code: RefusalCode, venue_code: &str, message: &str) -> Self {
        let venue_code = VenueCode::new(venue_code)
            .unwrap_or_else(|_| VenueCode::new("unreadable").expect("nine printable letters and one more"));
        Self::Refused { code, venue_code, message: scrub(message) }
    }

    /// An outcome nobody knows.
    pub const fn unknown(during: &'static str, cause: UnknownCause) -> Self {
        Self::Unknown { during, cause }
    }

    /// A request that stayed with us and may be repeated after `retry_after`.
    pub const fn not_sent(retry_after: Duration, cause: NotSentCause) -> Self {
        Self::NotSent { retry_after, cause }
    }

    /// The refusal's code, if it is one.
    pub const fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Unknown { .. } | Self::NotSent { .. } => None,
        }
    }

    /// The reason shown when a key is tested. `None` when the error says nothing about key, account or venue.
    pub fn diagnosis(&self, asked: Asked) -> Option<ReasonCode> {
        match self {
            Self::Refused { code, .. } => key_diagnosis(*code, asked),
            Self::Unknown { .. } => Some(ReasonCode::ExchangeDown),
            Self::NotSent { cause, .. } => match cause {
                NotSentCause::RateLimit => Some(ReasonCode::ExchangeRateLimit),
                NotSentCause::Clock => Some(ReasonCode::ClockSkew),
                NotSentCause::Signer(_) => Some(ReasonCode::KeyInactive),
                NotSentCause::RangeTooLarge => None,
                NotSentCause::Resolve
                | NotSentCause::Connect
                | NotSentCause::Tls
                | NotSentCause::Closed
                | NotSentCause::Busy => Some(ReasonCode::ExchangeDown),
            },
        }
    }
}

/// What a refused request wanted; tells a missing permission to read from one to trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To read balances, positions, orders.
    ToRead,
    /// To place, change or cancel.
    ToTrade,
}

/// The reason to show for a refusal while a key is tested or a bot starts.
pub const fn key_diagnosis(code: RefusalCode, asked: Asked) -> Option<ReasonCode> {
    match code {
        RefusalCode::BadKey => Some(ReasonCode::KeyInvalid),
        RefusalCode::BadSignature => Some(ReasonCode::KeyBadSecret),
        RefusalCode::BadPassphrase => Some(ReasonCode::KeyBadPassphrase),
        RefusalCode::ClockSkew => Some(ReasonCode::ClockSkew),
        RefusalCode::IpNotAllowed => Some(ReasonCode::KeyIpBlocked),
        RefusalCode::InsufficientPermission => Some(match asked {
            Asked::ToRead => ReasonCode::KeyNoReadPermission,
            Asked::ToTrade => ReasonCode::KeyNoTradePermission,
        }),
        RefusalCode::KeyExpired => Some(ReasonCode::KeyExpired),
        RefusalCode::WrongEnvironment => Some(ReasonCode::KeyWrongEnvironment),
        RefusalCode::InsufficientMargin => Some(ReasonCode::InsufficientBalance),
        RefusalCode::RateLimited | RefusalCode::IpBanned => Some(ReasonCode::ExchangeRateLimit),
        RefusalCode::RegionForbidden => Some(ReasonCode::RegionForbidden),
        RefusalCode::Maintenance => Some(ReasonCode::ExchangeMaintenance),
        RefusalCode::Overloaded => Some(ReasonCode::ExchangeDown),
        RefusalCode::AccountMode => Some(ReasonCode::AccountModeMismatch),
        RefusalCode::InvalidOrder
        | RefusalCode::PostOnlyWouldCross
        | RefusalCode::ReduceOnlyRejected
        | RefusalCode::DuplicateClientOrderId
        | RefusalCode::OrderNotFound
        | RefusalCode::NoChange
        | RefusalCode::InstrumentHalted
        | RefusalCode::Other => None,
    }
}

/// A run of at least this many letters and digits may be a key, a signature or an id, and is cut out.
const SUSPICIOUS_RUN: usize = 16;

/// A venue's text made fit to be kept and shown: one line of printable ASCII, bounded, without the signed text
/// that Bybit repeats after `origin_string` and without anything that could be a key or a signature.
pub fn scrub(message: &str) -> String {
    let message = message.split("origin_string").next().unwrap_or_default();
    let mut clean = String::with_capacity(message.len().min(LONGEST_MESSAGE));
    let mut run = String::new();
    let flush = |run: &mut String, clean: &mut String| {
        clean.push_str(if run.len() >= SUSPICIOUS_RUN { "[cut]" } else { run });
        run.clear();
    };
    for letter in message.chars().take(8 * LONGEST_MESSAGE) {
        if letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=' | '_' | '-') {
            run.push(letter);
            continue;
        }
        flush(&mut run, &mut clean);
        clean.push(if letter.is_ascii_graphic() { letter } else { ' ' });
        if clean.len() >= LONGEST_MESSAGE {
            break;
        }
    }
    flush(&mut run, &mut clean);
    clean.truncate(LONGEST_MESSAGE);
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_venues_lose_everything_that_could_be_secret() {
        let cases = [
            ("API key is invalid.", "API key is invalid."),
            ("error sign! origin_string[1700000000000AKTESTKEY5000{}]", "error sign!"),
            ("bad key AKTESTKEY0123456789!", "bad key [cut]!"),
            ("two\nlines\u{1b}[31m", "two lines [31m"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(scrub(text), expected);
        }
        assert!(scrub(&"ab ".repeat(500)).len() <= LONGEST_MESSAGE);
    }

    #[test]
    fn a_key_test_names_the_permission_that_is_missing() {
        let error = VenueError::refused(RefusalCode::InsufficientPermission, "10005", "no");
        assert_eq!(error.diagnosis(Asked::ToRead), Some(ReasonCode::KeyNoReadPermission));
        assert_eq!(error.diagnosis(Asked::ToTrade), Some(ReasonCode::KeyNoTradePermission));
        let down = VenueError::not_sent(Duration::ZERO, NotSentCause::Connect);
        assert_eq!(down.diagnosis(Asked::ToRead), Some(ReasonCode::ExchangeDown));
    }
}
