//! A blob belongs to one place: every ordered pair among installations, workspaces, keys, versions, exchanges,
//! environments and contract types is refused.

use keyhold_domain::{ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};
use keyhold_seal::{Context, FixedEntropy, Sealed, WrappedDataKey};
use keyhold_unseal::rewrap;

use crate::{generator, open_all, open_answer, refused};

/// The base and its neighbors, each different in exactly one field.
fn neighbors() -> Vec<Context> {
    let base = generator::plans()[0].context;
    let exchanges = Exchange::ALL.iter().filter(|other| **other != base.exchange);
    let environments = Environment::ALL.iter().filter(|other| **other != base.environment);
    let mut all = vec![
        base,
        Context { install: InstallId::from_u128(1), ..base },
        Context { workspace: WorkspaceId::from_u128(1), ..base },
        Context { key: KeyId::from_u128(1), ..base },
        Context { version: base.version + 1, ..base },
        Context { contract: ContractType::Inverse, ..base },
    ];
    all.extend(exchanges.map(|exchange| Context { exchange: *exchange, ..base }));
    all.extend(environments.map(|environment| Context { environment: *environment, ..base }));
    all
}

fn plan_for(context: Context) -> generator::Plan {
    generator::Plan { context, ..generator::plans().remove(0) }
}

/// Seals and imports for a context of the vectors' installation.
fn stored(context: Context) -> Option<(Sealed, WrappedDataKey)> {
    let keeper = generator::keeper_side();
    let sealed = generator::sealed(&plan_for(context), &keeper);
    let mut entropy = FixedEntropy::new(&generator::stream("wrap nonce", 12));
    rewrap::import(&keeper.secret_key, keeper.wrapping(), &context, &sealed.data_key, &mut entropy)
        .ok()
        .map(|wrapped| (sealed, wrapped))
}

#[test]
fn only_the_own_context_opens() {
    for from in neighbors() {
        for to in neighbors() {
            let keeper_serves = from.install == generator::plans()[0].context.install;
            let opened = open_all(&plan_for(from), &from, &to);
            assert_eq!(opened.is_ok(), from == to && keeper_serves);
            // Claiming the foreign context from the start does not help either.
            let claimed = open_all(&plan_for(from), &to, &to);
            assert_eq!(claimed.is_ok(), from == to && keeper_serves);
        }
    }
}

/// Rows moved in the database: envelope of one record beside the wrapped key of another.
#[test]
fn rows_moved_between_records_do_not_open() {
    let keeper = generator::keeper_side();
    let rows: Vec<_> =
        neighbors().into_iter().filter_map(|context| stored(context).map(|row| (context, row))).collect();
    assert!(rows.len() >= 8);
    for (context, (_, wrapped)) in &rows {
        let mut entropy = FixedEntropy::new(&generator::stream("lease entropy", 32));
        let answer =
            rewrap::lease(keeper.wrapping(), context, wrapped, &generator::recipient(), &mut entropy)
                .unwrap();
        for (other, (sealed, _)) in &rows {
            // The data key is the same in all rows here (same entropy), so only the binding can refuse.
            let opened = open_answer(&answer, &sealed.envelope, context);
            assert_eq!(refused(&opened), other != context);
        }
    }
}

#[test]
fn another_slot_or_key_does_not_unwrap() {
    let context = generator::plans()[0].context;
    let (_, wrapped) = stored(context).unwrap();
    let keeper = generator::keeper_side();
    let to = generator::recipient();
    let lease = |wrapping: rewrap::Wrapping<'_>| {
        let mut entropy = FixedEntropy::new(&generator::stream("lease entropy", 32));
        rewrap::lease(wrapping, &context, &wrapped, &to, &mut entropy).is_ok()
    };
    assert!(lease(keeper.wrapping()));
    assert_eq!(rewrap::slot_index(&wrapped), keeper.index);

    let other_slot = rewrap::SlotSecret::new(generator::locked("another slot"));
    assert!(!lease(rewrap::Wrapping { slot: &other_slot, ..keeper.wrapping() }));
    let other = rewrap::MemberKey::new(&generator::shield(), generator::locked("another key")).unwrap();
    for under in [rewrap::Under::Workspace(&other), rewrap::Under::House(&other)] {
        assert!(!lease(rewrap::Wrapping { under, ..keeper.wrapping() }));
    }
    // Not even the same key in the other role.
    assert!(!lease(rewrap::Wrapping { under: rewrap::Under::House(&keeper.workspace), ..keeper.wrapping() }));
    assert!(!lease(rewrap::Wrapping { index: keeper.index + 1, ..keeper.wrapping() }));
}

#[test]
fn an_answer_opens_for_one_process_and_one_lease() {
    let plan = generator::plans().remove(0);
    let (sealed, wrapped) = stored(plan.context).unwrap();
    let keeper = generator::keeper_side();
    let to = generator::recipient();
    let mut entropy = FixedEntropy::new(&generator::stream("lease entropy", 32));
    let answer = rewrap::lease(keeper.wrapping(), &plan.context, &wrapped, &to, &mut entropy).unwrap();
    let open = |key: keyhold_unseal::open::EphemeralKey, bot, lease| {
        key.open_lease(&answer, &plan.context, bot, lease)
            .and_then(|data_key| data_key.open(&sealed.envelope, &plan.context))
            .is_ok()
    };
    let stranger = || {
        let mut entropy = FixedEntropy::new(&generator::stream("stranger", 32));
        keyhold_unseal::open::EphemeralKey::generate(&mut entropy).unwrap()
    };
    assert!(open(generator::bot_key(), to.bot, to.lease));
    assert!(!open(stranger(), to.bot, to.lease));
    assert!(!open(generator::bot_key(), keyhold_domain::BotId::from_u128(1), to.lease));
    assert!(!open(generator::bot_key(), to.bot, [0; 16]));
}
