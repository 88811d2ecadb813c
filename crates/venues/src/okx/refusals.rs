//! What OKX's answers mean: one table from its numbers to our words.
//!
//! Orders carry their own number in `data[].sCode`; the number above it is then 1 (all failed) or 2 (some failed).
//! Sources: OKX's v5 error-code page and `conformance/venues/errors/okx.json`. A number that is not in the table is a
//! refusal "other": OKX reports all business errors after deciding not to do what was asked.

use keyhold_domain::RefusalCode;
use serde::Deserialize;

use crate::common::endpoint::Endpoint;
use crate::common::field::Field;
use crate::common::rest::unreadable;
use crate::error::{UnknownCause, VenueError, WireError};
use crate::signer::Verb;

/// What a number says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It did not happen.
    Refused(RefusalCode),
    /// Nobody knows whether it happened.
    Unknown,
    /// A question was refused; a change may have happened nevertheless.
    UnknownIfChange(RefusalCode),
}

use Meaning::{Refused, Unknown, UnknownIfChange};
use RefusalCode as Code;

/// Number to meaning, ascending.
const MEANINGS: &[(i64, Meaning)] = &[
    (50_000, Refused(Code::InvalidOrder)),
    (50_001, Refused(Code::Maintenance)),
    (50_002, Refused(Code::InvalidOrder)),
    (50_004, Unknown),
    (50_005, Refused(Code::Other)),
    (50_006, Refused(Code::InvalidOrder)),
    (50_007, Refused(Code::AccountMode)),
    (50_008, Refused(Code::BadKey)),
    (50_009, Refused(Code::AccountMode)),
    (50_010, Refused(Code::AccountMode)),
    (50_011, Refused(Code::RateLimited)),
    (50_012, Refused(Code::AccountMode)),
    (50_013, Refused(Code::Overloaded)),
    (50_014, Refused(Code::InvalidOrder)),
    (50_015, Refused(Code::InvalidOrder)),
    (50_016, Refused(Code::InvalidOrder)),
    (50_024, Refused(Code::InvalidOrder)),
    (50_026, UnknownIfChange(Code::Overloaded)),
    (50_027, Refused(Code::RegionForbidden)),
    (50_028, Refused(Code::InvalidOrder)),
    (50_030, Refused(Code::InsufficientPermission)),
    (50_035, Refused(Code::InsufficientPermission)),
    (50_040, Refused(Code::RateLimited)),
    (50_061, Refused(Code::RateLimited)),
    (50_100, Refused(Code::BadKey)),
    (50_101, Refused(Code::WrongEnvironment)),
    (50_102, Refused(Code::ClockSkew)),
    (50_103, Refused(Code::BadKey)),
    (50_104, Refused(Code::BadPassphrase)),
    (50_105, Refused(Code::BadPassphrase)),
    (50_106, Refused(Code::BadSignature)),
    (50_107, Refused(Code::ClockSkew)),
    (50_110, Refused(Code::IpNotAllowed)),
    (50_111, Refused(Code::BadKey)),
    (50_112, Refused(Code::ClockSkew)),
    (50_113, Refused(Code::BadSignature)),
    (50_114, Refused(Code::InsufficientPermission)),
    (50_119, Refused(Code::BadKey)),
    (50_120, Refused(Code::InsufficientPermission)),
    (51_000, Refused(Code::InvalidOrder)),
    (51_001, Refused(Code::InvalidOrder)),
    (51_002, Refused(Code::InvalidOrder)),
    (51_003, Refused(Code::InvalidOrder)),
    (51_004, Refused(Code::InsufficientMargin)),
    (51_005, Refused(Code::InvalidOrder)),
    (51_006, Refused(Code::InvalidOrder)),
    (51_007, Refused(Code::InvalidOrder)),
    (51_008, Refused(Code::InsufficientMargin)),
    (51_009, Refused(Code::AccountMode)),
    (51_010, Refused(Code::AccountMode)),
    (51_014, Refused(Code::InvalidOrder)),
    (51_015, Refused(Code::InvalidOrder)),
    (51_016, Refused(Code::DuplicateClientOrderId)),
    (51_017, Refused(Code::InsufficientMargin)),
    (51_019, Refused(Code::PostOnlyWouldCross)),
    (51_020, Refused(Code::InvalidOrder)),
    (51_021, Refused(Code::InstrumentHalted)),
    (51_022, Refused(Code::InstrumentHalted)),
    (51_023, Refused(Code::ReduceOnlyRejected)),
    (51_024, Refused(Code::AccountMode)),
    (51_025, Refused(Code::InvalidOrder)),
    (51_026, Refused(Code::InvalidOrder)),
    (51_027, Refused(Code::InstrumentHalted)),
    (51_028, Refused(Code::InstrumentHalted)),
    (51_029, Refused(Code::InstrumentHalted)),
    (51_030, Refused(Code::InstrumentHalted)),
    (51_050, Refused(Code::InvalidOrder)),
    (51_051, Refused(Code::InvalidOrder)),
    (51_052, Refused(Code::InvalidOrder)),
    (51_053, Refused(Code::InvalidOrder)),
    (51_054, Unknown),
    (51_065, Refused(Code::DuplicateClientOrderId)),
    (51_068, Refused(Code::DuplicateClientOrderId)),
    (51_100, Refused(Code::InvalidOrder)),
    (51_101, Refused(Code::InvalidOrder)),
    (51_102, Refused(Code::InvalidOrder)),
    (51_103, Refused(Code::InvalidOrder)),
    (51_112, Refused(Code::ReduceOnlyRejected)),
    (51_115, Refused(Code::InvalidOrder)),
    (51_116, Refused(Code::InvalidOrder)),
    (51_119, Refused(Code::InsufficientMargin)),
    (51_120, Refused(Code::InvalidOrder)),
    (51_121, Refused(Code::InvalidOrder)),
    (51_127, Refused(Code::InsufficientMargin)),
    (51_131, Refused(Code::InsufficientMargin)),
    (51_149, Unknown),
    (51_169, Refused(Code::ReduceOnlyRejected)),
    (51_205, Refused(Code::ReduceOnlyRejected)),
    (51_250, Refused(Code::InvalidOrder)),
    (51_277, Refused(Code::InvalidOrder)),
    (51_278, Refused(Code::InvalidOrder)),
    (51_279, Refused(Code::InvalidOrder)),
    (51_280, Refused(Code::InvalidOrder)),
    (51_400, Refused(Code::OrderNotFound)),
    (51_401, Refused(Code::OrderNotFound)),
    (51_402, Refused(Code::OrderNotFound)),
    (51_405, Refused(Code::OrderNotFound)),
    (51_410, Refused(Code::OrderNotFound)),
    (51_412, Refused(Code::OrderNotFound)),
    (51_500, Refused(Code::InvalidOrder)),
    (51_503, Refused(Code::OrderNotFound)),
    (51_506, Refused(Code::InvalidOrder)),
    (51_509, Refused(Code::OrderNotFound)),
    (51_510, Refused(Code::OrderNotFound)),
    (51_511, Refused(Code::PostOnlyWouldCross)),
    (51_512, Refused(Code::InvalidOrder)),
    (51_520, Refused(Code::OrderNotFound)),
    (51_527, Refused(Code::OrderNotFound)),
    (51_603, Refused(Code::OrderNotFound)),
    (59_000, Refused(Code::AccountMode)),
    (59_101, Refused(Code::AccountMode)),
    (59_102, Refused(Code::InvalidOrder)),
    (59_103, Refused(Code::InsufficientMargin)),
    (59_107, Refused(Code::AccountMode)),
    (60_004, Refused(Code::ClockSkew)),
    (60_005, Refused(Code::BadKey)),
    (60_006, Refused(Code::ClockSkew)),
    (60_007, Refused(Code::BadSignature)),
    (60_009, Refused(Code::BadSignature)),
    (60_011, Refused(Code::BadKey)),
    (60_014, Refused(Code::RateLimited)),
    (60_022, Refused(Code::IpNotAllowed)),
    (60_024, Refused(Code::BadPassphrase)),
    (60_032, Refused(Code::BadKey)),
    (64_008, Refused(Code::Maintenance)),
];

