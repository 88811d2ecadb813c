//! One run: a seed becomes a market, a bot and a weather; the weather passes; the books are compared.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyhold_bot::run::{Home, RunError, run_in};
use keyhold_domain::{
    BotId, DeploymentId, Environment, Exchange, InstallId, KeyId, Site, TemplateId, Timeframe, WorkspaceId,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, parse_instrument_at};
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, BotMessage, Command, Endpoints, Entries, Isolation, Purpose, SealedKey,
    TemplateAssignment, UPLINK_VERSION,
};
use keyhold_seal::{Context, PlainSecret, seal};
use keyhold_simulator::exchange::ExchangeConfig;
use keyhold_simulator::random::Random;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::judge;
use crate::keeper::TestKeeper;
use crate::market::{self, VenueKind};
use crate::server::TestServer;
use crate::world::{Door, Presence, VirtualClock, Wire, World};

/// Candles of bad weather.
const CANDLES: u64 = 40;
/// Prices that are shown within a candle, and how far apart.
const PARTS: u32 = 4;
const PART: Duration = Duration::from_secs(15);
/// Between a price and the look at the books.
const SETTLING: Duration = Duration::from_secs(11);
/// So many prices after the weather the books must agree, and so many after everything was told to close. More than the
/// ten minutes for which a venue may have banned our address.
const PATIENCE: u32 = 25 * PARTS;

/// What a run consisted of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) trace: u64,
    pub(crate) kills: u64,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) trades: u64,
    pub(crate) funding: u64,
    pub(crate) liquidations: u64,
}

impl Tally {
    pub(crate) const fn add(&mut self, other: Self) {
        self.trace ^= other.trace;
        self.kills += other.kills;
        self.orders += other.orders;
        self.fills += other.fills;
        self.trades += other.trades;
        self.funding += other.funding;
        self.liquidations += other.liquidations;
    }
}

thread_local! {
    /// Panics of this thread's tasks, which tokio would swallow.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers panics per thread.
pub(crate) fn watch_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
        usual(info);
    }));
}

/// Whether a run tells what happens in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Only how it ended.
    Quiet,
    /// Logs and reports as well.
    Aloud,
}

/// Plays a seed. What went wrong, in words.
pub(crate) fn play(venue: &'static VenueKind, seed: u64, voice: Voice) -> Result<Tally, String> {
    on_virtual_time(async {
        let run = Run::new(venue, seed);
        let clock = run.world.clock;
        let _log = (voice == Voice::Aloud).then(|| crate::world::show_log(clock));
        let server = run.server.clone();
        let result = run.play().await;
        if voice == Voice::Aloud {
            server.show_reports();
        }
        result
    })
}

/// The burst of requests at one venue.
pub(crate) fn burst(venue: &'static VenueKind) -> Result<String, String> {
    on_virtual_time(crate::burst::play(venue))
}

/// Planted faults at one venue.
pub(crate) fn plants(venue: &'static VenueKind) -> Result<String, String> {
    on_virtual_time(crate::plants::play(venue))
}

/// Time passes when everybody waits. A panic of any task is a failure.
fn on_virtual_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    PANICS.take();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let result = runtime.block_on(work);
    drop(runtime);
    let panics = PANICS.take();
    if panics.is_empty() { result } else { Err(panics.join("; ")) }
}

/// Memory where there is some, so that syncing costs nothing.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// One world with its weather.
pub(crate) struct Run {
    pub(crate) kind: &'static VenueKind,
    pub(crate) world: World,
    pub(crate) venue: Arc<FakeVenue>,
    pub(crate) server: TestServer,
    pub(crate) home: Home,
    bot: Option<JoinHandle<Result<(), RunError>>>,
    random: Random,
    weather: Weather,
    began: Instant,
    ticks: u32,
    kills: u64,
    _folder: TempDir,
}

/// What a seed makes go wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// Chance per price of each sudden trouble, per thousand.
    sudden: u16,
    /// Which troubles last, and until which price.
    down: u32,
    maintenance: u32,
    skewed: u32,
    server_away: u32,
    dead: u32,
}

