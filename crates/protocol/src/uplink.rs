//! What a bot and its server say to each other over the uplink.
//!
//! The bot dials out. Frames are those of [`crate::frame`]. Reports are numbered per deployment, kept in the bot's
//! journal until acknowledged and stored by the server once per number, so that neither a restart of the server nor
//! of the bot loses or doubles one. No message carries a secret: the sealed envelope can be opened only by the bot
//! that holds a lease of the keeper.

use keyhold_domain::{
    AccountSnapshot, Asset, BotId, Candle, CommandId, ContractType, Decimal, DeploymentId, Environment,
    Exchange, Fill, InstallId, Instrument, KeyFacts, KeyId, NewOrder, OrderPurpose, OrderStatus, Price,
    Quantity, ReasonCode, RefusalCode, Side, SignedQuantity, Site, Symbol, TemplateId, Timeframe, Timestamp,
    TradeId, VenueOrderId, WorkspaceId,
};
use serde::{Deserialize, Serialize};

/// The version both sides must speak. A bot of another version is told so and ends.
pub const UPLINK_VERSION: u16 = 1;

/// What a bot process was started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Trade until stopped.
    Run,
    /// Test one key and end.
    Verify,
}

/// From the bot to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BotMessage {
    /// The first frame of every connection.
    Hello {
        /// [`UPLINK_VERSION`] of the bot.
        version: u16,
        /// Version of the program, for people.
        program: String,
        /// The bot, or for a verification the id given at the launch.
        bot: BotId,
        /// The run it belongs to.
        deployment: DeploymentId,
        /// The launch token read from standard input, 64 hexadecimal digits.
        token: String,
        /// Why it was started.
        purpose: Purpose,
        /// Which protections are in force.
        isolation: Isolation,
    },
    /// Sent every 15 seconds and on every change of phase. Not numbered: only the newest matters.
    Heartbeat {
        /// The bot's clock.
        at: Timestamp,
        /// What it is doing.
        phase: Phase,
        /// Opening time of the newest candle that was decided on, per instrument.
        progress: Vec<Progress>,
        /// Orders sent whose outcome is not known yet.
        in_flight: u32,
        /// Reports not yet acknowledged.
        backlog: u64,
    },
    /// A numbered report. Numbers start at 1 and have no gaps.
    Report {
        /// The running number within the deployment.
        number: u64,
        /// When it happened, by the bot's clock.
        at: Timestamp,
        /// What happened.
        body: Box<Report>,
    },
    /// A command was carried out or failed.
    CommandDone {
        /// Which.
        command: CommandId,
        /// How it went.
        outcome: CommandOutcome,
    },
    /// One step of a key's connection test.
    KeyCheck {
        /// The step.
        check: KeyCheck,
    },
    /// The end of a key's connection test. The process ends after it.
    KeyVerdict {
        /// What was found.
        verdict: Box<KeyVerdict>,
    },
}

/// From the server to the bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to `Hello`.
    Welcome {
        /// The highest report number stored for this deployment; 0 for none.
        acknowledged: u64,
    },
    /// The connection is not wanted; the bot ends unless it manages a position.
    Refused {
        /// Why.
        code: ReasonCode,
    },
    /// What the bot is to do. Each replaces the one before; a lower generation is ignored.
    Assignment(Box<Assignment>),
    /// Do something once. Repeats of the same id are answered but not done again.
    Command {
        /// The id by which repeats are recognized.
        id: CommandId,
        /// What to do.
        command: Command,
    },
    /// Every report up to this number is stored.
    Acknowledged {
        /// The highest stored number.
        number: u64,
    },
}

/// Everything a bot needs to know from its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Grows with every change.
    pub generation: u64,
    /// The run's number; part of client order ids.
    pub epoch: u32,
    /// Where to trade; `None` while no key is assigned.
    pub account: Option<AccountAssignment>,
    /// What to evaluate; `None` while no template is assigned.
    pub template: Option<TemplateAssignment>,
    /// Sizing, leverage and limits: the engine's settings document as JSON.
    pub settings: serde_json::Value,
    /// May it enter?
    pub entries: Entries,
}

/// Whether entries are allowed. Exits always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entries {
    /// Entries are allowed.
    Allowed,
    /// The owner has paused the bot.
    Paused,
    /// The key is switched off.
    KeyInactive,
}

/// The exchange account a bot trades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountAssignment {
    /// The key's record.
    pub key: SealedKey,
    /// Hosts of the venue.
    pub endpoints: Endpoints,
    /// The instruments assigned to the key, in slot order; the slot is part of client order ids.
    pub instruments: Vec<Symbol>,
}

