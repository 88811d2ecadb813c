//! Writes the test vectors of `testdata/envelopes/`: `cargo run -p keyhold-unseal --example vectors`.
//!
//! Everything is computed from labels, so running it again gives the same bytes; a test checks that. All credentials
//! in the vectors are made up. The tests of this crate include this file as a module.

#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a generator for tests, not an interface"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use keyhold_domain::{BotId, ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};
use keyhold_os::secret::LockedBox;
use keyhold_seal::{Context, FixedEntropy, Input, PlainSecret, Sealed, fingerprint, hint, inspect, seal};
use keyhold_unseal::open::EphemeralKey;
use keyhold_unseal::rewrap::{
    EpochKey, KeeperSecretKey, Member, MemberKey, Recipient, RootKey, Shield, SlotSecret, Under, Wrapping,
    import, lease, wrap_root,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn main() {
    for (name, value) in files() {
        let path = folder().join(name);
        std::fs::write(&path, text(&value)).expect("testdata is writable");
        println!("{}", path.display());
    }
}

/// Where the vectors live.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/envelopes")
}

/// Names of objects in order: whether `Value` keeps them sorted depends on what else is built with it.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        plain => plain.clone(),
    }
}

/// The text of one file.
pub fn text(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).expect("a JSON value is writable");
    text.push('\n');
    text
}

/// All files with their contents.
pub fn files() -> Vec<(&'static str, Value)> {
    let cases: Vec<Value> = plans().iter().map(case).collect();
    vec![
        ("seal.json", json!({ "format": "docs/formats/envelope.md", "cases": cases })),
        ("keys.json", hierarchy()),
        ("malformed.json", malformed()),
        ("hints.json", hints()),
        ("inspect.json", inspections()),
    ]
}

/// What one case seals.
pub struct Plan {
    pub name: &'static str,
    pub context: Context,
    pub api_key: String,
    pub api_secret: String,
    pub passphrase: Option<String>,
}

/// `count` bytes that look random and are the same every time.
pub fn stream(label: &str, count: usize) -> Vec<u8> {
    let block = |index: usize| Sha256::digest(format!("keyhold test vector: {label}: {index}"));
    (0..count.div_ceil(32)).flat_map(block).take(count).collect()
}

fn key(label: &str) -> [u8; 32] {
    stream(label, 32).try_into().unwrap()
}

fn id(label: &str) -> [u8; 16] {
    stream(label, 16).try_into().unwrap()
}

pub fn context(
    exchange: Exchange,
    environment: Environment,
    contract: ContractType,
    version: u32,
) -> Context {
    Context {
        install: InstallId::from_bytes(id("install")),
        workspace: WorkspaceId::from_bytes(id("workspace")),
        key: KeyId::from_bytes(id(exchange.as_str())),
        version,
        exchange,
        environment,
        contract,
    }
}

pub fn plans() -> Vec<Plan> {
    let plan = |name, context, api_key: &str, api_secret: &str, passphrase: Option<&str>| Plan {
        name,
        context,
        api_key: api_key.to_owned(),
        api_secret: api_secret.to_owned(),
        passphrase: passphrase.map(str::to_owned),
    };
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "MADEUPBYTES".repeat(150));
    let linear = ContractType::Linear;
    vec![
        plan(
            "shared secret, linear, live",
            context(Exchange::Bybit, Environment::Live, linear, 1),
            "MADEUPKEYMADEUPKEY",
            "made-up-secret-for-vectors-only-1234",
            None,
        ),
        plan(
            "passphrase",
            context(Exchange::Okx, Environment::Testnet, linear, 2),
            "00000000-1111-2222-3333-444444444444",
            "MADE0UP0SECRET0FOR0VECTORS0ONLY0",
            Some("made up, with blanks & ünïcode"),
        ),
        plan(
            "empty passphrase is not no passphrase",
            context(Exchange::Bitmex, Environment::Simulated, ContractType::Inverse, 4_294_967_295),
            "short",
            "s",
            Some(""),
        ),
        plan(
            "exactly 512 bytes",
            context(Exchange::KrakenFutures, Environment::Live, ContractType::Inverse, 1),
            "MADEUPKEY",
            &"A".repeat(495),
            None,
        ),
        plan(
            "private key in PEM form, 2048 bytes",
            context(Exchange::Binance, Environment::Live, linear, 1),
            "MADEUPKEYMADEUPKEYMADEUPKEYMADEUPKEY",
            &pem,
            None,
        ),
    ]
}

