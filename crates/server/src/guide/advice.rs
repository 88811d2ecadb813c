//! What to do about a key's test: the remedy of the key's own exchange for everything that failed or warns, and where to
//! look by hand for what the exchange does not tell.

use keyhold_domain::{Environment, Exchange, KeyFacts, Known, ReasonCode};
use keyhold_protocol::uplink::{KeyCheckResult, KeyCheckStep};
use keyhold_store::Verification;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ExchangeGuide, of};
use crate::shape;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeyAdvice)]
pub(crate) struct Advice {
    /// What it is about; documented in `docs/reference/reason-codes.md`.
    #[schema(value_type = String)]
    code: ReasonCode,
    /// The step of the test that found it.
    #[schema(value_type = shape::KeyCheckStep)]
    step: KeyCheckStep,
    /// What the exchange did not tell; null when the advice is about something it told.
    #[schema(required)]
    untold: Option<&'static str>,
    /// In the exchange's own words.
    text: String,
    /// False when nobody has checked at the exchange that its boxes are still called so.
    certain: bool,
    /// The page where it is done.
    #[schema(required)]
    page: Option<String>,
}

/// Everything to do about a key, in the order of the test's steps.
pub(crate) fn advice(exchange: Exchange, environment: Environment, found: &Verification) -> Vec<Advice> {
    let guide = of(exchange);
    let page = guide.page(environment);
    let mut all: Vec<Advice> = Vec::new();
    for check in &found.checks {
        let (KeyCheckResult::Failed(code) | KeyCheckResult::Warning(code)) = &check.result else { continue };
        all.extend(remedy(guide, *code, check.step, page));
    }
    if let Some(facts) = &found.facts {
        // The test tells the worst of each step; the rest of what is known deserves its remedy as well.
        let moves = [
            (facts.withdraw, ReasonCode::KeyWithdrawalEnabled),
            (facts.transfer, ReasonCode::KeyTransferEnabled),
        ];
        for (_, code) in moves.into_iter().filter(|(known, _)| *known == Known::Yes) {
            if !all.iter().any(|one| one.code == code) {
                all.extend(remedy(guide, code, KeyCheckStep::Permissions, page));
            }
        }
        all.extend(untold(guide, facts, page));
    }
    all.sort_by_key(|one| one.step);
    all
}

fn remedy(guide: &ExchangeGuide, code: ReasonCode, step: KeyCheckStep, page: Option<&str>) -> Option<Advice> {
    let advice = |text: &str, certain, page: Option<&str>| Advice {
        code,
        step,
        untold: None,
        text: text.to_owned(),
        certain,
        page: page.map(str::to_owned),
    };
    match code {
        ReasonCode::ExchangeDown | ReasonCode::ExchangeMaintenance => {
            let text = "Look at the exchange's status page, and test again when it answers.";
            Some(advice(text, true, Some(&guide.status_url)))
        }
        ReasonCode::ClockSkew => {
            let text = "Correct the clock of the machine on which the bot runs (NTP), then test again.";
            Some(advice(text, true, None))
        }
        code => guide.remedies.get(&code).map(|said| advice(&said.text, said.certain, page)),
    }
}

