//! How good a key is to trade with, as a number and the reasons for it. Pure.
//!
//! A key begins with 100 points and loses some for everything that could be better. Below 70 it deserves a look; with 0
//! it is not used.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{KeyFacts, Known, ReasonCode, Timestamp};
use keyhold_store::{ApiKey, VerificationState};
use serde::Serialize;
use utoipa::ToSchema;

/// A key is worth a word when it stops working within this time.
const EXPIRES_SOON_MS: i64 = 14 * DAY_MS;
/// What was read longer ago than this may not hold any more.
const OLD_MS: i64 = 7 * DAY_MS;

/// A key's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Health {
    /// 0 (not to be used) to 100 (nothing to better).
    pub(crate) score: u8,
    /// What it lost points for, the worst first.
    pub(crate) reasons: Vec<HealthReason>,
}

/// Something a key loses points for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct HealthReason {
    /// Documented in `docs/reference/reason-codes.md`.
    pub(crate) code: String,
    pub(crate) text: String,
    /// Points lost, 1 to 100.
    pub(crate) points: u8,
}

fn reason(points: u8, code: impl Into<String>, text: &str) -> HealthReason {
    HealthReason { code: code.into(), text: text.to_owned(), points }
}

/// The health of a key; `None` before its first test.
pub(crate) fn health(key: &ApiKey, now: Timestamp) -> Option<Health> {
    let mut reasons = Vec::new();
    if key.leaked_at.is_some() {
        reasons.push(reason(100, "KEY_LEAKED", "It was reported as leaked."));
    }
    let verification = &key.verification;
    match (verification.state, &verification.facts) {
        (VerificationState::Failed, _) => {
            let code = verification.code.clone().unwrap_or_else(|| ReasonCode::KeyInvalid.to_string());
            reasons.push(reason(100, code, "It failed its connection test."));
        }
        (_, Some(facts)) => from_facts(facts, verification.checked_at, now, &mut reasons),
        (VerificationState::Unverified | VerificationState::Testing | VerificationState::Ok, None) => {
            if reasons.is_empty() {
                return None;
            }
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.points));
    let lost: u32 = reasons.iter().map(|reason| u32::from(reason.points)).sum();
    Some(Health { score: u8::try_from(100_u32.saturating_sub(lost)).unwrap_or(0), reasons })
}

fn from_facts(
    facts: &KeyFacts,
    checked_at: Option<Timestamp>,
    now: Timestamp,
    reasons: &mut Vec<HealthReason>,
) {
    let mut lose = |points, code: ReasonCode, text| reasons.push(reason(points, code.as_str(), text));
    match facts.withdraw {
        Known::Yes => lose(100, ReasonCode::KeyWithdrawalEnabled, "It may withdraw."),
        Known::Unknown => {
            lose(10, ReasonCode::KeyNotTold, "Its exchange does not tell whether it may withdraw.");
        }
        Known::No => {}
    }
    if facts.trade == Known::No {
        lose(100, ReasonCode::KeyNoTradePermission, "It may not trade.");
    }
    if facts.transfer == Known::Yes {
        lose(20, ReasonCode::KeyTransferEnabled, "It may move money between accounts.");
    }
    if !facts.unknown_permissions.is_empty() {
        lose(25, ReasonCode::KeyUnknownPermission, "It has permissions that are not known here.");
    }
    match facts.ip_bound {
        Known::No => lose(25, ReasonCode::KeyAddressOpen, "It can be used from any address."),
        Known::Unknown => {
            lose(5, ReasonCode::KeyNotTold, "Its exchange does not tell whether it is bound to addresses.");
        }
        Known::Yes => {}
    }
    if let Some(left) = facts.expires_at.map(|at| at.since_ms(now)) {
        if left <= 0 {
            lose(100, ReasonCode::KeyExpired, "It has expired.");
        } else if left < EXPIRES_SOON_MS {
            reasons.push(reason(15, "KEY_EXPIRING", "It expires within two weeks."));
        }
    }
    if checked_at.is_none_or(|at| now.since_ms(at) > OLD_MS) {
        reasons.push(reason(10, "KEY_NOT_LOOKED_AT", "What it may do was last read more than a week ago."));
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{ContractType, Environment, Exchange, KeyId, Site};
    use keyhold_store::Verification;

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_760_000_000_000);

    fn facts() -> KeyFacts {
        KeyFacts {
            read: Known::Yes,
            trade: Known::Yes,
            withdraw: Known::No,
            transfer: Known::No,
            ip_bound: Known::Yes,
            ip_addresses: Vec::new(),
            expires_at: None,
            unknown_permissions: Vec::new(),
            contract_types: Vec::new(),
        }
    }

    fn key(state: VerificationState, facts: Option<KeyFacts>) -> ApiKey {
        ApiKey {
            id: KeyId::from_u128(1),
            label: "k".to_owned(),
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract_type: ContractType::Linear,
            site: Site::Global,
            hint: String::new(),
            fingerprint: String::new(),
            active: true,
            verification: Verification { state, checked_at: Some(NOW), facts, ..Verification::UNVERIFIED },
            created_at: NOW,
            leaked_at: None,
            version: 1,
            bot: None,
            instruments: Vec::new(),
        }
    }

    fn score(facts: KeyFacts) -> (u8, Vec<String>) {
        let found = health(&key(VerificationState::Ok, Some(facts)), NOW).unwrap();
        (found.score, found.reasons.into_iter().map(|reason| reason.code).collect())
    }

    #[test]
    fn points_are_lost_for_what_could_be_better() {
        let expiring = |ms| KeyFacts { expires_at: Some(NOW.plus_ms(ms)), ..facts() };
        let cases: [(KeyFacts, u8, &[&str]); 9] = [
            (facts(), 100, &[]),
            (KeyFacts { withdraw: Known::Yes, ..facts() }, 0, &["KEY_WITHDRAWAL_ENABLED"]),
            (KeyFacts { withdraw: Known::Unknown, ..facts() }, 90, &["KEY_NOT_TOLD"]),
            (KeyFacts { transfer: Known::Yes, ..facts() }, 80, &["KEY_TRANSFER_ENABLED"]),
            (KeyFacts { ip_bound: Known::No, ..facts() }, 75, &["KEY_ADDRESS_OPEN"]),
            (
                KeyFacts { ip_bound: Known::No, transfer: Known::Yes, ..facts() },
                55,
                &["KEY_ADDRESS_OPEN", "KEY_TRANSFER_ENABLED"],
            ),
            (expiring(13 * DAY_MS), 85, &["KEY_EXPIRING"]),
            (expiring(14 * DAY_MS), 100, &[]),
            (expiring(0), 0, &["KEY_EXPIRED"]),
        ];
        for (facts, expected, codes) in cases {
            assert_eq!(score(facts), (expected, codes.iter().map(|&code| code.to_owned()).collect()));
        }
    }

    #[test]
    fn failed_and_leaked_keys_have_none_and_untested_keys_no_number() {
        assert_eq!(health(&key(VerificationState::Unverified, None), NOW), None);
        assert_eq!(health(&key(VerificationState::Failed, None), NOW).unwrap().score, 0);
        let mut leaked = key(VerificationState::Ok, Some(facts()));
        leaked.leaked_at = Some(NOW);
        assert_eq!(health(&leaked, NOW).unwrap().score, 0);
        let old = health(&key(VerificationState::Ok, Some(facts())), NOW.plus_ms(8 * DAY_MS)).unwrap();
        assert_eq!((old.score, old.reasons[0].code.as_str()), (90, "KEY_NOT_LOOKED_AT"));
    }
}
