//! Every route, tried by nobody, by its owner's session gone stale, and by somebody else.
//!
//! The table below is compared with the API's own description: a route that is missing here fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::laboratory_world;
use crate::world::{Answer, Client, World};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Public,
    /// Anybody signed in.
    Signed,
    /// Signed in, with a proof of identity of the last five minutes.
    Fresh,
}
use Access::{Fresh, Public, Signed};

/// What `{id}` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    None,
    Key,
    Bot,
    Backtest,
    Fetch,
    Template,
    Trade,
    Session,
    Passkey,
}

type Route = (&'static str, &'static str, Access, Id, fn() -> Value);

fn empty() -> Value {
    json!({})
}
fn credentials() -> Value {
    json!({"email": "x@example.org", "password": "y"})
}
fn finish() -> Value {
    json!({"ceremony": "none", "credential": {}, "name": "n"})
}
fn place() -> Value {
    json!({"exchange": "bybit", "environment": "simulated", "contract_type": "linear"})
}
fn document() -> Value {
    json!({"document": keyhold_engine::system_templates::all().remove(0).template})
}
fn backtest() -> Value {
    laboratory_world::body(1_000, 2_000)
}
fn fetch() -> Value {
    let range = json!({"timeframe": "1m", "from": laboratory_world::START_MS});
    laboratory_world::with(laboratory_world::place(laboratory_world::SYMBOL), range)
}
fn sealed() -> Value {
    // Well-formed blobs of the right kinds; what they say does not matter for who may send them.
    json!({
        "label": "l", "hint": "ABCD…WXYZ", "fingerprint": "A".repeat(43),
        "envelope": crate::keys::any_envelope(), "sealed_data_key": crate::keys::any_data_key()
    })
}

const ROUTES: &[Route] = &[
    ("get", "/setup", Public, Id::None, empty),
    ("post", "/claim", Public, Id::None, || json!({"code": "c", "email": "x@example.org", "password": "y"})),
    ("post", "/claim/passkey/begin", Public, Id::None, || json!({"code": "c", "email": "x@example.org"})),
    ("post", "/claim/passkey/finish", Public, Id::None, finish),
    ("get", "/me", Signed, Id::None, empty),
    ("post", "/me/close", Fresh, Id::None, || json!({"email": "nobody@example.org"})),
    ("post", "/register", Public, Id::None, credentials),
    ("post", "/session", Public, Id::None, credentials),
    ("delete", "/session", Signed, Id::None, empty),
    ("post", "/session/passkey/begin", Public, Id::None, empty),
    ("post", "/session/passkey/finish", Public, Id::None, finish),
    ("post", "/session/reverify", Signed, Id::None, || json!({"password": "x"})),
    ("post", "/session/reverify/passkey/begin", Signed, Id::None, empty),
    ("post", "/session/reverify/passkey/finish", Signed, Id::None, finish),
    ("get", "/sessions", Signed, Id::None, empty),
    ("delete", "/sessions/{id}", Signed, Id::Session, empty),
    ("get", "/passkeys", Signed, Id::None, empty),
    ("post", "/passkeys/begin", Fresh, Id::None, empty),
    ("post", "/passkeys/finish", Fresh, Id::None, finish),
    ("patch", "/passkeys/{id}", Fresh, Id::Passkey, || json!({"name": "n"})),
    ("delete", "/passkeys/{id}", Fresh, Id::Passkey, empty),
    ("post", "/password", Fresh, Id::None, || json!({"new_password": "x"})),
    ("get", "/exchanges", Signed, Id::None, empty),
    ("get", "/catalog", Signed, Id::None, empty),
    ("get", "/instruments", Signed, Id::None, empty),
    ("get", "/protections", Signed, Id::None, empty),
    ("get", "/keys", Signed, Id::None, empty),
    ("post", "/keys/intents", Fresh, Id::None, place),
    ("get", "/keys/{id}", Signed, Id::Key, empty),
    ("put", "/keys/{id}", Fresh, Id::Key, sealed),
    ("patch", "/keys/{id}", Signed, Id::Key, || json!({"label": "n"})),
    ("delete", "/keys/{id}", Fresh, Id::Key, empty),
    ("post", "/keys/{id}/test", Signed, Id::Key, empty),
    ("get", "/keys/{id}/custody", Signed, Id::Key, empty),
    ("post", "/keys/{id}/leaked", Signed, Id::Key, empty),
    ("put", "/keys/{id}/instruments", Signed, Id::Key, || json!({"symbols": []})),
    ("get", "/templates", Signed, Id::None, empty),
    ("post", "/templates", Signed, Id::None, document),
    ("post", "/templates/check", Signed, Id::None, document),
    ("get", "/templates/{id}", Signed, Id::Template, empty),
    ("put", "/templates/{id}", Signed, Id::Template, document),
    ("delete", "/templates/{id}", Signed, Id::Template, empty),
    ("get", "/bots", Signed, Id::None, empty),
    ("post", "/bots", Signed, Id::None, || json!({"label": "made by the table", "start": "paused"})),
    ("get", "/bots/{id}", Signed, Id::Bot, empty),
    ("patch", "/bots/{id}", Signed, Id::Bot, || json!({"label": "n"})),
    ("delete", "/bots/{id}", Signed, Id::Bot, empty),
    ("post", "/bots/{id}/pause", Signed, Id::Bot, empty),
    ("post", "/bots/{id}/resume", Signed, Id::Bot, empty),
    ("post", "/bots/{id}/flatten", Signed, Id::Bot, empty),
    ("post", "/bots/{id}/stop", Signed, Id::Bot, empty),
    ("post", "/bots/{id}/deploy", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/commands", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/decisions", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/orders", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/fills", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/deployments", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/events", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/candles", Signed, Id::Bot, empty),
    ("get", "/bots/{id}/why", Signed, Id::Bot, empty),
    ("get", "/candles", Signed, Id::None, empty),
    ("get", "/candles/fetches", Signed, Id::None, empty),
    ("post", "/candles/fetches", Signed, Id::None, fetch),
    ("get", "/candles/fetches/{id}", Signed, Id::Fetch, empty),
    ("post", "/candles/fetches/{id}/cancel", Signed, Id::Fetch, empty),
    ("delete", "/candles/fetches/{id}", Signed, Id::Fetch, empty),
    ("get", "/backtests", Signed, Id::None, empty),
    ("post", "/backtests", Signed, Id::None, backtest),
    ("post", "/backtests/check", Signed, Id::None, backtest),
    ("get", "/backtests/compare", Signed, Id::None, empty),
    ("get", "/backtests/{id}", Signed, Id::Backtest, empty),
    ("delete", "/backtests/{id}", Signed, Id::Backtest, empty),
    ("post", "/backtests/{id}/cancel", Signed, Id::Backtest, empty),
    ("get", "/backtests/{id}/result", Signed, Id::Backtest, empty),
    ("get", "/backtests/{id}/trades", Signed, Id::Backtest, empty),
    ("get", "/backtests/{id}/export", Signed, Id::Backtest, empty),
    ("get", "/trades", Signed, Id::None, empty),
    ("get", "/trades/{id}", Signed, Id::Trade, empty),
    ("get", "/positions", Signed, Id::None, empty),
    ("get", "/equity", Signed, Id::None, empty),
    ("get", "/dashboard", Signed, Id::None, empty),
    ("get", "/events", Signed, Id::None, empty),
    ("get", "/stream", Signed, Id::None, empty),
];

const UNKNOWN: &str = "00000000000000000000000000000abc";

async fn ask(client: &mut Client, route: &Route, id: &str) -> Answer {
    let (method, path, _, _, body) = route;
    let body = (*method != "get").then(|| body().to_string());
    client.call(&method.to_uppercase(), &path.replace("{id}", id), body).await
}

#[test]
fn the_table_names_every_route_of_the_api() {
    let described = serde_json::to_value(keyhold_server::api::document()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = path.strip_prefix(keyhold_server::api::PREFIX).unwrap();
            routes.insert((method.clone(), path.to_owned()));
        }
    }
    let table: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(routes, table);
}