impl Run {
    pub(crate) fn new(kind: &'static VenueKind, seed: u64) -> Self {
        let mut random = Random::of(seed, 77);
        let folder = folder();
        let clock = VirtualClock::starting(market::opening());
        let total = market::HISTORY + usize::try_from(CANDLES).unwrap() + 200;
        let candles = market::wave(&mut random, total);
        let venue = Arc::new(FakeVenue::embedded(venue(kind, seed, candles, clock)).unwrap());
        // BitMEX has closed: there is no other world of it than a simulated one.
        let simulated = random.chance(250) || kind.exchange == Exchange::Bitmex;
        let environment = if simulated { Environment::Simulated } else { Environment::Testnet };
        let context = Context {
            install: InstallId::from_u128(1),
            workspace: WorkspaceId::from_u128(2),
            key: KeyId::from_u128(3),
            version: 1,
            exchange: kind.exchange,
            environment,
            contract: kind.contract,
        };
        let keeper = TestKeeper::start(folder.path(), context.install, clock);
        let bot = BotId::from_u128((u128::from(seed) + 1) << 90);
        let assignment = assignment(kind, &keeper, context, &mut random);
        let server = TestServer::new(assignment, keeper.clone(), context, bot);
        let (server_door, callers) = Door::new();
        tokio::spawn(server.clone().serve(callers));
        let (keeper_door, callers) = Door::new();
        tokio::spawn(keeper.serve(callers));
        let wire = Arc::new(Wire { venue: Arc::clone(&venue) });
        let home = Home { bot, folder: folder.path().join("bot") };
        std::fs::create_dir(&home.folder).unwrap();
        let weather = Weather { sudden: 5 + u16::try_from(random.below(25)).unwrap(), ..Weather::default() };
        Self {
            kind,
            world: World { clock, wire, server: server_door, keeper: keeper_door },
            venue,
            server,
            home,
            bot: None,
            random,
            weather,
            began: Instant::now(),
            ticks: 0,
            kills: 0,
            _folder: folder,
        }
    }

