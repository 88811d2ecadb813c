//! The running house and its first owner, with the steps a person takes.
//!
//! Keys are sealed here with the Rust half of the format, as the dashboard does with the TypeScript half.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use keyhold_domain::{ContractType, Environment, Exchange};
use keyhold_seal::{Context, KeeperPublicKey, PlainSecret};
use serde_json::{Value, json};
use xtask::paths::Profile;
use xtask::stack::{RequestLimits, Stack, StackOptions, TestKey};

use crate::http::{Answer, Client};

/// Keeper, fake exchange and server, claimed.
#[derive(Debug)]
pub struct House {
    /// The processes.
    pub stack: Stack,
    /// The owner's browser.
    pub owner: Client,
    /// Whose keys are added: that of the first exchange that is played.
    exchange: Exchange,
    /// The recording that the exchange plays; removed with the house.
    candles: Option<tempfile::TempPath>,
}

/// The password of the owner: long, and on no list.
pub const PASSWORD: &str = "correct-horse-battery-staple-41";

/// How long anything may take; it only ends a hopeless test.
const PATIENCE: Duration = Duration::from_mins(2);

/// Asks again until there is an answer.
///
/// # Panics
/// When there is none for too long.
#[track_caller]
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < limit, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A key to add.
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// The public part.
    pub key: &'a str,
    /// The secret part.
    pub secret: &'a str,
    /// The third part, at exchanges that have one.
    pub passphrase: Option<&'a str>,
}

impl<'a> From<&'a TestKey> for Secret<'a> {
    fn from(key: &'a TestKey) -> Self {
        Self { key: &key.key, secret: &key.secret, passphrase: key.passphrase.as_deref() }
    }
}

/// A credential sealed for this installation, ready to be stored.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Where it is put.
    pub path: String,
    /// What is put there.
    pub body: Value,
}

impl Sealed {
    /// The ciphertext as it is stored.
    ///
    /// # Panics
    /// Never: a sealed credential has one.
    pub fn envelope(&self) -> &str {
        self.body["envelope"].as_str().expect("it was sealed with one")
    }
}

impl House {
    /// A house whose market is a wave that moves only when told: [`crate::market`].
    ///
    /// # Panics
    /// When a program does not come up.
    pub fn stepping() -> Self {
        Self::stepping_at(Exchange::Bybit, "info")
    }

    /// The same, played by another exchange; server and bots log this much.
    ///
    /// # Panics
    /// When a program does not come up.
    pub fn stepping_at(exchange: Exchange, log: &'static str) -> Self {
        Self::at(exchange, log, RequestLimits::Enforced, None)
    }

    /// A stepping house that logs everything, and writes all it writes below this folder.
    ///
    /// # Panics
    /// When a program does not come up.
    pub fn talkative_in(folder: &Path) -> Self {
        Self::at(Exchange::Bybit, "trace", RequestLimits::Enforced, Some(folder.to_path_buf()))
    }

    /// The same, played by an exchange that may be asked more in a minute than it allows people.
    ///
    /// # Panics
    /// When a program does not come up.
    pub fn unlimited_at(exchange: Exchange) -> Self {
        Self::at(exchange, "info", RequestLimits::Off, None)
    }

    fn at(
        exchange: Exchange,
        log: &'static str,
        limits: RequestLimits,
        folder: Option<std::path::PathBuf>,
    ) -> Self {
        let candles = crate::market::wave_file().expect("the temporary folder is writable");
        let options = StackOptions {
            candles: Some(candles.to_path_buf()),
            speed: 0.0,
            seed: 11,
            venues: vec![exchange.as_str().to_owned()],
            limits,
            port: 0,
            folder,
            log,
            profile: Profile::Development,
        };
        let mut house = Self::open(&options);
        house.candles = Some(candles);
        house
    }