#[tokio::test]
async fn nobody_gets_nothing_and_a_stale_session_changes_nothing_sensitive() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.later(6 * 60 * 1000);
    for route in ROUTES {
        let (method, path, access, ..) = route;
        if *access != Public {
            ask(&mut world.client(), route, UNKNOWN).await.refused(401, "UNAUTHENTICATED");
        }
        if *access == Fresh {
            let answer = ask(&mut owner.clone(), route, UNKNOWN).await;
            assert_eq!(answer.code(), "REAUTH_REQUIRED", "{method} {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn things_of_others_are_answered_like_things_that_are_not_there() {
    let world = World::start().await;
    let mut alice = world.owner().await;
    let mut bob = world.user("bob@example.org").await;
    let bot = alice.post("/bots", json!({"label": "alice's", "start": "paused"})).await.ok();
    let template = alice.post("/templates", document()).await.ok();
    let session = alice.get("/sessions").await.ok();
    laboratory_world::record(&world, &laboratory_world::candles(2_000));
    laboratory_world::list_markets(&world).await;
    let backtest = alice.post("/backtests", backtest()).await.ok();
    let fetch = alice.post("/candles/fetches", fetch()).await.ok();
    let foreign = |id: Id| match id {
        Id::Bot => bot["id"].as_str().unwrap().to_owned(),
        Id::Template => template["id"].as_str().unwrap().to_owned(),
        Id::Session => session[0]["id"].as_str().unwrap().to_owned(),
        Id::Backtest => backtest["id"].as_str().unwrap().to_owned(),
        Id::Fetch => fetch["id"].as_str().unwrap().to_owned(),
        // Keys, trades and passkeys need a keeper, a venue and a browser; their store calls are tested one by one.
        Id::Key | Id::Trade | Id::Passkey | Id::None => UNKNOWN.to_owned(),
    };
    let plain = |answer: &Answer| {
        let mut body = answer.body.clone();
        body["request_id"] = Value::Null;
        (answer.status, body)
    };
    let mut tried = 0;
    for route in ROUTES.iter().filter(|route| route.3 != Id::None) {
        let id = foreign(route.3);
        let theirs = ask(&mut bob, route, &id).await;
        let unknown = ask(&mut bob, route, UNKNOWN).await;
        let nonsense = ask(&mut bob, route, "nonsense").await;
        assert_eq!(plain(&theirs), plain(&unknown), "{} {}", route.0, route.1);
        assert_eq!(plain(&nonsense), plain(&unknown), "{} {}", route.0, route.1);
        theirs.refused(404, "NOT_FOUND");
        tried += 1;
    }
    assert!(tried > 20);
    // Nothing of alice's was touched, and bob's lists show none of it.
    assert_eq!(alice.get(&format!("/bots/{}", bot["id"].as_str().unwrap())).await.ok()["label"], "alice's");
    for path in [
        "/bots",
        "/templates",
        "/sessions",
        "/events",
        "/positions",
        "/keys",
        "/trades",
        "/dashboard",
        "/backtests",
        "/candles/fetches",
    ] {
        let text = bob.get(path).await.text;
        for id in [&bot["id"], &template["id"], &session[0]["id"], &backtest["id"], &fetch["id"]] {
            assert!(!text.contains(id.as_str().unwrap()), "{path} shows {id}");
        }
    }
    world.end().await;
}
