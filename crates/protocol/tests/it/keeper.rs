//! The keeper's messages: stable texts, and tickets that do not print themselves.

use std::time::Duration;

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::frame::{Deadline, read_message, write_message};
use keyhold_protocol::keeper::{
    Answer, AskError, Client, Describe, RULES, Refusal, Request, Ticket, TicketRequest,
};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(20);

#[test]
fn texts_are_stable() {
    let text = |request: &Request| serde_json::to_value(request).unwrap();
    assert_eq!(text(&Request::Status), json!({ "verb": "status" }));
    let describe =
        Request::Describe(Describe { workspace: WorkspaceId::from_u128(1), key: KeyId::from_u128(2) });
    assert_eq!(
        text(&describe),
        json!({ "verb": "describe", "args": {
            "workspace": "00000000000000000000000000000001", "key": "00000000000000000000000000000002" } })
    );
    let ticket = Request::Ticket(TicketRequest {
        workspace: WorkspaceId::from_u128(1),
        bot: BotId::from_u128(3),
        key: KeyId::from_u128(2),
        uid: 1001,
        valid_ms: None,
    });
    assert_eq!(text(&ticket)["args"]["uid"], 1001);
    for request in [Request::Status, Request::Release, describe, ticket] {
        assert_eq!(serde_json::from_value::<Request>(text(&request)).unwrap(), request);
    }
    let refused = Answer::Refused { code: Refusal::KeyInUse, pointer: None };
    assert_eq!(
        serde_json::to_value(&refused).unwrap(),
        json!({ "answer": "refused", "args": { "code": "KEY_IN_USE" } })
    );
}

#[test]
fn a_ticket_does_not_print_itself() {
    let ticket = Ticket::from_bytes([7; 32]);
    assert_eq!(format!("{ticket:?}"), "Ticket(…)");
    assert_eq!(Ticket::parse(&ticket.to_text()).unwrap(), ticket);
    assert!(Ticket::parse("AAAA").is_err());
}

#[tokio::test]
async fn the_client_pairs_answers_with_questions() {
    let (near, mut far) = tokio::io::duplex(4096);
    let keeper = tokio::spawn(async move {
        for wrong in [0u64, 1] {
            let asked =
                read_message::<Request, _>(&mut far, RULES, Deadline::Within(WITHIN)).await.unwrap().unwrap();
            write_message(&mut far, RULES, asked.id + wrong, &Answer::Released, WITHIN).await.unwrap();
        }
    });
    let mut client = Client::new(near);
    assert_eq!(client.ask(&Request::Release, WITHIN).await.unwrap(), Answer::Released);
    assert!(matches!(client.ask(&Request::Release, WITHIN).await, Err(AskError::OutOfStep)));
    keeper.await.unwrap();
    assert!(client.ask(&Request::Status, WITHIN).await.is_err());
}
