//! What Bybit's answers mean: one table from its numbers to our words.
//!
//! Sources: Bybit's v5 error-code page and `conformance/venues/errors/bybit.json`. A number that is not in the table
//! is a refusal "other": Bybit reports all business errors after deciding not to do what was asked.

use keyhold_domain::RefusalCode;
use serde::Deserialize;

use super::endpoints::Endpoint;
use super::wire::Field;
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

/// `retCode` to meaning, ascending.
const MEANINGS: &[(i64, Meaning)] = &[
    (-2015, Refused(Code::KeyExpired)),
    (-1, Refused(Code::ClockSkew)),
    (429, Refused(Code::Overloaded)),
    (10000, Unknown),
    (10001, Refused(Code::InvalidOrder)),
    (10002, Refused(Code::ClockSkew)),
    (10003, Refused(Code::BadKey)),
    (10004, Refused(Code::BadSignature)),
    (10005, Refused(Code::InsufficientPermission)),
    (10006, Refused(Code::RateLimited)),
    (10007, Refused(Code::BadKey)),
    (10009, Refused(Code::IpBanned)),
    (10010, Refused(Code::IpNotAllowed)),
    (10014, Unknown),
    (10016, UnknownIfChange(Code::Maintenance)),
    (10018, Refused(Code::RateLimited)),
    (10019, Refused(Code::Maintenance)),
    (10024, Refused(Code::RegionForbidden)),
    (10028, Refused(Code::AccountMode)),
    (10029, Refused(Code::InvalidOrder)),
    (10429, Refused(Code::RateLimited)),
    (33004, Refused(Code::KeyExpired)),
    (34040, Refused(Code::NoChange)),
    (100_028, Refused(Code::AccountMode)),
    (110_001, Refused(Code::OrderNotFound)),
    (110_003, Refused(Code::InvalidOrder)),
    (110_004, Refused(Code::InsufficientMargin)),
    (110_005, Refused(Code::AccountMode)),
    (110_006, Refused(Code::InsufficientMargin)),
    (110_007, Refused(Code::InsufficientMargin)),
    (110_008, Refused(Code::OrderNotFound)),
    (110_009, Refused(Code::InvalidOrder)),
    (110_010, Refused(Code::OrderNotFound)),
    (110_011, Refused(Code::InsufficientMargin)),
    (110_012, Refused(Code::InsufficientMargin)),
    (110_013, Refused(Code::InvalidOrder)),
    (110_014, Refused(Code::InsufficientMargin)),
    (110_017, Refused(Code::ReduceOnlyRejected)),
    (110_020, Refused(Code::InvalidOrder)),
    (110_021, Refused(Code::InvalidOrder)),
    (110_022, Refused(Code::InvalidOrder)),
    (110_023, Refused(Code::InstrumentHalted)),
    (110_024, Refused(Code::AccountMode)),
    (110_025, Refused(Code::NoChange)),
    (110_026, Refused(Code::NoChange)),
    (110_027, Refused(Code::NoChange)),
    (110_028, Refused(Code::AccountMode)),
    (110_029, Refused(Code::AccountMode)),
    (110_030, Refused(Code::DuplicateClientOrderId)),
    (110_034, Refused(Code::ReduceOnlyRejected)),
    (110_036, Refused(Code::AccountMode)),
    (110_043, Refused(Code::NoChange)),
    (110_044, Refused(Code::InsufficientMargin)),
    (110_045, Refused(Code::InsufficientMargin)),
    (110_051, Refused(Code::InsufficientMargin)),
    (110_052, Refused(Code::InsufficientMargin)),
    (110_053, Refused(Code::InsufficientMargin)),
    (110_063, Refused(Code::InstrumentHalted)),
    (110_066, Refused(Code::InstrumentHalted)),
    (110_072, Refused(Code::DuplicateClientOrderId)),
    (110_079, UnknownIfChange(Code::Overloaded)),
    (110_092, Refused(Code::InvalidOrder)),
    (110_093, Refused(Code::InvalidOrder)),
    (110_094, Refused(Code::InvalidOrder)),
];

/// The `rejectReason` words that have a word of ours. Others say nothing that a program would act upon.
const REJECT_REASONS: &[(&str, RefusalCode)] = &[
    ("EC_PostOnlyWillTakeLiquidity", Code::PostOnlyWouldCross),
    ("EC_ReachRiskPriceLimit", Code::InvalidOrder),
    ("EC_ReachMaxTradeNum", Code::InvalidOrder),
    ("EC_OrigClOrdIDDoesNotExist", Code::OrderNotFound),
    ("EC_MissingClOrdID", Code::InvalidOrder),
    ("EC_MissingOrigClOrdID", Code::InvalidOrder),
    ("EC_ClOrdIDOrigClOrdIDAreTheSame", Code::InvalidOrder),
    ("EC_DuplicatedClOrdID", Code::DuplicateClientOrderId),
    ("EC_UnknownOrder", Code::OrderNotFound),
    ("EC_InvalidSymbolStatus", Code::InstrumentHalted),
    ("EC_SecurityNotFound", Code::InvalidOrder),
    ("EC_BuyOrderQtyInvalid", Code::InvalidOrder),
    ("EC_QtyCannotBeZero", Code::InvalidOrder),
    ("EC_BySelfMatch", Code::Other),
    ("EC_InsufficientMargin", Code::InsufficientMargin),
];

