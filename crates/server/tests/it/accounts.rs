//! Claiming, signing in and out, passwords, and the list of devices.

use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn an_installation_is_claimed_once_even_by_many_at_once() {
    let world = World::start().await;
    let code = world.claim_code();
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let mut client = world.client();
            let body = json!({"code": code, "email": format!("u{number}@example.org"), "password": PASSWORD});
            tokio::spawn(async move { client.post("/claim", body).await.status })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            201 => won += 1,
            403 => {}
            other => panic!("status {other}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(world.client().get("/setup").await.ok()["state"], "claimed");
}

#[tokio::test]
async fn wrong_and_used_codes_get_the_same_answer_and_a_limit() {
    let world = World::start().await;
    let mut client = world.client();
    let body = |code: &str| json!({"code": code, "email": "a@example.org", "password": PASSWORD});
    let wrong = client.post("/claim", body("wrong")).await;
    wrong.refused(403, "CLAIM_REFUSED");
    let mut owner = world.client();
    owner.post("/claim", body(&world.claim_code())).await.ok();
    let used = client.post("/claim", body(&world.claim_code())).await;
    used.refused(403, "CLAIM_REFUSED");
    assert_eq!(wrong.body["detail"], used.body["detail"]);
    for _ in 0..5 {
        client.post("/claim", body("wrong")).await;
    }
    let limited = client.post("/claim", body("wrong")).await;
    limited.refused(429, "RATE_LIMITED");
    assert!(limited.header("retry-after").is_some());
}

#[tokio::test]
async fn signing_in_tells_nothing_about_accounts_and_is_limited() {
    let world = World::start().await;
    world.owner().await;
    let mut client = world.client();
    let wrong =
        client.post("/session", json!({"email": "alice@example.org", "password": "not it at all"})).await;
    let unknown =
        client.post("/session", json!({"email": "nobody@example.org", "password": "not it at all"})).await;
    wrong.refused(401, "SIGN_IN_REFUSED");
    assert_eq!((wrong.status, &wrong.body["detail"]), (unknown.status, &unknown.body["detail"]));
    let right = json!({"email": " ALICE@example.org", "password": PASSWORD});
    let me = client.post("/session", right.clone()).await.ok();
    assert_eq!(me["user"]["email"], "alice@example.org");
    let mut last = client.post("/session", json!({"email": "alice@example.org", "password": "x"})).await;
    for _ in 0..12 {
        last = client.post("/session", json!({"email": "alice@example.org", "password": "x"})).await;
    }
    last.refused(429, "RATE_LIMITED");
    world.later(3_600_000);
    client.post("/session", right).await.ok();
}

#[tokio::test]
async fn cookies_are_bound_and_tokens_are_not_stored() {
    let world = World::start().await;
    let mut owner = world.owner().await;
    let answer = owner.post("/session", json!({"email": "alice@example.org", "password": PASSWORD})).await;
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    for part in ["__Host-sid=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let token = owner.cookie.clone().unwrap();
    for entry in std::fs::read_dir(world.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found(&token), "the token is in {}", path.display());
            assert!(!found(PASSWORD), "the password is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn ended_idle_and_old_sessions_are_refused() {
    let world = World::start().await;
    let mut first = world.owner().await;
    let mut second = world.client();
    second.post("/session", json!({"email": "alice@example.org", "password": PASSWORD})).await.ok();
    let sessions = first.get("/sessions").await.ok();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let other = sessions.as_array().unwrap().iter().find(|entry| entry["current"] == false).unwrap();
    let id = other["id"].as_str().unwrap();
    assert_eq!(first.delete(&format!("/sessions/{id}")).await.status, 204);
    second.get("/me").await.refused(401, "UNAUTHENTICATED");
    first.get("/me").await.ok();
    world.later(61 * 60 * 1000);
    first.get("/me").await.refused(401, "UNAUTHENTICATED");
    first.post("/session", json!({"email": "alice@example.org", "password": PASSWORD})).await.ok();
    for _ in 0..30 {
        world.later(50 * 60 * 1000);
        first.get("/me").await;
    }
    first.get("/me").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_new_password_needs_a_fresh_proof_and_ends_other_sessions() {
    let world = World::start().await;
    let mut first = world.owner().await;
    let mut second = world.client();
    second.post("/session", json!({"email": "alice@example.org", "password": PASSWORD})).await.ok();
    world.later(6 * 60 * 1000);
    let change = json!({"current_password": PASSWORD, "new_password": "eight purple whales sing"});
    first.post("/password", change.clone()).await.refused(403, "REAUTH_REQUIRED");
    first.post("/session/reverify", json!({"password": "wrong one"})).await.refused(403, "REVERIFY_REFUSED");
    first.post("/session/reverify", json!({"password": PASSWORD})).await.ok();
    let weak = first
        .post("/password", json!({"current_password": PASSWORD, "new_password": "passwordpassword"}))
        .await;
    weak.refused(422, "PASSWORD_WEAK");
    assert_eq!(weak.body["problems"][0]["code"], "PASSWORD_COMMON");
    assert_eq!(first.post("/password", change).await.status, 204);
    first.get("/me").await.ok();
    second.get("/me").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_closed_installation_takes_no_accounts() {
    let mut world = World::start().await;
    world.owner().await;
    world.config.registration = keyhold_server::config::Registration::Closed;
    world.restart().await;
    let body = json!({"email": "bob@example.org", "password": PASSWORD});
    world.client().post("/register", body).await.refused(403, "REGISTRATION_CLOSED");
}