fn untold(guide: &ExchangeGuide, facts: &KeyFacts, page: Option<&str>) -> Vec<Advice> {
    let by_hand = &guide.by_hand;
    let all = [
        ("read", facts.read, &by_hand.read, KeyCheckStep::Permissions),
        ("trade", facts.trade, &by_hand.trade, KeyCheckStep::Permissions),
        ("withdraw", facts.withdraw, &by_hand.withdraw, KeyCheckStep::Permissions),
        ("transfer", facts.transfer, &by_hand.transfer, KeyCheckStep::Permissions),
        ("ip_bound", facts.ip_bound, &by_hand.ip_bound, KeyCheckStep::Address),
    ];
    all.into_iter()
        .filter(|(_, known, _, _)| *known == Known::Unknown)
        .map(|(name, _, text, step)| Advice {
            code: ReasonCode::KeyNotTold,
            step,
            untold: Some(name),
            text: text.clone(),
            certain: true,
            page: page.map(str::to_owned),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use keyhold_protocol::uplink::KeyCheck;
    use keyhold_store::VerificationState;

    use super::*;

    fn tested(checks: Vec<KeyCheck>, facts: Option<KeyFacts>) -> Verification {
        let state = VerificationState::Failed;
        Verification { state, checked_at: None, code: None, checks, facts, balances: vec![] }
    }

    fn failed(step: KeyCheckStep, code: ReasonCode) -> KeyCheck {
        KeyCheck { step, result: KeyCheckResult::Failed(code), detail: String::new(), venue_code: None }
    }

    fn facts() -> KeyFacts {
        KeyFacts {
            read: Known::Yes,
            trade: Known::Yes,
            withdraw: Known::No,
            transfer: Known::No,
            ip_bound: Known::Yes,
            ip_addresses: vec![],
            expires_at: None,
            unknown_permissions: vec![],
            contract_types: vec![],
        }
    }

    #[test]
    fn a_condition_is_answered_in_the_words_of_its_exchange() {
        let checks = vec![failed(KeyCheckStep::Permissions, ReasonCode::KeyNoTradePermission)];
        let found = tested(checks, None);
        let cases = [
            (Exchange::Bybit, "Orders and Positions", "https://www.bybit.com/app/user/api-management"),
            (Exchange::Binance, "Enable Futures", "https://www.binance.com/en/my/settings/api-management"),
            (Exchange::KrakenFutures, "General API: Full access", "https://pro.kraken.com/app/settings/api"),
            (Exchange::Okx, "tick Trade", "https://www.okx.com/account/my-api"),
        ];
        for (exchange, words, page) in cases {
            let all = advice(exchange, Environment::Live, &found);
            assert_eq!(all.len(), 1, "{exchange}: {all:?}");
            assert!(all[0].text.contains(words), "{exchange}: {}", all[0].text);
            assert_eq!(all[0].page.as_deref(), Some(page));
        }
        assert_eq!(advice(Exchange::Okx, Environment::Simulated, &found)[0].page, None);
    }

    #[test]
    fn what_is_not_told_names_the_box_to_look_at() {
        let facts = KeyFacts { withdraw: Known::Unknown, ip_bound: Known::Unknown, ..facts() };
        let all = advice(Exchange::Binance, Environment::Testnet, &tested(vec![], Some(facts)));
        let told: Vec<_> = all.iter().map(|one| (one.code, one.untold, one.step)).collect();
        let code = ReasonCode::KeyNotTold;
        let expected = [
            (code, Some("ip_bound"), KeyCheckStep::Address),
            (code, Some("withdraw"), KeyCheckStep::Permissions),
        ];
        assert_eq!(told, expected);
        assert!(all[1].text.contains("Enable Withdrawals must not be ticked"));
    }

    #[test]
    fn a_right_to_transfer_is_not_hidden_by_a_worse_finding() {
        let checks = vec![failed(KeyCheckStep::Permissions, ReasonCode::KeyWithdrawalEnabled)];
        let facts = KeyFacts { withdraw: Known::Yes, transfer: Known::Yes, ..facts() };
        let all = advice(Exchange::Bybit, Environment::Live, &tested(checks, Some(facts)));
        let codes: Vec<_> = all.iter().map(|one| one.code).collect();
        assert_eq!(codes, [ReasonCode::KeyWithdrawalEnabled, ReasonCode::KeyTransferEnabled]);
    }

    #[test]
    fn a_right_to_withdraw_has_its_remedy_even_where_no_step_failed() {
        let facts = KeyFacts { withdraw: Known::Yes, ..facts() };
        let all = advice(Exchange::Bybit, Environment::Live, &tested(vec![], Some(facts)));
        let codes: Vec<_> = all.iter().map(|one| one.code).collect();
        assert_eq!(codes, [ReasonCode::KeyWithdrawalEnabled]);
    }

    #[test]
    fn a_passed_test_needs_no_advice_and_an_outage_names_the_status_page() {
        assert_eq!(advice(Exchange::Okx, Environment::Live, &tested(vec![], Some(facts()))), []);
        let down = tested(vec![failed(KeyCheckStep::Reachable, ReasonCode::ExchangeDown)], None);
        let all = advice(Exchange::Okx, Environment::Live, &down);
        assert_eq!(all[0].page.as_deref(), Some("https://www.okx.com/status"));
    }
}