/// The `cancelType` words that have a word of ours: the venue ended the order, not we.
const CANCEL_TYPES: &[(&str, RefusalCode)] = &[
    ("CancelByReduceOnly", Code::ReduceOnlyRejected),
    ("CancelByPrepareLiq", Code::InsufficientMargin),
    ("CancelAllBeforeLiq", Code::InsufficientMargin),
    ("CancelByPrepareAdl", Code::Other),
    ("CancelAllBeforeAdl", Code::Other),
    ("CancelBySettle", Code::InstrumentHalted),
    ("CancelByCannotAffordOrderCost", Code::InsufficientMargin),
    ("CancelByCrossSelfMatch", Code::Other),
];

/// Why the venue did not take or ended an order, when it tells a reason that is ours to know.
pub fn order_refusal(reject_reason: &str, cancel_type: &str) -> Option<RefusalCode> {
    let by_word = |table: &[(&str, RefusalCode)], word: &str| {
        table.iter().find(|(known, _)| *known == word).map(|(_, code)| *code)
    };
    by_word(REJECT_REASONS, reject_reason).or_else(|| by_word(CANCEL_TYPES, cancel_type))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Head<'a> {
    #[serde(borrow)]
    ret_code: Field<'a>,
    #[serde(borrow)]
    ret_msg: Field<'a>,
}

/// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
pub fn judge(endpoint: Endpoint, status: u16, body: &[u8]) -> Result<(), VenueError> {
    let head = serde_json::from_slice::<Head<'_>>(body).ok();
    let told = head.as_ref().and_then(|head| Some((head.ret_code.whole()?, head.ret_msg.text())));
    match told {
        // A gateway's failure with a well-formed body is still the gateway's.
        Some((0, _)) if (200..300).contains(&status) => Ok(()),
        Some((code, message)) if code != 0 => Err(meaning_of(endpoint, code, message)),
        None if head.as_ref().is_some_and(|head| head.ret_code.is_empty())
            && (200..300).contains(&status) =>
        {
            Err(unreadable(endpoint, WireError::Missing { what: "answer", field: "retCode" }))
        }
        _ => Err(by_status(endpoint, status, body)),
    }
}

fn meaning_of(endpoint: Endpoint, code: i64, message: &str) -> VenueError {
    let row = MEANINGS.binary_search_by_key(&code, |(known, _)| *known);
    let meaning = row.map_or(Refused(Code::Other), |row| MEANINGS[row].1);
    let unknown = || VenueError::unknown(endpoint.doing, UnknownCause::ServerError);
    let refused = |refusal| VenueError::refused(refusal, &code.to_string(), message);
    match (meaning, endpoint.verb) {
        (Refused(refusal), _) | (UnknownIfChange(refusal), Verb::Get) => refused(refusal),
        (Unknown, _) | (UnknownIfChange(_), Verb::Post | Verb::Put | Verb::Delete) => unknown(),
    }
}

/// A login or subscription that a stream refused. Not all such answers carry a number.
pub fn stream_refusal(code: Option<i64>, message: &str) -> VenueError {
    let known = code.and_then(|code| MEANINGS.binary_search_by_key(&code, |(known, _)| *known).ok());
    let refusal = match known.map(|row| MEANINGS[row].1) {
        Some(Refused(refusal) | UnknownIfChange(refusal)) => refusal,
        Some(Unknown) | None => Code::Other,
    };
    let code = code.map_or_else(|| "stream".to_owned(), |code| code.to_string());
    VenueError::refused(refusal, &code, message)
}

/// Answers without Bybit's own number: they come from gateways before it.
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
    fn a_server_error_is_a_refusal_for_questions_only() {
        let body = br#"{"retCode":10016,"retMsg":"Server error."}"#;
        let question = judge(endpoints::WALLET, 200, body).unwrap_err();
        assert_eq!(question.refusal(), Some(Code::Maintenance));
        let order = judge(endpoints::PLACE, 200, body).unwrap_err();
        assert!(matches!(order, VenueError::Unknown { during: "placing an order", .. }));
    }

    #[test]
    fn gateways_are_told_apart() {
        let cases: &[(u16, &[u8], Option<RefusalCode>)] = &[
            (403, b"403, access too frequent", Some(Code::IpBanned)),
            (403, b"configured to block access from your country", Some(Code::RegionForbidden)),
            (403, b"Forbidden", Some(Code::Other)),
            (429, b"", Some(Code::RateLimited)),
            (401, b"", Some(Code::BadKey)),
            (500, b"", None),
            (502, br#"{"retCode":0}"#, None),
            (504, b"<html>", None),
            (200, b"<html>", None),
            (200, b"", None),
            (302, b"", None),
        ];
        for (status, body, expected) in cases {
            let error = judge(endpoints::PLACE, *status, body).unwrap_err();
            assert_eq!(error.refusal(), *expected, "status {status}");
            assert_eq!(matches!(error, VenueError::Unknown { .. }), expected.is_none(), "status {status}");
        }
        assert_eq!(judge(endpoints::WALLET, 503, b"").unwrap_err().refusal(), Some(Code::Maintenance));
    }
}