/// The `cancelSource` numbers that have a word of ours: the venue ended the order, not we.
const CANCEL_SOURCES: &[(&str, RefusalCode)] = &[
    ("2", Code::InsufficientMargin),
    ("3", Code::InsufficientMargin),
    ("4", Code::InsufficientMargin),
    ("6", Code::InsufficientMargin),
    ("7", Code::InstrumentHalted),
    ("9", Code::InsufficientMargin),
    ("15", Code::InvalidOrder),
    ("21", Code::ReduceOnlyRejected),
    ("22", Code::ReduceOnlyRejected),
    ("31", Code::PostOnlyWouldCross),
    ("36", Code::ReduceOnlyRejected),
];

/// Why the venue ended an order, when it tells a reason that is ours to know.
pub fn order_refusal(cancel_source: &str) -> Option<RefusalCode> {
    CANCEL_SOURCES.iter().find(|(known, _)| *known == cancel_source).map(|(_, code)| *code)
}

/// Why an order that waited for a trigger did not become one.
pub fn stop_refusal(fail_code: &str) -> RefusalCode {
    match meaning_of(fail_code.parse().unwrap_or_default()) {
        Refused(code) | UnknownIfChange(code) => code,
        Unknown => Code::Other,
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow)]
    code: Field<'a>,
    #[serde(borrow)]
    msg: Field<'a>,
    #[serde(borrow)]
    data: Option<Vec<RowHead<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RowHead<'a> {
    #[serde(borrow)]
    s_code: Field<'a>,
    #[serde(borrow)]
    s_msg: Field<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Verdict<'a> {
    #[serde(borrow)]
    code: Field<'a>,
    #[serde(borrow)]
    msg: Field<'a>,
}

/// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
pub fn judge(endpoint: Endpoint, status: u16, body: &[u8]) -> Result<(), VenueError> {
    let is_done = |code: i64| code == 0 && (200..300).contains(&status);
    if endpoint.verb == Verb::Get {
        // Rows of questions have forms of their own and are not looked at here.
        return match serde_json::from_slice::<Verdict<'_>>(body)
            .ok()
            .and_then(|head| told(&head.code, &head.msg))
        {
            Some((code, _)) if is_done(code) => Ok(()),
            Some((code, message)) if code != 0 => Err(verdict(endpoint, code, &message)),
            _ => Err(without_code(endpoint, status, body)),
        };
    }
    let head = serde_json::from_slice::<Head<'_>>(body).ok();
    let Some(head) = head else { return Err(by_status(endpoint, status, body)) };
    let Some((code, message)) = told(&head.code, &head.msg) else {
        return Err(without_code(endpoint, status, body));
    };
    let rows = head.data.unwrap_or_default();
    let failed = rows.iter().filter_map(|row| told(&row.s_code, &row.s_msg)).find(|(code, _)| *code != 0);
    match failed {
        Some((code, message)) => Err(verdict(endpoint, code, &message)),
        None if is_done(code) => Ok(()),
        None if code != 0 => Err(verdict(endpoint, code, &message)),
        None => Err(by_status(endpoint, status, body)),
    }
}

/// An answer that came through but does not say whether it was done.
fn without_code(endpoint: Endpoint, status: u16, body: &[u8]) -> VenueError {
    let verdict = serde_json::from_slice::<Verdict<'_>>(body);
    if verdict.is_ok_and(|verdict| verdict.code.is_empty()) && (200..300).contains(&status) {
        return unreadable(endpoint, WireError::Missing { what: "answer", field: "code" });
    }
    by_status(endpoint, status, body)
}

