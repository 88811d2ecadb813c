//! A venue, a keeper, a server and a bot process, put together.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyhold_domain::{
    BotId, ContractType, Decimal, DeploymentId, Environment, Exchange, InstallId, KeyId, Site, TemplateId,
    Timestamp, WorkspaceId,
};
use keyhold_fake_venues::FakeBybit;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, Endpoints, Entries, OrderReport, PositionReport, Report, SealedKey,
    TemplateAssignment, TradeReport,
};
use keyhold_seal::{Context, PlainSecret, seal};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keeper::TestKeeper;
use crate::market;
use crate::server::TestServer;

pub(crate) const TOKEN: &str = "5f0e8a1c5f0e8a1c5f0e8a1c5f0e8a1c5f0e8a1c5f0e8a1c5f0e8a1c5f0e8a1c";
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Rig {
    pub(crate) venue: FakeBybit,
    pub(crate) server: TestServer,
    pub(crate) keeper: Arc<TestKeeper>,
    bot: BotId,
    child: Option<Child>,
    pub(crate) folder: TempDir,
    pub(crate) steps: usize,
    /// A port to be dialed instead of the venue's.
    pub(crate) port: Option<u16>,
}

impl Rig {
    pub(crate) async fn trading(seed: u64) -> Self {
        Self::with_key(seed, market::TRADER).await
    }