/// Everything secret on the keeper's side.
pub struct KeeperSide {
    pub house: MemberKey,
    pub workspace: MemberKey,
    pub secret_key: KeeperSecretKey,
    pub slot: SlotSecret,
    pub index: u32,
}

pub fn locked(label: &str) -> LockedBox<32> {
    LockedBox::take_from(&mut key(label)).unwrap()
}

pub fn shield() -> std::sync::Arc<Shield> {
    Shield::new(&mut FixedEntropy::new(&stream("shield", 16 * 1024))).unwrap()
}

pub fn keeper_side() -> KeeperSide {
    let shield = shield();
    let house = MemberKey::new(&shield, locked("house key")).unwrap();
    let workspace = MemberKey::new(&shield, locked("workspace key")).unwrap();
    let install = InstallId::from_bytes(id("install"));
    let secret_key =
        KeeperSecretKey::derive(&house, install, &SlotSecret::new(locked("keeper seed"))).unwrap();
    KeeperSide { house, workspace, secret_key, slot: SlotSecret::new(locked("slot secret")), index: 7 }
}

impl KeeperSide {
    pub fn wrapping(&self) -> Wrapping<'_> {
        Wrapping { under: Under::Workspace(&self.workspace), slot: &self.slot, index: self.index }
    }

    /// As keepers wrapped before workspaces had keys of their own.
    pub fn old_wrapping(&self) -> Wrapping<'_> {
        Wrapping { under: Under::House(&self.house), ..self.wrapping() }
    }
}

pub fn sealed(plan: &Plan, keeper: &KeeperSide) -> Sealed {
    let secret = PlainSecret::new(&plan.api_key, &plan.api_secret, plan.passphrase.as_deref()).unwrap();
    let mut entropy = FixedEntropy::new(&stream(&format!("entropy: {}", plan.name), 76));
    seal(keeper.secret_key.public(), &plan.context, secret, &mut entropy).unwrap()
}

pub fn bot_key() -> EphemeralKey {
    EphemeralKey::generate(&mut FixedEntropy::new(&stream("bot key material", 32))).unwrap()
}

pub fn recipient() -> Recipient {
    Recipient { bot: BotId::from_bytes(id("bot")), lease: id("lease"), key: bot_key().public().clone() }
}

fn case(plan: &Plan) -> Value {
    let keeper = keeper_side();
    let sealed = sealed(plan, &keeper);
    let mut wrap_entropy = FixedEntropy::new(&stream("wrap nonce", 12));
    let wrapped =
        import(&keeper.secret_key, keeper.wrapping(), &plan.context, &sealed.data_key, &mut wrap_entropy)
            .unwrap();
    let mut wrap_entropy = FixedEntropy::new(&stream("wrap nonce", 12));
    let old = keeper.old_wrapping();
    let wrapped_v1 =
        import(&keeper.secret_key, old, &plan.context, &sealed.data_key, &mut wrap_entropy).unwrap();
    let mut lease_entropy = FixedEntropy::new(&stream("lease entropy", 32));
    let answer = lease(keeper.wrapping(), &plan.context, &wrapped, &recipient(), &mut lease_entropy).unwrap();
    let print =
        fingerprint(&key("fingerprint key"), plan.context.exchange, plan.context.environment, &plan.api_key);
    json!({
        "name": plan.name,
        "install": plan.context.install.to_string(),
        "workspace": plan.context.workspace.to_string(),
        "key": plan.context.key.to_string(),
        "version": plan.context.version,
        "exchange": plan.context.exchange.as_str(),
        "environment": plan.context.environment.as_str(),
        "contract": plan.context.contract.as_str(),
        "context": plan.context.to_text(),
        "api_key": plan.api_key,
        "api_secret": plan.api_secret,
        "passphrase": plan.passphrase,
        "entropy_hex": hex(&stream(&format!("entropy: {}", plan.name), 76)),
        "keeper_public": keeper.secret_key.public().to_text(),
        "keeper_key_id": keeper.secret_key.public().id().to_text(),
        "keeper_fingerprint": keeper.secret_key.public().id().fingerprint(),
        "envelope": sealed.envelope.to_text(),
        "sealed_data_key": sealed.data_key.to_text(),
        "hint": hint(&plan.api_key),
        "fingerprint_key_hex": hex(&key("fingerprint key")),
        "fingerprint": print.to_text(),
        "keeper": {
            "house_key_hex": hex(&key("house key")),
            "workspace_key_hex": hex(&key("workspace key")),
            "seed_hex": hex(&key("keeper seed")),
            "slot_secret_hex": hex(&key("slot secret")),
            "slot_index": keeper.index,
            "wrap_nonce_hex": hex(&stream("wrap nonce", 12)),
            "wrapped_data_key": wrapped.to_text(),
            "wrapped_data_key_v1": wrapped_v1.to_text(),
        },
        "bot": {
            "key_material_hex": hex(&stream("bot key material", 32)),
            "public": recipient().key.to_text(),
            "bot": recipient().bot.to_string(),
            "lease_hex": hex(&recipient().lease),
            "lease_entropy_hex": hex(&stream("lease entropy", 32)),
            "answer": answer.to_text(),
        },
    })
}