    /// Starts everything and claims it.
    ///
    /// # Panics
    /// When a program does not come up.
    pub fn open(options: &StackOptions) -> Self {
        let stack = Stack::start(options).expect("the programs start");
        let port = stack
            .url
            .rsplit(':')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("the address ends with a port");
        let mut owner = Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &stack.url);
        let claim = json!({ "code": stack.claim_code, "email": "owner@example.org", "password": PASSWORD });
        owner.post("/api/v1/claim", &claim).ok();
        let exchange = stack.venues.first().and_then(|venue| venue.exchange.parse().ok());
        Self { owner, exchange: exchange.expect("an exchange is played"), stack, candles: None }
    }

    /// Seals a key for this server's keeper and stores it; the server begins to test it.
    pub fn put_key(&mut self, label: &str, contract: ContractType, secret: Secret<'_>) -> Answer {
        let sealed = self.seal(label, contract, secret);
        self.owner.put(&sealed.path, &sealed.body)
    }

    /// Seals a key for this server's keeper, as a browser does.
    ///
    /// # Panics
    /// When the server does not say what to seal it to.
    pub fn seal(&mut self, label: &str, contract: ContractType, secret: Secret<'_>) -> Sealed {
        let intent = self
            .owner
            .post(
                "/api/v1/keys/intents",
                &json!({
                    "exchange": self.exchange.as_str(),
                    "environment": "simulated",
                    "contract_type": contract.as_str(),
                }),
            )
            .ok();
        let text = |path: &str| intent.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let context = Context {
            install: text("/install_id").parse().expect("an id"),
            workspace: text("/workspace_id").parse().expect("an id"),
            key: text("/key_id").parse().expect("an id"),
            version: intent["record_version"]
                .as_u64()
                .and_then(|version| version.try_into().ok())
                .expect("a version"),
            exchange: self.exchange,
            environment: Environment::Simulated,
            contract,
        };
        let keeper = KeeperPublicKey::parse(&text("/keeper/public_key")).expect("a public key");
        let plain = PlainSecret::new(secret.key, secret.secret, secret.passphrase).expect("a credential");
        let sealed = keyhold_seal::seal(&keeper, &context, plain, &mut KernelEntropy).expect("sealing works");
        let fingerprint_key = fingerprint_key(&text("/fingerprint_key"));
        let fingerprint =
            keyhold_seal::fingerprint(&fingerprint_key, self.exchange, Environment::Simulated, secret.key);
        let body = json!({
            "label": label,
            "envelope": sealed.envelope.to_text(),
            "sealed_data_key": sealed.data_key.to_text(),
            "hint": keyhold_seal::hint(secret.key),
            "fingerprint": fingerprint.to_text(),
        });
        Sealed { path: format!("/api/v1/keys/{}", context.key), body }
    }

    /// Adds the fake exchange's key with this name, tests it, chooses the symbol and switches it on. Answers its id.
    ///
    /// # Panics
    /// When a step is refused.
    pub fn add_sound_key(&mut self, name: &'static str, contract: ContractType, symbol: &str) -> String {
        let key = self.known(name);
        let stored = self.put_key(name, contract, Secret::from(&key)).ok();
        let id = stored["id"].as_str().expect("an id").to_owned();
        let tested = self.test_key(&id);
        assert_eq!(tested["verification"]["state"], "ok", "{}", tested["verification"]);
        self.owner.put(&format!("/api/v1/keys/{id}/instruments"), &json!({ "symbols": [symbol] })).ok();
        self.owner.patch(&format!("/api/v1/keys/{id}"), &json!({ "active": true })).ok();
        id
    }

    /// The exchange whose keys are added.
    pub const fn exchange(&self) -> Exchange {
        self.exchange
    }

    /// A key that the fake exchange knows.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn known(&self, name: &str) -> TestKey {
        self.stack.key(name).expect("a key of this name").clone()
    }

    /// Waits for the key's connection test and answers the key.
    pub fn test_key(&mut self, id: &str) -> Value {
        let path = format!("/api/v1/keys/{id}");
        eventually("the key's test", || {
            let key = self.owner.get(&path).ok();
            matches!(key["verification"]["state"].as_str(), Some("ok" | "failed")).then_some(key)
        })
    }

    /// Asks the fake exchange's control interface.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn venue(&self, call: &str, body: &Value) -> Value {
        let address: SocketAddr = self.stack.control().parse().expect("an address");
        let mut client = Client::new(address, &format!("http://{address}"));
        client.post(&format!("/{call}"), body).ok()
    }

    /// A folder that the programs write.
    pub fn folder(&self) -> &Path {
        &self.stack.folder
    }
}

impl Drop for House {
    /// Ends everything and removes what it wrote. A failed test shows what the programs and bots had to say.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stack.stop();
            std::fs::remove_dir_all(self.folder()).expect("the house's folder can be removed");
            return;
        }
        for name in ["keyhold", "keyhold-keeper", "keyhold-fake-venue"] {
            eprintln!("---- {name}\n{}", tail(&self.stack.log_of(name)));
        }
        let bots = self.folder().join("run").join("bots");
        for folder in std::fs::read_dir(bots).into_iter().flatten().flatten() {
            if let Ok(log) = std::fs::read_to_string(folder.path().join("log")) {
                eprintln!("---- bot {}\n{}", folder.file_name().display(), tail(&log));
            }
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

fn fingerprint_key(text: &str) -> [u8; 32] {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url");
    bytes.try_into().expect("32 bytes")
}

/// Randomness of the kernel, as a command-line client would use it.
#[derive(Debug)]
pub struct KernelEntropy;

impl keyhold_seal::EntropySource for KernelEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), keyhold_seal::EntropyUnavailable> {
        use std::io::Read as _;
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(bytes))
            .map_err(|_| keyhold_seal::EntropyUnavailable)
    }
}
