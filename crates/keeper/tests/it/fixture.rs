//! What the tests share: a folder, a keeper without sockets, a credential to seal, a bot to open it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use keyhold_domain::{BotId, ContractType, Environment, Exchange, InstallId, KeyId, WorkspaceId};
use keyhold_keeper::audit::Audit;
use keyhold_keeper::clock::Now;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::keeper::{After, Asker, Keeper, Protection};
use keyhold_keeper::vault::{Rollback, Vault};
use keyhold_protocol::keeper::{Answer, Grade, Import, LeaseRequest, Request, Ticket, TicketRequest};
use keyhold_seal::{BotPublicKey, Context, KeeperPublicKey, PlainSecret, Sealed, WrappedDataKey, seal};
use keyhold_unseal::open::EphemeralKey;

pub(crate) const SERVER: Asker = Asker { uid: 1000, pid: 100 };
pub(crate) const BOT: Asker = Asker { uid: 2000, pid: 200 };
pub(crate) const SECRET: &str = "made-up-secret-of-the-tests";
pub(crate) const INSTALL: InstallId = InstallId::from_u128(0xA11);

pub(crate) fn at(seconds: u64) -> Now {
    Now { wall_ms: 1_800_000_000_000 + seconds * 1000, running: Duration::from_secs(seconds) }
}

pub(crate) fn context(key: u128, version: u32) -> Context {
    Context {
        install: INSTALL,
        workspace: WorkspaceId::from_u128(0xB0),
        key: KeyId::from_u128(key),
        version,
        exchange: Exchange::Bybit,
        environment: Environment::Live,
        contract: ContractType::Linear,
    }
}

pub(crate) fn sealed_to(keeper: &KeeperPublicKey, context: &Context) -> Sealed {
    let secret = PlainSecret::new("made-up-key", SECRET, None).unwrap();
    seal(keeper, context, secret, &mut SystemEntropy).unwrap()
}

/// A new folder with a root key.
pub(crate) fn new_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    init(&folder.path().join("keeper"));
    folder
}

pub(crate) fn init(path: &Path) {
    Vault::create(&StateDir::create(path).unwrap(), INSTALL, &mut SystemEntropy).unwrap();
}

pub(crate) fn state_dir(folder: &tempfile::TempDir) -> StateDir {
    StateDir::open(&folder.path().join("keeper")).unwrap()
}

pub(crate) fn open_vault(dir: &StateDir) -> Vault {
    Vault::open(dir, Rollback::Refuse, &mut SystemEntropy).unwrap()
}

/// A keeper and what asks it.
pub(crate) struct Bench {
    pub(crate) keeper: Keeper<SystemEntropy>,
    pub(crate) public: KeeperPublicKey,
}

impl Bench {
    pub(crate) fn on(dir: &StateDir) -> Self {
        let vault = open_vault(dir);
        let public = vault.public_key().clone();
        let protection =
            Protection { deletion: Grade::Sound, isolation: Grade::Degraded, memory: "test".to_owned() };
        let servers = BTreeSet::from([SERVER.uid]);
        let audit = Audit::open(dir).unwrap();
        let keeper = Keeper::start(vault, audit, servers, protection, SystemEntropy, at(0)).unwrap();
        Self { keeper, public }
    }

    pub(crate) fn ask(&mut self, request: Request, asker: Asker, seconds: u64) -> Answer {
        self.ask_as(request, asker, seconds).0
    }

    pub(crate) fn ask_as(&mut self, request: Request, asker: Asker, seconds: u64) -> (Answer, After) {
        self.keeper.answer(request, asker, at(seconds))
    }

    /// Seals and imports.
    pub(crate) fn import(&mut self, context: &Context) -> (Sealed, WrappedDataKey) {
        let sealed = sealed_to(&self.public, context);
        let answer = self.ask(import(context, &sealed), SERVER, 0);
        let Answer::Imported { wrapped_data_key } = answer else { panic!("{answer:?}") };
        (sealed, wrapped_data_key)
    }

    pub(crate) fn ticket(&mut self, wanted: TicketRequest, seconds: u64) -> Ticket {
        let answer = self.ask(Request::Ticket(wanted), SERVER, seconds);
        let Answer::Ticket { ticket } = answer else { panic!("{answer:?}") };
        ticket
    }