/// Provider, root key, epoch key, workspace key and house key, each wrapped under the one before.
fn hierarchy() -> Value {
    let shield = shield();
    let install = InstallId::from_bytes(id("install"));
    let workspace = WorkspaceId::from_bytes(id("workspace"));
    let root = RootKey::new(&shield, locked("root key")).unwrap();
    let side = keeper_side();
    let nonce = |label: &str| FixedEntropy::new(&stream(label, 12));
    let cases: Vec<Value> = [1u32, 2]
        .into_iter()
        .map(|epoch| {
            let key = EpochKey::new(&shield, epoch, locked(&format!("epoch key {epoch}"))).unwrap();
            let wrapped = root.wrap(install, &key, &mut nonce("epoch nonce")).unwrap();
            let member = Member::Workspace(workspace);
            let tenant = key.wrap(install, member, &side.workspace, &mut nonce("workspace nonce")).unwrap();
            let house = key.wrap(install, Member::House, &side.house, &mut nonce("house nonce")).unwrap();
            json!({
                "epoch": epoch,
                "epoch_key_hex": hex(&stream(&format!("epoch key {epoch}"), 32)),
                "wrapped_epoch_key_hex": hex(&wrapped.0),
                "wrapped_workspace_key_hex": hex(&tenant.0),
                "wrapped_house_key_hex": hex(&house.0),
            })
        })
        .collect();
    let provided = |kind: u8, parameters: &[u8]| {
        let mut entropy = nonce("provider nonce");
        let secret = locked("provider secret");
        wrap_root(&secret, install, kind, parameters, root.open().unwrap(), &mut entropy).unwrap()
    };
    json!({
        "install": install.to_string(),
        "workspace": workspace.to_string(),
        "root_key_hex": hex(&key("root key")),
        "house_key_hex": hex(&key("house key")),
        "workspace_key_hex": hex(&key("workspace key")),
        "provider_secret_hex": hex(&key("provider secret")),
        "root_key_by_file_hex": hex(&provided(1, &[]).0),
        "parameters_hex": hex(&stream("parameters", 28)),
        "root_key_by_passphrase_hex": hex(&provided(2, &stream("parameters", 28)).0),
        "audit_seed_hex": hex(side.house.audit_seed(install).unwrap().expose()),
        "keys_file_mac_hex": hex(&root.authenticate(install, b"keyhold/keys/v1", b"content").unwrap()),
        "epochs": cases,
    })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// Variants of the first case that must be refused: at `parse`, or later at `open`.
fn malformed() -> Value {
    let keeper = keeper_side();
    let plan = &plans()[0];
    let sealed = sealed(plan, &keeper);
    let envelope = sealed.envelope.as_bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = envelope.to_vec();
        bytes[at] = value;
        text_of(&bytes)
    };
    let flipped = |at: usize| with(at, envelope[at] ^ 1);
    let refused =
        |name: &str, stage: &str, text: String| json!({ "name": name, "stage": stage, "envelope": text });
    let good = sealed.envelope.to_text();
    json!({
        "context": plan.context.to_text(),
        "cases": [
            refused("empty", "parse", String::new()),
            refused("one byte short", "parse", text_of(&envelope[..envelope.len() - 1])),
            refused("one byte long", "parse", text_of(&[envelope, &[0]].concat())),
            refused("cut to nothing but the context", "parse", text_of(&envelope[..62])),
            refused("padded base64", "parse", format!("{good}=")),
            refused("standard base64 alphabet", "parse", format!("+{}", &good[1..])),
            refused("blank inside", "parse", format!("{} {}", &good[..40], &good[41..])),
            refused("not canonical: unused bits set", "parse", noncanonical(&good)),
            refused("other magic", "parse", with(0, b'X')),
            refused("other format version", "parse", with(4, 2)),
            refused("other suite", "parse", with(5, 2)),
            refused("record version zero", "parse", text_of(&[&envelope[..54], &[0; 4], &envelope[58..]].concat())),
            refused("unknown exchange", "parse", with(59, 99)),
            refused("unknown environment", "parse", with(60, 0)),
            refused("unknown contract type", "parse", with(61, 3)),
            refused("other installation", "open", flipped(6)),
            refused("other workspace", "open", flipped(22)),
            refused("other key", "open", flipped(38)),
            refused("other record version", "open", flipped(54)),
            refused("other exchange", "open", with(59, 2)),
            refused("other environment", "open", with(60, 2)),
            refused("other contract type", "open", with(61, 2)),
            refused("commitment", "open", flipped(62)),
            refused("nonce", "open", flipped(94)),
            refused("ciphertext", "open", flipped(106)),
            refused("tag", "open", flipped(envelope.len() - 1)),
        ],
    })
}