    pub(crate) fn control(&self, name: &str, body: &Value) {
        self.venue.control(name, body).unwrap_or_else(|error| panic!("{name} {body}: {error}"));
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.random.below(bound.into())).unwrap()
    }

    async fn play(mut self) -> Result<Tally, String> {
        self.start_bot();
        let faults = self.faults();
        self.control("faults", &faults);
        for _ in 0..CANDLES * u64::from(PARTS) {
            self.tick().await;
            self.change_weather().await?;
        }
        self.clear_up();
        self.agree(judge::Wanted::Anything).await?;
        self.server.command(u128::from(self.random.next_u64()), Command::Flatten);
        self.agree(judge::Wanted::Flat).await?;
        Ok(self.tally())
    }

    /// The next price, and a moment for what follows from it.
    async fn tick(&mut self) {
        self.ticks += 1;
        tokio::time::sleep_until(self.began + PART * self.ticks).await;
        self.venue.tick(PARTS);
        tokio::time::sleep(Duration::from_millis(self.random.below(5_000))).await;
    }

    pub(crate) fn start_bot(&mut self) {
        let hello = BotMessage::Hello {
            version: UPLINK_VERSION,
            program: "storm".to_owned(),
            bot: self.home.bot,
            deployment: DeploymentId::from_u128(9),
            token: "token".to_owned(),
            purpose: Purpose::Run,
            isolation: Isolation::Full,
        };
        let (world, home) = (self.world.clone(), self.home.clone());
        self.bot = Some(tokio::spawn(run_in(world, home, hello, std::future::pending())));
    }

    /// Dies in the middle of whatever it does.
    pub(crate) async fn kill_bot(&mut self) -> Result<(), String> {
        let Some(bot) = self.bot.take() else { return Ok(()) };
        bot.abort();
        match bot.await {
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(format!("the bot panicked: {error}")),
            Ok(result) => Err(format!("the bot ended by itself: {result:?}")),
        }
    }

    /// Chances that stay the same through the storm.
    fn faults(&mut self) -> Value {
        let mut upto = |most: u64| self.random.below(most + 1);
        json!({
            "latency": { "model": "uniform", "min_ms": upto(20), "max_ms": 20 + upto(1_500) },
            "lose_request": upto(40), "lose_answer": upto(40),
            "duplicate_message": upto(60), "reorder_message": upto(60), "lose_message": upto(15),
            "too_many_requests": upto(20), "forbidden": upto(4), "unavailable": upto(20),
        })
    }

    /// Ends what has lasted long enough, and now and then begins something.
    async fn change_weather(&mut self) -> Result<(), String> {
        let now = self.ticks;
        if self.weather.dead == now && self.bot.is_none() {
            self.start_bot();
        }
        if self.weather.down == now {
            self.control("up", &Value::Null);
        }
        if self.weather.maintenance == now {
            self.control("maintenance", &json!({ "on": false }));
        }
        if self.weather.skewed == now {
            self.control("clock", &json!({ "skew_ms": 0 }));
        }
        if self.weather.server_away == now {
            self.world.server.set(Presence::There);
        }
        // Only one venue has keys for its streams that end.
        let troubles = if self.kind.exchange == Exchange::Binance { 13 } else { 12 };
        for trouble in 0..troubles {
            if self.random.chance(self.weather.sudden) {
                self.begin(trouble).await?;
            }
        }
        Ok(())
    }

    async fn begin(&mut self, trouble: u32) -> Result<(), String> {
        let until = self.ticks + 1 + self.below(6);
        match trouble {
            0 => self.control("freeze", &Value::Null),
            1 => self.control("cut", &Value::Null),
            2 => {
                self.control("down", &Value::Null);
                self.weather.down = until;
            }
            3 => {
                self.control("maintenance", &json!({ "on": true }));
                self.weather.maintenance = until;
            }
            4 => {
                let skew = i64::from(self.below(16_000)) - 8_000;
                self.control("clock", &json!({ "skew_ms": skew }));
                self.weather.skewed = until + 8;
            }
            5 => {
                self.world.server.set(Presence::Away);
                self.server.hang_up();
                self.weather.server_away = until;
            }
            6 | 7 => {
                self.kills += 1;
                self.kill_bot().await?;
                self.weather.dead = until;
            }
            8 => {
                let depth = self.kind.depths()[usize::try_from(self.below(3)).unwrap()];
                self.control("fills", &json!({ "depth": depth, "slippage_bps": "2" }));
            }
            9 => {
                let (status, times) =
                    ([403, 418, 429][usize::try_from(self.below(3)).unwrap()], self.below(4) + 1);
                self.control(
                    "script",
                    &json!({ "path": "/", "fate": "status", "status": status, "times": times }),
                );
            }
            10 => {
                let rate = f64::from(self.below(21)) / 10_000.0 - 0.001;
                let symbol = self.symbol();
                self.control("funding", &json!({ "symbol": symbol, "rate": format!("{rate:.4}") }));
            }
            11 => {
                let price = 47_000 + self.below(6_000);
                let symbol = self.symbol();
                self.control("price", &json!({ "symbol": symbol, "price": price.to_string() }));
            }
            _ => self.control("expire", &Value::Null),
        }
        Ok(())
    }

    pub(crate) fn symbol(&self) -> String {
        let status = self.venue.control("status", &Value::Null).unwrap();
        status["prices"].as_object().unwrap().keys().next().unwrap().clone()
    }

    /// The sky clears: every trouble ends.
    fn clear_up(&mut self) {
        self.control("calm", &Value::Null);
        self.control("up", &Value::Null);
        self.control("maintenance", &json!({ "on": false }));
        self.control("clock", &json!({ "skew_ms": 0 }));
        self.control("fills", &json!({ "depth": null, "slippage_bps": "0" }));
        // Sockets that froze in the storm end; a half-open one would only be noticed later.
        self.world.server.set(Presence::There);
        if self.bot.is_none() {
            self.start_bot();
        }
        tracing::info!("the sky clears");
    }

    /// The next price in good weather, and time to settle what follows from it.
    pub(crate) async fn calm_tick(&mut self) {
        self.ticks += 1;
        tokio::time::sleep_until(self.began + PART * self.ticks).await;
        self.venue.tick(PARTS);
        tokio::time::sleep(SETTLING).await;
    }

    /// Waits until a position is held and the books agree, for a bounded time.
    pub(crate) async fn until_held(&mut self) -> Result<judge::Books, String> {
        for _ in 0..PATIENCE {
            self.calm_tick().await;
            let books = self.judge();
            if !books.size.is_zero() && books.difference(judge::Wanted::Anything).is_none() {
                return Ok(books);
            }
        }
        Err("no position was ever held".to_owned())
    }

    /// Waits until the books agree, for a bounded time.
    pub(crate) async fn agree(&mut self, wanted: judge::Wanted) -> Result<(), String> {
        let mut difference = None;
        for _ in 0..PATIENCE {
            self.calm_tick().await;
            if self.bot.as_ref().is_some_and(JoinHandle::is_finished) {
                let result = self.bot.take().expect("it was there").await;
                return Err(format!("the bot ended by itself: {result:?}"));
            }
            difference = self.judge().difference(wanted);
            if difference.is_none() {
                return self.judge().never().map_or(Ok(()), Err);
            }
        }
        Err(difference.unwrap_or_default())
    }

    pub(crate) fn judge(&self) -> judge::Books {
        judge::Books::open(self.kind, &self.venue, &self.server)
    }

    fn tally(&self) -> Tally {
        let books = self.judge();
        let mut hasher = DefaultHasher::new();
        books.truth.to_string().hash(&mut hasher);
        let heard = self.server.heard.lock().unwrap();
        format!("{:?}", heard.reports).hash(&mut hasher);
        heard.connections.hash(&mut hasher);
        let count = |name: &str| {
            let list = &books.truth[name];
            list.as_array().map_or(list.as_u64(), |list| u64::try_from(list.len()).ok()).unwrap_or_default()
        };
        Tally {
            trace: hasher.finish(),
            kills: self.kills,
            orders: count("orders"),
            fills: count("fills"),
            trades: u64::try_from(books.trades.len()).unwrap(),
            funding: count("funding_payments"),
            liquidations: count("liquidations"),
        }
    }
}

