//! What the API says of exchanges, and how it refuses those that cannot be used.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_exchange_is_told_with_its_guide_its_fields_and_its_hosts() {
    let world = World::start().await;
    let mut alice = world.owner().await;
    let all = alice.get("/exchanges").await.ok();
    let bybit = all.as_array().unwrap().iter().find(|entry| entry["exchange"] == "bybit").unwrap();
    assert_eq!(bybit["environments"], json!(["live", "testnet", "simulated"]));
    assert_eq!(bybit["passphrase"], "none");
    assert_eq!(bybit["fields"]["api_secret"]["lengths"], json!([36]));
    assert_eq!(bybit["fields"]["passphrase"], json!(null));
    assert_eq!(bybit["hosts"][0]["hosts"], json!(["api.bybit.com", "stream.bybit.com"]));
    let hosts = bybit["hosts"].as_array().unwrap();
    let of = |environment: &str| hosts.iter().filter(|of| of["environment"] == environment).count();
    assert_eq!((of("live"), of("testnet")), (8, 1));
    assert_eq!(of("simulated"), 0, "nothing outside is needed for paper trading");
    let certain =
        |part: &str| bybit["guide"][part].as_array().unwrap().iter().all(|box_| box_["certain"] == true);
    assert!(certain("tick"), "{}", bybit["guide"]["tick"]);
    assert!(!certain("steps"), "what nobody has checked is marked");
    world.end().await;
}

#[tokio::test]
async fn a_closed_exchange_is_refused_by_name_with_what_to_do() {
    let world = World::start().await;
    let mut alice = world.owner().await;
    for environment in ["live", "testnet"] {
        let place = json!({"exchange": "bitmex", "environment": environment, "contract_type": "inverse"});
        let refused = alice.post("/keys/intents", place).await;
        refused.refused(400, "EXCHANGE_CLOSED");
        for words in ["closed on 2026-09-23", "\"/environment\"", "paper trading"] {
            assert!(refused.text.contains(words), "{}", refused.text);
        }
    }
    // Its simulation is refused for another reason: this server runs none.
    let place = json!({"exchange": "bitmex", "environment": "simulated", "contract_type": "inverse"});
    alice.post("/keys/intents", place).await.refused(400, "EXCHANGE_UNSUPPORTED");
    world.end().await;
}

#[tokio::test]
async fn a_key_names_the_site_of_its_account() {
    let world = World::start().await;
    let mut alice = world.owner().await;
    let place = |exchange: &str, environment: &str, site: &str| {
        json!({
            "exchange": exchange, "environment": environment, "contract_type": "linear", "site": site,
        })
    };
    let known = [
        ("bybit", "live", "global"),
        ("bybit", "live", "turkey"),
        ("okx", "live", "european_economic_area"),
        ("okx", "testnet", "united_states"),
        ("binance", "live", "global"),
    ];
    for (exchange, environment, site) in known {
        alice.post("/keys/intents", place(exchange, environment, site)).await.ok();
    }
    let unknown = [
        ("bybit", "live", "atlantis"),
        ("bybit", "live", "united_states"),
        ("bybit", "testnet", "turkey"),
        ("bybit", "simulated", "turkey"),
        ("binance", "live", "turkey"),
        ("kraken_futures", "live", "european_economic_area"),
    ];
    for (exchange, environment, site) in unknown {
        let refused = alice.post("/keys/intents", place(exchange, environment, site)).await;
        refused.refused(400, "EXCHANGE_SITE_UNKNOWN");
        assert!(
            refused.text.contains("Its sites: global"),
            "{exchange} {environment} {site}: {}",
            refused.text
        );
        assert!(!refused.text.contains("atlantis"), "it is not repeated");
    }
    world.end().await;
}
