//! What a key's facts mean: may it be used, and what should its owner know?
//!
//! Pure. The policy is decision 23: a right to withdraw forbids the key, an unknown permission counts as dangerous, rights
//! to transfer and a missing address binding are warnings, and what a venue does not tell is its own state.

use keyhold_domain::key_facts::Known;
use keyhold_domain::{ContractType, KeyFacts, ReasonCode, Timestamp};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The key must not be used.
    Forbids,
    /// Its owner should know.
    Warns,
}

/// One thing about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What.
    pub code: ReasonCode,
    /// For people.
    pub text: String,
}

/// Everything about the key's permissions, worst first.
pub fn permissions(facts: &KeyFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |weight, code, text: &str| found.push(Finding { weight, code, text: text.to_owned() });
    match facts.withdraw {
        Known::Yes => {
            let text = "The key can withdraw money. Make a new one without that right and delete this one.";
            add(Weight::Forbids, ReasonCode::KeyWithdrawalEnabled, text);
        }
        Known::No => {}
        Known::Unknown => {
            let text = "The exchange does not tell whether the key can withdraw. Look it up there.";
            add(Weight::Warns, ReasonCode::KeyNotTold, text);
        }
    }
    if facts.read == Known::No {
        let text = "The key cannot read balances and orders.";
        add(Weight::Forbids, ReasonCode::KeyNoReadPermission, text);
    }
    match facts.trade {
        Known::No => {
            let text = "The key cannot place orders for perpetual contracts.";
            add(Weight::Forbids, ReasonCode::KeyNoTradePermission, text);
        }
        Known::Yes => {}
        Known::Unknown => {
            let text = "The exchange does not tell whether the key can trade. Look it up there.";
            add(Weight::Warns, ReasonCode::KeyNotTold, text);
        }
    }
    if !facts.unknown_permissions.is_empty() {
        let words = facts.unknown_permissions.join(", ");
        let text = format!("The key has permissions that are not known and count as dangerous: {words}.");
        add(Weight::Forbids, ReasonCode::KeyUnknownPermission, &text);
    }
    if facts.transfer == Known::Yes {
        let text = "The key can move money between accounts. It does not need that.";
        add(Weight::Warns, ReasonCode::KeyTransferEnabled, text);
    }
    found.sort_by_key(|finding| finding.weight == Weight::Warns);
    found
}

/// Whether the key is bound to addresses.
pub fn address(facts: &KeyFacts) -> Option<Finding> {
    let (code, text) = match facts.ip_bound {
        Known::Yes => return None,
        Known::No => {
            (ReasonCode::KeyAddressOpen, "The key can be used from any address. Bind it to this one.")
        }
        Known::Unknown => {
            (ReasonCode::KeyNotTold, "The exchange does not tell whether the key is bound to addresses.")
        }
    };
    Some(Finding { weight: Weight::Warns, code, text: text.to_owned() })
}

/// Whether the key has run out.
pub fn expiry(facts: &KeyFacts, now: Timestamp) -> Option<Finding> {
    let at = facts.expires_at.filter(|at| *at <= now)?;
    let text = format!("The key has expired on {at}.");
    Some(Finding { weight: Weight::Forbids, code: ReasonCode::KeyExpired, text })
}

/// Whether the account behind the key trades this contract type.
pub fn contract(facts: &KeyFacts, wanted: ContractType) -> Option<Finding> {
    let fits = facts.contract_types.is_empty() || facts.contract_types.contains(&wanted);
    let text = format!("The account behind the key does not trade {wanted} contracts.");
    (!fits).then_some(Finding { weight: Weight::Forbids, code: ReasonCode::KeyContractMismatch, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> KeyFacts {
        KeyFacts {
            read: Known::Yes,
            trade: Known::Yes,
            withdraw: Known::No,
            transfer: Known::No,
            ip_bound: Known::Yes,
            ip_addresses: vec![],
            expires_at: None,
            unknown_permissions: vec![],
            contract_types: vec![ContractType::Linear],
        }
    }

    fn codes(facts: &KeyFacts) -> Vec<(Weight, ReasonCode)> {
        permissions(facts).into_iter().map(|finding| (finding.weight, finding.code)).collect()
    }

    #[test]
    fn every_danger_has_its_own_code() {
        use Weight::{Forbids, Warns};
        assert_eq!(codes(&good()), []);
        let cases = [
            (KeyFacts { withdraw: Known::Yes, ..good() }, (Forbids, ReasonCode::KeyWithdrawalEnabled)),
            (KeyFacts { withdraw: Known::Unknown, ..good() }, (Warns, ReasonCode::KeyNotTold)),
            (KeyFacts { trade: Known::Unknown, ..good() }, (Warns, ReasonCode::KeyNotTold)),
            (KeyFacts { read: Known::No, ..good() }, (Forbids, ReasonCode::KeyNoReadPermission)),
            (KeyFacts { trade: Known::No, ..good() }, (Forbids, ReasonCode::KeyNoTradePermission)),
            (KeyFacts { transfer: Known::Yes, ..good() }, (Warns, ReasonCode::KeyTransferEnabled)),
            (
                KeyFacts { unknown_permissions: vec!["A.B".to_owned()], ..good() },
                (Forbids, ReasonCode::KeyUnknownPermission),
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(codes(&facts), [expected]);
        }
        let worst = KeyFacts { withdraw: Known::Yes, transfer: Known::Yes, ..good() };
        assert_eq!(codes(&worst)[0], (Forbids, ReasonCode::KeyWithdrawalEnabled));
    }

    #[test]
    fn bounds_of_the_key_are_read() {
        assert_eq!(address(&good()), None);
        let code = |ip_bound| address(&KeyFacts { ip_bound, ..good() }).map(|finding| finding.code);
        assert_eq!(code(Known::No), Some(ReasonCode::KeyAddressOpen));
        assert_eq!(code(Known::Unknown), Some(ReasonCode::KeyNotTold));
        let at = Timestamp::from_ms(1_000);
        let expired = KeyFacts { expires_at: Some(at), ..good() };
        assert_eq!(expiry(&expired, at).map(|finding| finding.code), Some(ReasonCode::KeyExpired));
        assert_eq!(expiry(&expired, Timestamp::EPOCH), None);
        assert_eq!(contract(&good(), ContractType::Linear), None);
        assert!(contract(&good(), ContractType::Inverse).is_some());
    }
}
