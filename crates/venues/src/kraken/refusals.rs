//! What Kraken's answers mean: tables from its words to ours.
//!
//! Sources: Kraken's documentation of statuses, `conformance/venues/errors/krakenfutures.json`, the error tables of other
//! clients. Kraken answers `success` also to orders that it did not take; what became of them is a word in the answer.
//! A word that is in no table is a refusal "other", unless the answer names an order: then nobody knows.

use keyhold_domain::{OrderStatus, RefusalCode};

use super::endpoints::{Endpoint, Envelope, envelope};
use super::wire::{self, Field, WireHead, WireStatus};
use crate::common::rest::unreadable;
use crate::error::{UnknownCause, VenueError, WireError};
use crate::signer::Verb;

/// What a word says about a request.
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

/// Words of `error` and of `errors[].message`, compared without regard to case.
const ERRORS: &[(&str, Meaning)] = &[
    ("accountInactive", Refused(Code::InsufficientPermission)),
    ("apiLimitExceeded", Refused(Code::RateLimited)),
    // One word for a key that does not exist, a wrong signature and perhaps a foreign address.
    ("authenticationError", Refused(Code::BadKey)),
    ("Bad Request", Refused(Code::InvalidOrder)),
    ("contractNotFound", Refused(Code::InvalidOrder)),
    ("insufficientFunds", Refused(Code::InsufficientMargin)),
    ("INSUFFICIENT_MARGIN", Refused(Code::InsufficientMargin)),
    ("insufficientPrivileges", Refused(Code::InsufficientPermission)),
    ("insufficientRights", Refused(Code::InsufficientPermission)),
    ("invalidAccount", Refused(Code::InvalidOrder)),
    ("invalidAmount", Refused(Code::InvalidOrder)),
    ("invalidArgument", Refused(Code::InvalidOrder)),
    ("invalidUnit", Refused(Code::InvalidOrder)),
    ("Json Parse Error", Refused(Code::InvalidOrder)),
    ("marketUnavailable", Refused(Code::InstrumentHalted)),
    ("nonceBelowThreshold", Refused(Code::ClockSkew)),
    ("nonceDuplicate", Refused(Code::ClockSkew)),
    ("notFound", Refused(Code::OrderNotFound)),
    ("requiredArgumentMissing", Refused(Code::InvalidOrder)),
    ("Server Error", UnknownIfChange(Code::Maintenance)),
    ("timeout", Unknown),
    ("Unavailable", Refused(Code::Maintenance)),
    ("unknownError", UnknownIfChange(Code::Overloaded)),
];

/// Words of `sendStatus.status`, `editStatus.status` and `cancelStatus.status` by which it did not happen.
const STATUSES: &[(&str, RefusalCode)] = &[
    ("clientOrderIdAlreadyExist", Code::DuplicateClientOrderId),
    ("clientOrderIdTooBig", Code::InvalidOrder),
    // To cancel: it is gone already.
    ("filled", Code::OrderNotFound),
    ("insufficientAvailableFunds", Code::InsufficientMargin),
    ("invalidOrderType", Code::InvalidOrder),
    ("invalidPrice", Code::InvalidOrder),
    ("invalidSide", Code::InvalidOrder),
    ("invalidSize", Code::InvalidOrder),
    ("invalidTrailingStop", Code::InvalidOrder),
    ("iocWouldNotExecute", Code::Other),
    ("marketInactive", Code::InstrumentHalted),
    ("marketSuspended", Code::InstrumentHalted),
    ("maxPositionViolation", Code::InvalidOrder),
    ("notFound", Code::OrderNotFound),
    ("orderForEditNotAStop", Code::InvalidOrder),
    ("orderForEditNotFound", Code::OrderNotFound),
    ("outsidePriceCollar", Code::InvalidOrder),
    ("postWouldExecute", Code::PostOnlyWouldCross),
    ("requiredArgumentMissing", Code::InvalidOrder),
    ("selfFill", Code::Other),
    ("tooManyOrders", Code::InvalidOrder),
    ("tooManySmallOrders", Code::InvalidOrder),
    ("wouldCauseLiquidation", Code::InsufficientMargin),
    ("wouldExecuteSelf", Code::Other),
    ("wouldIncreasePriceDislocation", Code::InvalidOrder),
    ("wouldNotReducePosition", Code::ReduceOnlyRejected),
    // Our stamp was too old when it came: nothing happened, and the clock is to be read again.
    ("wouldProcessAfterSpecifiedTime", Code::ClockSkew),
];

/// Words by which it happened, per kind of answer.
const DONE: &[(Envelope, &[&str])] = &[
    (Envelope::Send, &["placed", "attempted", "filled", "partiallyFilled"]),
    (Envelope::Edit, &["edited"]),
    (Envelope::Cancel, &["cancelled", "noOrdersToCancel", "requestedCancel"]),
];

