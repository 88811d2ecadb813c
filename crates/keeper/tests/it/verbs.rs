//! Assignment, switching off, canaries, sealing, leaks, closing a workspace: what the keeper enforces whoever asks.

use std::collections::BTreeMap;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_keeper::keeper::{After, Asker, LeaseEnd};
use keyhold_protocol::keeper::{
    Answer, Assignment, Exposure, KeyRef, LeaseId, Refusal, RekeyRoot, Renew, Request, Shred, Tenant, Unseal,
};
use keyhold_seal::Context;
use proptest::prelude::*;

use crate::fixture::{
    BOT, Bench, SERVER, at, context, import, new_folder, open_vault, refusal, sealed_to, state_dir,
    ticket_for,
};

const ROOT: Asker = Asker { uid: 0, pid: 1 };

fn key_ref(context: &Context) -> KeyRef {
    KeyRef { workspace: context.workspace, key: context.key }
}

fn assignment(context: &Context, bot: u128) -> Assignment {
    Assignment { workspace: context.workspace, key: context.key, bot: BotId::from_u128(bot) }
}

fn renew(lease: LeaseId, exposure: Exposure) -> Request {
    Request::Renew(Renew { lease, exposure: Some(exposure) })
}

fn unseal() -> Request {
    Request::Unseal(Unseal { passphrase: None })
}

#[test]
fn an_assigned_key_is_for_its_bot_only() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (sealed, wrapped) = bench.import(&context);
    // Before anything was said, any bot with a ticket gets it.
    let first = bench.lease(&context, &wrapped, 9, 0);
    let After::HoldsLease(key, id) = first.after else { panic!() };
    assert_eq!(
        refusal(&bench.ask(Request::Assign(assignment(&context, 7)), SERVER, 0)),
        Some(Refusal::KeyInUse)
    );
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(0));

    let early = bench.ticket(ticket_for(&context, 9, BOT.uid), 0);
    assert_eq!(bench.ask(Request::Assign(assignment(&context, 7)), SERVER, 0), Answer::Done);
    assert_eq!(bench.ask(Request::Assign(assignment(&context, 7)), SERVER, 0), Answer::Done);
    let other = bench.ask(Request::Assign(assignment(&context, 8)), SERVER, 0);
    assert_eq!(refusal(&other), Some(Refusal::KeyAssigned));
    // Neither a new ticket nor one from before the assignment helps another bot.
    let answer = bench.ask(Request::Ticket(ticket_for(&context, 9, BOT.uid)), SERVER, 0);
    assert_eq!(refusal(&answer), Some(Refusal::KeyAssigned));
    let process = keyhold_unseal::open::EphemeralKey::generate(&mut keyhold_keeper::entropy::SystemEntropy);
    let request = crate::fixture::lease(&early, process.unwrap().public(), &wrapped, &context);
    assert_eq!(refusal(&bench.ask(request, BOT, 0)), Some(Refusal::KeyAssigned));
    let shred = Shred { workspace: context.workspace, key: context.key, version: None };
    assert_eq!(refusal(&bench.ask(Request::Shred(shred), SERVER, 0)), Some(Refusal::KeyAssigned));
    assert!(bench.lease(&context, &wrapped, 7, 1).opens(&sealed, &context));
    // It holds after a restart.
    drop(bench);
    let mut bench = Bench::on(&state_dir(&folder));
    let answer = bench.ask(Request::Ticket(ticket_for(&context, 9, BOT.uid)), SERVER, 0);
    assert_eq!(refusal(&answer), Some(Refusal::KeyAssigned));
}

