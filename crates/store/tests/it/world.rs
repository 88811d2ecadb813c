//! A store with two users, and short ways to make keys and bots in it.

use keyhold_domain::{
    BotId, ContractType, DeploymentId, Environment, Exchange, Id, InstallId, KeyId, Site, Timestamp,
};
use keyhold_store::{
    Actor, Claim, KeyIntent, NewApiKey, NewBot, NewUser, Store, StoreOptions, Wish, WorkspaceStore,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_760_000_000_000);

/// A store that is removed with the value.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) alice: Actor,
    pub(crate) bob: Actor,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::open(None).await
    }

    /// SQLite always; PostgreSQL in a schema of its own when the environment names a server.
    pub(crate) async fn every_engine(test: &str) -> Vec<Self> {
        let mut worlds = vec![Self::sqlite().await];
        match std::env::var("KEYHOLD_TEST_POSTGRES_URL") {
            Err(_) => eprintln!("SKIPPED: {test} on PostgreSQL, KEYHOLD_TEST_POSTGRES_URL is not set"),
            Ok(url) => {
                let schema = format!("{test}_{}", std::process::id());
                let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
                let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
                connection.execute(AssertSqlSafe(sql)).await.unwrap();
                let separator = if url.contains('?') { '&' } else { '?' };
                let own = format!("{url}{separator}options=-csearch_path%3D{schema}");
                worlds.push(Self::open(Some(own)).await);
            }
        }
        worlds
    }

    async fn open(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            folder: folder.path().join("data"),
            url,
            now: NOW,
            install: InstallId::from_u128(1),
            fingerprint_key: "A".repeat(43),
        };
        let store = Store::open(&options).await.unwrap();
        store.put_claim_code("right", NOW.plus_ms(1000)).await.unwrap();
        let user = |number: u128, email: &str| NewUser {
            id: Id::from_u128(number),
            workspace: Id::from_u128(number + 1000),
            email: email.to_owned(),
            password_hash: Some("$argon2id$test".to_owned()),
            now: NOW,
        };
        let wrong = Claim { code_hash: "wrong".to_owned(), user: user(9, "mallory@example.org") };
        assert!(store.claim(&wrong).await.is_err(), "a wrong code claims nothing");
        let right = Claim { code_hash: "right".to_owned(), user: user(1, "alice@example.org") };
        let alice = store.claim(&right).await.unwrap();
        assert!(store.claim(&right).await.is_err(), "a code works once");
        let bob = store.register(&user(2, "bob@example.org")).await.unwrap();
        assert!(store.register(&user(3, "BOB@example.org ")).await.is_err(), "addresses are unique");
        Self { store, folder, alice, bob }
    }

    pub(crate) fn of_alice(&self) -> WorkspaceStore {
        self.store.workspace(&self.alice)
    }

    pub(crate) fn of_bob(&self) -> WorkspaceStore {
        self.store.workspace(&self.bob)
    }
}

pub(crate) fn sealed(number: u128, envelope: &str) -> NewApiKey {
    NewApiKey {
        intent: KeyIntent {
            key: KeyId::from_u128(number),
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract_type: ContractType::Linear,
            site: Site::Global,
            version: 1,
            expires_at: NOW.plus_ms(600_000),
        },
        label: format!("key {number}"),
        hint: "ABCD…WXYZ".to_owned(),
        fingerprint: format!("fingerprint-{number}"),
        envelope: envelope.to_owned(),
        wrapped_data_key: format!("wrapped-{envelope}"),
        now: NOW,
    }
}

/// Stores a key with its intent.
pub(crate) async fn add_key(store: &WorkspaceStore, number: u128) -> KeyId {
    let new = sealed(number, &format!("envelope-{number}"));
    store.add_intent(&new.intent, NOW).await.unwrap();
    store.put_key(&new).await.unwrap();
    new.intent.key
}

pub(crate) fn bot(number: u128) -> NewBot {
    NewBot {
        id: BotId::from_u128(number),
        label: format!("bot {number}"),
        region: "local".to_owned(),
        wish: Wish::Running,
        key: None,
        template: None,
        settings: serde_json::json!({}),
        deployment: DeploymentId::from_u128(number + 5000),
        now: NOW,
    }
}
