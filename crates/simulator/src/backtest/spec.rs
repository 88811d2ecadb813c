//! What a backtest is asked to do. Everything that can change its result is in here or in the candles.

use keyhold_domain::money::decimal_text;
use keyhold_domain::{Decimal, Instrument, Rate, TemplateId, Timestamp};
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;

use crate::exchange::{GapFill, IntrabarRule};

/// A backtest of one template on one instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The strategy.
    pub template: Template,
    /// Its id, for the record.
    pub template_id: TemplateId,
    /// Its version, for the record.
    pub template_version: u32,
    /// The instrument with its grids and with the fees to assume.
    pub instrument: Instrument,
    /// Sizing, leverage and limits. The recording level is not used.
    pub settings: BotSettings,
    /// Equity at the start, in the settlement asset; greater than zero.
    pub start_equity: Decimal,
    /// The first candle to decide on opens here or later; earlier candles are history for the components. Without it,
    /// the first candles serve as history until the components have enough.
    pub from: Option<Timestamp>,
    /// Candles that open here or later are left out.
    pub until: Option<Timestamp>,
    /// How fills happen.
    pub fills: Fills,
    /// Funding payments.
    pub funding: Funding,
    /// Whether the settings' limits hold.
    pub limits: LimitUse,
    /// What to do with components that need more than candles.
    pub unsupported: Unsupported,
    /// Refuse more candles than this.
    pub most_candles: u64,
}

/// How fills happen. The default is the product's; the others are what other backtesters assume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Fills {
    /// Basis points by which market orders and triggered stops are filled worse.
    #[serde(with = "decimal_text")]
    pub slippage_bps: Decimal,
    /// Where a decision fills.
    pub decision: DecisionFill,
    /// From when protective orders work.
    pub protect_from: ProtectFrom,
    /// What counts when one candle could have hit both stop and target.
    #[serde(serialize_with = "intrabar_word")]
    pub intrabar: IntrabarRule,
    /// At which price a stop fills that the open has jumped over.
    #[serde(serialize_with = "gap_word")]
    pub stop_gap: GapFill,
    /// At which price a target fills that the open has jumped over.
    #[serde(serialize_with = "gap_word")]
    pub target_gap: GapFill,
}

impl Default for Fills {
    fn default() -> Self {
        Self {
            slippage_bps: Decimal::ZERO,
            decision: DecisionFill::default(),
            protect_from: ProtectFrom::default(),
            intrabar: IntrabarRule::StopFirst,
            stop_gap: GapFill::AtMarket,
            target_gap: GapFill::AtOrder,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn intrabar_word<S: serde::Serializer>(rule: &IntrabarRule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match rule {
        IntrabarRule::StopFirst => "stop_first",
        IntrabarRule::TargetFirst => "target_first",
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn gap_word<S: serde::Serializer>(rule: &GapFill, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match rule {
        GapFill::AtMarket => "at_market",
        GapFill::AtOrder => "at_order",
    })
}

/// Where a decision on the close of a candle fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionFill {
    /// At the open of the next candle.
    #[default]
    NextOpen,
    /// At the close itself, as if it were known a moment before.
    SameClose,
}

/// From when stops and targets work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectFrom {
    /// From the fill on.
    #[default]
    EntryCandle,
    /// From the candle after the one in which the entry was filled.
    NextCandle,
}

/// Funding payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Funding {
    /// None.
    #[default]
    Off,
    /// The same rate at every funding time of the instrument.
    Constant(Rate),
    /// Recorded rates with their times, oldest first.
    History(Vec<(Timestamp, Rate)>),
}

impl Funding {
    /// `off`, `constant` or `history`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Constant(_) => "constant",
            Self::History(_) => "history",
        }
    }
}

/// Whether the settings' limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUse {
    /// As live.
    #[default]
    On,
    /// As if none were set.
    Off,
}

/// What to do with components that need more than candles (funding, when it is off; book; trades).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// The run is refused and names them.
    #[default]
    Refuse,
    /// Signals count as neutral; filters, guards and gates are left out. The report names them.
    Neutral,
}

impl Spec {
    /// A backtest with the product's assumptions and without funding.
    pub fn new(
        template: Template,
        instrument: Instrument,
        settings: BotSettings,
        start_equity: Decimal,
    ) -> Self {
        Self {
            template,
            template_id: TemplateId::from_u128(0),
            template_version: 1,
            instrument,
            settings,
            start_equity,
            from: None,
            until: None,
            fills: Fills::default(),
            funding: Funding::default(),
            limits: LimitUse::default(),
            unsupported: Unsupported::default(),
            most_candles: 20_000_000,
        }
    }
}