/// The word on the position comes from the process that holds the lease, and from nobody else.
#[test]
fn a_bot_with_a_position_keeps_its_key() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    bench.ask(Request::Assign(assignment(&context, 7)), SERVER, 0);
    let After::HoldsLease(key, id) = bench.lease(&context, &wrapped, 7, 0).after else { panic!() };
    let unassign = || Request::Unassign(assignment(&context, 7));
    assert_eq!(refusal(&bench.ask(unassign(), SERVER, 0)), Some(Refusal::KeyInUse));
    assert_eq!(bench.ask(renew(id, Exposure::Open), BOT, 1), Answer::Done);
    for liar in [SERVER, ROOT, Asker { uid: BOT.uid, pid: BOT.pid + 1 }] {
        assert_eq!(refusal(&bench.ask(renew(id, Exposure::Flat), liar, 1)), Some(Refusal::WrongMoment));
    }
    bench.keeper.end_lease(key, id, LeaseEnd::ProcessEnded, at(2));
    assert_eq!(refusal(&bench.ask(unassign(), SERVER, 2)), Some(Refusal::PositionOpen));
    drop(bench);
    let mut bench = Bench::on(&dir);
    assert_eq!(refusal(&bench.ask(unassign(), SERVER, 3)), Some(Refusal::PositionOpen));
    let After::HoldsLease(key, id) = bench.lease(&context, &wrapped, 7, 100).after else { panic!() };
    assert_eq!(bench.ask(renew(id, Exposure::Flat), BOT, 100), Answer::Done);
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(101));
    let foreign = Assignment { workspace: WorkspaceId::from_u128(9), ..assignment(&context, 7) };
    assert_eq!(refusal(&bench.ask(Request::Unassign(foreign), SERVER, 101)), Some(Refusal::NotAssigned));
    let other = Request::Unassign(assignment(&context, 8));
    assert_eq!(refusal(&bench.ask(other, SERVER, 101)), Some(Refusal::NotAssigned));
    assert_eq!(bench.ask(unassign(), SERVER, 101), Answer::Done);
    assert_eq!(bench.ask(Request::Assign(assignment(&context, 8)), SERVER, 101), Answer::Done);
}

#[test]
fn a_key_that_is_switched_off_is_neither_leased_nor_assigned() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (sealed, wrapped) = bench.import(&context);
    assert_eq!(bench.ask(Request::Deactivate(key_ref(&context)), SERVER, 0), Answer::Done);
    assert_eq!(bench.ask(Request::Deactivate(key_ref(&context)), SERVER, 0), Answer::Done);
    let ticket = bench.ask(Request::Ticket(ticket_for(&context, 7, BOT.uid)), SERVER, 0);
    assert_eq!(refusal(&ticket), Some(Refusal::KeyInactive));
    let assign = bench.ask(Request::Assign(assignment(&context, 7)), SERVER, 0);
    assert_eq!(refusal(&assign), Some(Refusal::KeyInactive));
    assert_eq!(bench.ask(Request::Activate(key_ref(&context)), SERVER, 0), Answer::Done);
    assert!(bench.lease(&context, &wrapped, 7, 1).opens(&sealed, &context));
    let foreign = KeyRef { workspace: WorkspaceId::from_u128(9), ..key_ref(&context) };
    for request in [Request::Deactivate(foreign), Request::Leaked(foreign), Request::Canary(foreign)] {
        assert_eq!(refusal(&bench.ask(request, SERVER, 1)), Some(Refusal::UnknownRecord));
    }
}

#[test]
fn every_verb_is_refused_to_whom_it_is_not_for() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    bench.import(&context);
    let of = key_ref(&context);
    let for_servers = || {
        [
            Request::Assign(assignment(&context, 7)),
            Request::Unassign(assignment(&context, 7)),
            Request::Activate(of),
            Request::Deactivate(of),
            Request::Canary(of),
            Request::Leaked(of),
            Request::ShredTenant(Tenant { workspace: context.workspace }),
        ]
    };
    let for_operators =
        || [Request::Seal, unseal(), Request::RotateKek, Request::RekeyRoot(RekeyRoot { passphrase: None })];
    for request in for_servers() {
        for asker in [BOT, ROOT] {
            assert_eq!(refusal(&bench.ask(request.clone(), asker, 0)), Some(Refusal::NotAllowed));
        }
    }
    for request in for_operators() {
        for asker in [BOT, SERVER] {
            assert_eq!(refusal(&bench.ask(request.clone(), asker, 0)), Some(Refusal::NotAllowed));
        }
    }
    assert_eq!(refusal(&bench.ask(Request::VerifyStore, BOT, 0)), Some(Refusal::NotAllowed));
    let Answer::Verified(report) = bench.ask(Request::VerifyStore, ROOT, 0) else { panic!() };
    assert_eq!((report.live_records, report.broken_records, report.orphaned_records), (1, 0, 0));
    assert_eq!((report.keys, report.epochs), (2, 1));
}