/// A stored key as the server has it, with a ticket that lets this process lease its data key once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// The installation, workspace, key, version and venue the envelope is bound to.
    pub install: InstallId,
    /// The owner.
    pub workspace: WorkspaceId,
    /// The record.
    pub key: KeyId,
    /// The record's version.
    pub version: u32,
    /// The company.
    pub exchange: Exchange,
    /// Live, testnet or simulated.
    pub environment: Environment,
    /// Linear or inverse.
    pub contract_type: ContractType,
    /// The envelope, base64url.
    pub envelope: String,
    /// The data key as the keeper wrapped it, base64url.
    pub wrapped_data_key: String,
    /// A single-use ticket for the keeper, base64url; `None` when a lease is already held for this key.
    pub ticket: Option<String>,
}

/// Where a venue is. Only simulated venues may have other addresses than the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Whose built-in addresses; always the one for everybody where there are others.
    pub site: Site,
    /// For simulated venues: `http://host:port`; `None` means the venue's own hosts.
    pub rest: Option<String>,
    /// For simulated venues: `ws://host:port`.
    pub stream: Option<String>,
}

/// A template at one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateAssignment {
    /// Which.
    pub template: TemplateId,
    /// Which version.
    pub version: u32,
    /// The engine's template document.
    pub document: keyhold_engine::template::Template,
}

/// Something to do once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// Close all positions of the bot with market orders, cancel its orders, stay paused afterwards.
    Flatten,
    /// End the process.
    Stop {
        /// What to do with open positions.
        positions: StopPolicy,
    },
    /// Check the key's permissions again.
    InspectKey,
}

/// What stopping does with open positions. There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopPolicy {
    /// Close them first.
    Close,
    /// Leave them, with their resting stops.
    Leave,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CommandOutcome {
    /// Carried out.
    Completed,
    /// Not carried out, or in part.
    Failed {
        /// Why.
        code: ReasonCode,
        /// A sentence.
        detail: String,
    },
}

/// What the bot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connected, without key or template.
    Idle,
    /// Leasing the key and connecting to the venue.
    Connecting,
    /// Comparing its books with the venue's.
    Reconciling,
    /// Loading history.
    WarmingUp,
    /// Trading.
    Online,
    /// Managing positions, entering nothing.
    ExitsOnly,
    /// Winding down.
    Stopping,
}

/// How far an instrument's decisions have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The instrument.
    pub symbol: Symbol,
    /// Opening time of the newest candle decided on.
    pub candle: Timestamp,
}

/// Which protections of the process are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub enum Isolation {
    /// All of them.
    Full,
    /// Some are missing; configuration allows it.
    Degraded {
        /// What is missing, in words.
        missing: Vec<String>,
    },
}

/// What a bot reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "what", rename_all = "snake_case")]
pub enum Report {
    /// A closed candle was decided on, also when nothing was done.
    Decision(DecisionReport),
    /// An order changed.
    Order(OrderReport),
    /// A part of an order was done.
    Fill(FillReport),
    /// A position opened, changed or closed.
    Position(PositionReport),
    /// A round trip ended.
    Trade(Box<TradeReport>),
    /// What the account is worth.
    Equity(EquityReport),
    /// The newest account snapshot after a reconciliation.
    Account(AccountSnapshot),
    /// Something worth telling.
    Event(EventReport),
    /// What the venue says the key may do; sent at every start, every 6 hours and on authentication errors.
    KeyFacts(KeyFacts),
    /// The instruments as the venue describes them.
    Instruments(Vec<Instrument>),
}

/// The record of one decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionReport {
    /// The instrument.
    pub symbol: Symbol,
    /// The candle that closed.
    pub candle: Candle,
    /// Its length.
    pub timeframe: Timeframe,
    /// The template's version.
    pub template: TemplateId,
    /// The template's version.
    pub template_version: u32,
    /// The headline: what was done, or the first reason why nothing was.
    pub code: ReasonCode,
    /// The direction the signals wanted.
    pub wanted: Option<Side>,
    /// Combined score, as text of a number.
    pub score: String,
    /// The threshold it was compared with.
    pub threshold: String,
    /// The whole record as the engine wrote it: every component's output, every block, levels and size.
    pub record: serde_json::Value,
}

/// An order and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderReport {
    /// What was asked.
    pub order: NewOrder,
    /// The venue's name, once known.
    pub venue_id: Option<VenueOrderId>,
    /// Its state; `None` while in flight or unknown.
    pub status: Option<OrderStatus>,
    /// Where it stands between us and the venue.
    pub outcome: OrderOutcome,
    /// Sum of fills.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub filled: Decimal,
    /// Average price of the fills.
    pub average_price: Option<Price>,
    /// Why the venue refused or canceled.
    pub refusal: Option<RefusalCode>,
    /// Why it was sent.
    pub reason: ReasonCode,
    /// The candle whose decision caused it.
    pub decision: Option<Timestamp>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When it was handed to the network.
    pub sent_at: Option<Timestamp>,
    /// When the venue answered.
    pub acknowledged_at: Option<Timestamp>,
}

