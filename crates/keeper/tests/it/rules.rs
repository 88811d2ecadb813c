//! The rules of every verb, with a hand-set clock.

use keyhold_domain::WorkspaceId;
use keyhold_keeper::keeper::{After, Asker, LeaseEnd};
use keyhold_protocol::keeper::{
    Answer, Describe, Leased, MAX_TICKET_MS, RecordState, Refusal, Request, Shred, TicketRequest,
};
use keyhold_seal::Context;
use keyhold_unseal::open::EphemeralKey;

use crate::fixture::{
    BOT, Bench, SERVER, at, context, import, lease, new_folder, refusal, sealed_to, state_dir, ticket_for,
};
use keyhold_keeper::entropy::SystemEntropy;

fn shred(context: &Context) -> Request {
    Request::Shred(Shred { workspace: context.workspace, key: context.key, version: None })
}

#[test]
fn a_credential_goes_all_the_way_to_its_bot() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (sealed, wrapped) = bench.import(&context);
    let leasing = bench.lease(&context, &wrapped, 7, 0);
    assert!(matches!(leasing.after, After::HoldsLease(key, _) if key == context.key));
    assert!(leasing.opens(&sealed, &context));
}

#[test]
fn a_version_is_imported_once_and_by_one_workspace() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let first = context(1, 1);
    bench.import(&first);
    let again = sealed_to(&bench.public, &first);
    assert_eq!(refusal(&bench.ask(import(&first, &again), SERVER, 0)), Some(Refusal::AlreadyImported));
    let foreign = Context { workspace: WorkspaceId::from_u128(0xBAD), ..context(1, 2) };
    let sealed = sealed_to(&bench.public, &foreign);
    assert_eq!(refusal(&bench.ask(import(&foreign, &sealed), SERVER, 0)), Some(Refusal::AlreadyImported));
    bench.import(&context(1, 2));
}

#[test]
fn a_data_key_sealed_for_another_context_is_not_imported() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let sealed = sealed_to(&bench.public, &context(1, 1));
    for other in
        [context(2, 1), context(1, 2), Context { workspace: WorkspaceId::from_u128(9), ..context(1, 1) }]
    {
        assert_eq!(refusal(&bench.ask(import(&other, &sealed), SERVER, 0)), Some(Refusal::Unopenable));
    }
    // A refused import leaves nothing behind: the right one still works.
    assert!(matches!(bench.ask(import(&context(1, 1), &sealed), SERVER, 0), Answer::Imported { .. }));
}

#[test]
fn only_the_server_administers() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let sealed = sealed_to(&bench.public, &context);
    let describe = Request::Describe(Describe { workspace: context.workspace, key: context.key });
    let admin = [
        import(&context, &sealed),
        Request::Ticket(ticket_for(&context, 7, BOT.uid)),
        shred(&context),
        describe,
    ];
    for request in admin {
        assert_eq!(refusal(&bench.ask(request, BOT, 0)), Some(Refusal::NotAllowed));
    }
    assert!(matches!(bench.ask(Request::Status, BOT, 0), Answer::Status(_)));
    assert!(matches!(bench.ask(Request::PublicKey, BOT, 0), Answer::PublicKey(_)));
    assert_eq!(refusal(&bench.ask(Request::Release, BOT, 0)), Some(Refusal::WrongMoment));
}

/// Everything that can be wrong with a ticket gives the same answer, and uses the ticket up.
#[test]
fn tickets_are_for_one_process_once_and_soon() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let plain = ticket_for(&context, 7, BOT.uid);
    let other_key = TicketRequest { key: keyhold_domain::KeyId::from_u128(2), ..plain.clone() };
    let other_owner = TicketRequest { workspace: WorkspaceId::from_u128(2), ..plain.clone() };
    let brief = TicketRequest { valid_ms: Some(1000), ..plain.clone() };
    let stranger = Asker { uid: BOT.uid + 1, ..BOT };
    let root = Asker { uid: 0, ..BOT };
    // (ticket, who presents it, seconds later)
    let wrong = [
        (plain.clone(), stranger, 0),
        (plain.clone(), root, 0),
        (plain.clone(), SERVER, 0),
        (plain.clone(), BOT, 30),
        (brief, BOT, 1),
        (other_key, BOT, 0),
        (other_owner, BOT, 0),
    ];
    for (index, (wanted, asker, later)) in wrong.into_iter().enumerate() {
        let ticket = bench.ticket(wanted, 100);
        let request = lease(&ticket, key.public(), &wrapped, &context);
        let (answer, _) = bench.ask_as(request.clone(), asker, 100 + later);
        assert_eq!(refusal(&answer), Some(Refusal::TicketInvalid), "case {index}");
        let (again, _) = bench.ask_as(request, BOT, 100);
        assert_eq!(refusal(&again), Some(Refusal::TicketInvalid), "case {index}, second try");
    }
    // The controls: the same tickets work for the right process, each once.
    for (wanted, later) in [(plain.clone(), 29), (plain, 0)] {
        let ticket = bench.ticket(wanted, 100);
        let request = lease(&ticket, key.public(), &wrapped, &context);
        let (answer, after) = bench.ask_as(request.clone(), BOT, 100 + later);
        assert!(matches!(answer, Answer::Leased { .. }), "{answer:?}");
        let (again, _) = bench.ask_as(request, BOT, 100);
        assert_eq!(refusal(&again), Some(Refusal::TicketInvalid));
        let After::HoldsLease(key, id) = after else { panic!() };
        bench.keeper.end_lease(key, id, LeaseEnd::Released, at(100));
    }
}