#[test]
fn a_canary_seals_the_keeper_and_a_restart_does_not_open_it() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let (bait, real) = (context(1, 1), context(2, 1));
    let (_, wrapped) = bench.import(&bait);
    let (sealed, real_wrapped) = bench.import(&real);
    assert_eq!(bench.ask(Request::Canary(key_ref(&bait)), SERVER, 0), Answer::Done);
    // It looks like any other key: nothing tells before somebody reaches for it.
    assert_eq!(bench.ask(Request::Deactivate(key_ref(&bait)), SERVER, 0), Answer::Done);
    assert_eq!(refusal(&bench.lease(&bait, &wrapped, 7, 1).answer), Some(Refusal::Sealed));
    let ticket = bench.ask(Request::Ticket(ticket_for(&real, 7, BOT.uid)), SERVER, 1);
    assert_eq!(refusal(&ticket), Some(Refusal::Sealed));
    assert_eq!(refusal(&bench.ask(Request::PublicKey, BOT, 1)), Some(Refusal::Sealed));
    let Answer::Sealed(sealed_status) = bench.ask(Request::Status, BOT, 1) else { panic!() };
    assert_eq!(sealed_status.providers, ["file"]);
    let text = std::fs::read_to_string(dir.file("audit.jsonl")).unwrap();
    assert!(text.contains("\"intrusion\""));
    drop(bench);
    let audit = keyhold_keeper::audit::Audit::open(&dir).unwrap();
    assert_eq!(audit.history().stood(), keyhold_keeper::audit::Stood::Sealed);
    drop(audit);

    let mut bench = Bench::on(&dir);
    assert_eq!(bench.ask(Request::Seal, ROOT, 2), Answer::Done);
    assert_eq!(bench.ask(unseal(), ROOT, 3), Answer::Done);
    let audit = keyhold_keeper::audit::Audit::open(&dir).unwrap();
    assert_eq!(audit.history().stood(), keyhold_keeper::audit::Stood::Open);
    assert!(bench.lease(&real, &real_wrapped, 7, 4).opens(&sealed, &real));
}

#[test]
fn a_sealed_keeper_refuses_everything_and_bots_keep_what_they_hold() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    let After::HoldsLease(key, id) = bench.lease(&context, &wrapped, 7, 0).after else { panic!() };
    assert_eq!(bench.ask(Request::Seal, ROOT, 1), Answer::Done);
    assert_eq!(bench.ask(Request::Seal, ROOT, 1), Answer::Done);
    let late = sealed_to(&bench.public, &crate::fixture::context(2, 1));
    let tenant = Tenant { workspace: context.workspace };
    let shred = Shred { workspace: context.workspace, key: context.key, version: None };
    for request in [
        import(&crate::fixture::context(2, 1), &late),
        Request::Ticket(ticket_for(&context, 7, BOT.uid)),
        Request::Shred(shred),
        Request::Assign(assignment(&context, 7)),
        Request::Activate(key_ref(&context)),
        Request::Leaked(key_ref(&context)),
        Request::ShredTenant(tenant),
        Request::VerifyStore,
    ] {
        assert_eq!(refusal(&bench.ask(request, SERVER, 1)), Some(Refusal::Sealed));
    }
    assert_eq!(refusal(&bench.ask(Request::RotateKek, ROOT, 1)), Some(Refusal::Sealed));
    let Answer::Sealed(status) = bench.ask(Request::Status, SERVER, 1) else { panic!() };
    assert_eq!(status.leases, 1);
    // The end of a lease is seen also while sealed.
    bench.keeper.end_lease(key, id, LeaseEnd::ProcessEnded, at(2));
    assert_eq!(bench.ask(unseal(), ROOT, 3), Answer::Done);
    assert!(matches!(bench.lease(&context, &wrapped, 7, 4).answer, Answer::Leased { .. }));
}

#[test]
fn a_leaked_key_dies_at_once() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let (one, two) = (context(1, 1), context(1, 2));
    let (_, wrapped) = bench.import(&one);
    bench.import(&two);
    bench.ask(Request::Assign(assignment(&one, 7)), SERVER, 0);
    let After::HoldsLease(key, id) = bench.lease(&one, &wrapped, 7, 0).after else { panic!() };
    assert_eq!(bench.ask(Request::Leaked(key_ref(&one)), SERVER, 1), Answer::Shredded { destroyed: 2 });
    assert_eq!(bench.ask(Request::Leaked(key_ref(&one)), SERVER, 1), Answer::Shredded { destroyed: 0 });
    bench.keeper.end_lease(key, id, LeaseEnd::ProcessEnded, at(2));
    assert_eq!(refusal(&bench.lease(&one, &wrapped, 7, 3).answer), Some(Refusal::Shredded));
    let text = std::fs::read_to_string(dir.file("audit.jsonl")).unwrap();
    assert!(text.contains("\"leaked\"") && text.contains("while leased"));
}

