//! Words: fields with a fixed set of values. Each set is read from the type that has it; a value added there and missing
//! here does not compile.

use keyhold_domain as domain;
use keyhold_engine::catalog::{self, ExitKind as EngineExitKind};
use keyhold_engine::{settings, template, why};
use keyhold_protocol::uplink;
use keyhold_provision::BotStatus as Status;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, Schema as AnySchema};
use utoipa::{PartialSchema, ToSchema};

/// The description of a set of words.
fn words(about: &str, values: impl Iterator<Item = String>) -> RefOr<AnySchema> {
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
    RefOr::T(Schema::Object(object.enum_values(Some(values)).build()))
}

/// The word that serde writes.
fn written<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// Types that list their values themselves.
macro_rules! listed {
    ($($name:ident = $of:ty, $about:literal;)+) => { $(
        #[doc = $about]
        pub(crate) enum $name {}
        impl PartialSchema for $name {
            fn schema() -> RefOr<AnySchema> {
                words($about, <$of>::ALL.iter().map(|value| value.as_str().to_owned()))
            }
        }
        impl ToSchema for $name {}
    )+ };
}

/// Types that do not: the match is complete or does not compile.
macro_rules! spelled {
    ($($name:ident = $of:ty [$($variant:ident)+] $spell:expr, $about:literal;)+) => { $(
        #[doc = $about]
        pub(crate) enum $name {}
        impl PartialSchema for $name {
            fn schema() -> RefOr<AnySchema> {
                const fn complete(value: $of) -> $of {
                    match value { $(<$of>::$variant => <$of>::$variant),+ }
                }
                let spell = $spell;
                let values = [$(complete(<$of>::$variant)),+];
                words($about, values.iter().map(|value| { let word: String = spell(value).into(); word }))
            }
        }
        impl ToSchema for $name {}
    )+ };
}

/// Words that have no type of their own.
macro_rules! said {
    ($($name:ident [$($word:literal)+], $about:literal;)+) => { $(
        #[doc = $about]
        pub(crate) enum $name {}
        impl PartialSchema for $name {
            fn schema() -> RefOr<AnySchema> {
                words($about, [$($word),+].into_iter().map(str::to_owned))
            }
        }
        impl ToSchema for $name {}
    )+ };
}

listed! {
    ContractType = domain::ContractType, "In what a contract is settled.";
    Environment = domain::Environment, "Which world a key belongs to.";
    Exchange = domain::Exchange, "A company that runs a market.";
    InstrumentStatus = domain::instrument::InstrumentStatus, "Whether an instrument can be traded now.";
    Known = domain::Known, "A fact that a venue may not tell.";
    Liquidity = domain::Liquidity, "Whether a fill gave or took liquidity.";
    OrderPurpose = domain::OrderPurpose, "What an order is for.";
    OrderStatus = domain::OrderStatus, "How far an order has come at its venue.";
    PositionEffect = domain::order::PositionEffect, "What an order may do to a position.";
    Site = domain::Site, "At which of an exchange's sites an account was opened.";
    Side = domain::Side, "The direction of an order.";
    TimeInForce = domain::TimeInForce, "How long an order stays.";
    Timeframe = domain::Timeframe, "The length of a candle.";
    TriggerDirection = domain::TriggerDirection, "Which movement starts an order.";
    TriggerSource = domain::TriggerSource, "Which price starts an order.";
}