#[test]
fn a_ticket_lives_at_most_five_minutes() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    let long = TicketRequest { valid_ms: Some(u32::MAX), ..ticket_for(&context, 7, BOT.uid) };
    let ticket = bench.ticket(long, 0);
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let request = lease(&ticket, key.public(), &wrapped, &context);
    let answer = bench.ask(request, BOT, u64::from(MAX_TICKET_MS / 1000));
    assert_eq!(refusal(&answer), Some(Refusal::TicketInvalid));
}

#[test]
fn one_process_holds_a_key_at_a_time() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (sealed, wrapped) = bench.import(&context);
    let first = bench.lease(&context, &wrapped, 7, 0);
    let After::HoldsLease(key, id) = first.after else { panic!() };
    for bot in [7, 8] {
        assert_eq!(refusal(&bench.lease(&context, &wrapped, bot, 1).answer), Some(Refusal::KeyInUse));
    }
    bench.keeper.end_lease(key, id, LeaseEnd::ProcessEnded, at(2));
    let next = bench.lease(&context, &wrapped, 8, 3);
    let After::HoldsLease(_, next_id) = next.after else { panic!("{:?}", next.answer) };
    // A late word about the first lease does not end the second.
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(4));
    assert_eq!(refusal(&bench.lease(&context, &wrapped, 9, 4).answer), Some(Refusal::KeyInUse));
    assert_ne!(id, next_id);
    assert!(next.opens(&sealed, &context));
}

#[test]
fn leases_are_limited_per_minute_and_bot() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let (_, wrapped) = bench.import(&context);
    for second in 0..5 {
        let leasing = bench.lease(&context, &wrapped, 7, second);
        let After::HoldsLease(key, id) = leasing.after else { panic!("{:?}", leasing.answer) };
        bench.keeper.end_lease(key, id, LeaseEnd::Released, at(second));
    }
    assert_eq!(refusal(&bench.lease(&context, &wrapped, 7, 59).answer), Some(Refusal::RateLimited));
    assert!(matches!(bench.lease(&context, &wrapped, 7, 60).answer, Answer::Leased { .. }));
}

#[test]
fn a_failed_lease_does_not_leave_the_key_taken() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let (one, two) = (context(1, 1), context(2, 1));
    let (_, wrapped_one) = bench.import(&one);
    let (_, wrapped_two) = bench.import(&two);
    assert_eq!(refusal(&bench.lease(&one, &wrapped_two, 7, 0).answer), Some(Refusal::Unopenable));
    assert!(matches!(bench.lease(&one, &wrapped_one, 7, 1).answer, Answer::Leased { .. }));
}

#[test]
fn shredding_is_final() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let (one, two) = (context(1, 1), context(1, 2));
    let (sealed, wrapped) = bench.import(&one);
    bench.import(&two);
    let leasing = bench.lease(&one, &wrapped, 7, 0);
    let After::HoldsLease(key, id) = leasing.after else { panic!() };
    assert_eq!(refusal(&bench.ask(shred(&one), SERVER, 1)), Some(Refusal::KeyInUse));
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(2));

    let foreign = Shred { workspace: WorkspaceId::from_u128(9), key: one.key, version: None };
    assert_eq!(refusal(&bench.ask(Request::Shred(foreign), SERVER, 3)), Some(Refusal::UnknownRecord));
    let only_first = Shred { workspace: one.workspace, key: one.key, version: Some(1) };
    let answer = bench.ask(Request::Shred(only_first.clone()), SERVER, 3);
    assert_eq!(answer, Answer::Shredded { destroyed: 1 });
    assert_eq!(bench.ask(Request::Shred(only_first), SERVER, 4), Answer::Shredded { destroyed: 0 });
    assert_eq!(bench.ask(shred(&one), SERVER, 4), Answer::Shredded { destroyed: 1 });

    assert_eq!(refusal(&bench.lease(&one, &wrapped, 7, 5).answer), Some(Refusal::Shredded));
    assert_eq!(refusal(&bench.ask(import(&one, &sealed), SERVER, 5)), Some(Refusal::AlreadyImported));
    let describe = Request::Describe(Describe { workspace: one.workspace, key: one.key });
    let Answer::Described { versions } = bench.ask(describe, SERVER, 6) else { panic!() };
    let seen: Vec<_> = versions.iter().map(|found| (found.version, found.state, found.leased)).collect();
    assert_eq!(seen, [(1, RecordState::Shredded, Leased::No), (2, RecordState::Shredded, Leased::No)]);
}

/// No answer to anybody contains the data key, whatever is asked.
#[test]
fn no_answer_contains_the_data_key() {
    let folder = new_folder();
    let mut bench = Bench::on(&state_dir(&folder));
    let context = context(1, 1);
    let entropy: Vec<u8> = (0..76).map(|byte| byte ^ 0xA5).collect();
    let plain = keyhold_seal::PlainSecret::new("made-up-key", crate::fixture::SECRET, None).unwrap();
    let mut fixed = keyhold_seal::FixedEntropy::new(&entropy);
    let sealed = keyhold_seal::seal(&bench.public, &context, plain, &mut fixed).unwrap();
    let Answer::Imported { wrapped_data_key } = bench.ask(import(&context, &sealed), SERVER, 0) else {
        panic!()
    };
    let leasing = bench.lease(&context, &wrapped_data_key, 7, 0);
    let describe = Request::Describe(Describe { workspace: context.workspace, key: context.key });
    let answers = [
        leasing.answer,
        bench.ask(describe, SERVER, 0),
        bench.ask(Request::Status, BOT, 0),
        Answer::Imported { wrapped_data_key: wrapped_data_key.clone() },
    ];
    let data_key = &entropy[..32];
    for answer in answers {
        let text = serde_json::to_vec(&answer).unwrap();
        assert!(!text.windows(32).any(|window| window == data_key));
    }
    assert!(!wrapped_data_key.as_bytes().windows(16).any(|window| window == &data_key[..16]));
}