#[test]
fn a_closed_workspace_is_gone_and_gets_no_key_again() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let (one, two) = (context(1, 1), context(2, 1));
    let other = Context { workspace: WorkspaceId::from_u128(0xB1), ..context(3, 1) };
    let (_, wrapped) = bench.import(&one);
    bench.import(&two);
    let (sealed_other, wrapped_other) = bench.import(&other);
    bench.ask(Request::Assign(assignment(&two, 7)), SERVER, 0);
    let close = Request::ShredTenant(Tenant { workspace: one.workspace });
    let After::HoldsLease(key, id) = bench.lease(&one, &wrapped, 7, 0).after else { panic!() };
    assert_eq!(refusal(&bench.ask(close.clone(), SERVER, 0)), Some(Refusal::KeyInUse));
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(1));
    let old_keys = std::fs::read(dir.file("keys.bin")).unwrap();
    assert_eq!(bench.ask(close.clone(), SERVER, 2), Answer::Shredded { destroyed: 2 });
    assert_eq!(bench.ask(close, SERVER, 2), Answer::Shredded { destroyed: 0 });
    let again = sealed_to(&bench.public, &context(9, 1));
    assert_eq!(refusal(&bench.ask(import(&context(9, 1), &again), SERVER, 3)), Some(Refusal::Shredded));
    assert!(bench.lease(&other, &wrapped_other, 8, 3).opens(&sealed_other, &other));
    let Answer::Verified(report) = bench.ask(Request::VerifyStore, SERVER, 3) else { panic!() };
    assert_eq!((report.live_records, report.broken_records, report.orphaned_records), (1, 0, 0));
    drop(bench);
    // The key file from before does not come back unnoticed.
    std::fs::write(dir.file("keys.bin"), old_keys).unwrap();
    let opened = keyhold_keeper::vault::Vault::open(
        &dir,
        keyhold_keeper::vault::Rollback::Refuse,
        &mut keyhold_keeper::entropy::SystemEntropy,
    );
    assert!(opened.is_err());
}

#[test]
fn rotation_and_a_new_root_key_go_on_under_way() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    let mut epochs = Vec::new();
    for second in 0..3 {
        let Answer::Rotated { epoch, remaining } = bench.ask(Request::RotateKek, ROOT, second) else {
            panic!()
        };
        epochs.push((epoch, remaining));
        // Between two steps everything goes on as ever.
        let leasing = bench.lease(&context, &wrapped, 7, second);
        let After::HoldsLease(key, id) = leasing.after else { panic!("{:?}", leasing.answer) };
        bench.keeper.end_lease(key, id, LeaseEnd::Released, at(second));
        if remaining == 0 {
            break;
        }
    }
    assert_eq!(epochs, [(2, 2), (2, 0)]);
    let before = std::fs::read_dir(dir.path()).unwrap().count();
    let rekey = Request::RekeyRoot(RekeyRoot { passphrase: None });
    assert_eq!(bench.ask(rekey, ROOT, 9), Answer::Done);
    assert!(!dir.file("root.key").exists(), "the old file is gone");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), before);
    drop(bench);
    // A file that a crash left behind is removed at the next start; the one in use stays.
    dir.create_root_file(
        "root-0badcafe.key",
        crate::fixture::INSTALL,
        &mut keyhold_keeper::entropy::SystemEntropy,
    )
    .unwrap();
    drop(open_vault(&dir));
    assert!(!dir.file("root-0badcafe.key").exists());
    let mut bench = Bench::on(&dir);
    assert!(matches!(bench.lease(&context, &wrapped, 8, 0).answer, Answer::Leased { .. }));
}

/// Leases above the rate are refused, counted, and written down once a minute.
#[test]
fn too_many_leases_raise_an_alarm() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    for _ in 0..5 {
        let After::HoldsLease(key, id) = bench.lease(&context, &wrapped, 7, 0).after else { panic!() };
        bench.keeper.end_lease(key, id, LeaseEnd::Released, at(0));
    }
    for _ in 0..3 {
        assert_eq!(refusal(&bench.lease(&context, &wrapped, 7, 1).answer), Some(Refusal::RateLimited));
    }
    let Answer::Status(status) = bench.ask(Request::Status, SERVER, 1) else { panic!() };
    assert_eq!(status.alarms, 3);
    let text = std::fs::read_to_string(dir.file("audit.jsonl")).unwrap();
    assert_eq!(text.matches("\"alarm\"").count(), 1);
}

/// One step of anybody's life with a key.
#[derive(Debug, Clone)]
enum Step {
    Assign(u128, u128),
    Unassign(u128, u128),
    Activate(u128),
    Deactivate(u128),
    Lease(u128, u128),
    Release(u128),
    Report(u128, Exposure),
}

