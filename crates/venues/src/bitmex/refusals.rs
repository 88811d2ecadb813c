//! What BitMEX's answers mean: one table from its texts to our words.
//!
//! BitMEX has no error numbers; the text tells. Sources: its API documentation, `conformance/venues/errors/bitmex.json`
//! and venues.md 7. "The system is currently overloaded" (503) is documented as "not processed" and so a refusal; any
//! other answer above 499 to a change may come from a gateway and leaves the outcome unknown.

use keyhold_domain::RefusalCode;

use super::endpoints::{self, Endpoint};
use super::wire::{self, Field, WireFailure, WireOrder};
use crate::error::{UnknownCause, VenueError};
use crate::signer::Verb;

use RefusalCode as Code;

/// A part of the text in lower case, and its meaning. The first that is found counts.
const TEXTS: &[(&str, RefusalCode)] = &[
    ("invalid api key", Code::BadKey),
    ("signature not valid", Code::BadSignature),
    ("request has expired", Code::ClockSkew),
    ("`expires` is in the past", Code::ClockSkew),
    ("key is disabled", Code::KeyExpired),
    ("ip address", Code::IpNotAllowed),
    ("access denied", Code::InsufficientPermission),
    ("permission", Code::InsufficientPermission),
    ("insufficient available balance", Code::InsufficientMargin),
    ("insufficient margin", Code::InsufficientMargin),
    ("liquidation price", Code::InsufficientMargin),
    ("duplicate clordid", Code::DuplicateClientOrderId),
    ("invalid ordstatus", Code::OrderNotFound),
    ("unable to cancel order", Code::OrderNotFound),
    ("not found", Code::OrderNotFound),
    ("invalid clordid", Code::OrderNotFound),
    ("invalid orderid", Code::OrderNotFound),
    ("rate limit exceeded", Code::RateLimited),
    ("currently overloaded", Code::Overloaded),
    ("scheduled maintenance", Code::Maintenance),
    ("under maintenance", Code::Maintenance),
    ("participatedonotinitiate", Code::PostOnlyWouldCross),
    ("reduceonly", Code::ReduceOnlyRejected),
    ("reduce only", Code::ReduceOnlyRejected),
    ("unchanged", Code::NoChange),
    ("trading is not enabled", Code::InstrumentHalted),
    ("not open for trading", Code::InstrumentHalted),
    ("instrument is closed", Code::InstrumentHalted),
    ("region", Code::RegionForbidden),
    ("jurisdiction", Code::RegionForbidden),
];

/// What a text means; `None` when we have no word for it.
pub fn meaning_of(text: &str) -> Option<RefusalCode> {
    let text = text.to_ascii_lowercase();
    TEXTS.iter().find(|(part, _)| text.contains(part)).map(|(_, code)| *code)
}

/// Why the venue did not take or ended an order, when it tells a reason that is ours to know.
pub fn order_refusal(reject_reason: &str, text: &str) -> Option<RefusalCode> {
    // The text goes on with what the client itself wrote ("Submitted via API.").
    let first = text.lines().next().unwrap_or_default();
    [reject_reason, first].into_iter().find_map(meaning_of)
}

/// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
pub fn judge(endpoint: Endpoint, status: u16, body: &[u8]) -> Result<(), VenueError> {
    let unknown = || VenueError::unknown(endpoint.doing, UnknownCause::ServerError);
    if (200..300).contains(&status) {
        if !matches!(body.first(), Some(b'{' | b'[')) {
            return Err(unknown());
        }
        return if endpoint == endpoints::CANCEL { judge_canceled(body) } else { Ok(()) };
    }
    let failure = wire::json::<WireFailure<'_>>("error", body).unwrap_or_default().error;
    let message = failure.message.text();
    let told = meaning_of(message).filter(|_| !message.is_empty());
    let code = match (status, told) {
        // A gateway that gave up waiting may have passed the request on.
        (408, _) => return Err(unknown()),
        (400..=499, Some(code)) | (503, Some(code @ Code::Overloaded)) => code,
        (401, None) => Code::BadKey,
        // Texts of gateways: an address that asked too often is shut out for a while.
        (403, None) if message.is_empty() => by_page(body),
        (404, None) => Code::OrderNotFound,
        (429, None) => Code::RateLimited,
        (451, None) => Code::RegionForbidden,
        (400, None) if failure.name.text() == "ValidationError" || !message.is_empty() => Code::InvalidOrder,
        (400..=499, None) => Code::Other,
        (503, _) if endpoint.verb == Verb::Get => Code::Maintenance,
        _ => return Err(unknown()),
    };
    Err(VenueError::refused(code, &format!("http-{status}"), message))
}

