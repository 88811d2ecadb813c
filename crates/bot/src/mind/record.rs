//! What the journal holds: everything that changes what the bot knows or wants, as data.
//!
//! The same entries in the same order give the same mind for ever; that is what makes a start a recovery. No entry holds
//! a secret, an envelope or a ticket.

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    Candle, ClientOrderId, CommandId, Environment, Instrument, KeyId, Money, Timestamp, VenueOrderId,
};
use keyhold_engine::BotEvent;
use keyhold_engine::event::{Outcome, Request};
use keyhold_engine::settings::BotSettings;
use keyhold_protocol::uplink::{Command, CommandOutcome, Entries, Report, TemplateAssignment};
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By the machine's clock.
    pub at: Timestamp,
    /// What happened.
    pub what: Record,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// What is traded and how, completely described.
    Planned(Box<Setup>),
    /// The owner's wish about entries.
    Wished {
        /// Of the assignment it came with.
        generation: u64,
        /// Entries or none.
        entries: Entries,
    },
    /// The bot itself holds entries back, or no longer.
    Obstacle {
        /// Why.
        obstacle: Obstacle,
        /// Whether it stands.
        standing: Standing,
    },
    /// News for the engine.
    Bot(Box<BotEvent>),
    /// What became of a request to the venue.
    Answered(Answer),
    /// Candles of the past, oldest first: learned from, not decided on.
    Warmed {
        /// For which instrument.
        slot: u16,
        /// The candles.
        candles: Vec<Candle>,
    },
    /// Funding was paid or received.
    Funding {
        /// For which instrument.
        slot: u16,
        /// The venue's name of the payment.
        id: FillId,
        /// Positive when received.
        amount: Money,
        /// By the venue's clock.
        at: Timestamp,
    },
    /// The server wants something done once.
    Commanded {
        /// By which repeats are recognized.
        id: CommandId,
        /// What.
        command: Command,
    },
    /// It was done, or not.
    CommandEnded {
        /// Which.
        id: CommandId,
        /// How it went.
        outcome: CommandOutcome,
    },
    /// Something to be reported that changes nothing here.
    Told(Box<Report>),
}

/// Everything a plan is compiled from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The key it trades with; changes only when flat.
    pub key: KeyId,
    /// Its world; decides by which clock the market goes.
    pub environment: Environment,
    /// The deployment's number.
    pub epoch: u32,
    /// The strategy.
    pub template: TemplateAssignment,
    /// Sizes and limits.
    pub settings: BotSettings,
    /// The instruments in slot order, as the venue describes them.
    pub instruments: Vec<Instrument>,
}

/// Why the bot holds entries back by itself. Exits are never held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The key can withdraw, or cannot trade.
    KeyUnfit,
    /// Position mode, margin mode or leverage do not fit.
    AccountUnfit,
    /// The keeper has been away for too long.
    LeaseLost,
    /// Too many reports wait for the server.
    Backlog,
    /// A flatten was carried out; waits for the owner's next word.
    Flattened,
}

/// Whether an obstacle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Stands,
    /// It is gone.
    Gone,
}

/// What became of a request to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For which instrument.
    pub slot: u16,
    /// The order.
    pub client_id: ClientOrderId,
    /// What was asked.
    pub request: Request,
    /// What became of it.
    pub outcome: Outcome,
    /// The venue's name of the order, once known.
    pub venue_id: Option<VenueOrderId>,
    /// When it was handed to the network.
    pub sent_at: Timestamp,
    /// When that was known, in the market's time.
    pub at: Timestamp,
}