fn step() -> impl Strategy<Value = Step> {
    let (key, bot) = (1..=2u128, 1..=3u128);
    let exposure = prop_oneof![Just(Exposure::Open), Just(Exposure::Flat)];
    prop_oneof![
        (key.clone(), bot.clone()).prop_map(|(key, bot)| Step::Assign(key, bot)),
        (key.clone(), bot.clone()).prop_map(|(key, bot)| Step::Unassign(key, bot)),
        key.clone().prop_map(Step::Activate),
        key.clone().prop_map(Step::Deactivate),
        (key.clone(), bot).prop_map(|(key, bot)| Step::Lease(key, bot)),
        key.clone().prop_map(Step::Release),
        (key, exposure).prop_map(|(key, exposure)| Step::Report(key, exposure)),
    ]
}

/// What must hold, written down a second time and more simply.
#[derive(Debug, Default, Clone)]
struct Model {
    bot: Option<u128>,
    off: bool,
    open: bool,
    lease: Option<(u128, LeaseId)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_keeper_agrees_with_a_simple_model(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = new_folder();
        let mut bench = Bench::on(&state_dir(&folder));
        let wrapped: BTreeMap<u128, _> = (1..=2).map(|key| (key, bench.import(&context(key, 1)).1)).collect();
        let mut models: BTreeMap<u128, Model> = (1..=2).map(|key| (key, Model::default())).collect();
        for (second, step) in steps.into_iter().enumerate() {
            // Far enough apart that the rate never decides.
            let second = second as u64 * 60;
            match step {
                Step::Assign(key, bot) => {
                    let done = bench.ask(Request::Assign(assignment(&context(key, 1), bot)), SERVER, second);
                    let model = models.get_mut(&key).unwrap();
                    let own = model.bot == Some(bot);
                    let free = model.bot.is_none() && model.lease.is_none_or(|(holder, _)| holder == bot);
                    let expected = !model.off && (own || free);
                    prop_assert_eq!(done == Answer::Done, expected);
                    if expected && !own {
                        (model.bot, model.open) = (Some(bot), false);
                    }
                }
                Step::Unassign(key, bot) => {
                    let done = bench.ask(Request::Unassign(assignment(&context(key, 1), bot)), SERVER, second);
                    let model = models.get_mut(&key).unwrap();
                    let expected = model.bot == Some(bot) && model.lease.is_none() && !model.open;
                    prop_assert_eq!(done == Answer::Done, expected);
                    if expected {
                        model.bot = None;
                    }
                }
                Step::Activate(key) | Step::Deactivate(key) => {
                    let of = key_ref(&context(key, 1));
                    let off = matches!(step, Step::Deactivate(_));
                    let request = if off { Request::Deactivate(of) } else { Request::Activate(of) };
                    prop_assert_eq!(bench.ask(request, SERVER, second), Answer::Done);
                    models.get_mut(&key).unwrap().off = off;
                }
                Step::Lease(key, bot) => {
                    let model = models.get_mut(&key).unwrap();
                    let allowed = !model.off && model.bot.is_none_or(|assigned| assigned == bot);
                    let wanted = ticket_for(&context(key, 1), bot, BOT.uid);
                    let ticket = bench.ask(Request::Ticket(wanted), SERVER, second);
                    prop_assert_eq!(refusal(&ticket).is_none(), allowed);
                    if allowed {
                        let after = bench.lease(&context(key, 1), &wrapped[&key], bot, second).after;
                        match after {
                            After::HoldsLease(found, id) => {
                                prop_assert_eq!(found, KeyId::from_u128(key));
                                prop_assert!(model.lease.is_none(), "opened twice");
                                model.lease = Some((bot, id));
                            }
                            After::Continue => prop_assert!(model.lease.is_some()),
                        }
                    }
                }
                Step::Release(key) => {
                    if let Some((_, id)) = models.get_mut(&key).unwrap().lease.take() {
                        bench.keeper.end_lease(KeyId::from_u128(key), id, LeaseEnd::Released, at(second));
                    }
                }
                Step::Report(key, exposure) => {
                    let model = models.get_mut(&key).unwrap();
                    let Some((holder, id)) = model.lease else { continue };
                    prop_assert_eq!(bench.ask(renew(id, exposure), BOT, second), Answer::Done);
                    if model.bot == Some(holder) {
                        model.open = exposure == Exposure::Open;
                    }
                }
            }
        }
    }
}