/// Where an order stands between us and the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// On its way.
    InFlight,
    /// The venue has it.
    Accepted,
    /// The venue refused it: it did not happen.
    Refused,
    /// Nobody knows yet: being looked up.
    Unknown,
    /// It never left us.
    NotSent,
}

/// A fill with the bot's context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillReport {
    /// The fill.
    pub fill: Fill,
    /// Why the order was sent.
    pub purpose: Option<OrderPurpose>,
    /// The price at the decision.
    pub decision_price: Option<Price>,
}

/// A position as the bot keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PositionReport {
    /// The instrument.
    pub symbol: Symbol,
    /// Signed size; zero when closed.
    pub size: SignedQuantity,
    /// Average entry.
    pub entry: Option<Price>,
    /// Newest price seen.
    pub mark: Option<Price>,
    /// Unrealized profit.
    #[serde(with = "keyhold_domain::money::optional_decimal_text")]
    pub unrealized: Option<Decimal>,
    /// Of which asset.
    pub settle: Asset,
    /// The protective stop in force.
    pub stop: Option<Price>,
    /// Does the stop rest at the venue?
    pub stop_at_venue: StopPlace,
    /// The take profit in force.
    pub target: Option<Price>,
    /// Where the venue would liquidate.
    pub liquidation: Option<Price>,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
}

/// Where a protective stop lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopPlace {
    /// It rests at the venue and works while the bot is dead.
    Venue,
    /// Only the bot watches it.
    Bot,
    /// There is none.
    None,
}

/// A completed round trip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeReport {
    /// Its id, computed from the bot and the entry order.
    pub id: TradeId,
    /// The instrument.
    pub symbol: Symbol,
    /// The side of the entry.
    pub side: Side,
    /// Largest size held.
    pub quantity: Quantity,
    /// Average entry.
    pub entry_price: Price,
    /// Average exit.
    pub exit_price: Price,
    /// First entry fill.
    pub entered_at: Timestamp,
    /// Last exit fill.
    pub exited_at: Timestamp,
    /// Profit before costs, in the settlement asset.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub gross: Decimal,
    /// Sum of fees; positive is a cost.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub fees: Decimal,
    /// Sum of funding; positive was received.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub funding: Decimal,
    /// Profit after costs.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub net: Decimal,
    /// In what.
    pub settle: Asset,
    /// Why it was closed.
    pub exit_reason: ReasonCode,
    /// The candle whose decision opened it.
    pub entry_decision: Option<Timestamp>,
    /// The template.
    pub template: TemplateId,
    /// Its version.
    pub template_version: u32,
    /// Everything else the engine recorded: excursions, slippage, latency, entry snapshot.
    pub record: serde_json::Value,
}

/// What the account is worth in one asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EquityReport {
    /// The asset.
    pub asset: Asset,
    /// Deposits plus realized results.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub wallet: Decimal,
    /// Wallet plus unrealized profit.
    #[serde(with = "keyhold_domain::money::decimal_text")]
    pub equity: Decimal,
}

/// An entry of the activity feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventReport {
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub code: ReasonCode,
    /// A sentence without secrets.
    pub text: String,
    /// The instrument, when it is about one.
    pub symbol: Option<Symbol>,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Somebody may want to look.
    Warning,
    /// Somebody must look.
    Critical,
}

/// The steps of a connection test, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyCheckStep {
    /// The venue answers from the bot's address.
    Reachable,
    /// The clocks agree.
    Clock,
    /// The venue knows the key.
    KeyKnown,
    /// The signature is right.
    Signature,
    /// The passphrase is right.
    Passphrase,
    /// The address is allowed.
    Address,
    /// The key has not expired.
    Expiry,
    /// It may read and trade and may not withdraw.
    Permissions,
    /// Contract type and position mode fit.
    Account,
    /// The balance can be read.
    Balance,
}

/// One step's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCheck {
    /// Which step.
    pub step: KeyCheckStep,
    /// How it went.
    pub result: KeyCheckResult,
    /// What was found, for people; never a secret.
    pub detail: String,
    /// The venue's own code, for the curious.
    pub venue_code: Option<String>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", content = "code", rename_all = "snake_case")]
pub enum KeyCheckResult {
    /// Good.
    Passed,
    /// Not blocking, but worth knowing.
    Warning(ReasonCode),
    /// Blocking.
    Failed(ReasonCode),
    /// An earlier failure made it pointless, or the venue has no such thing.
    NotReached,
}

/// The outcome of a connection test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyVerdict {
    /// Every step.
    pub checks: Vec<KeyCheck>,
    /// What the key may do, when it could be asked.
    pub facts: Option<KeyFacts>,
    /// Balances, when they could be read.
    pub account: Option<AccountSnapshot>,
    /// Instruments the key can trade, when they could be listed.
    pub instruments: Vec<Instrument>,
}
