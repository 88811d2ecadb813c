//! A venue, a keeper, a server's end of the line and a bot process, put together for one case.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::{Arc, Mutex};

use keyhold_domain::{
    BotId, DeploymentId, Environment, Exchange, InstallId, KeyId, Site, TemplateId, WorkspaceId,
};
use keyhold_fake_venues::FakeBybit;
use keyhold_fake_venues::clock::system_clock;
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, Endpoints, Entries, SealedKey, TemplateAssignment,
};
use keyhold_seal::{Context, PlainSecret, seal};
use keyhold_simulator::exchange::{ExchangeConfig, Slippage};
use tempfile::TempDir;

use crate::data::{Case, SLIPPAGE_BPS};
use crate::keeper::TestKeeper;
use crate::uplink::{Heard, Line, listen};

const TOKEN: &str = "70a1c3e570a1c3e570a1c3e570a1c3e570a1c3e570a1c3e570a1c3e570a1c3e5";
const KEY: (&str, &str) = ("PARITYKEY-41c8", "made-up-secret-of-a-made-up-venue-b7d2");
/// The same names of bot and template as in a backtest, so that orders and trades have the same ids.
pub(crate) const BOT: BotId = BotId::from_u128(1 << 100);
pub(crate) const TEMPLATE: TemplateId = TemplateId::from_u128(5);

pub(crate) struct Rig {
    pub(crate) venue: FakeBybit,
    pub(crate) line: Arc<Line>,
    child: Child,
    folder: TempDir,
}

impl Rig {
    pub(crate) async fn start(case: &Case) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["keeper", "bot"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let venue = FakeBybit::start(venue(case)).await.unwrap();
        let context = Context {
            install: InstallId::from_u128(1),
            workspace: WorkspaceId::from_u128(2),
            key: KeyId::from_u128(3),
            version: 1,
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract: case.instrument.contract_type,
        };
        let keeper = TestKeeper::start(&folder.path().join("keeper"), context.install);
        let keeper_socket = keeper.socket.clone();
        let assignment = assignment(case, &venue, &keeper, context).await;
        let line = Arc::new(Line {
            heard: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            assignment,
            keeper,
            context,
        });
        let uplink = folder.path().join("uplink.sock");
        listen(&uplink, Arc::clone(&line));
        let child = start_bot(folder.path(), &uplink, &keeper_socket, venue.address().port());
        Self { venue, line, child, folder }
    }

    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.line.heard.lock().unwrap())
    }

    /// The end of the bot's log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(log(self.folder.path())).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn venue(case: &Case) -> VenueConfig {
    let accounts = format!(
        "[[account]]\nid = 1\nbalances = {{ {} = \"{}\" }}\n[[account.key]]\nkey = \"{}\"\n\
         secret = \"{}\"\nips = [\"127.0.0.1\"]\n",
        case.instrument.settle, case.start_equity, KEY.0, KEY.1
    );
    let source = CandleSource::Recorded(case.candles.clone());
    VenueConfig {
        venue: Exchange::Bybit,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![MarketConfig { instrument: case.instrument, source }],
        accounts: parse_accounts(&accounts).unwrap(),
        seed: 1,
        pace: Pace::Lockstep,
        base: case.template.timeframe,
        history: case.history,
        start: Some(case.candles[0].open_time),
        exchange: ExchangeConfig { slippage: Slippage::uniform(SLIPPAGE_BPS), ..ExchangeConfig::default() },
        rate_limits: RateLimits::Off,
        clock: system_clock(),
    }
}

async fn assignment(case: &Case, venue: &FakeBybit, keeper: &TestKeeper, context: Context) -> Assignment {
    let plain = PlainSecret::new(KEY.0, KEY.1, None).unwrap();
    let sealed = seal(&keeper.public_key, &context, plain, &mut SystemEntropy).unwrap();
    let wrapped = keeper.import(context, &sealed).await;
    let key = SealedKey {
        install: context.install,
        workspace: context.workspace,
        key: context.key,
        version: context.version,
        exchange: context.exchange,
        environment: context.environment,
        contract_type: context.contract,
        envelope: sealed.envelope.to_text(),
        wrapped_data_key: wrapped.to_text(),
        ticket: None,
    };
    let endpoints =
        Endpoints { site: Site::Global, rest: Some(venue.rest_url()), stream: Some(venue.ws_url()) };
    Assignment {
        generation: 1,
        epoch: 0,
        account: Some(AccountAssignment { key, endpoints, instruments: vec![case.instrument.symbol] }),
        template: Some(TemplateAssignment {
            template: TEMPLATE,
            version: 1,
            document: case.template.clone(),
        }),
        settings: serde_json::to_value(&case.settings).unwrap(),
        entries: Entries::Allowed,
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("bot.log")
}

fn start_bot(folder: &Path, uplink: &Path, keeper: &Path, port: u16) -> Child {
    let log = std::fs::File::create(log(folder)).unwrap();
    let mut child = Program::new(env!("CARGO_BIN_EXE_keyhold-bot"))
        .env_clear()
        .arg("run")
        .args(["--bot", &BOT.to_string(), "--deployment", &DeploymentId::from_u128(9).to_string()])
        .arg("--uplink")
        .arg(uplink)
        .arg("--keeper")
        .arg(keeper)
        .arg("--folder")
        .arg(folder.join("bot"))
        .args(["--simulated-port", &port.to_string(), "--isolation", isolation(), "--log", "warn"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    child
}

fn isolation() -> &'static str {
    if std::env::var_os("KEYHOLD_DEGRADED").is_some() { "degraded" } else { "required" }
}