    pub(crate) async fn with_key(seed: u64, (api_key, secret): (&str, &str)) -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["keeper", "server", "bot"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let venue = FakeBybit::start(market::venue(seed)).await.unwrap();
        let context = Context {
            install: InstallId::from_u128(1),
            workspace: WorkspaceId::from_u128(2),
            key: KeyId::from_u128(3),
            version: 1,
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract: ContractType::Linear,
        };
        let keeper = Arc::new(TestKeeper::start(&folder.path().join("keeper"), context.install));
        let plain = PlainSecret::new(api_key, secret, None).unwrap();
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
        let assignment = Assignment {
            generation: 1,
            epoch: 1,
            account: Some(AccountAssignment {
                key,
                endpoints,
                instruments: vec!["BTCUSDT".parse().unwrap()],
            }),
            template: Some(TemplateAssignment {
                template: TemplateId::from_u128(5),
                version: 1,
                document: market::template(),
            }),
            settings: market::settings(),
            entries: Entries::Allowed,
        };
        let mut server =
            TestServer::new(&folder.path().join("server"), TOKEN, assignment, Arc::clone(&keeper), context);
        server.up();
        let bot = BotId::from_u128((u128::from(seed) + 1) << 90);
        Self { venue, server, keeper, bot, child: None, folder, steps: 0, port: None }
    }

    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("bot.log")
    }

    pub(crate) fn start(&mut self, mode: &str) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut child = Program::new(env!("CARGO_BIN_EXE_keyhold-bot"))
            .env_clear()
            .arg(mode)
            .args(["--bot", &self.bot.to_string()])
            .args(["--deployment", &DeploymentId::from_u128(9).to_string()])
            .arg("--uplink")
            .arg(self.server.socket())
            .arg("--keeper")
            .arg(&self.keeper.socket)
            .arg("--folder")
            .arg(self.folder.path().join("bot"))
            .args(["--simulated-port", &self.port.unwrap_or(self.venue.address().port()).to_string()])
            .args(["--names", "refused", "--isolation", isolation(), "--log", "info,keyhold_bot=debug"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
        self.child = Some(child);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks the process to end, as an operator would.
    pub(crate) fn terminate(&mut self) {
        Program::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
    }

    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let code = self.until("the process ends", || child.try_wait().unwrap()).await;
        code.code()
    }

    /// Polls until there is something, or fails with the bot's log.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.log()).unwrap();
                let tail: Vec<_> = log.lines().rev().take(60).collect();
                let lines = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                let beat = self.server.heard(|heard| heard.beats.last().cloned());
                panic!(
                    "{what}: not in {DEADLINE:?}; newest heartbeat {beat:?}; the bot's log ends:\n{lines}"
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for a phase in a heartbeat of a connection after the given one.
    pub(crate) async fn phase(&self, phase: keyhold_protocol::uplink::Phase) {
        self.until(&format!("phase {phase:?}"), || {
            self.server
                .heard(|heard| heard.beats.last().is_some_and(|beat| beat.phase == phase).then_some(()))
        })
        .await;
    }

    /// Plays one candle and waits until the bot has decided on it and nothing is on its way.
    pub(crate) async fn step(&mut self) {
        let open = self.play();
        self.settled(open).await;
    }

    /// Plays one candle and does not wait. Its opening time.
    pub(crate) fn play(&mut self) -> Timestamp {
        self.venue.step();
        self.steps += 1;
        market::opening(self.steps - 1)
    }

    pub(crate) async fn settled(&self, open: Timestamp) {
        self.until(&format!("candle {open} is decided"), || {
            let settled = self.server.heard(|heard| {
                let beat = heard.beats.last()?;
                let decided = beat.progress.iter().any(|one| one.candle >= open);
                (decided && beat.in_flight == 0).then_some(())
            });
            settled.filter(|()| self.agrees())
        })
        .await;
    }

    /// Whether the bot has decided on a candle and every order has its outcome, by the bot's own files; for when nobody
    /// listens to its heartbeats.
    pub(crate) fn is_settled_on_disk(&self, open: Timestamp) -> bool {
        let text = std::fs::read_to_string(self.folder.path().join("bot/reports.log")).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut decided = false;
        let mut pending = std::collections::BTreeMap::new();
        for line in whole.filter_map(|line| serde_json::from_str::<Value>(&line[9..]).ok()) {
            let what = &line["body"]["what"];
            match line["body"]["type"].as_str() {
                Some("decision") => decided |= what["candle"]["open_time"].as_i64() >= Some(open.ms()),
                Some("order") => {
                    let rests = what["status"] == "untriggered" && what["outcome"] == "accepted";
                    let ended = ["filled", "canceled", "rejected"].iter().any(|word| what["status"] == *word);
                    pending.insert(what["order"]["client_id"].to_string(), !rests && !ended);
                }
                _ => {}
            }
        }
        decided && !pending.values().any(|pending| *pending)
    }

    /// Whether the position that the bot reported last is the venue's.
    pub(crate) fn agrees(&self) -> bool {
        self.reported_size() == self.venue_size()
    }

    pub(crate) fn truth(&self) -> Value {
        self.venue.control("truth", &json!({ "account": 1 })).unwrap()
    }

    pub(crate) fn venue_size(&self) -> Decimal {
        let truth = self.truth();
        truth["positions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|position| position["size"].as_str().unwrap().parse::<Decimal>().unwrap())
            .sum()
    }

    pub(crate) fn positions(&self) -> Vec<PositionReport> {
        self.server.heard(|heard| {
            let position = |report: &Report| match report {
                Report::Position(position) => Some(position.clone()),
                _ => None,
            };
            heard.reports.iter().filter_map(position).collect()
        })
    }

    pub(crate) fn reported_size(&self) -> Decimal {
        self.positions().last().map_or(Decimal::ZERO, |position| position.size.get())
    }

    pub(crate) fn trades(&self) -> Vec<TradeReport> {
        self.server.heard(|heard| {
            let trade = |report: &Report| match report {
                Report::Trade(trade) => Some((**trade).clone()),
                _ => None,
            };
            heard.reports.iter().filter_map(trade).collect()
        })
    }

    pub(crate) fn orders(&self) -> Vec<OrderReport> {
        self.server.heard(|heard| {
            let order = |report: &Report| match report {
                Report::Order(order) => Some(order.clone()),
                _ => None,
            };
            heard.reports.iter().filter_map(order).collect()
        })
    }

    pub(crate) fn control(&self, name: &str, body: &Value) {
        self.venue.control(name, body).unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // For whoever wants to look at the files of a failed test.
        if let Some(keep) = std::env::var_os("KEYHOLD_KEEP").filter(|_| std::thread::panicking()) {
            drop(Program::new("cp").arg("-r").arg(self.folder.path()).arg(keep).status());
        }
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Full isolation wherever the kernel offers it; elsewhere the tests run degraded and say so.
pub(crate) fn isolation() -> &'static str {
    if std::env::var_os("KEYHOLD_DEGRADED").is_some() {
        eprintln!("NOT PROVEN: KEYHOLD_DEGRADED is set, the sandbox is not required");
        "degraded"
    } else {
        "required"
    }
}
