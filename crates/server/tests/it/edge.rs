//! What holds for every request: forgery, headers, and that nothing sent is repeated.

use serde_json::json;

use crate::world::{ORIGIN, World};

#[tokio::test]
async fn requests_from_other_sites_are_refused() {
    let world = World::start().await;
    let owner = world.owner().await;
    let with = |pairs: &[(&str, &str)]| {
        let mut client = owner.clone();
        client.extra = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        client
    };
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("sec-fetch-site", ""), ("origin", ORIGIN)], 200),
        (&[("sec-fetch-site", ""), ("origin", "http://evil.example")], 403),
        (&[("sec-fetch-site", "")], 403),
        (&[("content-type", "text/plain")], 415),
    ];
    for (headers, expected) in cases {
        let answer = with(headers).post("/templates/check", check_body()).await;
        assert_eq!(answer.status, expected, "{headers:?}: {}", answer.text);
    }
}

fn check_body() -> serde_json::Value {
    let template = keyhold_engine::system_templates::all().remove(0).template;
    json!({ "document": template })
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::start().await;
    let mut client = world.client();
    for path in
        ["/setup", "/me", "/nothing", "//", "//some/page", "//healthz", "//api/openapi.json", "//x.js"]
    {
        let answer = client.get(path).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{path}");
        assert!(policy.contains("require-trusted-types-for 'script'; trusted-types 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    client.get("/nothing").await.refused(404, "NOT_FOUND");
    client.get("//x.js").await.refused(404, "NOT_FOUND");
    assert!(client.get("//some/page").await.text.contains("<html"));
}

#[tokio::test]
async fn a_credential_in_clear_is_refused_and_not_repeated() {
    let world = World::start().await;
    let mut owner = world.owner().await;
    let canary = "cAnArYsEcReT0123456789";
    let bodies = [
        json!({"exchange": "bybit", "environment": "simulated", "contract_type": "linear", "api_secret": canary}),
        json!({"label": canary, "nested": [{"apiSecret": canary}]}),
        json!({"passphrase": canary}),
        json!({"secret": canary}),
    ];
    for body in bodies {
        for path in ["/keys/intents", "/bots", "/templates/check"] {
            let answer = owner.post(path, body.clone()).await;
            answer.refused(400, "PLAINTEXT_SECRET_REFUSED");
            assert!(!answer.text.contains(canary), "{}", answer.text);
        }
    }
    // A wrong field is answered with its place, never its value or an unknown name.
    let answer = owner.post("/bots", json!({"label": 7, "region": canary})).await;
    answer.refused(400, "INVALID_FIELD");
    assert!(!answer.text.contains(canary));
    assert_eq!(answer.body["pointer"], "/label");
    let answer = owner.call("POST", "/bots", Some(format!("{{\"label\": \"{canary}\", }}"))).await;
    answer.refused(400, "NOT_JSON");
    assert!(!answer.text.contains(canary));
    let answer = owner.get(&format!("/events?limit={canary}")).await;
    answer.refused(400, "INVALID_FIELD");
    assert!(!answer.text.contains(canary));
}

#[tokio::test]
async fn huge_bodies_are_refused() {
    let world = World::start().await;
    let mut owner = world.owner().await;
    let answer = owner.post("/bots", json!({"label": "x".repeat(300_000)})).await;
    answer.refused(413, "BODY_TOO_LARGE");
}