fn venue(
    kind: &VenueKind,
    seed: u64,
    candles: Vec<keyhold_domain::Candle>,
    clock: VirtualClock,
) -> VenueConfig {
    let passphrase = kind.passphrase.map_or_else(String::new, |word| format!("passphrase = \"{word}\"\n"));
    let accounts = format!(
        "[[account]]\nid = 1\nbalances = {{ {} = \"{}\" }}\n[[account.key]]\nkey = \"{}\"\nsecret = \"{}\"\n{passphrase}",
        kind.money.0,
        kind.money.1,
        market::API_KEY,
        kind.secret
    );
    let start = candles[0].open_time;
    VenueConfig {
        venue: kind.exchange,
        listen: "127.0.0.1:7001".parse().unwrap(),
        control: None,
        markets: vec![MarketConfig {
            instrument: parse_instrument_at(kind.exchange, kind.listing).unwrap(),
            source: CandleSource::Recorded(candles),
        }],
        accounts: parse_accounts(&accounts).unwrap(),
        seed,
        pace: Pace::Lockstep,
        base: Timeframe::M1,
        history: market::HISTORY,
        start: Some(start),
        exchange: ExchangeConfig::default(),
        rate_limits: RateLimits::Enforced,
        clock: Arc::new(move || clock.now()),
    }
}

fn assignment(kind: &VenueKind, keeper: &TestKeeper, context: Context, random: &mut Random) -> Assignment {
    let plain = PlainSecret::new(market::API_KEY, kind.secret, kind.passphrase).unwrap();
    let sealed = seal(&keeper.public_key, &context, plain, &mut SystemEntropy).unwrap();
    let wrapped = keeper.import(context, &sealed);
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
    let endpoints = match context.environment {
        Environment::Simulated => Endpoints {
            site: Site::Global,
            rest: Some("http://127.0.0.1:7001".to_owned()),
            stream: Some("ws://127.0.0.1:7001".to_owned()),
        },
        Environment::Live | Environment::Testnet => {
            Endpoints { site: Site::Global, rest: None, stream: None }
        }
    };
    let instrument = parse_instrument_at(kind.exchange, kind.listing).unwrap();
    Assignment {
        generation: 1,
        epoch: 1,
        account: Some(AccountAssignment { key, endpoints, instruments: vec![instrument.symbol] }),
        template: Some(TemplateAssignment {
            template: TemplateId::from_u128(5),
            version: 1,
            document: market::template(random),
        }),
        settings: market::settings(random),
        entries: Entries::Allowed,
    }
}