/// Base64url of any bytes, written here so that wrong ones can be written too.
fn text_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word =
            group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..=group.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text
}

/// The same bytes with a last character whose unused bits are not zero. 634 bytes leave one byte over.
fn noncanonical(good: &str) -> String {
    let last = if good.ends_with('A') { "B" } else { "h" };
    format!("{}{last}", &good[..good.len() - 1])
}

fn hints() -> Value {
    let keys = [
        "",
        "a",
        "abc",
        "abcd",
        "abcdefg",
        "abcdefgh",
        "abcdefghijk",
        "abcdefghijkl",
        "abcdefghijklmno",
        "abcdefghijklmnop",
        "MADEUPKEYMADEUPKEY",
        "ключ-ключ-ключ-ключ",
        "😀😀😀😀",
    ];
    Value::from(keys.iter().map(|key| json!({ "api_key": key, "hint": hint(key) })).collect::<Vec<_>>())
}

fn inspections() -> Value {
    let pem = "-----BEGIN PRIVATE KEY-----\nMADE UP\n-----END PRIVATE KEY-----\n";
    let cases: [(&str, &str, Option<&str>, Option<&str>); 16] = [
        ("MADEUPKEY", "made-up-secret", None, None),
        (" MADEUPKEY\n", "\tmade-up-secret\r\n", None, Some("main")),
        ("MADE\u{200b}UPKEY\u{feff}", "\u{2060}made-up-secret\u{ad}", Some(" phrase \n"), None),
        ("MADE\nUPKEY", "made-up\r\n-secret", None, None),
        ("MADE UPKEY", "made-up\u{a0}secret", None, None),
        ("someone@example.com", "made-up-secret", None, None),
        ("MADEUPKEY", "hunter@2", None, None),
        ("MADEUPKEY", "MADEUPKEY ", None, None),
        ("My Bybit key", "made-up-secret", None, Some("My Bybit key")),
        ("MADEUPKEY", "main", None, Some(" main")),
        ("", " \n", Some(""), None),
        ("", "", None, None),
        ("MADEUPKEY", pem, None, None),
        ("MADEUPKEY", "made-up-secret", Some("p@ss"), None),
        ("MADEUPKEY", "made-up-secret", Some("someone@example.com"), None),
        ("MaDeUpKeY", "madeupkey", Some("two words"), None),
    ];
    Value::from(cases.iter().map(|case| inspection(*case)).collect::<Vec<_>>())
}

fn inspection((api_key, api_secret, passphrase, label): (&str, &str, Option<&str>, Option<&str>)) -> Value {
    let found = inspect(Input { api_key, api_secret, passphrase, label });
    let field =
        |trimmed: &keyhold_seal::Trimmed| json!({ "value": *trimmed.value, "removed": trimmed.removed });
    let suspicions: Vec<Value> = found
        .suspicions
        .iter()
        .map(|(field, suspicion)| json!({ "field": field.as_str(), "suspicion": suspicion.as_str() }))
        .collect();
    json!({
        "input": { "api_key": api_key, "api_secret": api_secret, "passphrase": passphrase, "label": label },
        "api_key": field(&found.api_key),
        "api_secret": field(&found.api_secret),
        "passphrase": found.passphrase.as_ref().map(field),
        "suspicions": suspicions,
    })
}