    /// Issues a ticket and leases with it.
    pub(crate) fn lease(
        &mut self,
        context: &Context,
        wrapped: &WrappedDataKey,
        bot: u128,
        seconds: u64,
    ) -> Leasing {
        let ticket = self.ticket(ticket_for(context, bot, BOT.uid), seconds);
        let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
        let request = lease(&ticket, key.public(), wrapped, context);
        let (answer, after) = self.ask_as(request, BOT, seconds);
        Leasing { answer, after, key, bot: BotId::from_u128(bot) }
    }
}

/// An attempt to lease, and what is needed to open the answer.
pub(crate) struct Leasing {
    pub(crate) answer: Answer,
    pub(crate) after: After,
    pub(crate) key: EphemeralKey,
    pub(crate) bot: BotId,
}

impl Leasing {
    /// Opens the envelope with the answer and signs, to show that it is the right credential.
    pub(crate) fn opens(self, sealed: &Sealed, context: &Context) -> bool {
        let Answer::Leased { lease, answer } = &self.answer else { return false };
        let data_key = self.key.open_lease(answer, context, self.bot, lease.to_bytes()).unwrap();
        let credential = data_key.open(&sealed.envelope, context).unwrap();
        let other = open_secret(SECRET, context);
        credential.mac(keyhold_unseal::MacAlgorithm::HmacSha256, b"m") == other
    }
}

/// The signature that a credential with this secret makes, by way of the whole chain in memory.
fn open_secret(secret: &str, context: &Context) -> Result<Vec<u8>, keyhold_unseal::NotBase64> {
    use keyhold_os::secret::LockedBox;
    use keyhold_unseal::rewrap::{
        self, KeeperSecretKey, MemberKey, Recipient, Shield, SlotSecret, Under, Wrapping,
    };
    let shield = Shield::new(&mut SystemEntropy).unwrap();
    let key = MemberKey::new(&shield, LockedBox::zeroed().unwrap()).unwrap();
    let slot = SlotSecret::new(LockedBox::zeroed().unwrap());
    let keeper = KeeperSecretKey::derive(&key, context.install, &slot).unwrap();
    let plain = PlainSecret::new("made-up-key", secret, None).unwrap();
    let sealed = seal(keeper.public(), context, plain, &mut SystemEntropy).unwrap();
    let wrapping = Wrapping { under: Under::Workspace(&key), slot: &slot, index: 1 };
    let wrapped = rewrap::import(&keeper, wrapping, context, &sealed.data_key, &mut SystemEntropy).unwrap();
    let key = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let to = Recipient { bot: BotId::from_u128(1), lease: [1; 16], key: key.public().clone() };
    let answer = rewrap::lease(wrapping, context, &wrapped, &to, &mut SystemEntropy).unwrap();
    let data_key = key.open_lease(&answer, context, to.bot, to.lease).unwrap();
    data_key.open(&sealed.envelope, context).unwrap().mac(keyhold_unseal::MacAlgorithm::HmacSha256, b"m")
}

pub(crate) fn import(context: &Context, sealed: &Sealed) -> Request {
    Request::Import(Import { context: *context, sealed_data_key: sealed.data_key.clone() })
}

pub(crate) fn ticket_for(context: &Context, bot: u128, uid: u32) -> TicketRequest {
    TicketRequest {
        workspace: context.workspace,
        bot: BotId::from_u128(bot),
        key: context.key,
        uid,
        valid_ms: None,
    }
}

pub(crate) fn lease(
    ticket: &Ticket,
    key: &BotPublicKey,
    wrapped: &WrappedDataKey,
    context: &Context,
) -> Request {
    Request::Lease(LeaseRequest {
        ticket: ticket.clone(),
        public_key: key.clone(),
        wrapped_data_key: wrapped.clone(),
        context: *context,
    })
}

pub(crate) fn refusal(answer: &Answer) -> Option<keyhold_protocol::keeper::Refusal> {
    match answer {
        Answer::Refused { code, .. } => Some(*code),
        _ => None,
    }
}