/// Why an order ended on the feeds: the words, what they mean for its state, and our reason when the venue decided.
const ENDS: &[(&str, OrderStatus, Option<RefusalCode>)] = &[
    ("full_fill", OrderStatus::Filled, None),
    ("partial_fill", OrderStatus::Canceled, None),
    ("cancelled_by_user", OrderStatus::Canceled, None),
    ("cancelled_by_admin", OrderStatus::Canceled, Some(Code::Other)),
    ("contract_expired", OrderStatus::Canceled, Some(Code::InstrumentHalted)),
    ("dead_man_switch", OrderStatus::Canceled, None),
    ("ioc_order_failed_because_it_would_not_be_executed", OrderStatus::Canceled, None),
    ("liquidation", OrderStatus::Canceled, Some(Code::InsufficientMargin)),
    ("market_inactive", OrderStatus::Canceled, Some(Code::InstrumentHalted)),
    ("not_enough_margin", OrderStatus::Canceled, Some(Code::InsufficientMargin)),
    ("post_order_failed_because_it_would_be_filled", OrderStatus::Rejected, Some(Code::PostOnlyWouldCross)),
    ("post_order_failed_because_it_would_filled", OrderStatus::Rejected, Some(Code::PostOnlyWouldCross)),
    ("would_execute_self", OrderStatus::Canceled, Some(Code::Other)),
    ("would_not_reduce_position", OrderStatus::Canceled, Some(Code::ReduceOnlyRejected)),
];

/// What an end's reason says. A word we do not know ended the order, too.
pub fn end_of(reason: &str) -> (OrderStatus, Option<RefusalCode>) {
    let row = ENDS.iter().find(|(word, ..)| *word == reason);
    row.map_or((OrderStatus::Canceled, None), |(_, status, refusal)| (*status, *refusal))
}

/// A word such as `WOULD_NOT_REDUCE_POSITION` of an event, in our words.
pub fn refusal_of_event(word: &str) -> Option<RefusalCode> {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    STATUSES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&plain)).map(|(_, code)| *code)
}

/// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
pub fn judge(endpoint: Endpoint, status: u16, body: &[u8]) -> Result<(), VenueError> {
    let Ok(head) = wire::json::<WireHead<'_>>("answer", body) else {
        return Err(by_status(endpoint, status, body));
    };
    if let Some(word) = error_word(&head) {
        return Err(meaning_of(endpoint, status, word));
    }
    if !(200..300).contains(&status) {
        return Err(by_status(endpoint, status, body));
    }
    let succeeded = head.result.text() == "success";
    let told = match envelope(endpoint) {
        Envelope::Bare => return Ok(()),
        Envelope::Result if succeeded => return Ok(()),
        Envelope::Send if succeeded => head.send_status.as_ref(),
        Envelope::Edit if succeeded => head.edit_status.as_ref(),
        Envelope::Cancel if succeeded => head.cancel_status.as_ref(),
        Envelope::Result | Envelope::Send | Envelope::Edit | Envelope::Cancel => None,
    };
    match told {
        Some(told) => judge_status(endpoint, told),
        None if head.result.is_empty() => Err(lacks(endpoint, "result")),
        None if succeeded => Err(lacks(endpoint, status_field(envelope(endpoint)))),
        None => Err(VenueError::unknown(endpoint.doing, UnknownCause::ServerError)),
    }
}

/// An answer that does not say what became of the call.
fn lacks(endpoint: Endpoint, field: &'static str) -> VenueError {
    unreadable(endpoint, WireError::Missing { what: "answer", field })
}

const fn status_field(envelope: Envelope) -> &'static str {
    match envelope {
        Envelope::Send => "sendStatus",
        Envelope::Edit => "editStatus",
        Envelope::Cancel => "cancelStatus",
        Envelope::Result | Envelope::Bare => "result",
    }
}

fn judge_status(endpoint: Endpoint, told: &WireStatus<'_>) -> Result<(), VenueError> {
    let word = told.status.text();
    let kind = envelope(endpoint);
    let done = DONE.iter().find(|(envelope, _)| *envelope == kind);
    if done.is_some_and(|(_, words)| words.contains(&word)) {
        return Ok(());
    }
    if let Some((_, code)) = STATUSES.iter().find(|(known, _)| *known == word) {
        return Err(VenueError::refused(*code, word, ""));
    }
    if word.is_empty() {
        return Err(lacks(endpoint, "status"));
    }
    if kind == Envelope::Send && !told.order_id.is_empty() {
        return Err(VenueError::unknown(endpoint.doing, UnknownCause::ServerError));
    }
    Err(VenueError::refused(Code::Other, word, ""))
}

/// The word of an answer that reports an error.
fn error_word<'a>(head: &'a WireHead<'_>) -> Option<&'a str> {
    if !head.error.is_empty() {
        return Some(head.error.text());
    }
    let first = head.errors.as_ref()?.first()?;
    Some(if first.message.is_empty() { "errors" } else { first.message.text() })
}