/// A 403 without BitMEX's own text.
fn by_page(body: &[u8]) -> RefusalCode {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_048)]).to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if holds(&["country", "region", "location", "jurisdiction"]) {
        Code::RegionForbidden
    } else {
        Code::IpBanned
    }
}

/// Canceling answers with a list; an order that could not be canceled carries `error` in its row.
fn judge_canceled(body: &[u8]) -> Result<(), VenueError> {
    let rows: Vec<WireOrder<'_>> = wire::json("canceled orders", body)
        .map_err(|error| VenueError::unknown(endpoints::CANCEL.doing, UnknownCause::Unreadable(error)))?;
    match rows.iter().find(|row| !row.error.is_empty()) {
        None => Ok(()),
        Some(row) => {
            let code = meaning_of(row.error.text()).unwrap_or(Code::Other);
            Err(VenueError::refused(code, "row-error", row.error.text()))
        }
    }
}

/// A login or subscription that the stream refused.
pub fn stream_refusal(status: &Field<'_>, message: &str) -> VenueError {
    let status = status.whole().map_or_else(|| "stream".to_owned(), |status| format!("ws-{status}"));
    VenueError::refused(meaning_of(message).unwrap_or(Code::Other), &status, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(endpoint: Endpoint, status: u16, body: &str) -> Option<RefusalCode> {
        let error = judge(endpoint, status, body.as_bytes()).unwrap_err();
        assert_eq!(error.refusal().is_none(), matches!(error, VenueError::Unknown { .. }));
        error.refusal()
    }

    #[test]
    fn an_overload_is_a_refusal_and_other_failures_of_servers_are_not() {
        let overload = r#"{"error":{"message":"The system is currently overloaded. Please try again later.","name":"HTTPError"}}"#;
        assert_eq!(outcome(endpoints::PLACE, 503, overload), Some(Code::Overloaded));
        let cases: &[(u16, &str, Option<RefusalCode>)] = &[
            (503, "<html>", None),
            (503, r#"{"error":{"message":"Not Found"}}"#, None),
            (504, overload, None),
            (500, "", None),
            (200, "", None),
            (200, "<html>", None),
            (302, "", None),
            (408, overload, None),
            (403, "<html>Forbidden", Some(Code::IpBanned)),
            (403, "not served in your country", Some(Code::RegionForbidden)),
            (401, "", Some(Code::BadKey)),
            (429, "", Some(Code::RateLimited)),
        ];
        for (status, body, expected) in cases {
            assert_eq!(outcome(endpoints::PLACE, *status, body), *expected, "{status} {body}");
        }
        assert_eq!(outcome(endpoints::MARGIN, 503, "<html>"), Some(Code::Maintenance));
    }

    #[test]
    fn a_canceled_list_is_read_row_by_row() {
        let fine = r#"[{"orderID":"a","ordStatus":"Canceled"}]"#;
        assert_eq!(judge(endpoints::CANCEL, 200, fine.as_bytes()), Ok(()));
        let late = r#"[{"orderID":"a","error":"Unable to cancel order due to existing state: Filled"}]"#;
        assert_eq!(outcome(endpoints::CANCEL, 200, late), Some(Code::OrderNotFound));
    }

    #[test]
    fn the_end_of_an_order_has_a_reason() {
        let text = "Canceled: Order had execInst of ParticipateDoNotInitiate\nSubmitted via API.";
        assert_eq!(order_refusal("", text), Some(Code::PostOnlyWouldCross));
        assert_eq!(order_refusal("", "Canceled: Canceled via API.\nreduceonly"), None);
    }
}
