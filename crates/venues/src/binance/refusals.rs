//! What Binance's answers mean: one table from its numbers to our words.
//!
//! Sources: Binance's futures error-code page and `conformance/venues/errors/binance-futures.json`. A number that is not
//! in the table is a refusal "other": Binance answers with a number of its own after deciding not to do what was asked.

use keyhold_domain::RefusalCode;

use super::wire::{self, WireStatus};
use crate::common::endpoint::Endpoint;
use crate::error::{UnknownCause, VenueError};
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

/// `code` to meaning, ascending. -2015 stands for a wrong key, a foreign address and a missing permission alike.
const MEANINGS: &[(i64, Meaning)] = &[
    (-5028, Refused(Code::ClockSkew)),
    (-5027, Refused(Code::NoChange)),
    (-5026, Refused(Code::InvalidOrder)),
    (-5025, Refused(Code::InvalidOrder)),
    (-5022, Refused(Code::PostOnlyWouldCross)),
    (-5021, Refused(Code::InvalidOrder)),
    (-4411, Refused(Code::RegionForbidden)),
    (-4203, Refused(Code::AccountMode)),
    (-4202, Refused(Code::AccountMode)),
    (-4192, Refused(Code::RegionForbidden)),
    (-4168, Refused(Code::AccountMode)),
    (-4164, Refused(Code::InvalidOrder)),
    (-4141, Refused(Code::InstrumentHalted)),
    (-4140, Refused(Code::InstrumentHalted)),
    (-4131, Refused(Code::InvalidOrder)),
    (-4120, Refused(Code::InvalidOrder)),
    (-4118, Refused(Code::ReduceOnlyRejected)),
    (-4116, Refused(Code::DuplicateClientOrderId)),
    (-4111, Refused(Code::DuplicateClientOrderId)),
    (-4088, Refused(Code::InsufficientPermission)),
    (-4087, Refused(Code::ReduceOnlyRejected)),
    (-4068, Refused(Code::AccountMode)),
    (-4067, Refused(Code::AccountMode)),
    (-4061, Refused(Code::AccountMode)),
    (-4059, Refused(Code::NoChange)),
    (-4050, Refused(Code::InsufficientMargin)),
    (-4048, Refused(Code::AccountMode)),
    (-4047, Refused(Code::AccountMode)),
    (-4046, Refused(Code::NoChange)),
    (-4045, Refused(Code::InvalidOrder)),
    (-4028, Refused(Code::InvalidOrder)),
    (-4024, Refused(Code::InvalidOrder)),
    (-4016, Refused(Code::InvalidOrder)),
    (-4015, Refused(Code::InvalidOrder)),
    (-4014, Refused(Code::InvalidOrder)),
    (-4013, Refused(Code::InvalidOrder)),
    (-4005, Refused(Code::InvalidOrder)),
    (-4004, Refused(Code::InvalidOrder)),
    (-4003, Refused(Code::InvalidOrder)),
    (-4002, Refused(Code::InvalidOrder)),
    (-4001, Refused(Code::InvalidOrder)),
    (-2028, Refused(Code::InsufficientMargin)),
    (-2027, Refused(Code::InsufficientMargin)),
    (-2026, Refused(Code::ReduceOnlyRejected)),
    (-2025, Refused(Code::InvalidOrder)),
    (-2024, Refused(Code::InsufficientMargin)),
    (-2023, Refused(Code::AccountMode)),
    (-2022, Refused(Code::ReduceOnlyRejected)),
    (-2021, Refused(Code::InvalidOrder)),
    (-2020, Refused(Code::InvalidOrder)),
    (-2019, Refused(Code::InsufficientMargin)),
    (-2018, Refused(Code::InsufficientMargin)),
    (-2015, Refused(Code::BadKey)),
    (-2014, Refused(Code::BadKey)),
    (-2013, Refused(Code::OrderNotFound)),
    (-2012, Refused(Code::Other)),
    (-2011, Refused(Code::OrderNotFound)),
    (-2010, Refused(Code::InvalidOrder)),
    (-1125, Refused(Code::KeyExpired)),
    (-1122, Refused(Code::InstrumentHalted)),
    (-1121, Refused(Code::InvalidOrder)),
    (-1120, Refused(Code::InvalidOrder)),
    (-1118, Refused(Code::InvalidOrder)),
    (-1117, Refused(Code::InvalidOrder)),
    (-1116, Refused(Code::InvalidOrder)),
    (-1115, Refused(Code::InvalidOrder)),
    (-1111, Refused(Code::InvalidOrder)),
    (-1109, Refused(Code::AccountMode)),
    (-1106, Refused(Code::InvalidOrder)),
    (-1105, Refused(Code::InvalidOrder)),
    (-1104, Refused(Code::InvalidOrder)),
    (-1103, Refused(Code::InvalidOrder)),
    (-1102, Refused(Code::InvalidOrder)),
    (-1101, Refused(Code::InvalidOrder)),
    (-1100, Refused(Code::InvalidOrder)),
    (-1023, Refused(Code::InvalidOrder)),
    (-1022, Refused(Code::BadSignature)),
    (-1021, Refused(Code::ClockSkew)),
    (-1020, Refused(Code::Other)),
    (-1016, Refused(Code::Maintenance)),
    (-1015, Refused(Code::RateLimited)),
    (-1014, Refused(Code::InvalidOrder)),
    (-1008, Refused(Code::Overloaded)),
    (-1007, Unknown),
    (-1006, Unknown),
    (-1004, Refused(Code::Overloaded)),
    (-1003, Refused(Code::RateLimited)),
    (-1002, Refused(Code::InsufficientPermission)),
    (-1001, UnknownIfChange(Code::Overloaded)),
    (-1000, UnknownIfChange(Code::Other)),
];

/// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
pub fn judge(endpoint: Endpoint, status: u16, body: &[u8]) -> Result<(), VenueError> {
    let told = wire::json::<WireStatus<'_>>("status", body).ok();
    let code = told.as_ref().and_then(|told| told.code.whole()).filter(|code| *code < 0);
    let message = told.as_ref().map_or("", |told| told.message.text());
    match (status, code) {
        // Whatever the number: the address is banned.
        (418, code) => {
            let number = code.map_or_else(|| "http-418".to_owned(), |code| code.to_string());
            Err(VenueError::refused(Code::IpBanned, &number, message))
        }
        (_, Some(code)) => Err(meaning_of(endpoint, code, message)),
        (200..=299, None) => Ok(()),
        (_, None) => Err(by_status(endpoint, status, body)),
    }
}

fn meaning_of(endpoint: Endpoint, code: i64, message: &str) -> VenueError {
    let row = MEANINGS.binary_search_by_key(&code, |(known, _)| *known);
    let meaning = row.map_or(Refused(Code::Other), |row| MEANINGS[row].1);
    let refused = |refusal| VenueError::refused(refusal, &code.to_string(), message);
    match (meaning, endpoint.verb) {
        (Refused(refusal), _) | (UnknownIfChange(refusal), Verb::Get) => refused(refusal),
        (Unknown, _) | (UnknownIfChange(_), Verb::Post | Verb::Put | Verb::Delete) => {
            VenueError::unknown(endpoint.doing, UnknownCause::ServerError)
        }
    }
}

/// A subscription that a stream refused.
pub fn stream_refusal(code: Option<i64>, message: &str) -> VenueError {
    let known = code.and_then(|code| MEANINGS.binary_search_by_key(&code, |(known, _)| *known).ok());
    let refusal = match known.map(|row| MEANINGS[row].1) {
        Some(Refused(refusal) | UnknownIfChange(refusal)) => refusal,
        Some(Unknown) | None => Code::Other,
    };
    let code = code.map_or_else(|| "stream".to_owned(), |code| code.to_string());
    VenueError::refused(refusal, &code, message)
}

/// Answers without Binance's own number. Of the three texts that come with 503, "Unknown error" means that the request
/// may have been done, the two others that it was not.
fn by_status(endpoint: Endpoint, status: u16, body: &[u8]) -> VenueError {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_048)]).to_ascii_lowercase();
    let code = match status {
        401 => Code::BadKey,
        // The firewall: too much from this address, or a forbidden country.
        403 if text.contains("region") || text.contains("location") || text.contains("country") => {
            Code::RegionForbidden
        }
        403 => Code::IpBanned,
        429 => Code::RateLimited,
        451 => Code::RegionForbidden,
        // A gateway that gave up waiting may have passed the request on.
        408 => return VenueError::unknown(endpoint.doing, UnknownCause::ServerError),
        400..=499 => Code::Other,
        503 if text.contains("service unavailable") || text.contains("internal error; unable to process") => {
            Code::Overloaded
        }
        _ => return VenueError::unknown(endpoint.doing, UnknownCause::ServerError),
    };
    VenueError::refused(code, &format!("http-{status}"), "")
}

#[cfg(test)]
mod tests {
    use keyhold_domain::ContractType;

    use super::super::endpoints::{self, Call};
    use super::*;

    fn call(call: Call) -> Endpoint {
        endpoints::endpoint(ContractType::Linear, call)
    }

    #[test]
    fn the_table_is_sorted_for_searching() {
        assert!(MEANINGS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn statuses_are_told_apart() {
        let cases: &[(u16, &str, Option<RefusalCode>)] = &[
            (418, r#"{"code":-1003,"msg":"banned"}"#, Some(Code::IpBanned)),
            (418, "", Some(Code::IpBanned)),
            (429, r#"{"code":-1003,"msg":"too many"}"#, Some(Code::RateLimited)),
            (429, "", Some(Code::RateLimited)),
            (403, "<html>", Some(Code::IpBanned)),
            (451, "", Some(Code::RegionForbidden)),
            (503, "Unknown error, please check your request or try again later.", None),
            (503, "Service Unavailable.", Some(Code::Overloaded)),
            (503, r#"{"code":-1008,"msg":"throttled"}"#, Some(Code::Overloaded)),
            (502, "<html>", None),
            (408, "", None),
            (400, r#"{"code":-1001,"msg":"Internal error"}"#, None),
            (400, r#"{"code":-1007,"msg":"Timeout waiting for response"}"#, None),
            (400, r#"{"code":-9999,"msg":"new"}"#, Some(Code::Other)),
        ];
        for (status, body, expected) in cases {
            let error = judge(call(Call::Place), *status, body.as_bytes()).unwrap_err();
            assert_eq!(error.refusal(), *expected, "{status} {body}");
            assert_eq!(matches!(error, VenueError::Unknown { .. }), expected.is_none(), "{status} {body}");
        }
        assert!(judge(call(Call::CancelAll), 200, br#"{"code":200,"msg":"done"}"#).is_ok());
        assert!(judge(call(Call::OpenOrders), 200, b"[]").is_ok());
        let question = judge(call(Call::Account), 400, br#"{"code":-1001,"msg":"x"}"#).unwrap_err();
        assert_eq!(question.refusal(), Some(Code::Overloaded));
    }
}