fn meaning_of(endpoint: Endpoint, status: u16, word: &str) -> VenueError {
    // Some words come with what was wrong: "invalidArgument: size".
    let plain = word.split(':').next().unwrap_or_default().trim();
    let known = ERRORS.iter().find(|(known, _)| known.eq_ignore_ascii_case(plain));
    let meaning = known.map_or(Refused(Code::Other), |(_, meaning)| *meaning);
    if known.is_none() && status >= 500 {
        return by_status(endpoint, status, b"");
    }
    let refused = |code| VenueError::refused(code, plain, word);
    match (meaning, endpoint.verb) {
        (Refused(code), _) | (UnknownIfChange(code), Verb::Get) => refused(code),
        (Unknown, _) | (UnknownIfChange(_), Verb::Post | Verb::Put | Verb::Delete) => {
            VenueError::unknown(endpoint.doing, UnknownCause::ServerError)
        }
    }
}

/// A subscription or challenge that a stream refused.
pub fn stream_refusal(message: &Field<'_>) -> VenueError {
    const WORDS: &[(&str, RefusalCode)] = &[
        ("api key", Code::BadKey),
        ("challenge", Code::BadSignature),
        ("unauthenticated", Code::BadKey),
        ("permission", Code::InsufficientPermission),
        ("privileges", Code::InsufficientPermission),
        ("product id", Code::InvalidOrder),
        ("too many", Code::RateLimited),
        ("rate limit", Code::RateLimited),
    ];
    let text = message.text().to_ascii_lowercase();
    let code = WORDS.iter().find(|(word, _)| text.contains(word)).map_or(Code::Other, |(_, code)| *code);
    VenueError::refused(code, "stream", message.text())
}

/// Answers without a word of Kraken's: they come from gateways before it.
fn by_status(endpoint: Endpoint, status: u16, body: &[u8]) -> VenueError {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_048)]).to_ascii_lowercase();
    let code = match status {
        401 => Code::BadKey,
        403 if ["country", "region", "location", "jurisdiction"].iter().any(|word| text.contains(word)) => {
            Code::RegionForbidden
        }
        451 => Code::RegionForbidden,
        429 => Code::RateLimited,
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

    fn code_of(endpoint: Endpoint, status: u16, body: &str) -> Option<RefusalCode> {
        let error = judge(endpoint, status, body.as_bytes()).unwrap_err();
        assert_eq!(error.refusal().is_none(), matches!(error, VenueError::Unknown { .. }));
        error.refusal()
    }

    #[test]
    fn a_forbidden_country_is_told_apart_from_other_pages_of_gateways() {
        let page = "<html>not available in your country";
        assert_eq!(code_of(endpoints::ACCOUNTS, 403, page), Some(Code::RegionForbidden));
        assert_eq!(code_of(endpoints::ACCOUNTS, 451, ""), Some(Code::RegionForbidden));
        assert_eq!(code_of(endpoints::ACCOUNTS, 403, "<html>Forbidden"), Some(Code::Other));
    }

    #[test]
    fn success_is_not_success_for_orders() {
        let sent = |word: &str| format!(r#"{{"result":"success","sendStatus":{{"status":"{word}"}}}}"#);
        assert!(judge(endpoints::PLACE, 200, sent("placed").as_bytes()).is_ok());
        assert_eq!(code_of(endpoints::PLACE, 200, &sent("selfFill")), Some(Code::Other));
        assert_eq!(code_of(endpoints::PLACE, 200, &sent("somethingNew")), Some(Code::Other));
        assert_eq!(code_of(endpoints::PLACE, 200, r#"{"result":"success"}"#), None, "no word at all");
        let named = r#"{"result":"success","sendStatus":{"status":"somethingNew","order_id":"a"}}"#;
        assert_eq!(code_of(endpoints::PLACE, 200, named), None, "an order stands there");
        let gone = r#"{"result":"success","cancelStatus":{"status":"filled","order_id":"a"}}"#;
        assert_eq!(code_of(endpoints::CANCEL, 200, gone), Some(Code::OrderNotFound));
    }

    #[test]
    fn gateways_are_told_apart() {
        let cases: &[(u16, &str, Option<RefusalCode>)] = &[
            (403, "Forbidden", Some(Code::Other)),
            (429, "", Some(Code::RateLimited)),
            (500, "", None),
            (502, r#"{"result":"success","sendStatus":{"status":"placed"}}"#, None),
            (200, "<html>", None),
            (
                500,
                r#"{"errors":[{"code":92,"message":"INSUFFICIENT_MARGIN"}]}"#,
                Some(Code::InsufficientMargin),
            ),
            (500, r#"{"errors":[{"code":1,"message":"boom"}]}"#, None),
            (200, r#"{"result":"error","error":"invalidArgument: size"}"#, Some(Code::InvalidOrder)),
            (200, r#"{"result":"error","error":"Server Error"}"#, None),
        ];
        for (status, body, expected) in cases {
            assert_eq!(code_of(endpoints::PLACE, *status, body), *expected, "{status} {body}");
        }
        assert_eq!(code_of(endpoints::ACCOUNTS, 503, ""), Some(Code::Maintenance));
    }

    #[test]
    fn events_use_the_same_words_in_another_case() {
        assert_eq!(refusal_of_event("WOULD_NOT_REDUCE_POSITION"), Some(Code::ReduceOnlyRejected));
        assert_eq!(refusal_of_event("POST_WOULD_EXECUTE"), Some(Code::PostOnlyWouldCross));
        assert_eq!(refusal_of_event("NEW"), None);
    }
}