spelled! {
    BotStatus = Status [Deploying Online Paused Offline Failed Stopping Stopped] |status: &Status| status.as_str(),
        "The one word for a bot's state.";
    CommandStatus = keyhold_store::CommandStatus [Pending Delivered Completed Failed Expired]
        |status: &keyhold_store::CommandStatus| status.as_str(), "How far a command has come.";
    Direction = template::DirectionSetting [Both LongOnly ShortOnly] written, "Which directions may be entered.";
    Enabled = template::Enabled [Yes No] written, "Whether a component or rule takes part.";
    ExitKind = EngineExitKind [HardStop BreakEven TrailingStop Chandelier TakeProfit VolatilityExit TimeStop SignalFlip]
        written, "An exit rule.";
    Family = catalog::Family [Trend Momentum Volatility Volume Structure Derivatives EntryGuard Exit] written,
        "The shelf of the catalog.";
    KeyCheckStep = uplink::KeyCheckStep [Reachable Clock KeyKnown Signature Passphrase Address Expiry Permissions
        Account Balance] written, "A step of a connection test, in their order.";
    LossCounting = settings::LossCounting [RealizedAndUnrealized Realized] written, "What counts as lost.";
    MissingHardStop = template::MissingHardStop [Refuse Confirmed] written,
        "Whether the author accepts that no hard stop limits the loss.";
    JobState = keyhold_store::JobState [Queued Running Completed Failed Canceled]
        |state: &keyhold_store::JobState| state.as_str(), "How far work in the background has come.";
    Outcome = why::Outcome [Acted Waiting Blocked Limited Trouble] written, "The kind of a decision's headline.";
    OrderOutcome = uplink::OrderOutcome [InFlight Accepted Refused Unknown NotSent] written,
        "Where an order stands between the bot and the venue.";
    Phase = uplink::Phase [Idle Connecting Reconciling WarmingUp Online ExitsOnly Stopping] written,
        "What a bot is doing.";
    Recording = settings::Recording [Everything Changes Actions] written, "Which decisions are recorded.";
    Resting = settings::Resting [AtVenue InEngine] written, "Where protective orders wait.";
    Role = template::Role [Signal Filter EntryGuard RiskGate] written, "What a component is used as.";
    SessionEnd = template::SessionEnd [Keep Close] written, "What happens to an open position at a session's end.";
    SessionMethod = keyhold_store::SessionMethod [Password Passkey]
        |method: &keyhold_store::SessionMethod| method.as_str(), "How somebody proved who they are.";
    Severity = uplink::Severity [Info Warning Critical] written, "How much an event matters.";
    Step = why::Step [Ready History Signals Direction Filter EntryGuard RiskGate Limits Position Size Other] written,
        "A step between a closed candle and an entry.";
    StopPlace = uplink::StopPlace [Venue Bot None] written, "Where a protective stop lives.";
    TemplateKind = keyhold_store::TemplateKind [System User] |kind: &keyhold_store::TemplateKind| kind.as_str(),
        "Who may change a template.";
    Unit = catalog::Unit [Candles Percent BasisPoints Minutes Hours Multiple Points Price Deviations None] written,
        "The unit of a parameter or reading.";
    VerificationState = keyhold_store::VerificationState [Unverified Testing Ok Failed] written,
        "How far a key's connection test has come.";
    Weekday = template::Weekday [Mon Tue Wed Thu Fri Sat Sun] written, "A day of the week.";
    WhenHit = settings::WhenHit [Block CloseAll] written, "What a hit loss limit does beside blocking entries.";
    WhenLarger = settings::WhenLarger [Reduce Refuse] written, "What happens to an entry above the limit.";
    Wish = keyhold_store::Wish [Running Paused Stopped] |wish: &keyhold_store::Wish| wish.as_str(),
        "What the owner wants of a bot.";
}

said! {
    CommandKind ["pause" "resume" "flatten" "stop" "deploy" "inspect_key"], "What a bot is told to do.";
    Lack ["key" "template" "instrument"], "What a bot lacks to trade.";
    ModeName ["min_score" "min_signals" "weighted_average" "majority" "all" "any"], "How signals become a direction.";
    PassphraseNeed ["none" "required"], "Whether keys of an exchange have a passphrase.";
    RegistrationState ["open" "closed"], "Whether strangers may make accounts.";
    SetupState ["unclaimed" "claimed"], "Whether an installation has an owner.";
    TradeEnvironment ["live" "testnet" "simulated" "unknown"],
        "Which world; unknown when the bot had lost its key before the trade was told.";
}