fn told(code: &Field<'_>, message: &Field<'_>) -> Option<(i64, String)> {
    Some((code.whole()?, message.text().to_owned()))
}

fn meaning_of(code: i64) -> Meaning {
    let row = MEANINGS.binary_search_by_key(&code, |(known, _)| *known);
    row.map_or(Refused(Code::Other), |row| MEANINGS[row].1)
}

fn verdict(endpoint: Endpoint, code: i64, message: &str) -> VenueError {
    let unknown = || VenueError::unknown(endpoint.doing, UnknownCause::ServerError);
    let refused = |refusal| VenueError::refused(refusal, &code.to_string(), message);
    match (meaning_of(code), endpoint.verb) {
        (Refused(refusal), _) | (UnknownIfChange(refusal), Verb::Get) => refused(refusal),
        (Unknown, _) | (UnknownIfChange(_), Verb::Post | Verb::Put | Verb::Delete) => unknown(),
    }
}

/// A login or subscription that a stream refused.
pub fn stream_refusal(code: Option<i64>, message: &str) -> VenueError {
    let refusal = match code.map(meaning_of) {
        Some(Refused(refusal) | UnknownIfChange(refusal)) => refusal,
        Some(Unknown) | None => Code::Other,
    };
    let code = code.map_or_else(|| "stream".to_owned(), |code| code.to_string());
    VenueError::refused(refusal, &code, message)
}

/// Answers without OKX's own number: they come from gateways before it.
fn by_status(endpoint: Endpoint, status: u16, body: &[u8]) -> VenueError {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_048)]).to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let code = match status {
        401 => Code::BadKey,
        403 if holds(&["country", "region", "location"]) => Code::RegionForbidden,
        403 if holds(&["frequent", "rate limit", "too many"]) => Code::IpBanned,
        429 => Code::RateLimited,
        451 => Code::RegionForbidden,
        // A gateway that gave up waiting may have passed the request on.
        408 => return VenueError::unknown(endpoint.doing, UnknownCause::ServerError),
        400..=499 => Code::Other,
        503 if endpoint.verb == Verb::Get => Code::Maintenance,
        _ => return VenueError::unknown(endpoint.doing, UnknownCause::ServerError),
    };
    VenueError::refused(code, &format!("http-{status}"), "")
}

#[cfg(test)]
mod tests {
    use super::super::endpoints;
    use super::*;

    #[test]
    fn the_table_is_sorted_for_searching() {
        assert!(MEANINGS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn the_orders_own_number_counts() {
        let body =
            br#"{"code":"1","msg":"All operations failed","data":[{"sCode":"51008","sMsg":"no margin"}]}"#;
        assert_eq!(judge(endpoints::PLACE, 200, body).unwrap_err().refusal(), Some(Code::InsufficientMargin));
        let late = br#"{"code":"50004","msg":"timeout","data":[]}"#;
        assert!(matches!(judge(endpoints::PLACE, 200, late).unwrap_err(), VenueError::Unknown { .. }));
        let done = br#"{"code":"0","msg":"","data":[{"ordId":"1","sCode":"0","sMsg":""}]}"#;
        assert_eq!(judge(endpoints::PLACE, 200, done), Ok(()));
        assert!(matches!(judge(endpoints::PLACE, 502, done).unwrap_err(), VenueError::Unknown { .. }));
    }

    #[test]
    fn a_busy_venue_is_a_refusal_for_questions_only() {
        let body = br#"{"code":"50026","msg":"System error","data":[]}"#;
        assert_eq!(judge(endpoints::BALANCE, 500, body).unwrap_err().refusal(), Some(Code::Overloaded));
        assert!(matches!(judge(endpoints::PLACE, 500, body).unwrap_err(), VenueError::Unknown { .. }));
    }
}
