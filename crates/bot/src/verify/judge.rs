//! Which step of the test an error belongs to, and under which code.

use keyhold_domain::{ReasonCode, RefusalCode};
use keyhold_protocol::uplink::KeyCheckStep;
use keyhold_venues::VenueError;
use keyhold_venues::error::Asked;

use crate::findings::Finding;

/// All steps in order.
pub(super) const STEPS: [KeyCheckStep; 10] = [
    KeyCheckStep::Reachable,
    KeyCheckStep::Clock,
    KeyCheckStep::KeyKnown,
    KeyCheckStep::Signature,
    KeyCheckStep::Passphrase,
    KeyCheckStep::Address,
    KeyCheckStep::Expiry,
    KeyCheckStep::Permissions,
    KeyCheckStep::Account,
    KeyCheckStep::Balance,
];

/// A failed step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: KeyCheckStep,
    pub(super) code: ReasonCode,
    pub(super) detail: String,
    pub(super) venue_code: Option<String>,
}

impl Failure {
    pub(super) fn new(step: KeyCheckStep, code: ReasonCode, detail: String) -> Self {
        Self { step, code, detail, venue_code: None }
    }

    pub(super) fn found(step: KeyCheckStep, finding: Finding) -> Self {
        Self::new(step, finding.code, finding.text)
    }
}

/// The step that failed when the venue answered `during` with this error.
pub(super) fn step_of(error: &VenueError, during: KeyCheckStep, asked: Asked) -> Failure {
    let code = error.diagnosis(asked).unwrap_or(ReasonCode::ExchangeDown);
    let step = match error.refusal() {
        None => during,
        Some(refusal) => match refusal {
            RefusalCode::BadKey | RefusalCode::WrongEnvironment => KeyCheckStep::KeyKnown,
            RefusalCode::BadSignature => KeyCheckStep::Signature,
            RefusalCode::BadPassphrase => KeyCheckStep::Passphrase,
            RefusalCode::IpNotAllowed => KeyCheckStep::Address,
            RefusalCode::KeyExpired => KeyCheckStep::Expiry,
            RefusalCode::InsufficientPermission => KeyCheckStep::Permissions,
            RefusalCode::AccountMode => KeyCheckStep::Account,
            RefusalCode::ClockSkew => KeyCheckStep::Clock,
            RefusalCode::RegionForbidden
            | RefusalCode::Maintenance
            | RefusalCode::Overloaded
            | RefusalCode::RateLimited
            | RefusalCode::IpBanned
            | RefusalCode::InsufficientMargin
            | RefusalCode::InvalidOrder
            | RefusalCode::PostOnlyWouldCross
            | RefusalCode::ReduceOnlyRejected
            | RefusalCode::DuplicateClientOrderId
            | RefusalCode::OrderNotFound
            | RefusalCode::NoChange
            | RefusalCode::InstrumentHalted
            | RefusalCode::Other => during,
        },
    };
    let venue_code = match error {
        VenueError::Refused { venue_code, .. } => Some(venue_code.to_string()),
        VenueError::Unknown { .. } | VenueError::NotSent { .. } => None,
    };
    Failure { step, code, detail: format!("{error}."), venue_code }
}

/// From here on the difference of the clocks is too large to trade: candles would be taken for late or early.
const MOST_SKEW_MS: i64 = 5_000;

/// The clocks agree, or by how much they do not.
pub(super) fn clock(skew_ms: i64) -> Result<String, Failure> {
    let seconds = format!("{}.{:01} s", skew_ms.abs() / 1_000, skew_ms.abs() % 1_000 / 100);
    let direction = if skew_ms > 0 { "ahead" } else { "behind" };
    let text = format!("The machine's clock is {seconds} {direction}.");
    match skew_ms.abs() {
        0..1_000 => Ok(String::new()),
        1_000..MOST_SKEW_MS => Ok(text),
        _ => Err(Failure::new(KeyCheckStep::Clock, ReasonCode::ClockSkew, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_step_and_code() {
        use KeyCheckStep::{Account, Address, Clock, Expiry, KeyKnown, Permissions, Reachable, Signature};
        let cases = [
            (RefusalCode::BadKey, KeyKnown, ReasonCode::KeyInvalid),
            (RefusalCode::WrongEnvironment, KeyKnown, ReasonCode::KeyWrongEnvironment),
            (RefusalCode::BadSignature, Signature, ReasonCode::KeyBadSecret),
            (RefusalCode::BadPassphrase, KeyCheckStep::Passphrase, ReasonCode::KeyBadPassphrase),
            (RefusalCode::IpNotAllowed, Address, ReasonCode::KeyIpBlocked),
            (RefusalCode::KeyExpired, Expiry, ReasonCode::KeyExpired),
            (RefusalCode::InsufficientPermission, Permissions, ReasonCode::KeyNoReadPermission),
            (RefusalCode::AccountMode, Account, ReasonCode::AccountModeMismatch),
            (RefusalCode::ClockSkew, Clock, ReasonCode::ClockSkew),
            (RefusalCode::RegionForbidden, Reachable, ReasonCode::RegionForbidden),
            (RefusalCode::Maintenance, Reachable, ReasonCode::ExchangeMaintenance),
        ];
        for (refusal, step, code) in cases {
            let error = VenueError::refused(refusal, "1", "no");
            let judged = step_of(&error, Reachable, Asked::ToRead);
            assert_eq!((judged.step, judged.code), (step, code), "{refusal}");
        }
    }

    #[test]
    fn a_clock_that_is_far_off_fails() {
        assert_eq!(clock(-900), Ok(String::new()));
        assert_eq!(clock(4_200).unwrap(), "The machine's clock is 4.2 s ahead.");
        assert_eq!(clock(-61_000).unwrap_err().detail, "The machine's clock is 61.0 s behind.");
    }
}
